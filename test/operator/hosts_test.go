package operator

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// addresses of the hosts. All but the gateways and the manager are there for
// what they meet.
var addresses = map[string]string{"mx-a": "192.0.2.64", "mx-b": "192.0.2.65", "old": "192.0.2.66", "mgr": "192.0.2.80", "mx-c": "192.0.2.67", "one": "192.0.2.68", "esa": "192.0.2.81"}

// host is one machine: namespaces of its own over a copy of this one's files.
type host struct {
	name string
	root string
	init *exec.Cmd // whose end ends all others of it
	out  io.Reader // of init
	says bytes.Buffer
}

// mounts makes the file system of a host; $1 is an empty directory, $2 its name, $3
// the program, $4 the directory packaging.
const mounts = `set -e
mount -t tmpfs -o mode=755 none "$1"
mkdir "$1/up" "$1/work" "$1/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$1/up,workdir=$1/work" "$1/root"
cd "$1/root"
mount -t proc none proc
mount --rbind /dev dev
for d in tmp run root var/lib var/log var/spool; do mkdir -p $d; mount -t tmpfs -o mode=755 none $d; done
chmod 1777 tmp
rm -rf etc/waybill
mkdir -p run/sshd root srv/waybill
mkdir srv/waybill/bin srv/waybill/packaging
touch srv/waybill/bin/waybill
mount --bind "$3" srv/waybill/bin/waybill
mount --bind "$4" srv/waybill/packaging
hostname "$2"
ip link set lo up
echo ready
exec chroot . sh -c 'while :; do sleep 3600; done'`

// start boots a host. Its init runs until the test has ended.
func start(t *testing.T, name, program string) *host {
	t.Helper()
	packaging, err := filepath.Abs("../../packaging")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	h := &host{name: name, root: filepath.Join(dir, "root")}
	h.init = exec.Command("unshare", "--mount", "--uts", "--net", "--pid", "--fork", "--kill-child", "--propagation", "private",
		"sh", "-c", mounts, "sh", dir, name, program, packaging)
	h.init.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	h.init.Stderr = &h.says
	if h.out, err = h.init.StdoutPipe(); err != nil {
		t.Fatal(err)
	}
	if err := h.init.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = h.init.Process.Kill()
		_ = h.init.Wait()
	})
	return h
}

// booted waits until the host is there.
func (h *host) booted(t *testing.T) {
	t.Helper()
	b := make([]byte, 10)
	if n, err := h.out.Read(b); !strings.HasPrefix(string(b[:n]), "ready") {
		t.Fatalf("the host %s does not start: %v, %s", h.name, err, h.says.String())
	}
}

// pid is the host's first process as seen from here: the child of unshare.
func (h *host) pid(t *testing.T) string {
	t.Helper()
	p := strconv.Itoa(h.init.Process.Pid)
	b, err := os.ReadFile("/proc/" + p + "/task/" + p + "/children")
	if err != nil || len(strings.Fields(string(b))) == 0 {
		t.Fatalf("the host %s has no process: %v", h.name, err)
	}
	return strings.Fields(string(b))[0]
}

// run runs a script there as root would type it, with in as what is typed into
// it, and returns all that it prints.
func (h *host) run(t *testing.T, script, in string) (string, error) {
	t.Helper()
	cmd := exec.Command("nsenter", "-t", h.pid(t), "-m", "-u", "-n", "-p", "-r", "-w",
		"env", "-i", "HOME=/root", "USER=root", "TZ=UTC", "LANG=C.UTF-8", "COLUMNS=100",
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		"sh", "-e", "-c", "cd /srv/waybill\n"+script)
	cmd.Stdin = strings.NewReader(in)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// write makes a file there.
func (h *host) write(t *testing.T, path, mode, text string) {
	t.Helper()
	cmd := exec.Command("nsenter", "-t", h.pid(t), "-m", "-r", "sh", "-c", `mkdir -p "$(dirname "$0")" && cat > "$0" && chmod `+mode+` "$0"`, path)
	cmd.Stdin = strings.NewReader(text)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("write %s on %s: %v\n%s", path, h.name, err, out)
	}
}

// network connects the hosts with a switch, which is this process's namespace.
func network(t *testing.T, hosts map[string]*host) {
	t.Helper()
	script := "set -e\nip link set lo up\nip link add switch type bridge\nip link set switch up\n"
	for name, h := range hosts {
		script += fmt.Sprintf("ip link add p-%[1]s type veth peer name eth0 netns %[2]s\nip link set p-%[1]s master switch up\n"+
			"nsenter -t %[2]s -n sh -c 'ip address add %[3]s/24 dev eth0 && ip link set eth0 up'\n", name, h.pid(t), addresses[name])
	}
	if out, err := exec.Command("sh", "-c", script).CombinedOutput(); err != nil {
		t.Fatalf("connect the hosts: %v\n%s", err, out)
	}
}

// Stand-ins for what a host without systemd has not.
const (
	systemctl = `#!/bin/sh
# Starts and stops what a unit says, as the user that it says.
verb=$1; shift
[ "$verb" = daemon-reload ] && exit 0
[ "$1" = --now ] && { now=1; shift; }
unit=${1%.service}
file=/etc/systemd/system/$unit.service
value() { sed -n "s/^$1=//p" "$file"; }
pid=/run/$unit.pid
begin() {
  dir=/var/lib/$(value StateDirectory)
  user=$(value User)
  install -d -m "$(value StateDirectoryMode)" -o "$user" -g "$user" "$dir"
  groups=$(value SupplementaryGroups | tr ' ' ,)
  umask "$(value UMask)"
  setsid setpriv --reuid "$user" --regid "$user" --groups "$user${groups:+,$groups}" --no-new-privs \
    env -i PATH="$PATH" TZ=UTC LANG=C.UTF-8 $(value ExecStart) >>"/run/$unit.log" 2>&1 </dev/null &
  echo $! >$pid
}
end() { kill "$(cat $pid)"; while kill -0 "$(cat $pid)" 2>/dev/null; do sleep 0.1; done; rm $pid; }
case $verb in
  enable) [ -f "$file" ] || { echo "Unit $unit.service does not exist" >&2; exit 1; }; if [ -n "$now" ]; then begin; fi ;;
  start) begin ;;
  stop) end ;;
  restart) end; begin ;;
  reload) kill -HUP "$(cat $pid)" ;;
  *) echo "systemctl $verb: not here" >&2; exit 1 ;;
esac
`
	journalctl = `#!/bin/sh
while getopts u:n:f o; do case $o in u) unit=$OPTARG ;; n) lines=$OPTARG ;; f) ;; *) exit 1 ;; esac; done
tail -n "${lines:-1000}" "/run/$unit.log"
`
	sudo = `#!/bin/sh
[ "$1" = -u ] || exec "$@"
user=$2; shift 2
exec setpriv --reuid "$user" --regid "$user" --init-groups "$@"
`
)

// ends is how long a block may take to print what it should.
const ends = 20 * time.Second
