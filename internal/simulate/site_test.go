package simulate_test

import (
	"hash/fnv"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"waybill/internal/simulate"
)

var start = time.Date(2026, 3, 10, 8, 0, 0, 0, time.UTC)

// mixed is a fleet with every MTA and with both of what can be chosen.
func mixed() []simulate.Gateway {
	return append(simulate.Fleet(),
		simulate.Gateway{Name: "puffy", MTA: simulate.OpenSMTPD, Weight: 2, RFC3339: true},
		simulate.Gateway{Name: "mail-e", MTA: simulate.Exim, Weight: 2, LongIDs: true},
		simulate.Gateway{Name: "esa-2", MTA: simulate.ESA, Weight: 2, Zone: time.FixedZone("", -6*3600)},
	)
}

// played is all that a site did.
type played struct {
	lines      []simulate.Line
	messages   []*simulate.Message
	rejections []simulate.Rejection
}

func play(t interface{ Fatal(...any) }, o simulate.Options) *played {
	p := new(played)
	o.Message = func(m *simulate.Message) { p.messages = append(p.messages, m) }
	o.Rejection = func(r simulate.Rejection) { p.rejections = append(p.rejections, r) }
	site, err := simulate.New(o)
	if err != nil {
		t.Fatal(err)
	}
	for {
		l, ok := site.Next()
		if !ok {
			return p
		}
		p.lines = append(p.lines, l)
	}
}

func (p *played) text(gateway, file string) string {
	var b strings.Builder
	for _, l := range p.lines {
		if l.Gateway == gateway && (file == "" || l.File == file) {
			b.WriteString(l.Text)
		}
	}
	return b.String()
}

func TestSameSeedSameBytes(t *testing.T) {
	sum := func(seed uint64) uint64 {
		h := fnv.New64a()
		for _, l := range play(t, simulate.Options{Seed: seed, Start: start, Until: start.Add(2 * time.Hour), Gateways: mixed()}).lines {
			h.Write([]byte(l.Gateway + l.File + l.Time.String() + l.Text))
		}
		return h.Sum64()
	}
	first := sum(1)
	if again := sum(1); again != first {
		t.Error("the same seed gives other lines")
	}
	if sum(2) == first {
		t.Error("another seed gives the same lines")
	}
}

// TestTruth checks for any site that its lines are in order, and that what it
// says of its messages holds together.
func TestTruth(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o := simulate.Options{
			Seed: rapid.Uint64().Draw(t, "seed"), Start: start, Until: start.Add(time.Duration(rapid.IntRange(1, 90).Draw(t, "minutes")) * time.Minute),
			Rate: float64(rapid.IntRange(60, 3000).Draw(t, "rate")), Gateways: mixed(), Attempts: rapid.IntRange(2, 8).Draw(t, "attempts"),
		}
		p := play(t, o)
		for i := range p.lines {
			if i > 0 && p.lines[i].Time.Before(p.lines[i-1].Time) {
				t.Fatalf("line %d is older than the one before it", i)
			}
			if text := p.lines[i].Text; !strings.HasSuffix(text, "\n") || strings.ContainsAny(text, "\x00\x1b\r") {
				t.Fatalf("no log holds such a line: %q", text)
			}
		}
		open := make(map[string]*simulate.Message)
		for _, m := range p.messages {
			check(t, m)
			if other := open[m.Gateway+m.QueueID]; other != nil && (other.Ended.IsZero() || other.Ended.After(m.Began)) {
				t.Fatalf("%s %s is two messages at a time", m.Gateway, m.QueueID)
			}
			open[m.Gateway+m.QueueID] = m
		}
	})
}

// check holds what must be true of any message when a site is through.
func check(t *rapid.T, m *simulate.Message) {
	if m.QueueID == "" || len(m.Recipients) == 0 || m.Began.IsZero() {
		t.Fatalf("not a message: %+v", m)
	}
	over := !m.Ended.IsZero()
	for _, r := range m.Recipients {
		switch {
		case r.Next != nil && r.Outcome() == "":
			t.Fatalf("%s %s: what became of %s is not known", m.Gateway, m.QueueID, r.Address)
		case !over && r.Status != simulate.Held && r.Status != simulate.Quarantined:
			t.Fatalf("%s %s: still there, but %s is %s", m.Gateway, m.QueueID, r.Address, r.Status)
		case over && !r.Status.Final() && (m.MTA != simulate.ESA || r.Status != simulate.Quarantined):
			t.Fatalf("%s %s: over, but %s is %s", m.Gateway, m.QueueID, r.Address, r.Status)
		case r.Uncertain != (m.Scene == simulate.NeverCertain && r.Status == simulate.Expired):
			t.Fatalf("%s %s: uncertain in scene %s", m.Gateway, m.QueueID, m.Scene)
		}
	}
	failed := slices.ContainsFunc(m.Recipients, func(r *simulate.Recipient) bool {
		return r.Status == simulate.Bounced || r.Status == simulate.Expired
	})
	told := slices.ContainsFunc(m.Children, func(c *simulate.Message) bool { return c.Relation == simulate.Bounce })
	if failed != told && m.Sender != "" {
		t.Fatalf("%s %s: failed %v, but the sender was told %v", m.Gateway, m.QueueID, failed, told)
	}
	if m.Parent != nil && !slices.Contains(m.Parent.Children, m) {
		t.Fatalf("%s %s: its parent does not know it", m.Gateway, m.QueueID)
	}
}

