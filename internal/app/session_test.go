package app

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"waybill/internal/config"
	"waybill/internal/importer"
	"waybill/internal/maillog"
	"waybill/internal/search"
	"waybill/internal/source"
)

func options(temp string) SessionOptions {
	return SessionOptions{Temp: temp, Config: config.Default(), Log: quiet, Now: time.Now, Zone: time.UTC}
}

func session(t *testing.T, o SessionOptions) *Session {
	t.Helper()
	s, err := NewSession(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
		if left, err := os.ReadDir(o.Temp); err != nil || len(left) > 0 {
			t.Errorf("left behind: %v, %v", left, err)
		}
	})
	return s
}

func finder() *Finder {
	return &Finder{Format: maillog.Auto, Zone: func(string) (*time.Location, error) { return time.UTC, nil }}
}

func logsIn(t *testing.T, paths ...string) []Log {
	t.Helper()
	found, err := finder().Find(t.Context(), paths)
	if err != nil || len(found.Errs) > 0 {
		t.Fatalf("found %+v, %v", found, err)
	}
	return found.Logs
}

// life is a message that is received and delivered, in four lines.
func life(id string, at time.Time) string {
	stamp := func(s int) string { return at.Add(time.Duration(s) * time.Second).Format("2006-01-02T15:04:05+00:00") }
	return fmt.Sprintf(`%s mx-a postfix/smtpd[101]: %s: client=mail.example.com[192.0.2.7]
%s mx-a postfix/qmgr[103]: %s: from=<ann@example.com>, size=1234, nrcpt=1 (queue active)
%s mx-a postfix/smtp[104]: %s: to=<bob@example.net>, relay=mx.example.net[192.0.2.25]:25, delay=1, delays=0/0/0/1, dsn=2.0.0, status=sent (250 2.0.0 Ok)
%s mx-a postfix/qmgr[103]: %s: removed
`, stamp(0), id, stamp(0), id, stamp(1), id, stamp(1), id)
}

var noon = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

// queueIDs are those that a search finds.
func queueIDs(t *testing.T, r *Reader) string {
	t.Helper()
	a, err := r.Find(t.Context(), search.Request{})
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, m := range a.Messages {
		out = append(out, m.QueueID)
	}
	return strings.Join(out, " ")
}

// TestSession opens two logs: the newer one can be searched, and its page seen,
// before the older one is read. Nothing stays behind.
func TestSession(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "mail.log.1", life("4AAAAAA0001", noon.Add(-24*time.Hour)))
	write(t, dir, "mail.log", life("4AAAAAA0002", noon))
	write(t, dir, "other.log", "2026-11-20T10:00:00+00:00 mx-a cron[1]: no mail server\n")
	o := options(t.TempDir())
	o.Pages = true
	s := session(t, o)
	link := s.Start()

	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Jar: jar}
	defer client.CloseIdleConnections()
	get := func(url string) (int, string) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		res, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		b, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return res.StatusCode, string(b)
	}
	if code, _ := get(s.Server.URL("/search")); code != http.StatusForbidden {
		t.Errorf("a stranger gets %d", code)
	}
	if code, _ := get(link); code != http.StatusOK {
		t.Errorf("the link gives %d", code)
	}
	var found []string
	ro := ReadOptions{Format: maillog.Auto, Each: func(l *Log, rep *importer.Report) {
		found = append(found, filepath.Base(l.Path)+": "+queueIDs(t, s.Reader))
		if code, page := get(s.Server.URL("/search?q=sender:ann@example.com")); code != http.StatusOK || !strings.Contains(page, "bob@example.net") {
			t.Errorf("the page of a search while reading: %d\n%s", code, page)
		}
	}}
	if err := s.Read(t.Context(), ro, logsIn(t, dir)); err != nil {
		t.Fatal(err)
	}
	if got, want := strings.Join(found, ", "), "mail.log: 4AAAAAA0002, mail.log.1: 4AAAAAA0002 4AAAAAA0001"; got != want {
		t.Errorf("found %s, want %s", got, want)
	}
	if text, done := s.progress(); !done {
		t.Errorf("reading goes on: %s", text)
	}
}

