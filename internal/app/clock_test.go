package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"waybill/internal/config"
	"waybill/internal/safefs"
	"waybill/internal/search"
	"waybill/internal/track"
	"waybill/internal/window"
)

// steppedClock goes as fast as the machine's, from another time on, and is set
// now and then.
type steppedClock struct {
	mu    sync.Mutex
	base  time.Time
	began time.Time
}

func (c *steppedClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.base.Add(time.Since(c.began))
}

func (c *steppedClock) step(by time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.base = c.base.Add(by)
}

// mailAt are the lines of one message, with the stamps of a mail log that knows
// no year and no zone.
func mailAt(at time.Time, n int) string {
	id, head := fmt.Sprintf("%010X", 0x4A00000000+n*7919), at.Format(time.Stamp)+" mx-a postfix/"
	return fmt.Sprintf("%[1]ssmtpd[11]: %[2]s: client=client.example.org[192.0.2.7]\n"+
		"%[1]scleanup[12]: %[2]s: message-id=<%[3]d@example.com>\n"+
		"%[1]sqmgr[13]: %[2]s: from=<a%[3]d@example.org>, size=1000, nrcpt=1 (queue active)\n"+
		"%[1]ssmtp[14]: %[2]s: to=<b%[3]d@example.net>, relay=mx.example.net[192.0.2.25]:25, delay=0.1, delays=0/0/0/0.1, dsn=2.0.0, status=sent (250 Ok)\n"+
		"%[1]sqmgr[13]: %[2]s: removed\n", head, id, n)
}

// play runs a gateway over a mail log while its clock is set forth and back,
// across a change of the offset from UTC, and starts it anew once meanwhile. It
// returns how many messages were written, when came says that they are there.
func (c *steppedClock) play(t *testing.T, data string, export *config.Export, zone *time.Location, came func() int) (messages int) {
	t.Helper()
	log := filepath.Join(t.TempDir(), "mail.log")
	f, err := os.Create(log)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	// The SSH server has no part in this.
	server := filepath.Join(t.TempDir(), "server")
	if err := os.WriteFile(server, []byte("#!/bin/sh\nexec sleep 1000\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	conf := config.Default()
	conf.Gateway = &config.Gateway{Name: "mx-a", LogZone: zone, Window: time.Second, Sources: []config.Source{{File: log}}, Export: export}
	start := func() (stop func()) {
		r, err := NewRole(t.Context(), RoleOptions{Gateway: true, Config: conf, Data: data, Host: "mx-a", Software: "waybill test", Version: "test",
			Program: server, Stderr: io.Discard, Log: quiet, Now: c.Now})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		ran := make(chan error, 1)
		go func() { ran <- r.Run(ctx) }()
		return func() {
			cancel()
			if err := errors.Join(<-ran, r.Close()); err != nil {
				t.Error(err)
			}
		}
	}
	// mail comes for a while, ten messages a second.
	mail := func(seconds float64) {
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for range int(seconds * 10) {
			<-tick.C
			messages++
			if _, err := f.WriteString(mailAt(c.Now().In(zone), messages)); err != nil {
				t.Fatal(err)
			}
		}
	}
	stop := start()
	mail(1.6) // over the change of the offset
	// Each way back is a little longer: seconds come that were there before.
	for _, by := range []time.Duration{10 * time.Minute, -10*time.Minute - 3*time.Second, time.Hour, -time.Hour - 3*time.Second} {
		c.step(by)
		mail(1.2)
	}
	stop()
	c.step(-10 * time.Minute) // while nobody looks
	stop = start()
	mail(1.2)
	c.step(time.Hour)
	mail(1.2)
	stop()
	stop = start()
	mail(1.2)
	defer stop()
	// What came last is in the window that is open, or on its way to the store.
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for came() < messages {
		select {
		case <-ctx.Done():
			t.Errorf("%d of %d messages came", came(), messages)
			return messages
		case <-tick.C:
		}
	}
	return messages
}

// atChange are clocks just before the offset of a zone changes.
func atChange(t *testing.T, test func(t *testing.T, c *steppedClock, zone *time.Location)) {
	t.Helper()
	t.Parallel()
	zone, err := time.LoadLocation("Europe/Amsterdam")
	if err != nil {
		t.Fatal(err)
	}
	year := time.Now().Year() // the stamps of the log have none
	for name, at := range map[string]time.Time{
		"spring": lastSunday(year, time.March),
		"autumn": lastSunday(year-1, time.October),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, &steppedClock{base: at.Add(time.Hour - time.Second), began: time.Now()}, zone)
		})
	}
}

func lastSunday(year int, month time.Month) time.Time {
	last := time.Date(year, month, 31, 0, 0, 0, 0, time.UTC)
	return last.AddDate(0, 0, -int(last.Weekday()))
}

