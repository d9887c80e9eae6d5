package openssh

import (
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"
)

func TestCommands(t *testing.T) {
	r := newRig(t)
	if got := r.ssh(t, "smaduser@gw", "ls -AF /export/tracking/"); got != (result{fileA + "\n" + fileB + "\n", "", 0}) {
		t.Errorf("ls: %+v", got)
	}
	if got := r.ssh(t, "smaduser@gw", "rm "+dir+fileA); got.status != 1 || !strings.Contains(got.stderr, "no receipt") {
		t.Errorf("rm without a receipt: %+v", got)
	}
	if got := r.run(t, "", "scp", "-O", "-p", "-v", "-F", "config", "-i", "id", "smaduser@gw:"+dir+fileA, "a"); got.status != 0 {
		t.Fatalf("scp -O: %+v", got)
	}
	r.same(t, "a", content(3_000_000))
	if !r.x.Did("received", fileA) {
		t.Error("no receipt of scp -O")
	}
	if got := r.run(t, "", "scp", "-O", "-F", "config", "-i", "id", "smaduser@gw:"+dir+fileB, "b"); got.status != 0 {
		t.Fatalf("scp -O of an empty file: %+v", got)
	}
	r.same(t, "b", nil)
	for range 2 {
		if got := r.ssh(t, "smaduser@gw", "rm "+dir+fileA); got != (result{}) {
			t.Errorf("rm: %+v", got)
		}
	}
	if got := r.ssh(t, "smaduser@gw", "ls -AF /export/tracking"); got.stdout != fileB+"\n" {
		t.Errorf("ls: %+v", got)
	}
	got := r.run(t, "", "scp", "-O", "-F", "config", "-i", "id", "smaduser@gw:"+dir+fileA, "c")
	if got.status != 1 || !strings.Contains(got.stderr, "No such file or directory") {
		t.Errorf("scp -O of what is gone: %+v", got)
	}
}

func TestSCPOverSFTP(t *testing.T) {
	r := newRig(t)
	if got := r.run(t, "", "scp", "-s", "-p", "-F", "config", "-i", "id", "smaduser@gw:"+dir+fileA, "smaduser@gw:"+dir+fileB, "."); got.status != 0 {
		t.Fatalf("scp: %+v", got)
	}
	r.same(t, fileA, content(3_000_000))
	r.same(t, fileB, nil)
	if !r.x.Did("sent", fileA) || r.x.Did("received", fileA) {
		t.Errorf("journal %q", r.x.Journal())
	}
	if got := r.ssh(t, "smaduser@gw", "rm "+dir+fileA); got != (result{}) {
		t.Errorf("rm: %+v", got)
	}
	if got := r.run(t, "", "scp", "-s", "-F", "config", "-i", "id", "smaduser@gw:"+dir+fileA, "again"); got.status == 0 {
		t.Errorf("scp of what is gone: %+v", got)
	}
}

func TestSFTP(t *testing.T) {
	r := newRig(t)
	batch := func(text string) result {
		return r.run(t, text, "sftp", "-b", "-", "-F", "config", "-i", "id", "smaduser@gw")
	}
	got := batch("pwd\nls -1\ncd /\nls -l\ncd export/tracking\nls -l\nget tracking.*\nrm " + fileA + "\nls -1 /export/tracking/\n")
	if got.status != 0 {
		t.Fatalf("sftp: %+v", got)
	}
	t.Log(got.stdout)
	r.same(t, fileA, content(3_000_000))
	r.same(t, fileB, nil)
	if !strings.HasSuffix(got.stdout, "sftp> ls -1 /export/tracking/\n"+dir+fileB+"\n") {
		t.Errorf("after rm: %q", got.stdout)
	}
	if !r.x.Did("sent", fileA) || !r.x.Did("acknowledged", fileA) {
		t.Errorf("journal %q", r.x.Journal())
	}
	r.write(t, "local", "evil")
	for _, command := range []string{
		"put local", "put local /export/tracking/" + fileB, "rename " + fileB + " x", "mkdir x", "rmdir /export", "chmod 600 " + fileB,
		"symlink /etc/passwd x", "ln " + fileB + " x", "get /etc/passwd", "get ../../etc/passwd", "rm /etc/passwd",
		"get tracking.@20230213T191931Z_20230213T192231Z.s.gz/../../../etc/passwd p",
	} {
		if got := batch(command + "\n"); got.status == 0 {
			t.Errorf("%s: %+v", command, got)
		}
	}
	if got := r.ssh(t, "smaduser@gw", "ls -AF "+dir); got.stdout != fileB+"\n" {
		t.Errorf("ls: %+v", got)
	}
	if r.refused("attempt to change the export") == 0 {
		t.Errorf("status %+v", r.Status())
	}
}

