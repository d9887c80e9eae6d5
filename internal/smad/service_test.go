package smad

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/crypto/ssh"
)

func records(tb testing.TB, raw []byte) []Record {
	tb.Helper()
	var out []Record
	for line := range bytes.Lines(raw) {
		if line = bytes.TrimSpace(line); len(line) == 0 {
			continue
		}
		var r Record
		if err := json.Unmarshal(line, &r); err != nil {
			tb.Fatalf("journal: %v in %q", err, line)
		}
		out = append(out, r)
	}
	return out
}

func kinds(recs []Record, file string) string {
	var out []string
	for _, r := range recs {
		if r.File == file && !r.Again {
			out = append(out, string(r.Event))
		}
	}
	return strings.Join(out, " ")
}

const helloLine = `{"waybill":"0.1","protocol":1,"gateway":"mx-a","serial":"5F0C","window":"3m0s"}`

func TestPullsVerifiesAcknowledges(t *testing.T) {
	for _, hello := range []string{"", helloLine} {
		files := windows(t, 30)
		s := startServer(t, files)
		s.hello = hello
		m := newManager(t, nil)
		m.add(s, nil)
		m.start()
		m.until("all acknowledged", func() bool { return m.status("mx-a").Acknowledged == 30 })
		if diff := cmp.Diff(files, m.pulled()); diff != "" {
			t.Errorf("pulled: %s", diff)
		}
		if left := s.left(); len(left) != 0 {
			t.Errorf("left at the gateway: %v", left)
		}
		st := m.status("mx-a")
		want := Legacy
		if hello != "" {
			want = Waybill
		}
		if st.Mode != want || st.Pulled != 30 || st.Listed != 30 || st.Newest != day.Add(90*time.Minute) || st.Error != nil {
			t.Errorf("status: %+v", st)
		}
		m.halt()
		recs := journalOf(t, m.fs, "mx-a")
		for name := range files {
			if got := kinds(recs, name); got != "listed pulled acknowledged" {
				t.Errorf("journal of %s: %s", name, got)
			}
			if !m.ops.has("TRANSFER: Plugin TRACKINGPLUGIN downloading from 127.0.0.1 - /export/tracking/" + name) {
				t.Errorf("no operator's line for %s", name)
			}
		}
		if s.logins != 1 {
			t.Errorf("%d logins for one gateway", s.logins)
		}
		for _, c := range s.commands {
			if word, _, _ := strings.Cut(c, " "); !slices.Contains([]string{"hello", "ls", "scp", "rm"}, word) {
				t.Errorf("sent %q", c)
			}
		}
	}
}

