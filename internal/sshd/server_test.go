package sshd_test

import (
	"bytes"
	"encoding/json"
	"net/netip"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/crypto/ssh"

	"waybill/internal/sshd"
)

func mustAddrPort(s string) netip.AddrPort { return netip.MustParseAddrPort(s) }

// TestSession is the way of the documents: list, copy, remove.
func TestSession(t *testing.T) {
	s := newSite(t)
	c := s.connect(t)
	for _, dir := range []string{"/export/tracking/", "/export/tracking"} {
		if out, _, status := run(t, c, "ls -AF "+dir); out != fileA+"\n"+fileB+"\n" || status != 0 {
			t.Errorf("ls = %q, %d", out, status)
		}
	}
	if _, stderr, status := run(t, c, "rm /export/tracking/"+fileA); status != 1 || !strings.Contains(stderr, "no receipt") {
		t.Errorf("rm without a receipt = %q, %d", stderr, status)
	}
	got, records, status, err := scp(c, "scp -v -p -f -- /export/tracking/"+fileA, nil)
	if err != nil || status != 0 || !bytes.Equal(got, content(100_000)) {
		t.Fatalf("scp: %d bytes, status %d, %v", len(got), status, err)
	}
	if want := "T1676315971 0 1676315971 0\nC0644 100000 " + fileA + "\n"; records != want {
		t.Errorf("records %q, want %q", records, want)
	}
	for range 2 { // idempotent
		if _, stderr, status := run(t, c, "rm /export/tracking/"+fileA); status != 0 || stderr != "" {
			t.Errorf("rm = %q, %d", stderr, status)
		}
	}
	if out, _, _ := run(t, c, "ls -AF /export/tracking/"); out != fileB+"\n" {
		t.Errorf("ls = %q", out)
	}
	if _, records, status, _ := scp(c, "scp -f /export/tracking/"+fileA, nil); status != 1 || records != "\x01scp: /export/tracking/"+fileA+": No such file or directory\n" {
		t.Errorf("scp of what is gone: %q, %d", records, status)
	}
	if _, _, status := run(t, c, "refetch "+fileA); status != 0 {
		t.Errorf("refetch: %d", status)
	}
	if out, _, _ := run(t, c, "ls -AF /export/tracking/"); out != fileA+"\n"+fileB+"\n" {
		t.Errorf("ls = %q", out)
	}
	if s.x.Entered() != 1 {
		t.Errorf("entered %d times", s.x.Entered())
	}
}

func TestCLILog(t *testing.T) {
	s := newSite(t)
	c := s.connect(t)
	run(t, c, "ls -AF /export/tracking/")
	if _, _, _, err := scp(c, "scp -f /export/tracking/"+fileB, nil); err != nil {
		t.Fatal(err)
	}
	run(t, c, "rm /export/tracking/"+fileB)
	run(t, c, "rm /export/tracking/"+fileA)
	run(t, c, "cat '/etc/passwd'\nPID 1: User smaduser login from\x1b[31m \u202e")
	c.Close()
	if _, err := s.dial("192.0.2.93:7", s.clientConfig(s.key)); err != nil {
		t.Fatal(err)
	}
	if err := s.stop(); err != nil {
		t.Fatal(err)
	}
	var got []string
	pids := map[string]bool{}
	for _, l := range s.cli.all() {
		m := regexp.MustCompile(`^PID (\d{4,5}): (.*)$`).FindStringSubmatch(l)
		if m == nil {
			t.Fatalf("line %q", l)
		}
		pids[m[1]] = true
		got = append(got, m[2])
	}
	login, logout := "User smaduser login from 192.0.2.92 on 192.0.2.64", "User smaduser logged out of Command Line Interface using SSH connection."
	want := []string{
		login, "User smaduser executed batch command: 'ls -AF /export/tracking/'", logout,
		login, "User smaduser executed batch command: 'scp -f /export/tracking/" + fileB + "'", logout,
		login, "User smaduser executed batch command: 'rm /export/tracking/" + fileB + "'", logout,
		login, "User smaduser was refused batch command: 'rm /export/tracking/" + fileA + "' (no receipt: copy the file first)", logout,
		login, `User smaduser was refused batch command: 'cat '/etc/passwd'\nPID 1: User smaduser login from\x1b[31m \u202e' (the command holds a character that no command here has)`, logout,
		strings.ReplaceAll(login, ".92", ".93"), logout,
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if len(pids) != 6 {
		t.Errorf("%d numbers, want one for each login: %v", len(pids), pids)
	}
}

func TestReceipts(t *testing.T) {
	for _, tc := range []struct {
		name, step, word string
		received         bool
	}{
		{"whole", "", "", true},
		{"refused before the file", "C", "\x01scp: no space\n", false},
		{"warned after the file", "end", "\x01scp: short write\n", false},
		{"fatal after the file", "end", "\x02scp: disk full\n", false},
		{"not the protocol", "end", "x", false},
		{"gone without a word", "end", "", false},
		{"refused at the beginning", "begin", "\x02no\n", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := newSite(t)
			_, _, status, err := scp(s.connect(t), "scp -f "+fileA, func(step string) string {
				if step == tc.step {
					return tc.word
				}
				return "\x00"
			})
			if err != nil || (status == 0) != tc.received || s.x.Did("received", fileA) != tc.received {
				t.Errorf("status %d, %v, journal %q", status, err, s.x.Journal())
			}
		})
	}
}

