package coverage

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"waybill/internal/safefs/crashfs"
	"waybill/internal/track"
	"waybill/internal/window"
)

// chainOf are windows of one epoch; those whose number is in gone were not taken.
func chainOf(n int, gone ...uint64) (l window.Ledger, all []window.Live) {
	var previous []byte
	for seq := uint64(1); seq <= uint64(n); seq++ {
		from := begin + track.Stamp(seq-1)*length
		w := window.Live{Identity: fmt.Sprint(seq), Gateway: "g", Serial: "S", Epoch: 1, Sequence: seq, Interval: track.Interval{From: from, To: from + length},
			Digest: []byte(fmt.Sprint("digest", seq)), Previous: previous, Events: 1}
		w.Name = window.NameOf(w.Interval, true).String()
		previous = w.Digest
		all = append(all, w)
		if !slices.Contains(gone, seq) {
			l.Runs = append(l.Runs, w.Run())
		}
	}
	return l, all
}

func TestExplain(t *testing.T) {
	_, all := chainOf(9)
	const lost = 4 // the fifth
	file := all[lost].Name
	after := func(s int) time.Time { return all[lost].Interval.To.Time().Add(time.Duration(s) * time.Second) }
	rec := func(s int, event, file, reason string, ev ...Export) Record {
		return Record{Time: after(s), Event: event, File: file, Reason: reason, Remote: "", Evidence: ev}
	}
	other := Export{Time: after(3), Event: "acknowledged", File: file, Name: "b", Address: "192.0.2.9"}
	for _, tc := range []struct {
		name        string
		facts       Facts
		cause       Cause
		confidence  Confidence
		state       State
		recoverable bool
		by          string
	}{
		{name: "nothing is known", cause: Unknown, confidence: None, state: Missing},
		{name: "taken, the gateway says so", facts: Facts{Journal: []Record{rec(60, "listed", file, ""), rec(61, "vanished", file, "", other)}},
			cause: TakenByOther, confidence: High, state: Missing, recoverable: true, by: "b (192.0.2.9)"},
		{name: "taken, before it was ever listed", facts: Facts{Journal: []Record{rec(60, "listed", "", "", other)}},
			cause: TakenByOther, confidence: High, state: Missing, recoverable: true, by: "b (192.0.2.9)"},
		{name: "listed and gone", facts: Facts{Journal: []Record{rec(60, "listed", file, ""), rec(61, "vanished", file, "no such file")}},
			cause: TakenByOther, confidence: Medium, state: Missing},
		{name: "never listed, though we looked", facts: Facts{Journal: []Record{rec(-60, "listed", "", ""), rec(60, "listed", "", "")}},
			cause: TakenByOther, confidence: Low, state: Missing},
		{name: "expired", facts: Facts{Journal: []Record{rec(60, "vanished", file, "", Export{Time: after(50), Event: "expired", File: file})}},
			cause: Expired, confidence: High, state: Missing},
		{name: "expired, but another has it", facts: Facts{Journal: []Record{rec(60, "vanished", file, "", Export{Time: after(50), Event: "expired", File: file, Had: []Party{{Name: "b"}}})}},
			cause: Expired, confidence: High, state: Missing, recoverable: true, by: "b"},
		{name: "the expiry did not take place", facts: Facts{Journal: []Record{rec(60, "vanished", file, "",
			Export{Time: after(50), Event: "expired", File: file}, Export{Time: after(51), Event: "kept", File: file})}},
			cause: TakenByOther, confidence: Medium, state: Missing},
		{name: "cannot be copied", facts: Facts{Journal: []Record{rec(60, "listed", file, ""), rec(61, "failed", file, "connection reset")}},
			cause: TransferFailed, confidence: High, state: Missing, recoverable: true},
		{name: "not reached", facts: Facts{Journal: []Record{rec(-600, "listed", "", ""), rec(30, "failed", "", "network")}},
			cause: TransferFailed, confidence: Medium, state: Missing},
		{name: "not reached since it was listed", facts: Facts{Journal: []Record{rec(1, "listed", file, ""), rec(30, "failed", "", "network")}},
			cause: TransferFailed, confidence: Medium, state: Missing, recoverable: true},
		{name: "listed and not copied yet", facts: Facts{Journal: []Record{rec(1, "listed", file, "")}},
			cause: Unknown, confidence: None, state: Late, recoverable: true},
		{name: "damaged on the way", facts: Facts{Journal: []Record{rec(1, "listed", file, ""), rec(2, "damaged", file, "checksum"), rec(9, "quarantined", file, "checksum")}},
			cause: Damaged, confidence: High, state: Missing, recoverable: true},
		{name: "damaged here", facts: Facts{Journal: []Record{rec(1, "pulled", file, ""), rec(2, "acknowledged", file, "")}, Quarantine: []Quarantined{{File: file, Cause: Damaged, Reason: "checksum"}}},
			cause: Damaged, confidence: High, state: Missing},
		{name: "conflict", facts: Facts{Journal: []Record{rec(1, "pulled", file, ""), rec(2, "acknowledged", file, "")}, Quarantine: []Quarantined{{File: file, Cause: Conflict}}},
			cause: Conflict, confidence: High, state: Missing, recoverable: true},
		{name: "waits here", facts: Facts{Journal: []Record{rec(1, "pulled", file, ""), rec(2, "acknowledged", file, "")}, Queued: []string{file}},
			cause: Unknown, confidence: None, state: Late, recoverable: true},
		{name: "pulled and lost", facts: Facts{Journal: []Record{rec(1, "pulled", file, ""), rec(2, "acknowledged", file, "")}},
			cause: Unknown, confidence: Low, state: Missing},
		{name: "nobody asked", facts: Facts{Journal: []Record{rec(-3000, "listed", "", "")}}, cause: Unknown, confidence: None, state: Missing},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for n, gone := range [][]uint64{{lost + 1}, {lost, lost + 1, lost + 2}} { // alone, and among others
				l, _ := chainOf(9, gone...)
				p := Explain(Prove("g", l, 0), tc.facts)
				i := slices.IndexFunc(p.Gaps, func(g Gap) bool { return g.From <= all[lost].Interval.From && all[lost].Interval.To <= g.To })
				if i < 0 {
					t.Fatalf("%+v", p.Gaps)
				}
				g := p.Gaps[i]
				if g.Cause != tc.cause || g.Confidence != tc.confidence || g.State != tc.state || g.Recoverable != tc.recoverable || g.By != tc.by {
					t.Errorf("gap %+v", g)
				}
				if a := p.Account(); a.Written != 9 || a.Stored != 9-len(gone) || a.Accounted+a.Unexplained != len(gone) || n == 0 && (a.Unexplained == 0) != (tc.cause != Unknown || tc.state == Late) {
					t.Errorf("account %+v", a)
				}
			}
		})
	}
}

