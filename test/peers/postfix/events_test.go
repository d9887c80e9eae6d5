package postfix_test

import (
	"bufio"
	"cmp"
	"slices"
	"testing"
	"time"

	"waybill/internal/maillog"
	"waybill/internal/track"
)

// folded reads the logs of a scene into messages without a store: each life
// by itself, relations between them left open.
func folded(t *testing.T, s *scene) []*track.Message {
	t.Helper()
	var all []*track.Message
	for host, path := range s.logs {
		f, err := open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		p, err := maillog.New(maillog.Options{FileTime: time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)})
		if err != nil {
			t.Fatal(err)
		}
		lives := map[uint64][]track.Event{}
		emit := func(e *track.Event) {
			keep := *e
			keep.Attrs = slices.Clone(e.Attrs)
			if e.Kind == track.Rejection || e.Kind == track.ConnAuthFailed {
				m := track.Fold([]track.Event{keep})
				m.Gateway = host
				all = append(all, &m)
			} else if e.MID != 0 {
				lives[e.MID] = append(lives[e.MID], keep)
			}
		}
		lines, n := bufio.NewScanner(f), int64(0)
		for lines.Scan() {
			n++
			p.Line(lines.Text(), n, 0, emit)
		}
		if err := lines.Err(); err != nil {
			t.Fatal(err)
		}
		for _, d := range p.Stats().Dialects {
			if d.Unknown > 0 {
				t.Errorf("%s: %d lines unknown to %s: %q", host, d.Unknown, d.Name, d.Samples)
			}
		}
		for _, events := range lives {
			m := track.Fold(events)
			m.Gateway = host
			all = append(all, &m)
		}
	}
	slices.SortFunc(all, func(a, b *track.Message) int { return cmp.Or(cmp.Compare(a.Time, b.Time), cmp.Compare(a.MID, b.MID)) })
	return all
}

// chained are the classes whose end another message decides.
var chained = []string{"filter-smtp", "filter-smtp-hard", "filter-scan", "filter-pipe", "tls-hop-hard", "instance-hard", "hold-requeue", "defer-requeue",
	"forward-alias", "forward-two", "forward-owner", "forward-file", "forward-hard", "list"}

// TestPostfixEvents looks at what the dialect and the fold make of the logs,
// before any store is involved.
func TestPostfixEvents(t *testing.T) {
	eachScene(t, func(t *testing.T, s *scene) {
		messages := folded(t, s)
		checkDeliveries(t, s, messages)
		checkOutcomes(t, s, messages, chained, func(_ *track.Message, r track.Rcpt) track.Status { return r.Status })
	})
}
