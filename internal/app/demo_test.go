package app

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"waybill/internal/config"
	"waybill/internal/search"
	"waybill/internal/track"
)

// demoClock is moved by hand.
type demoClock struct{ now time.Time }

func (c *demoClock) Now() time.Time { return c.now }

func startDemo(t *testing.T) (*Demo, *Session, *demoClock) {
	t.Helper()
	c := &demoClock{time.Date(2026, 3, 10, 10, 30, 0, 0, time.UTC)}
	s, err := NewSession(t.Context(), SessionOptions{Temp: t.TempDir(), Config: config.Default(), Log: slog.New(slog.DiscardHandler), Now: c.Now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
		if _, err := os.Stat(s.place()); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s is still there: %v", s.place(), err)
		}
	})
	d, err := NewDemo(s, 1, c.Now)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := d.Recent(t.Context()); err != nil {
		t.Fatal(err)
	}
	return d, s, c
}

// live lets minutes go by.
func (c *demoClock) live(t *testing.T, d *Demo, minutes int) {
	t.Helper()
	for range minutes {
		c.now = c.now.Add(time.Minute)
		if err := d.write(c.now); err != nil {
			t.Fatal(err)
		}
		if _, _, err := d.follower.poll(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := d.follower.cut(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

// ask asks a question of the tour.
func ask(t *testing.T, s *Session, q Question) *search.Answer {
	t.Helper()
	a, err := s.Reader.Find(t.Context(), search.Request{Text: q.Query, From: q.From, Zone: time.UTC})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// TestTour: each stop has something to show as soon as the last hour is read.
func TestTour(t *testing.T) {
	_, s, _ := startDemo(t)
	for _, q := range Tour() {
		a := ask(t, s, q)
		if absent := strings.Contains(q.Query, "zoe"); absent != (len(a.Messages) == 0) {
			t.Errorf("%s: %d messages", q.Ask, len(a.Messages))
		}
		for _, m := range a.Messages {
			r := m.Recipients[0]
			switch {
			case strings.Contains(q.Query, "hotline") && !(r.Status == track.StatusDeferred && r.Uncertain):
				t.Errorf("%s: %s, uncertain %v", q.Ask, r.Status, r.Uncertain)
			case strings.Contains(q.Query, "Invoice") && r.Outcome != track.StatusDelivered:
				t.Errorf("%s: %s", q.Ask, r.Outcome)
			}
		}
	}
}

// TestDemoGoesOn: the rest of the day comes, then what happens meanwhile; a
// message that was on its way is one message.
func TestDemoGoesOn(t *testing.T) {
	d, s, c := startDemo(t)
	everything := Question{Query: "gateway:mx-a -status:rejected"}
	recent := len(ask(t, s, everything).Messages)
	if err := d.older(t.Context()); err != nil {
		t.Fatal(err)
	}
	day := len(ask(t, s, everything).Messages)
	if recent < 20 || day < 5*recent {
		t.Errorf("%d messages of the last hour on mx-a, %d of the day", recent, day)
	}
	offer := Question{Query: "recipient:hotline@fjord.example"}
	before := ask(t, s, offer).Messages[0]
	if err := d.follower.begin(t.Context()); err != nil {
		t.Fatal(err)
	}
	c.live(t, d, 40)
	if n := len(ask(t, s, Question{Query: everything.Query + ` after:2026-03-10T10:30:00Z`}).Messages); n < 10 {
		t.Errorf("%d messages came in 40 minutes", n)
	}
	after := ask(t, s, offer).Messages
	if len(after) != 1 || after[0].QueueID != before.QueueID || after[0].Recipients[0].Attempts <= before.Recipients[0].Attempts {
		t.Errorf("the offer was %+v, is %+v", before, after)
	}
}

// TestDemoEnds: what ends in the middle ends well.
func TestDemoEnds(t *testing.T) {
	d, _, _ := startDemo(t)
	ctx, cancel := context.WithCancel(t.Context())
	ran := make(chan error, 1)
	go func() { ran <- d.Run(ctx) }()
	cancel()
	if err := <-ran; err != nil {
		t.Errorf("ended with %v", err)
	}
}

// TestQuiet: in the small hours of any day a log may have nothing new.
func TestQuiet(t *testing.T) {
	for seed := range uint64(3) {
		c := &demoClock{time.Date(2026, 3, 10, 4, 30, 0, 0, time.UTC)}
		s, err := NewSession(t.Context(), SessionOptions{Temp: t.TempDir(), Config: config.Default(), Log: slog.New(slog.DiscardHandler), Now: c.Now})
		if err != nil {
			t.Fatal(err)
		}
		d, err := NewDemo(s, seed, c.Now)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(d.Recent(t.Context()), d.Close(), s.Stop()); err != nil {
			t.Errorf("seed %d: %v", seed, err)
		}
	}
}

// TestRoll: a log that has grown large is rotated, and goes on.
func TestRoll(t *testing.T) {
	d, s, c := startDemo(t)
	l := d.logs[0]
	if l.gateway != "mx-a" {
		t.Fatalf("the first log is that of %s", l.gateway)
	}
	l.size = demoRoll + 1
	if err := d.follower.begin(t.Context()); err != nil {
		t.Fatal(err)
	}
	c.live(t, d, 20)
	if _, err := os.Stat(l.path + ".2"); err != nil {
		t.Error(err)
	}
	if n := len(ask(t, s, Question{Query: `gateway:mx-a after:2026-03-10T10:40:00Z`}).Messages); n == 0 {
		t.Error("nothing came after the rotation")
	}
}
