// Package opensshd tests the manager against Debian's OpenSSH server: a plain
// account with a directory is enough of a gateway.
package opensshd

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"waybill/internal/doctor"
	"waybill/internal/safefs"
	"waybill/internal/smad"
	"waybill/internal/source"
	"waybill/internal/track"
	"waybill/internal/window"
	"waybill/test/peers/peer"
)

// sshd is a running server with a directory of tracking files.
type sshd struct {
	address, user, export, hostKey string
	keys                           string // authorized_keys
}

// start runs sshd as the user of the test, on loopback, with nothing of the
// machine's configuration.
func start(t *testing.T) *sshd {
	t.Helper()
	t.Setenv("PATH", os.Getenv("PATH")+":/usr/sbin:/sbin")
	if why := peer.Missing(false, "sshd", "ssh-keygen", "scp"); why != "" {
		peer.Skip(t, why)
	}
	program, err := exec.LookPath("sshd") // it wants its absolute path
	if err != nil {
		t.Fatal(err)
	}
	if os.Geteuid() == 0 {
		// Where sshd of root locks itself in; empty, and usually there.
		if err := os.MkdirAll("/run/sshd", 0o755); err != nil {
			t.Fatal(err)
		}
	}
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	ports, err := peer.FreePorts(1)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	s := &sshd{address: fmt.Sprintf("127.0.0.1:%d", ports[0]), user: me.Username, export: filepath.Join(dir, "export", "tracking"), keys: filepath.Join(dir, "authorized_keys")}
	if err := os.MkdirAll(s.export, 0o750); err != nil {
		t.Fatal(err)
	}
	host := filepath.Join(dir, "host")
	if out, err := exec.Command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", host).CombinedOutput(); err != nil {
		t.Fatalf("ssh-keygen: %v: %s", err, out)
	}
	pub, err := os.ReadFile(host + ".pub")
	if err != nil {
		t.Fatal(err)
	}
	s.hostKey = strings.TrimSpace(string(pub))
	config := fmt.Sprintf(`Port %d
ListenAddress 127.0.0.1
HostKey %s
PidFile none
UsePAM no
StrictModes no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
AuthorizedKeysFile %s
MaxStartups 100
SetEnv HOME=%s
LogLevel VERBOSE
`, ports[0], host, s.keys, dir) // a shell's start-up files are the user's own affair
	if err := os.WriteFile(filepath.Join(dir, "config"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	log, err := os.Create(filepath.Join(dir, "sshd.log"))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, "-D", "-e", "-f", filepath.Join(dir, "config"))
	cmd.Stderr = log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		// Its children of open sessions are of its group.
		if err := syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM); err != nil {
			t.Errorf("stop sshd: %v", err)
		}
		_ = cmd.Wait() // ended by our signal
		log.Close()
		if t.Failed() {
			text, _ := os.ReadFile(log.Name())
			t.Logf("sshd:\n%s", text)
		}
	})
	until(t, "sshd answers", func() bool {
		c, err := net.Dial("tcp", s.address)
		if err != nil {
			return false
		}
		c.Close()
		return true
	})
	if out, err := exec.Command(program, "-V").CombinedOutput(); err == nil {
		t.Logf("%s", bytes.TrimSpace(out))
	}
	return s
}