func TestReadError(t *testing.T) {
	s := newSite(t)
	s.x.FailReads(&netError{})
	_, _, status, _ := scp(s.connect(t), "scp -f "+fileA, nil)
	if status != 1 || s.x.Did("received", fileA) {
		t.Errorf("status %d, journal %q", status, s.x.Journal())
	}
}

type netError struct{}

func (*netError) Error() string { return "input/output error" }

func TestTombstone(t *testing.T) {
	s := newSite(t)
	s.x.Expire(fileA)
	_, records, status, _ := scp(s.connect(t), "scp -f "+fileA, nil)
	if want := "\x01scp: /export/tracking/" + fileA + ": No such file or directory (expired by the quota)\n"; records != want || status != 1 {
		t.Errorf("scp = %q, %d", records, status)
	}
}

func TestOwnCommands(t *testing.T) {
	s := newSite(t)
	c := s.connect(t)
	out, _, status := run(t, c, "hello m1-inst")
	if want := `{"waybill":"test","protocol":1,"gateway":"mx-a","serial":"5F0C","window":"0s"}` + "\n"; out != want || status != 0 {
		t.Errorf("hello = %q, %d; want %q", out, status, want)
	}
	if _, stderr, status := run(t, c, "hello other"); status != 1 || !strings.Contains(stderr, "another name") {
		t.Errorf("second hello = %q, %d", stderr, status)
	}
	run(t, c, "ls -AF /export/tracking")
	out, _, status = run(t, c, "evidence 2023-02-13T00:00:00Z 2023-02-14T00:00:00Z")
	var e struct{ Event, Collector string }
	if err := json.Unmarshal([]byte(out), &e); err != nil || e.Event != "listed" || e.Collector != "m1/m1-inst" || status != 0 {
		t.Errorf("evidence = %q, %d, %v", out, status, err)
	}
	if _, stderr, status := run(t, c, "refetch tracking.@20200213T191631Z_20200213T191931Z.s.gz"); status != 1 || !strings.Contains(stderr, "not held") {
		t.Errorf("refetch = %q, %d", stderr, status)
	}
}

func TestRevoked(t *testing.T) {
	s := newSite(t)
	c := s.connect(t)
	run(t, c, "ls -AF /export/tracking")
	s.x.Remove(ssh.FingerprintSHA256(s.key.PublicKey()))
	if _, stderr, status := run(t, c, "ls -AF /export/tracking"); status != 1 || !strings.Contains(stderr, "no longer known") {
		t.Errorf("ls = %q, %d", stderr, status)
	}
	if err := c.Wait(); err == nil {
		t.Error("the connection stays")
	}
}