func TestSessionInterrupted(t *testing.T) {
	path := write(t, t.TempDir(), "mail.log", life("4AAAAAA0001", noon))
	s := session(t, options(t.TempDir()))
	logs := logsIn(t, path)
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if err := s.Read(ctx, ReadOptions{Format: maillog.Auto}, logs); !errors.Is(err, context.Canceled) {
		t.Fatalf("err = %v", err)
	}
}

// A port that was asked for and is taken is an error; the usual one gives way.
func TestPortTaken(t *testing.T) {
	var c net.ListenConfig
	l, err := c.Listen(t.Context(), "tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	o := options(t.TempDir())
	o.Pages, o.Port = true, l.Addr().(*net.TCPAddr).Port
	var taken *PortTakenError
	if _, err := NewSession(t.Context(), o); !errors.As(err, &taken) {
		t.Fatalf("err = %v", err)
	}
	if left, err := os.ReadDir(o.Temp); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	first, err := NewServer(t.Context(), 0, http.NotFoundHandler(), quiet)
	if err != nil {
		t.Fatal(err)
	}
	second, err := NewServer(t.Context(), 0, http.NotFoundHandler(), quiet)
	if err != nil {
		t.Fatal(err)
	}
	if first.Port() == second.Port() {
		t.Errorf("both listen on %d", first.Port())
	}
	if err := errors.Join(first.Stop(), second.Stop()); err != nil {
		t.Error(err)
	}
}

// A request that does not end is cut off when the server stops.
func TestServerStops(t *testing.T) {
	began, ended := make(chan struct{}), make(chan struct{})
	s, err := NewServer(t.Context(), 0, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		close(began)
		<-r.Context().Done()
		close(ended)
	}), quiet)
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	asked := make(chan error, 1)
	go func() {
		res, err := http.Get(s.URL("/"))
		if err == nil {
			err = res.Body.Close()
		}
		asked <- err
	}()
	<-began
	if err := s.Stop(); err != nil {
		t.Error(err)
	}
	<-ended
	<-asked // that it was cut off is no fault
	if err := <-s.Failed(); !errors.Is(err, http.ErrServerClosed) {
		t.Errorf("Serve: %v", err)
	}
}

// holdEnv makes the test binary hold a session below this directory until it is
// killed.
const holdEnv = "WAYBILL_TEST_HOLD"

func hold(temp string) {
	s, err := NewSession(context.Background(), options(temp))
	if err != nil {
		panic(err)
	}
	fmt.Println(s.Dir)
	select {}
}