func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(60 * time.Second)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("not within a minute: %s", what)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// fill seals n windows into the export directory, as a gateway would, and
// returns them by name.
func (s *sshd) fill(t *testing.T, n int) map[string][]byte {
	t.Helper()
	out := make(map[string][]byte)
	from := time.Date(2023, 2, 13, 19, 16, 31, 0, time.UTC)
	for i := range n {
		at := from.Add(time.Duration(i) * 3 * time.Minute)
		w, err := window.Create(safefs.OS(), s.export, window.Header{Gateway: "mx-a", Serial: "5F0C", Epoch: 1, Sequence: uint64(i),
			Interval: track.Interval{From: track.StampOf(at), To: track.StampOf(at.Add(3 * time.Minute))}, Software: "waybill test"})
		if err != nil {
			t.Fatal(err)
		}
		sealed, err := w.Seal(true)
		if err != nil {
			t.Fatal(err)
		}
		if out[sealed.Name.String()], err = os.ReadFile(sealed.Path); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

func (s *sshd) left(t *testing.T) []string {
	t.Helper()
	entries, err := os.ReadDir(s.export)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range entries {
		out = append(out, e.Name())
	}
	return out
}

// manager is one with a key of its own.
type manager struct {
	root    *safefs.Root
	service *smad.Service
	log     *operatorLog
	dir     string
}

// operatorLog writes lines as smad_logs have them.
type operatorLog struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *operatorLog) Enabled(context.Context, slog.Level) bool { return true }
func (l *operatorLog) WithAttrs([]slog.Attr) slog.Handler       { return l }
func (l *operatorLog) WithGroup(string) slog.Handler            { return l }
func (l *operatorLog) Handle(_ context.Context, r slog.Record) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	level := "Info"
	if r.Level >= slog.LevelWarn {
		level = "Warning"
	}
	_, err := fmt.Fprintf(&l.buf, "%s %s: %s\n", r.Time.Format(time.ANSIC), level, r.Message)
	return err
}

func (l *operatorLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

func newManager(t *testing.T, s *sshd, name string, known bool) *manager {
	t.Helper()
	m := &manager{dir: t.TempDir(), log: &operatorLog{}}
	var err error
	if m.root, err = safefs.OpenRoot(m.dir); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.root.Close() })
	key, err := smad.Key(m.root)
	if err != nil {
		t.Fatal(err)
	}
	if known {
		f, err := os.OpenFile(s.keys, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := fmt.Fprintln(f, smad.PublicLine(key.PublicKey())); err != nil {
			t.Fatal(err)
		}
		f.Close()
	}
	reg := &smad.Registry{FS: m.root}
	if _, err := reg.Add(smad.Gateway{Name: "mx-a", Address: s.address, User: s.user, Directory: s.export, HostKey: s.hostKey, Mode: smad.Legacy}); err != nil {
		t.Fatal(err)
	}
	if m.service, err = smad.New(smad.Options{FS: m.root, Name: name, Poll: 200 * time.Millisecond, Ops: slog.New(m.log)}); err != nil {
		t.Fatal(err)
	}
	return m
}