func TestRefusedCommands(t *testing.T) {
	r := newRig(t)
	for _, tc := range []struct {
		name   string
		args   []string
		status int
		says   string
	}{
		{"shell", []string{"-T", "smaduser@gw"}, 1, "no shell here"},
		{"terminal and shell", []string{"-tt", "smaduser@gw"}, 255, "PTY allocation request failed"},
		{"other command", []string{"smaduser@gw", "cat /etc/passwd"}, 127, "no such command here; this account offers: ls -AF"},
		{"injection", []string{"smaduser@gw", "ls -AF /export/tracking/; id"}, 1, "the one listing here"},
		{"substitution", []string{"smaduser@gw", "rm $(id)"}, 1, "not the name"},
		{"glob", []string{"smaduser@gw", "rm /export/tracking/*"}, 1, "not the name"},
		{"traversal", []string{"smaduser@gw", "rm /export/tracking/../../etc/passwd"}, 1, "not the name"},
		{"other listing", []string{"smaduser@gw", "ls -la /"}, 1, "ls -AF"},
		{"other subsystem", []string{"-s", "smaduser@gw", "netconf"}, 255, "subsystem request failed"},
		{"other user", []string{"root@gw", "ls -AF /export/tracking/"}, 255, "Permission denied (publickey)"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := r.ssh(t, tc.args...)
			if got.status != tc.status || !strings.Contains(got.stderr+got.stdout, tc.says) {
				t.Errorf("%+v", got)
			}
		})
	}
	got := r.run(t, "", "rsync", "-a", "-e", "ssh -F config -i id", "smaduser@gw:/export/tracking/", "copy")
	if got.status == 0 || !strings.Contains(got.stderr, "rsync is not offered here: use scp or sftp") {
		t.Errorf("rsync: %+v", got)
	}
	r.write(t, "local", "evil")
	got = r.run(t, "", "scp", "-O", "-F", "config", "-i", "id", "local", "smaduser@gw:/export/tracking/x")
	if got.status == 0 || !strings.Contains(got.stderr, "files are handed out here, not taken") {
		t.Errorf("scp to the gateway: %+v", got)
	}
	got = r.run(t, "", "scp", "-O", "-r", "-F", "config", "-i", "id", "smaduser@gw:/export/tracking", "all")
	if got.status == 0 || !strings.Contains(got.stderr, "one file at a time") {
		t.Errorf("scp -r: %+v", got)
	}
	for _, reason := range []string{"shell", "terminal", "command", "other subsystem", "wrong user"} {
		if r.refused(reason) == 0 {
			t.Errorf("%q was not counted: %v", reason, r.Status().Refused)
		}
	}
}

func TestAuthentication(t *testing.T) {
	r := newRig(t)
	list := []string{"smaduser@gw", "ls -AF /export/tracking/"}
	as := func(options ...string) result {
		return r.run(t, "", "ssh", append(append([]string{"-F", "config"}, options...), list...)...)
	}
	if got := as("-i", "stranger"); got.status != 255 || !strings.Contains(got.stderr, "Permission denied (publickey)") {
		t.Errorf("another key: %+v", got)
	}
	if got := as("-i", "stranger", "-i", "id"); got.status != 0 {
		t.Errorf("another key first: %+v", got)
	}
	if got := as("-i", "id", "-o", "PreferredAuthentications=password,keyboard-interactive,gssapi-with-mic,hostbased"); got.status != 255 {
		t.Errorf("password: %+v", got)
	}
	// A known key is offered, welcomed, and cannot be signed with; the next one
	// is. Who that was follows from the signature.
	r.x.Add(ssh.FingerprintSHA256(r.makeKey(t, "ghost").PublicKey()), "ghost")
	if err := os.Remove(r.path("ghost")); err != nil {
		t.Fatal(err)
	}
	before := len(r.x.Journal())
	if got := as("-v", "-i", "ghost.pub", "-i", "id"); got.status != 0 || strings.Count(got.stderr, "Server accepts key") != 2 {
		t.Errorf("offer one key, sign with another: %+v", got)
	}
	if j := r.x.Journal()[before:]; len(j) != 1 || j[0] != "listed by m1" {
		t.Errorf("journal %q", j)
	}
	for _, k := range []struct {
		kind, bits string
		ok         bool
	}{{"rsa", "2048", false}, {"rsa", "3072", true}, {"ecdsa", "256", true}, {"ecdsa", "521", true}} {
		name := k.kind + k.bits
		if got := r.run(t, "", "ssh-keygen", "-q", "-N", "", "-t", k.kind, "-b", k.bits, "-f", name); got.status != 0 {
			t.Fatalf("ssh-keygen: %+v", got)
		}
		fp := r.run(t, "", "ssh-keygen", "-l", "-E", "sha256", "-f", name)
		r.x.Add(strings.Fields(fp.stdout)[1], name)
		if got := as("-i", name); (got.status == 0) != k.ok {
			t.Errorf("%s: %+v", name, got)
		}
	}
	// A certificate, even of a key that is known.
	if got := r.run(t, "", "ssh-keygen", "-q", "-s", "id", "-I", "x", "-n", "smaduser", "stranger.pub"); got.status != 0 {
		t.Fatalf("ssh-keygen -s: %+v", got)
	}
	if got := as("-i", "stranger", "-o", "CertificateFile=stranger-cert.pub"); got.status != 255 {
		t.Errorf("certificate: %+v", got)
	}
}