// TestTail says what is known of the time behind the newest window.
func TestTail(t *testing.T) {
	l, all := chainOf(3)
	end := all[2].Interval.To
	at := func(m int) time.Time { return end.Time().Add(time.Duration(m) * time.Minute) }
	for _, tc := range []struct {
		name    string
		minutes int
		facts   Facts
		state   State
		cause   Cause
	}{
		{"not due", 4, Facts{Journal: []Record{{Time: at(1), Event: "listed"}}}, Late, Unknown},
		{"qlogd is down", 60, Facts{Journal: []Record{{Time: at(1), Event: "listed"}, {Time: at(50), Event: "listed"}}}, Late, NeverProduced},
		{"not reached", 60, Facts{Journal: []Record{{Time: at(1), Event: "listed"}, {Time: at(50), Event: "failed"}}}, Late, TransferFailed},
		{"nobody looked", 60, Facts{Journal: []Record{{Time: at(1), Event: "listed"}}}, Unseen, Unknown},
		{"no smad", 60, Facts{Local: true}, Late, Unknown},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := Explain(Prove("g", l, end+track.Stamp(tc.minutes)*minute), tc.facts)
			g := p.Gaps[len(p.Gaps)-1]
			if len(p.Gaps) != 1 || g.State != tc.state || g.Cause != tc.cause || g.From != end || p.Account().Unexplained != 0 {
				t.Errorf("%+v", p.Gaps)
			}
		})
	}
	// What is listed behind it is on its way.
	name := window.NameOf(track.Interval{From: end, To: end + length}, true).String()
	p := Explain(Prove("g", l, end+5*minute), Facts{Journal: []Record{{Time: at(4), Event: "listed", File: name}}})
	if a := p.Account(); len(p.Gaps) != 2 || p.Gaps[0].State != Late || p.Gaps[0].To != end+length || a.Written != 4 || a.Sealed != 4 || a.Pulled != 3 || a.Accounted != 1 {
		t.Errorf("%+v, %+v", p.Gaps, a)
	}
}

// TestContradiction: a file in quarantine against one that was taken is a
// doubt about that time, even though the chain is whole.
func TestContradiction(t *testing.T) {
	l, all := chainOf(5)
	p := Explain(Prove("g", l, 0), Facts{Quarantine: []Quarantined{{File: all[2].Name, Cause: Conflict, Digest: strings.Repeat("a", 64), Stored: strings.Repeat("b", 64)}},
		Taken: map[string]bool{all[2].Name: true}})
	if len(p.Gaps) != 1 || p.Gaps[0].Cause != Conflict || p.Gaps[0].State != Unseen || p.Gaps[0].Interval != all[2].Interval || p.Account().Stored != 5 {
		t.Errorf("%+v", p.Gaps)
	}
}