// faults are what a gateway may do with a file instead of sending it. None of
// them may bring a file to log/tracking or be acknowledged.
func TestFaultsOfOneFile(t *testing.T) {
	evil := func(record string, more ...string) func(string, []byte, ssh.Channel) bool {
		return func(name string, content []byte, ch ssh.Channel) bool {
			ok := make([]byte, 1)
			fmt.Fprintf(ch, record+"\n", len(content), name)
			if _, err := io.ReadFull(ch, ok); err != nil || ok[0] != 0 {
				return true
			}
			ch.Write(content)
			ch.Write([]byte{0})
			io.ReadFull(ch, ok)
			for _, m := range more {
				io.WriteString(ch, m)
			}
			return true
		}
	}
	changed := func(change func([]byte) []byte) func(string, []byte, ssh.Channel) bool {
		return func(name string, content []byte, ch ssh.Channel) bool {
			sendFile(ch, name, change(bytes.Clone(content)))
			return true
		}
	}
	for _, tc := range []struct {
		name string
		send func(string, []byte, ssh.Channel) bool
		want string
	}{
		{"another name", evil("C0644 %d ../%s"), "was asked for"},
		{"path in the name", evil("C0644 %d /etc/%s"), "was asked for"},
		{"directory", evil("D0755 %d %s"), "type"},
		{"times", evil("T0 %d 0 %s"), "type"},
		{"end", evil("E%d%s"), "type"},
		{"size of letters", evil("C0644 -%d %s"), "cannot read the record"},
		{"mode too long", evil("C00644 %d %s"), "cannot read the record"},
		{"second file", evil("C0644 %d %s", "C0644 1 .bashrc\nx\x00"), "behind the file"},
		{"endless record", evil("C" + strings.Repeat("0", 2*maxRecord) + " %d %s"), "without an end"},
		{"too large", func(name string, _ []byte, ch ssh.Channel) bool {
			fmt.Fprintf(ch, "C0644 99999999999 %s\n", name)
			io.ReadFull(ch, make([]byte, 1))
			return true
		}, "larger than the limit"},
		{"more than announced", func(name string, content []byte, ch ssh.Channel) bool {
			fmt.Fprintf(ch, "C0644 %d %s\n", len(content)-1, name)
			io.ReadFull(ch, make([]byte, 1))
			ch.Write(content)
			ch.Write([]byte{0})
			return true
		}, ""},
		{"data behind the member", changed(func(b []byte) []byte { return append(b, b...) }), "behind"},
		{"cut", changed(func(b []byte) []byte { return b[:len(b)-9] }), ""},
		{"flipped", changed(func(b []byte) []byte { b[len(b)/2] ^= 0x40; return b }), ""},
		{"not compressed at all", changed(func(b []byte) []byte { return []byte("hello") }), ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			files := windows(t, 3)
			victim := slices.Sorted(maps.Keys(files))[1]
			s := startServer(t, files)
			s.send = func(name string, content []byte, ch ssh.Channel) bool {
				return name == victim && tc.send(name, content, ch)
			}
			m := newManager(t, nil)
			m.add(s, nil)
			m.start()
			m.until("set aside", func() bool { st := m.status("mx-a"); return st.Quarantined == 1 && st.Acknowledged == 2 })
			m.until("another poll", func() bool { return len(s.left()) == 1 && s.left()[0] == victim })
			if _, there := m.pulled()[victim]; there || len(m.pulled()) != 2 {
				t.Errorf("pulled: %v", slices.Collect(maps.Keys(m.pulled())))
			}
			reason := string(readFile(t, m.fs, quarantineDir+"/mx-a/"+victim+".reason"))
			if !strings.Contains(reason, tc.want) {
				t.Errorf("reason %q, want %q in it", reason, tc.want)
			}
			m.halt()
			if got := kinds(journalOf(t, m.fs, "mx-a"), victim); got != "listed damaged damaged damaged quarantined" {
				t.Errorf("journal: %s", got)
			}
			n := countScp(s, victim)
			// After a restart it is not pulled again, unless the operator removes it.
			m2 := managerIn(t, m.dir, nil)
			m2.start()
			m2.until("polled", func() bool { return !m2.status("mx-a").LastPoll.IsZero() && m2.status("mx-a").State == Idle })
			if countScp(s, victim) != n {
				t.Error("pulled again after it was set aside")
			}
			s.mu.Lock()
			s.send = nil
			s.mu.Unlock()
			if err := m2.fs.Remove(quarantineDir + "/mx-a/" + victim + ".reason"); err != nil {
				t.Fatal(err)
			}
			m2.until("healed", func() bool { return len(s.left()) == 0 })
			if diff := cmp.Diff(files, m2.pulled()); diff != "" {
				t.Errorf("pulled: %s", diff)
			}
		})
	}
}

func countScp(s *server, name string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, c := range s.commands {
		if strings.HasPrefix(c, "scp") && strings.HasSuffix(c, name) {
			n++
		}
	}
	return n
}

// TestDiesMidFile: the command or the connection ends within a file; another
// try brings it.
func TestDiesMidFile(t *testing.T) {
	files := windows(t, 5)
	s := startServer(t, files)
	deaths := 0
	s.send = func(name string, content []byte, ch ssh.Channel) bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		if deaths == 4 {
			return false
		}
		deaths++
		fmt.Fprintf(ch, "C0644 %d %s\n", len(content), name)
		io.ReadFull(ch, make([]byte, 1))
		ch.Write(content[:len(content)/2])
		if deaths%2 == 0 {
			s.drop()
		}
		ch.Close()
		return true
	}
	m := newManager(t, nil)
	m.add(s, nil)
	m.start()
	m.until("all acknowledged", func() bool { return len(s.left()) == 0 })
	if diff := cmp.Diff(files, m.pulled()); diff != "" {
		t.Errorf("pulled: %s", diff)
	}
	if m.status("mx-a").Failures == 0 {
		t.Error("no failure counted")
	}
}