// TestKilled kills a process that has a session: the next one removes what it
// left, and nothing else.
func TestKilled(t *testing.T) {
	temp := t.TempDir()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), holdEnv+"="+temp)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var said bytes.Buffer
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("%v\n%s", err, said.String())
	}
	dir := strings.TrimSpace(line)
	sweep := func() []string {
		t.Helper()
		gone, err := sweepTemp(temp, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		return gone
	}
	for _, d := range []string{"waybill-open-young", "else"} {
		if err := os.Mkdir(filepath.Join(temp, d), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if gone := sweep(); len(gone) > 0 {
		t.Errorf("removed %v of a process that lives", gone)
	}
	if err := cmd.Process.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err == nil {
		t.Fatal("it was not killed")
	}
	if _, err := os.Stat(dir); err != nil {
		t.Fatalf("the killed process left nothing: %v", err)
	}
	if gone := sweep(); len(gone) != 1 || gone[0] != filepath.Dir(dir) {
		t.Errorf("removed %v", gone)
	}
	if gone, err := sweepTemp(temp, time.Now().Add(2*youngDir)); err != nil || len(gone) != 1 || filepath.Base(gone[0]) != "waybill-open-young" {
		t.Errorf("removed %v, %v", gone, err)
	}
	if _, err := os.Stat(filepath.Join(temp, "else")); err != nil {
		t.Error(err)
	}
}

func TestFind(t *testing.T) {
	dir := t.TempDir()
	newer := write(t, dir, "mail.log", life("4AAAAAA0002", noon))
	older := write(t, dir, "mail.log.1", life("4AAAAAA0001", noon.Add(-time.Hour)))
	write(t, dir, "syslog", "2026-11-20T10:00:00+00:00 mx-a cron[1]: no mail server\n")
	write(t, dir, "wtmp", strings.Repeat("\x00", 5000))
	write(t, dir, ".hidden", life("4AAAAAA0009", noon))
	write(t, dir, "empty", "")
	if err := os.Mkdir(filepath.Join(dir, "below"), 0o700); err != nil {
		t.Fatal(err)
	}
	found, err := finder().Find(t.Context(), []string{older, dir})
	if err != nil || len(found.Errs) > 0 {
		t.Fatalf("%+v, %v", found, err)
	}
	if len(found.Logs) != 2 || found.Logs[0].Path != newer || found.Logs[1].Path != older || found.Passed != 2 {
		t.Errorf("found %+v", found)
	}
	l := found.Logs[0]
	if l.Gateway != "mx-a" || len(l.Dialects) != 1 || l.Dialects[0] != "postfix" || !l.First.Time().Equal(noon) || !l.Last.Time().Equal(noon.Add(time.Second)) {
		t.Errorf("recognised %+v", l)
	}
	missing := filepath.Join(dir, "missing.log")
	var bad *source.Error
	if found, err = finder().Find(t.Context(), []string{missing}); err != nil || len(found.Errs) != 1 || !errors.As(found.Errs[0], &bad) {
		t.Errorf("a missing file: %+v, %v", found, err)
	}

	root := t.TempDir()
	if err := os.MkdirAll(filepath.Join(root, "var/log/exim4"), 0o700); err != nil {
		t.Fatal(err)
	}
	usual := write(t, filepath.Join(root, "var/log"), "mail.log.1", life("4AAAAAA0001", noon))
	found, places, err := finder().Usual(root)
	if err != nil || len(found.Logs) != 1 || found.Logs[0].Path != usual || len(places) != len(usualPlaces) {
		t.Errorf("usual places %v: %+v, %v", places, found, err)
	}
}

// TestFindAppliance: the head of an appliance's log says whose it is and what
// zone its times are in, also for the pieces that were cut off behind it.
func TestFindAppliance(t *testing.T) {
	const head = `Fri Nov 20 13:00:00 2026 Info: Begin Logfile
Fri Nov 20 13:00:00 2026 Info: Version: 14.2.0-620 SN: 420D4FEA7093-0AF2EE5E700E
Fri Nov 20 13:00:00 2026 Info: Time offset from UTC: 3600 seconds
Fri Nov 20 13:00:01 2026 Info: Start MID 200 ICID 100
`
	const rest = "Fri Nov 20 13:00:02 2026 Info: MID 200 ICID 100 From: <ann@example.com>\n"
	dir := t.TempDir()
	write(t, dir, "mail.current", head+rest)
	write(t, dir, "cut", rest)
	write(t, dir, "maillog", life("4AAAAAA0001", noon))
	write(t, dir, "mainlog", "2026-11-20 10:00:01 1kA0aB-0001Xy-Ab Completed\n")
	found, err := finder().Find(t.Context(), []string{dir})
	if err != nil || len(found.Logs) != 4 {
		t.Fatalf("found %+v, %v", found, err)
	}
	found.NameBySerial()
	want := map[string]string{"mail.current": "420D4FEA7093-0AF2EE5E700E", "cut": "420D4FEA7093-0AF2EE5E700E", "maillog": "mx-a", "mainlog": ""}
	for _, l := range found.Logs {
		name := filepath.Base(l.Path)
		if l.Gateway != want[name] || l.Nameless != (l.Gateway == "420D4FEA7093-0AF2EE5E700E") {
			t.Errorf("%s is %q's, made up: %v", name, l.Gateway, l.Nameless)
		}
		if name == "mail.current" && (!l.First.Time().Equal(noon) || !l.Last.Time().Equal(noon.Add(2*time.Second))) {
			t.Errorf("from %v to %v, want the appliance's own zone", l.First.Time(), l.Last.Time())
		}
	}

	// Two appliances: whose the piece is cannot be told.
	write(t, dir, "other", strings.Replace(head, "420D", "520D", 1))
	if found, err = finder().Find(t.Context(), []string{dir}); err != nil {
		t.Fatal(err)
	}
	found.NameBySerial()
	for _, l := range found.Logs {
		if filepath.Base(l.Path) == "cut" && l.Gateway != "" {
			t.Errorf("the piece was given to %s", l.Gateway)
		}
	}
}

func requestFor(query string) search.Request { return search.Request{Text: query} }