// TestExplainKeepsTheTruth: whatever the facts say, nothing that was not proved
// becomes so, no time is lost, and the account adds up.
func TestExplainKeepsTheTruth(t *testing.T) {
	events := []string{"connected", "listed", "vanished", "pulled", "damaged", "quarantined", "acknowledged", "failed"}
	exports := []string{"sealed", "listed", "received", "acknowledged", "expired", "removed", "kept"}
	rapid.Check(t, func(t *rapid.T) {
		h := drawHistory(t)
		f := Facts{Taken: map[string]bool{}}
		for _, w := range h.windows {
			if w.taken {
				f.Taken[w.Name] = true
			}
			for range rapid.IntRange(0, 3).Draw(t, "records") {
				r := Record{Time: w.Interval.To.Time().Add(time.Duration(rapid.IntRange(-10, 5000).Draw(t, "s")) * time.Second), Event: rapid.SampledFrom(events).Draw(t, "event"),
					File: rapid.SampledFrom([]string{"", w.Name}).Draw(t, "file")}
				if rapid.IntRange(0, 3).Draw(t, "evidence") == 0 {
					r.Evidence = []Export{{Time: r.Time, Event: rapid.SampledFrom(exports).Draw(t, "export"), File: w.Name, Name: "b"}}
				}
				f.Journal = append(f.Journal, r)
			}
			switch rapid.IntRange(0, 9).Draw(t, "quarantine") {
			case 0:
				f.Quarantine = append(f.Quarantine, Quarantined{File: w.Name, Cause: Damaged})
			case 1:
				f.Quarantine = append(f.Quarantine, Quarantined{File: w.Name, Cause: Conflict})
			case 2:
				f.Queued = append(f.Queued, w.Name)
			}
		}
		before := Prove("g", h.ledger(true), h.now+20*minute)
		after := Explain(before, f)
		if a := after.Account(); a.Written != a.Stored+a.Accounted+a.Unexplained || a.Written < a.Sealed || a.Sealed < a.Pulled || a.Pulled < a.Stored {
			t.Fatalf("account %+v", a)
		}
		for _, s := range before.Spans {
			for at := s.From; at < s.To; at += minute {
				got := after.at(at)
				if got == "" || !s.State.Proved() && got.Proved() {
					t.Fatalf("minute %d was %s and is %q", (at-begin)/minute, s.State, got)
				}
			}
		}
		for _, g := range after.Gaps {
			if g.From >= g.To || g.Confidence == "" || g.Cause == "" {
				t.Fatalf("gap %+v", g)
			}
		}
	})
}

func TestReadJournal(t *testing.T) {
	fsys := crashfs.New()
	if err := fsys.MkdirAll("j"); err != nil {
		t.Fatal(err)
	}
	write := func(name, text string) {
		f, err := fsys.Create("j/" + name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
		f.Close()
	}
	write("20231101.ndjson", `{"time":"2023-11-01T10:00:00Z","event":"listed"}`+"\n")
	write("20231114.ndjson", `{"time":"2023-11-14T22:00:00Z","event":"listed","file":"f"}`+"\n"+`{"time":"2023-11-14T22:0`+"\n"+strings.Repeat("x", 2<<20)+"\n"+
		`{"time":"2023-11-14T22:01:00Z","event":"vanished","file":"f","evidence":[{"time":"2023-11-14T21:59:00Z","event":"removed","had":[{"id":"1","name":"b","address":"192.0.2.1"}]}]}`+"\n")
	write("20231114-0001.ndjson", `{"time":"2023-11-14T23:00:00Z","event":"connected"}`)
	write("notes.txt", "nothing")
	got, err := ReadJournal(fsys, "j", track.Interval{From: begin, To: begin + track.Day})
	if err != nil || len(got) != 3 || got[1].Event != "vanished" || got[1].Evidence[0].Had[0].Name != "b" || got[2].Event != "connected" {
		t.Errorf("%+v, %v", got, err)
	}
	if all, err := ReadJournal(fsys, "j", track.Interval{}); err != nil || len(all) != 4 {
		t.Errorf("%+v, %v", all, err)
	}
	if none, err := ReadJournal(fsys, "k", track.Interval{}); err != nil || len(none) != 0 {
		t.Errorf("%+v, %v", none, err)
	}
}