// TestClockSteps: whatever the clock does, every line of the log is in one
// window, the windows are a chain without a gap, and no name comes twice.
func TestClockSteps(t *testing.T) {
	atChange(t, func(t *testing.T, c *steppedClock, zone *time.Location) {
		data := t.TempDir()
		dir := filepath.Join(data, exportDir)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		root, err := safefs.OpenRoot(dir)
		if err != nil {
			t.Fatal(err)
		}
		defer root.Close()
		var chain []window.Chained
		var kinds map[string]int // by queue id and kind
		read := func() (delivered int) {
			chain, kinds = nil, make(map[string]int)
			entries, err := os.ReadDir(dir)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range entries {
				if !strings.HasPrefix(e.Name(), ".") { // that is the open one
					chain = append(chain, readWindow(t, root, e.Name(), kinds))
				}
			}
			for key := range kinds {
				if strings.HasSuffix(key, " "+track.MessageRemoved.String()) {
					delivered++
				}
			}
			return delivered
		}
		messages := c.play(t, data, &config.Export{Listen: "127.0.0.1:1", User: "smaduser", Hold: 72 * time.Hour, Stale: 7 * 24 * time.Hour}, zone, read)
		read()
		slices.SortFunc(chain, func(a, b window.Chained) int {
			return cmp.Or(cmp.Compare(a.Header.Epoch, b.Header.Epoch), cmp.Compare(a.Header.Sequence, b.Header.Sequence))
		})
		// Where files are taken away soon, only what was cut keeps a name from
		// coming twice.
		cut := make(map[window.Name]uint64)
		for _, w := range chain {
			name := window.NameOf(w.Header.Interval, true)
			if was, twice := cut[name]; twice {
				t.Errorf("windows of the epochs %d and %d are both called %s", was, w.Header.Epoch, name)
			}
			cut[name] = w.Header.Epoch
		}
		epochs := 1
		for i := 1; i < len(chain); i++ {
			a, b := &chain[i-1].Header, &chain[i].Header
			link, n := window.Follow(chain[i-1], chain[i])
			switch {
			case link == window.LinkEpoch && b.Sequence == 1:
				epochs++
			case link != window.LinkNext:
				t.Errorf("window %d of epoch %d and %d of %d: %s, %d", a.Sequence, a.Epoch, b.Sequence, b.Epoch, link, n)
			case a.Interval.To != b.Interval.From:
				t.Errorf("window %d ends at %s, and %d begins at %s", a.Sequence, a.Interval.To, b.Sequence, b.Interval.From)
			}
		}
		if epochs < 6 {
			t.Errorf("%d epochs: the clock was set six times", epochs)
		}
		for n := 1; n <= messages; n++ {
			id := fmt.Sprintf("%010X", 0x4A00000000+n*7919)
			for _, kind := range []track.Kind{track.MessageID, track.RecipientDelivery, track.MessageRemoved} {
				if got := kinds[id+" "+kind.String()]; got != 1 {
					t.Errorf("message %d of %d has %s %d times", n, messages, kind, got)
				}
			}
		}
	})
}

// readWindow counts the events of a file and returns its place in the chain.
func readWindow(t *testing.T, root safefs.FS, name string, kinds map[string]int) window.Chained {
	t.Helper()
	r, err := window.Open(root, name)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var e track.Event
	for {
		err := r.Next(&e)
		if errors.Is(err, io.EOF) {
			return window.Chained{Header: r.Header(), Digest: r.Digest()}
		}
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		kinds[e.QueueID+" "+e.Kind.String()]++
	}
}

// TestClockStepsToStore: the same on a gateway that takes its windows in itself.
func TestClockStepsToStore(t *testing.T) {
	atChange(t, func(t *testing.T, c *steppedClock, zone *time.Location) {
		data := t.TempDir()
		var all []*track.Message
		find := func() int {
			r, err := OpenReader(t.Context(), data, quiet, c.Now)
			if errors.Is(err, ErrNoStore) {
				return 0
			}
			if err != nil {
				t.Fatal(err)
			}
			answer, err := r.Find(t.Context(), search.Request{Text: "recipient:@example.net"})
			if err := errors.Join(err, r.Close()); err != nil {
				t.Fatal(err)
			}
			all = answer.Messages
			return len(all)
		}
		messages := c.play(t, data, nil, zone, find)
		found := make(map[string]int)
		for _, m := range all {
			found[m.MessageID]++
			if len(m.Recipients) != 1 || m.Recipients[0].Status != track.StatusDelivered || m.Recipients[0].Attempts != 1 {
				t.Errorf("%s: %+v", m.MessageID, m.Recipients)
			}
		}
		for n := 1; n <= messages; n++ {
			if id := fmt.Sprintf("<%d@example.com>", n); found[id] != 1 {
				t.Errorf("%s of %d is there %d times", id, messages, found[id])
			}
		}
	})
}