// TestScenes plays every scene on every MTA that can, alone, and looks for what
// makes it what it is.
func TestScenes(t *testing.T) {
	for _, mta := range []simulate.MTA{simulate.Postfix, simulate.Exim, simulate.Sendmail, simulate.OpenSMTPD, simulate.ESA} {
		for _, scene := range simulate.Scenes(mta) {
			t.Run(string(mta)+"/"+string(scene), func(t *testing.T) {
				p := play(t, simulate.Options{Seed: 3, Start: start, Rate: -1, Gateways: []simulate.Gateway{{Name: "gw", MTA: mta}},
					Script: []simulate.Cue{{At: start.Add(time.Minute), Scene: scene}}})
				if len(p.messages)+len(p.rejections) == 0 {
					t.Fatal("nothing happened")
				}
				if want, ok := ends[scene]; ok && len(p.messages) > 0 {
					m := p.messages[0]
					if got := m.Recipients[len(m.Recipients)-1].Outcome(); !slices.Contains(want, got) {
						t.Errorf("ended as %q, want one of %q", got, want)
					}
				}
				if want := words[scene]; want != "" && !strings.Contains(p.text("gw", ""), want) {
					t.Errorf("the log does not say %q:\n%s", want, p.text("gw", ""))
				}
			})
		}
	}
}

var ends = map[simulate.Scene][]simulate.Status{
	simulate.Plain: {simulate.Delivered}, simulate.Greylisted: {simulate.Delivered}, simulate.Undeliverable: {simulate.Bounced},
	simulate.GivenUp: {simulate.Expired}, simulate.MaybeDelivered: {simulate.Delivered}, simulate.NeverCertain: {simulate.Expired}, simulate.OnHold: {simulate.Held, simulate.Delivered},
	simulate.Filtered: {simulate.Delivered}, simulate.CutOff: {simulate.Aborted}, simulate.BadContent: {simulate.Rejected},
	simulate.ThrownAway: {simulate.Discarded}, simulate.Infected: {simulate.Dropped}, simulate.Footer: {simulate.Delivered},
	simulate.TwoPolicies: {simulate.Delivered}, simulate.Spam: {simulate.Quarantined},
	simulate.Suspicious: {simulate.Quarantined, simulate.Delivered, simulate.Discarded},
}

var words = map[simulate.Scene]string{
	simulate.Footer: " rewritten to MID ", simulate.TwoPolicies: " was split creating MID ", simulate.Archived: " was generated based on MID ",
	simulate.Suspicious: " quarantined to ", simulate.Spam: "ISQ: Quarantined", simulate.Infected: "Dropped by antivirus",
}

// TestHandOver checks that the next host's id stands in the first one's log.
func TestHandOver(t *testing.T) {
	p := play(t, simulate.Options{Seed: 4, Start: start, Until: start.Add(time.Hour), Gateways: mixed()})
	n := 0
	for _, m := range p.messages {
		for _, r := range m.Recipients {
			if r.Next == nil || r.Next.Gateway == m.Gateway {
				continue
			}
			n++
			if log := p.text(m.Gateway, ""); !strings.Contains(log, r.Next.QueueID) {
				t.Errorf("%s does not name %s of %s", m.Gateway, r.Next.QueueID, r.Next.Gateway)
			}
		}
	}
	if n < 50 {
		t.Errorf("only %d recipients went through two gateways", n)
	}
}

func TestOptions(t *testing.T) {
	for name, o := range map[string]simulate.Options{
		"no start":    {},
		"no such MTA": {Start: start, Gateways: []simulate.Gateway{{Name: "a", MTA: "qmail"}}},
		"two of one":  {Start: start, Gateways: []simulate.Gateway{{Name: "a", MTA: simulate.Exim}, {Name: "a", MTA: simulate.Exim}}},
		"no next":     {Start: start, Gateways: []simulate.Gateway{{Name: "a", MTA: simulate.Exim, Inbound: "b"}}},
		"a circle": {Start: start, Gateways: []simulate.Gateway{
			{Name: "a", MTA: simulate.Exim, Inbound: "b"}, {Name: "b", MTA: simulate.Exim, Inbound: "a"}}},
		"no such scene": {Start: start, Script: []simulate.Cue{{Scene: "flood"}}},
		"not there":     {Start: start, Script: []simulate.Cue{{Scene: simulate.Spam, Gateway: "mx-a"}}},
	} {
		if _, err := simulate.New(o); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// TestMemory lets a busy site go on and sees that nothing gathers.
func TestMemory(t *testing.T) {
	site, err := simulate.New(simulate.Options{Seed: 5, Start: start})
	if err != nil {
		t.Fatal(err)
	}
	after := func(lines int) uint64 {
		for range lines {
			if _, ok := site.Next(); !ok {
				t.Fatal("the traffic ended")
			}
		}
		var s runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&s)
		return s.HeapAlloc
	}
	// Half a day fills the queues and quarantines; then come two more.
	const room = 2 << 20
	if first, last := after(80_000), after(320_000); last > first+room {
		t.Errorf("%d bytes after half a day, %d two days later", first, last)
	}
}

func BenchmarkNext(b *testing.B) {
	site, err := simulate.New(simulate.Options{Start: start, Rate: 20000})
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		l, _ := site.Next()
		b.SetBytes(int64(len(l.Text)))
	}
}