func TestChangedHostKeyHolds(t *testing.T) {
	files := windows(t, 1)
	s := startServer(t, files)
	pinned := newSigner(t).PublicKey()
	for _, pin := range []string{string(ssh.MarshalAuthorizedKey(pinned)), ssh.FingerprintSHA256(pinned)} {
		m := newManager(t, nil)
		m.add(s, func(g *Gateway) { g.HostKey = strings.TrimSpace(pin) })
		m.start()
		m.until("held", func() bool { return m.status("mx-a").State == Held })
		e := m.status("mx-a").Error
		offered := ssh.FingerprintSHA256(s.host.PublicKey())
		if e == nil || e.Cause != CauseHostKey || !strings.Contains(e.Text, offered) || !strings.Contains(e.Text, ssh.FingerprintSHA256(pinned)) {
			t.Errorf("problem: %+v", e)
		}
		if !m.ops.has(offered) {
			t.Error("no operator's line with the fingerprint")
		}
		if s.logins != 0 {
			t.Error("logged in all the same")
		}
		if len(s.left()) != 1 {
			t.Error("pulled from a stranger")
		}
		m.halt()
	}
	// The operator confirms the new key: it goes on within a second or so.
	m := newManager(t, nil)
	m.add(s, func(g *Gateway) { g.HostKey = ssh.FingerprintSHA256(pinned) })
	m.start()
	m.until("held", func() bool { return m.status("mx-a").State == Held })
	if err := m.reg.Resume("mx-a", ssh.FingerprintSHA256(s.host.PublicKey())); err != nil {
		t.Fatal(err)
	}
	m.until("pulled", func() bool { return len(s.left()) == 0 })
	m.until("whole key kept", func() bool { g, err := m.reg.Get("mx-a"); return err == nil && g.HostKey == s.hostKey() })
}

func TestNoPinNoLogin(t *testing.T) {
	s := startServer(t, windows(t, 1))
	m := newManager(t, nil)
	m.add(s, func(g *Gateway) { g.HostKey, g.Mode = "", Legacy })
	m.start()
	m.until("held", func() bool { return m.status("mx-a").State == Held })
	if e := m.status("mx-a").Error; e.Cause != CauseHostKey || !strings.Contains(e.Hint, ssh.FingerprintSHA256(s.host.PublicKey())) {
		t.Errorf("problem: %+v", e)
	}
	if s.logins != 0 {
		t.Error("logged in without a pinned key")
	}
}

func TestRefusesRemoval(t *testing.T) {
	files := windows(t, 2)
	s := startServer(t, files)
	refusing := true
	s.refuse = func(command string) string {
		s.mu.Lock()
		defer s.mu.Unlock()
		if refusing && strings.HasPrefix(command, "rm ") {
			return "rm: \x1b[2Jpermission denied"
		}
		return ""
	}
	m := newManager(t, nil)
	m.add(s, nil)
	m.start()
	m.until("pulled", func() bool { return len(m.pulled()) == 2 && m.status("mx-a").Last != nil })
	m.halt()
	if text := m.status("mx-a"); text.Name != "" && strings.Contains(text.Last.Text, "\x1b") {
		t.Error("an escape in the status")
	}
	// trackerd has taken them; they are not pulled again, only acknowledged.
	for name := range files {
		if err := m.fs.Remove(pulledDir + "/mx-a/" + name); err != nil {
			t.Fatal(err)
		}
	}
	m2 := managerIn(t, m.dir, nil)
	m2.start()
	m2.until("polled", func() bool { return m2.status("mx-a").Last != nil })
	s.mu.Lock()
	refusing = false
	s.mu.Unlock()
	m2.until("acknowledged", func() bool { return len(s.left()) == 0 })
	m2.halt()
	if len(m2.pulled()) != 0 {
		t.Errorf("pulled twice: %v", m2.pulled())
	}
	for name := range files {
		if n := countScp(s, name); n != 1 {
			t.Errorf("%s was copied %d times", name, n)
		}
	}
}

