package record

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"waybill/internal/track"
)

// memDict numbers every second string that it is asked for, so that both
// forms of every field are met.
type memDict struct {
	byText map[string]uint32
	texts  []string
	asked  int
}

func (d *memDict) Intern(s string, must bool) (uint32, bool) {
	if n, ok := d.byText[s]; ok {
		return n, true
	}
	if d.asked++; d.asked%2 == 0 && !must {
		return 0, false
	}
	n := uint32(len(d.texts))
	d.byText[s] = n
	d.texts = append(d.texts, s)
	return n, true
}

func (d *memDict) InternBytes(b []byte) (uint32, bool) { return d.Intern(string(b), true) }

func (d *memDict) InternSeen(b []byte) (uint32, bool) { return d.Intern(string(b), false) }

func (d *memDict) Lookup(n uint32) (string, bool) {
	if int(n) >= len(d.texts) {
		return "", false
	}
	return d.texts[n], true
}

func newMemDict() *memDict { return &memDict{byText: map[string]uint32{}} }

const base = track.Stamp(1_700_000_000_000_000)

func stamp(t *rapid.T, name string) track.Stamp {
	unit := rapid.SampledFrom([]int64{1, 1e3, 1e6}).Draw(t, name+" unit")
	return base + track.Stamp(unit*rapid.Int64Range(-5, 1e7).Draw(t, name))
}

func anyRecord(t *rapid.T) *Record {
	text := rapid.OneOf(rapid.SampledFrom([]string{"", "ann@a.test", "@", "mail.src.test", "<x@vm>", "4jX4WR2MVlz1W6Gr", "D33DE9E2078", "D33D"}),
		rapid.StringMatching(`[ -~é\x00-\x03]{0,12}`))
	draw := func(name string) string { return text.Draw(t, name) }
	clean := rapid.StringMatching(`[ -~]{0,8}`)
	m := track.Message{Gateway: clean.Draw(t, "gateway"), Serial: clean.Draw(t, "serial"), Host: clean.Draw(t, "host"), Instance: clean.Draw(t, "instance"),
		MID: rapid.Uint64().Draw(t, "mid"), ICID: rapid.Uint64Range(0, 9).Draw(t, "icid"), QueueID: draw("qid"), MessageID: draw("msgid"),
		Time: base + track.Stamp(rapid.Int64Range(0, 999).Draw(t, "micros")), Last: stamp(t, "last"), Subject: draw("subject"),
		Size: rapid.Int64Range(0, 1e9).Draw(t, "size"), RecipientCount: rapid.IntRange(0, 4).Draw(t, "nrcpt"),
		Direction: draw("direction"), Reason: draw("reason"), Uncertain: rapid.Bool().Draw(t, "uncertain"),
		Blind: track.Blind(rapid.Uint16().Draw(t, "blind")), Phase: track.PhaseWork, HeadOpen: rapid.Bool().Draw(t, "head"), Ended: rapid.Bool().Draw(t, "ended"),
		KindBits: rapid.Uint64().Draw(t, "bits"), Status: track.StatusMixed}
	if rapid.Bool().Draw(t, "has sender") {
		s := draw("sender")
		m.Sender = &s
	}
	if rapid.Bool().Draw(t, "has client") {
		m.Client = &track.Client{IP: draw("ip"), Name: draw("name"), Helo: draw("helo")}
		m.Auth = &track.Auth{User: draw("user"), Mechanism: draw("mech")}
		m.TLS = &track.TLS{Protocol: "TLSv1.3", Trust: "Anonymous"}
		m.Verdicts = []track.EngineVerdict{{Engine: draw("engine"), Verdict: draw("verdict"), Score: draw("score")}}
		m.Attachments = []track.AttachedFile{{Name: draw("file"), Hash: draw("hash")}, {Name: "a b.pdf"}}
	}
	for range rapid.IntRange(0, 3).Draw(t, "rcpts") {
		r := track.Rcpt{Address: draw("address"), Original: draw("original"), Route: draw("route"), NextID: draw("next"), Status: track.StatusDelivered,
			Outcome: rapid.SampledFrom([]track.Status{0, track.StatusDelivered, track.StatusBounced}).Draw(t, "outcome"),
			Time:    rapid.SampledFrom([]track.Stamp{0, m.Last, base}).Draw(t, "time"), Attempts: rapid.IntRange(0, 3).Draw(t, "attempts"),
			Relay: rapid.SampledFrom([]string{"", "none", "mx.a.test[192.0.2.1]:25", "x[y"}).Draw(t, "relay"), DSN: "2.0.0", Uncertain: rapid.Bool().Draw(t, "maybe"),
			DCID: rapid.SampledFrom([]uint64{0, 1, 1 << 63}).Draw(t, "dcid")}
		r.RelayIP, r.RelayPort = relayParts(r.Relay)
		if rapid.Bool().Draw(t, "odd") {
			r.RelayIP, r.RelayPort = draw("relay ip"), 7
		}
		r.Response = draw("r1") + r.NextID + draw("r2") + m.MessageID + r.Address
		m.Recipients = append(m.Recipients, r)
	}
	if rapid.Bool().Draw(t, "links") {
		m.Links = []track.Link{{QueueID: m.QueueID, Relation: track.Bounce, Parent: true, Time: m.Time, Rcpt: -1}, {QueueID: "X1", Rcpt: 2}}
	}
	rec := &Record{Message: m, Named: rapid.Bool().Draw(t, "named")}
	for range rapid.IntRange(1, 3).Draw(t, "parts") {
		rec.Parts = append(rec.Parts, Part{Fragment: track.Fragment{MID: rapid.Uint64().Draw(t, "part mid"), First: stamp(t, "first"), Last: stamp(t, "plast"), Born: true, Aborted: rapid.Bool().Draw(t, "aborted"),
			HasID: rapid.Bool().Draw(t, "has id"), Instance: clean.Draw(t, "part instance"), FirstPhase: track.PhaseStart, LastPhase: track.PhaseEnd},
			Events: 3, Sum: rapid.Uint32().Draw(t, "sum"), Refs: []Ref{{Block: 1 << 33, Index: 127}, {Block: 7}}})
	}
	return rec
}

func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rec := anyRecord(t)
		d := newMemDict()
		b := Append(nil, rec, base, d)
		got, err := Decode(b, base, d, true)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(rec, got); diff != "" {
			t.Fatal(diff)
		}
		short, err := Decode(b, base, d, false)
		if err != nil || short.Parts != nil {
			t.Fatalf("without parts: %v, %v", short, err)
		}
	})
}

func FuzzDecode(f *testing.F) {
	d := newMemDict()
	s := ""
	f.Add(Append(nil, &Record{Message: track.Message{Time: base, QueueID: "D33DE", Sender: &s, Recipients: []track.Rcpt{{Address: "a@b.test"}}}, Parts: []Part{{Events: 1}}}, base, d))
	f.Fuzz(func(t *testing.T, b []byte) {
		if _, err := Decode(b, base, d, true); err != nil && !errors.Is(err, ErrDamaged) {
			t.Fatal(err)
		}
	})
}