func (m *manager) run(t *testing.T) {
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- m.service.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func (m *manager) status() smad.GatewayStatus {
	for _, g := range m.service.Status().Gateways {
		return g
	}
	return smad.GatewayStatus{}
}

func (m *manager) pulled(t *testing.T) map[string][]byte {
	t.Helper()
	out := make(map[string][]byte)
	dir := filepath.Join(m.dir, "log/tracking/mx-a")
	entries, err := os.ReadDir(dir)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") {
			continue // on its way
		}
		if out[e.Name()], err = os.ReadFile(filepath.Join(dir, e.Name())); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

func (m *manager) journal(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	err := filepath.WalkDir(filepath.Join(m.dir, "smad/journal"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		raw, err := os.ReadFile(path)
		b.Write(raw)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestPullsFromOpenSSH: everything comes, byte for byte, and the doctor can read
// the log of it.
func TestPullsFromOpenSSH(t *testing.T) {
	s := start(t)
	files := s.fill(t, 60)
	m := newManager(t, s, "manager-a", true)
	// Names that a shell or a listing could trip over are passed over, and stay.
	odd := []string{"tracking.@20230213T191631Z_20230213T191931Z.s.gz;reboot", "-rf", "notes.txt", "tracking.@20230213T991631Z_20230213T191931Z.s.gz", "line\nbreak"}
	for _, name := range odd {
		if err := os.WriteFile(filepath.Join(s.export, name), []byte("x"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	m.run(t)
	defer func() {
		if t.Failed() {
			st := m.status()
			t.Logf("%+v\n%+v\n%s\n%s", st, st.Last, m.log.String(), m.journal(t))
		}
	}()
	until(t, "all acknowledged", func() bool { return m.status().Acknowledged == int64(len(files)) })
	if got := m.pulled(t); !maps.EqualFunc(got, files, bytes.Equal) {
		t.Errorf("%d files came, not the %d that were there", len(got), len(files))
	}
	left := s.left(t)
	if slices.Sort(odd); !slices.Equal(left, odd) {
		t.Errorf("left: %q, want %q", left, odd)
	}
	if st := m.status(); st.Failures != 0 || st.Mode != smad.Legacy {
		t.Errorf("%+v", st)
	}
	path := filepath.Join(m.dir, "smad.current")
	if err := os.WriteFile(path, []byte(m.log.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	in, err := source.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	r := doctor.Open(path)
	if err := r.Read(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	d := doctor.New(doctor.Options{})
	d.Add(r)
	report := d.Report()
	if len(report.Files) != 1 || report.Files[0].Form != doctor.Smad || report.Files[0].Used != int64(len(files)+1) || // with the line that says who was connected to
		report.Files[0].Bad != 0 {
		t.Errorf("the doctor reads %+v of\n%s", report.Files, m.log.String())
	}
}

// TestRivals: two managers empty one plain directory. It is what legacy servers
// do to both: each file comes to one at least, none is lost, and what one of
// them saw and did not get stands in its journal.
func TestRivals(t *testing.T) {
	s := start(t)
	files := s.fill(t, 120)
	a, b := newManager(t, s, "manager-a", true), newManager(t, s, "manager-b", true)
	a.run(t)
	b.run(t)
	until(t, "the directory is empty", func() bool { return len(s.left(t)) == 0 })
	polled := time.Now()
	until(t, "both know it", func() bool { return a.status().LastPoll.After(polled) && b.status().LastPoll.After(polled) })
	gotA, gotB := a.pulled(t), b.pulled(t)
	both := maps.Clone(gotA)
	maps.Copy(both, gotB)
	if !maps.EqualFunc(both, files, bytes.Equal) {
		t.Errorf("%d of %d files came", len(both), len(files))
	}
	for i, m := range []*manager{a, b} {
		journal, got := m.journal(t), m.pulled(t)
		for name := range files {
			_, have := got[name]
			listed := strings.Contains(journal, `"event":"listed","file":"`+name)
			vanished := strings.Contains(journal, `"event":"vanished","file":"`+name)
			if listed && !have && !vanished || vanished && have {
				t.Errorf("manager %d, %s: listed %v, have %v, vanished %v", i, name, listed, have, vanished)
			}
		}
	}
	t.Logf("a has %d, b has %d; a lost %d, b lost %d", len(gotA), len(gotB), a.status().Vanished, b.status().Vanished)
}

// TestSteps: what an operator sees of a key that is not known and of a host key
// that is another one.
func TestSteps(t *testing.T) {
	s := start(t)
	s.fill(t, 3)
	m := newManager(t, s, "manager-a", true)
	if err := os.WriteFile(s.keys, []byte("# nobody\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	reg := &smad.Registry{FS: m.root}
	test := func() *smad.Probe {
		t.Helper()
		g, err := reg.Get("mx-a")
		if err != nil {
			t.Fatal(err)
		}
		p, err := smad.Test(t.Context(), smad.Options{FS: m.root}, g)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	if p := test(); p.OK || p.Steps[len(p.Steps)-1].Cause != smad.CauseAuthentication {
		t.Errorf("an unknown key: %+v", p)
	}
	key, err := smad.Key(m.root)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(s.keys, []byte(smad.PublicLine(key.PublicKey())+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if p := test(); !p.OK || p.Files != 3 {
		t.Errorf("a known key: %+v", p)
	}
	if err := reg.Resume("mx-a", smad.PublicLine(key.PublicKey())); err != nil {
		t.Fatal(err)
	}
	if p := test(); p.OK || p.Steps[len(p.Steps)-1].Cause != smad.CauseHostKey {
		t.Errorf("another host key: %+v", p)
	}
	if err := reg.Resume("mx-a", s.hostKey); err != nil {
		t.Fatal(err)
	}
	if _, err := reg.Update("mx-a", func(g *smad.Gateway) { g.Mode = smad.Auto }); err != nil {
		t.Fatal(err)
	}
	if p := test(); !p.OK || p.Mode != smad.Legacy {
		t.Errorf("finding out the mode: %+v", p)
	}
}
