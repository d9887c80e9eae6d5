package fleet

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"waybill/internal/track"
)

// mailLog is the log of a mail server that delivers one message after the
// other, and the truth about them.
type mailLog struct {
	gateway string
	file    *os.File

	mu   sync.Mutex
	sent int
}

// newMailLog opens the log that a gateway follows.
func newMailLog(t *testing.T, gateway, path string) *mailLog {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	})
	return &mailLog{gateway: gateway, file: f}
}

func messageID(gateway string, n int) string { return fmt.Sprintf("<%d@%s.example.com>", n, gateway) }

// write logs one message, from its client to its end.
func (l *mailLog) write(at time.Time) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sent++
	n := l.sent
	id := fmt.Sprintf("%010X", 0x4A00000000+n*7919)
	var b strings.Builder
	line := func(daemon, format string, args ...any) {
		at = at.Add(time.Millisecond)
		fmt.Fprintf(&b, "%s %s postfix/%s[%d]: %s: %s\n", at.UTC().Format("2006-01-02T15:04:05.000000-07:00"), l.gateway, daemon, 1000+n%7, id, fmt.Sprintf(format, args...))
	}
	line("smtpd", "client=client.example.org[192.0.2.7]")
	line("cleanup", "message-id=%s", messageID(l.gateway, n))
	line("qmgr", "from=<a%d@example.org>, size=%d, nrcpt=1 (queue active)", n, 1000+n)
	line("smtp", "to=<b%d@example.net>, relay=mx.example.net[192.0.2.25]:25, delay=0.1, delays=0.1/0/0/0, dsn=2.0.0, status=sent (250 2.0.0 Ok)", n)
	line("qmgr", "removed")
	_, err := l.file.WriteString(b.String())
	return err
}

// run writes a message again and again until ctx ends.
func (l *mailLog) run(ctx context.Context, every time.Duration) error {
	for wait(ctx, every) {
		if err := l.write(time.Now()); err != nil {
			return err
		}
	}
	return nil
}

// count is how many messages were written.
func (l *mailLog) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.sent
}

// goMail writes mail in the background until the returned function is called.
func goMail(t *testing.T, every time.Duration, logs ...*mailLog) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for _, l := range logs {
		wg.Go(func() {
			if err := l.run(ctx, every); err != nil {
				t.Error(err)
			}
		})
	}
	stop = func() { cancel(); wg.Wait() }
	t.Cleanup(stop)
	return stop
}

// awaitAll waits until a manager has all that was written, and holds it against
// the truth: each message once, delivered once.
func awaitAll(t *testing.T, m *host, within time.Duration, logs ...*mailLog) {
	t.Helper()
	want := 0
	for _, l := range logs {
		want += l.count()
	}
	if want == 0 {
		t.Fatal("no mail was written")
	}
	var found map[string]*track.Message
	until(t, within, func() string {
		found = m.messages(t, "recipient:@example.net")
		if t.Failed() {
			t.FailNow()
		}
		if len(found) < want {
			return fmt.Sprintf("%s has %d of %d messages", m.name, len(found), want)
		}
		return ""
	})
	if len(found) != want {
		t.Errorf("%s has %d messages, %d were written", m.name, len(found), want)
	}
	for _, l := range logs {
		for n := 1; n <= l.count(); n++ {
			id := messageID(l.gateway, n)
			got := found[id]
			switch {
			case got == nil:
				t.Errorf("%s lacks %s", m.name, id)
			case len(got.Recipients) != 1 || got.Recipients[0].Status != track.StatusDelivered || got.Recipients[0].Attempts > 1 || got.Sender == nil || *got.Sender != fmt.Sprintf("a%d@example.org", n):
				t.Errorf("%s has %s as %+v", m.name, id, got)
			}
		}
	}
}