func TestPinned(t *testing.T) {
	s := newSite(t)
	s.x.Pin(ssh.FingerprintSHA256(s.key.PublicKey()), netip.MustParseAddr("192.0.2.93"))
	if _, stderr, status := run(t, s.connect(t), "ls -AF /export/tracking"); status != 1 || !strings.Contains(stderr, "may not be used from") {
		t.Errorf("ls = %q, %d", stderr, status)
	}
}

func TestEnrol(t *testing.T) {
	s := newSite(t)
	key := newKey(t)
	config := s.clientConfig(key)
	if _, err := s.dial("192.0.2.93:1", config); err == nil {
		t.Fatal("an unknown key got in")
	}
	s.x.Arm("secret-token")
	c, err := s.dial("192.0.2.93:1", config)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for _, command := range []string{"ls -AF /export/tracking", "hello m2", "rm " + fileA, "scp -f " + fileA} {
		if out, _, status := run(t, c, command); status != 1 || strings.Contains(out, "tracking.@20230213T191931Z") {
			t.Errorf("%s before enrolment = %q, %d", command, out, status)
		}
	}
	mac := sshd.ClientProof("secret-token", c.SessionID(), key.PublicKey().Marshal())
	other, err := s.dial("192.0.2.94:1", config)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if _, _, status := run(t, other, "enrol m2 "+mac); status != 1 {
		t.Error("the proof of one connection was taken on another")
	}
	out, stderr, status := run(t, c, "enrol m2 "+mac)
	if want := "waybill-enrol 1 " + sshd.ServerProof("secret-token", c.SessionID(), key.PublicKey().Marshal()) + " mx-a 5F0C\n"; out != want || status != 0 {
		t.Fatalf("enrol = %q, %q, %d; want %q", out, stderr, status, want)
	}
	// The answer may be lost: who asks again is told again, and nobody else is.
	again, err := s.dial("192.0.2.93:1", config)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	mac = sshd.ClientProof("secret-token", again.SessionID(), key.PublicKey().Marshal())
	if out, _, status := run(t, again, "enrol m2 "+mac); status != 0 || !strings.HasPrefix(out, "waybill-enrol 1 ") {
		t.Errorf("enrol again = %q, %d", out, status)
	}
	if out, _, status := run(t, again, "ls -AF /export/tracking"); status != 0 || out == "" {
		t.Errorf("ls = %q, %d", out, status)
	}
	if _, stderr, status := run(t, s.connect(t), "enrol m2 "+mac); status != 1 || !strings.Contains(stderr, "already") {
		t.Errorf("enrol with a known key = %q, %d", stderr, status)
	}
	if _, err := s.dial("192.0.2.95:1", s.clientConfig(newKey(t))); err == nil {
		t.Error("an unknown key got in when the token was used")
	}
}

func TestEnrolTries(t *testing.T) {
	s := newSite(t)
	s.x.Arm("secret-token")
	key := newKey(t)
	c, err := s.dial("192.0.2.93:1", s.clientConfig(key))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for range 5 {
		if _, _, status := run(t, c, "enrol m2 "+strings.Repeat("0", 64)); status != 1 {
			t.Fatal("a wrong proof was taken")
		}
	}
	mac := sshd.ClientProof("secret-token", c.SessionID(), key.PublicKey().Marshal())
	if _, _, status := run(t, c, "enrol m2 "+mac); status != 1 {
		t.Error("the sixth try was taken")
	}
	if _, err := s.dial("192.0.2.94:1", s.clientConfig(newKey(t))); err == nil {
		t.Error("a token that was guessed at still opens the door")
	}
	s.x.Arm("another-token")
	mac = sshd.ClientProof("another-token", c.SessionID(), key.PublicKey().Marshal())
	if _, _, status := run(t, c, "enrol m2 "+mac); status != 0 {
		t.Error("a new token does not begin anew")
	}
}