func TestVanished(t *testing.T) {
	files := windows(t, 3)
	names := slices.Sorted(maps.Keys(files))
	for _, own := range []bool{true, false} {
		s := startServer(t, files)
		if own {
			s.hello = helloLine
			s.evidence = fmt.Sprintf(`{"time":"2023-02-13T19:22:40Z","event":"acknowledged","file":%q,"collector":"c1","name":"sma-b","address":"192.0.2.94"}`+"\n"+
				`{"time":"2023-02-13T19:22:40Z","event":"acknowledged","file":"tracking.@20200213T191631Z_20200213T191931Z.s.gz","collector":"sma-c"}`+"\n"+"no json "+names[1]+"\n", names[1])
		}
		// A rival takes the second file between our listing and our copy.
		s.refuse = func(command string) string {
			if strings.HasPrefix(command, "scp") {
				s.mu.Lock()
				delete(s.files, names[1])
				s.mu.Unlock()
			}
			return ""
		}
		m := newManager(t, func(o *Options) { o.InFlight = 1 })
		m.add(s, nil)
		m.start()
		m.until("vanished", func() bool { st := m.status("mx-a"); return st.Vanished == 1 && st.Acknowledged == 2 })
		m.halt()
		recs := journalOf(t, m.fs, "mx-a")
		if got := kinds(recs, names[1]); got != "listed vanished" {
			t.Errorf("journal: %s", got)
		}
		for _, r := range recs {
			if r.Event != Vanished {
				continue
			}
			if own && (r.Remote != "sma-b at 192.0.2.94" || len(r.Evidence) != 1 || !strings.Contains(r.Reason, "another collector, sma-b")) {
				t.Errorf("record: %+v", r)
			}
			if !own && r.Evidence != nil {
				t.Errorf("record: %+v", r)
			}
		}
	}
}

func TestWhereTo(t *testing.T) {
	for _, tc := range []struct{ events, by, why string }{
		{``, "", ""},
		{`{"event":"sealed"}`, "", ""},
		{`{"event":"sealed"}|{"event":"acknowledged","name":"b","address":"192.0.2.9","instance":"x"}|{"event":"removed"}`, "b at 192.0.2.9", "taken by another collector, b at 192.0.2.9"},
		{`{"event":"acknowledged","address":"192.0.2.9"}`, "192.0.2.9", "taken by another collector, 192.0.2.9"},
		{`{"event":"acknowledged","name":"a","instance":"me"}`, "", "we acknowledged it before"},
		{`{"event":"acknowledged","name":"b","instance":"x"}|{"event":"expired","reason":"quota"}`, "", "expired at the gateway: quota"},
		{`{"event":7}|[]`, "", ""},
	} {
		var events []json.RawMessage
		for e := range strings.SplitSeq(tc.events, "|") {
			events = append(events, json.RawMessage(e))
		}
		if by, why := whereTo(events, "me"); by != tc.by || why != tc.why {
			t.Errorf("%s: %q, %q", tc.events, by, why)
		}
	}
}

// TestSaysItOtherwise: a server that does not say "No such file" is asked for
// another listing.
func TestSaysItOtherwise(t *testing.T) {
	files := windows(t, 3)
	names := slices.Sorted(maps.Keys(files))
	s := startServer(t, files)
	s.refuse = func(command string) string {
		s.mu.Lock()
		defer s.mu.Unlock()
		switch {
		case strings.HasSuffix(command, names[0]) && strings.HasPrefix(command, "scp"):
			delete(s.files, names[0])
			return "Datei oder Verzeichnis nicht gefunden"
		case strings.HasSuffix(command, names[2]) && strings.HasPrefix(command, "scp"):
			return "Keine Berechtigung"
		}
		return ""
	}
	m := newManager(t, nil)
	m.add(s, nil)
	m.start()
	m.until("told apart", func() bool {
		st := m.status("mx-a")
		return st.Vanished == 1 && st.Acknowledged == 1 && st.State == Idle
	})
	m.halt()
	recs := journalOf(t, m.fs, "mx-a")
	if got := kinds(recs, names[0]); got != "listed vanished" {
		t.Errorf("journal of the lost one: %s", got)
	}
	if got := kinds(recs, names[2]); !strings.HasPrefix(got, "listed failed") || strings.Contains(got, "vanished") {
		t.Errorf("journal of the refused one: %s", got)
	}
}