func TestAlgorithms(t *testing.T) {
	r := newRig(t)
	got := r.ssh(t, "-vv", "smaduser@gw", "ls -AF /export/tracking/")
	if got.status != 0 || !regexp.MustCompile(`kex: algorithm: (mlkem768x25519-sha256|curve25519-sha256)`).MatchString(got.stderr) ||
		!strings.Contains(got.stderr, "-gcm@openssh.com MAC: <implicit>") || !strings.Contains(got.stderr, "kex-strict-s-v00@openssh.com") {
		t.Errorf("negotiation: %s", got.stderr)
	}
	for _, weak := range []string{
		"Ciphers=aes128-ctr,aes256-cbc,3des-cbc", "Ciphers=chacha20-poly1305@openssh.com",
		"KexAlgorithms=diffie-hellman-group14-sha256,diffie-hellman-group14-sha1,ecdh-sha2-nistp256", "HostKeyAlgorithms=ssh-rsa,rsa-sha2-256,ecdsa-sha2-nistp256",
	} {
		if got := r.ssh(t, "-o", weak, "smaduser@gw", "ls -AF /export/tracking/"); got.status != 255 {
			t.Errorf("%s: %+v", weak, got)
		}
	}
}

func TestNothingElse(t *testing.T) {
	r := newRig(t)
	agent := exec.Command("ssh-agent", "-D", "-a", r.path("agent"))
	if err := agent.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = agent.Process.Kill(); _ = agent.Wait() })
	var added result
	for range 50 { // until it listens
		if added = r.runEnv(t, []string{"SSH_AUTH_SOCK=" + r.path("agent")}, "", "ssh-add", "stranger"); added.status == 0 {
			break
		}
	}
	if added.status != 0 {
		t.Fatalf("ssh-add: %+v", added)
	}
	got := r.runEnv(t, []string{"SSH_AUTH_SOCK=" + r.path("agent"), "DISPLAY=:9", "LC_EVIL=1"}, "", "ssh", "-F", "config", "-i", "id", "-tt", "-v",
		"-o", "IdentityAgent=SSH_AUTH_SOCK", "-A", "-o", "SendEnv=LC_EVIL", "smaduser@gw", "ls -AF /export/tracking/")
	if got.status != 255 || !strings.Contains(got.stderr, "PTY allocation request failed") {
		t.Errorf("agent, terminal, environment: %+v", got)
	}
	for _, reason := range []string{"agent", "terminal", "environment"} {
		if r.refused(reason) == 0 {
			t.Errorf("%q was not counted: %v", reason, r.Status().Refused)
		}
	}
	if got := r.ssh(t, "-W", "127.0.0.1:"+fmt.Sprint(r.port), "smaduser@gw"); got.status != 255 || !strings.Contains(got.stderr, "forwarding is not offered here") {
		t.Errorf("-W: %+v", got)
	}
	if got := r.ssh(t, "-N", "-R", "0:127.0.0.1:1", "-o", "ExitOnForwardFailure=yes", "smaduser@gw"); got.status != 255 {
		t.Errorf("-R: %+v", got)
	}
	if got := r.ssh(t, "-N", "-R", r.path("sock")+":127.0.0.1:1", "-o", "ExitOnForwardFailure=yes", "smaduser@gw"); got.status != 255 {
		t.Errorf("-R of a socket: %+v", got)
	}
	if n := r.refused("forwarding"); n < 3 {
		t.Errorf("forwarding was counted %d times", n)
	}
}

// TestShared runs commands over one connection of OpenSSH, side by side.
func TestShared(t *testing.T) {
	r := newRig(t)
	if got := r.ssh(t, "-M", "-S", "mux", "-f", "-N", "smaduser@gw"); got.status != 0 {
		t.Fatalf("master: %+v", got)
	}
	for range 3 {
		if got := r.ssh(t, "-S", "mux", "smaduser@gw", "ls -AF /export/tracking/"); got.status != 0 || got.stdout == "" {
			t.Errorf("ls: %+v", got)
		}
	}
	if got := r.ssh(t, "-S", "mux", "-O", "exit", "gw"); got.status != 0 {
		t.Errorf("exit: %+v", got)
	}
	if l := r.Status().Logins; len(l) != 1 || l[0].Count != 1 || !strings.HasPrefix(l[0].Client, "SSH-2.0-OpenSSH") || l[0].Fingerprint == "" {
		t.Errorf("logins %+v", l)
	}
	pids := map[string]bool{}
	for _, line := range r.cli.text {
		pids[strings.Fields(line)[1]] = true
	}
	if len(pids) != 3 || len(r.cli.text) != 9 {
		t.Errorf("cli_logs:\n%s", strings.Join(r.cli.text, "\n"))
	}
}

// TestHostKey makes sure that the fingerprint in the status is the one that
// operators see.
func TestHostKey(t *testing.T) {
	r := newRig(t)
	got := r.ssh(t, "-v", "smaduser@gw", "ls -AF /export/tracking/")
	if !strings.Contains(got.stderr, "Server host key: ssh-ed25519 "+r.Status().HostKey) || r.Status().HostKey != ssh.FingerprintSHA256(r.HostKey.PublicKey()) {
		t.Errorf("%s", got.stderr)
	}
}
