package maillog

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"waybill/internal/track"
)

func TestNewFormat(t *testing.T) {
	for _, f := range append(Formats(), "") {
		if _, err := New(Options{Format: f}); err != nil {
			t.Errorf("New(%q): %v", f, err)
		}
	}
	_, err := New(Options{Format: "postfxi"})
	if err == nil || !strings.Contains(err.Error(), `"postfxi"`) || !strings.Contains(err.Error(), "postfix") {
		t.Errorf("New with an unknown format: %v", err)
	}
}

// TestForcedFormat: a format by name takes tags that looking does not know,
// and leaves the filters theirs.
func TestForcedFormat(t *testing.T) {
	lines := []string{
		"Nov 21 21:00:00 mx smtpd[1]: 0A1B2C3D4E: client=mail.example.net[192.0.2.7]",
		"Nov 21 21:00:00 mx mail-queue[2]: 0A1B2C3D4E: something",
		"Nov 21 21:00:00 mx opendkim[3]: 0A1B2C3D4E: DKIM verification successful",
	}
	for _, tc := range []struct {
		format string
		want   []track.Kind
	}{
		{Auto, []track.Kind{track.MessageVerdict}},
		{"postfix", []track.Kind{track.MessageClient, track.MessageNote, track.MessageVerdict}},
	} {
		o := caseOptions
		o.Format = tc.format
		p, err := New(o)
		if err != nil {
			t.Fatal(err)
		}
		var got []track.Kind
		for i, l := range lines {
			p.Line(l, int64(i+1), 0, func(e *track.Event) { got = append(got, e.Kind) })
		}
		if d := cmp.Diff(tc.want, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", tc.format, d)
		}
		checkStats(t, p.Stats())
	}
}

// TestLongLine: a line of a megabyte is cut, counted and still read.
func TestLongLine(t *testing.T) {
	p, err := New(caseOptions)
	if err != nil {
		t.Fatal(err)
	}
	line := "Nov 21 21:00:00 mx postfix/smtp[1]: 0A1B2C3D4E: to=<a@example.org>, relay=none, delay=1, delays=1/0/0/0, dsn=4.4.1, status=deferred (" +
		strings.Repeat("é", 1<<19) + ")"
	n := 0
	p.Line(line, 1, 0, func(e *track.Event) {
		n++
		checkEvent(t, e)
		if len(e.Text) > 2*maxLine {
			t.Errorf("text of %d bytes", len(e.Text))
		}
		if e.Value(track.StatusWord) != "deferred" {
			t.Errorf("status %q", e.Value(track.StatusWord))
		}
	})
	if s := p.Stats(); n != 1 || s.Cut != 1 {
		t.Errorf("%d events, %d cut", n, s.Cut)
	}
}

// TestRepeatBound: nobody can make a million events with one line.
func TestRepeatBound(t *testing.T) {
	p, err := New(caseOptions)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	p.Line("Nov 21 21:00:00 mx postfix/qmgr[1]: message repeated 999999999 times: [ 0A1B2C3D4E: odd]", 1, 0, func(*track.Event) { n++ })
	if n != maxRepeat {
		t.Errorf("%d events", n)
	}
}

// TestNumbers: the caller's counters are used.
func TestNumbers(t *testing.T) {
	mid, icid := uint64(100), uint64(500)
	o := caseOptions
	o.NextMID = func() uint64 { mid++; return mid }
	o.NextICID = func() uint64 { icid++; return icid }
	p, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	p.Line("Nov 21 21:00:00 mx postfix/smtpd[1]: 0A1B2C3D4E: client=mail.example.net[192.0.2.7]", 7, 99, func(e *track.Event) {
		if e.MID != 101 || e.ICID != 501 || e.Line != 7 || e.Offset != 99 {
			t.Errorf("event %+v", e)
		}
	})
}

// TestBounds: a log of nothing but beginnings does not make the parser grow
// beyond its bounds.
func TestBounds(t *testing.T) {
	p, err := New(caseOptions)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 2 * maxLives {
		p.Line(fmt.Sprintf("Nov 21 21:00:00 mx postfix/smtpd[%d]: %010X: client=h%d.example.net[192.0.2.7]", i%(2*maxConns)+1, i, i), int64(i), 0, func(*track.Event) {})
		if i%16 == 0 {
			p.Line(fmt.Sprintf("Nov 21 21:00:00 h%d p%d/smtp[%d]: Untrusted TLS connection established to h%d[192.0.2.7]:25: TLSv1.3 with cipher X (1/1 bits)", i, i, i+1, i), int64(i), 0, func(*track.Event) {})
		}
	}
	c := &p.cur
	for _, b := range []struct {
		what      string
		n, atMost int
	}{
		{"lives", c.lives.tab.len, maxLives}, {"connections", c.conns.tab.len, maxConns}, {"hops", c.hops.len, maxHops},
		{"relays", len(c.secure), maxStrings}, {"strings", len(p.strings), maxStrings},
		{"origins", len(p.origins), maxPrograms}, {"hosts", len(p.hosts), maxPrograms}, {"state", len(p.State()), 1 << 20},
	} {
		if b.n > b.atMost {
			t.Errorf("%d %s, at most %d", b.n, b.what, b.atMost)
		}
	}
}

// TestEndedLivesGo: what has ended is forgotten soon, so that memory follows
// the open messages and not the log.
func TestEndedLivesGo(t *testing.T) {
	p, err := New(caseOptions)
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC)
	for i := range 20000 {
		stamp := at.Add(time.Duration(i) * time.Second / 10).Format(time.Stamp)
		for _, l := range []string{"postfix/smtpd[1]: %010X: client=h[192.0.2.7]", "postfix/qmgr[2]: %010X: removed"} {
			p.Line(stamp+" mx "+fmt.Sprintf(l, i), int64(i), 0, func(*track.Event) {})
		}
	}
	if n := p.cur.lives.tab.len; n > 200 {
		t.Errorf("%d lives are kept", n)
	}
}
