package maillog

import (
	"strings"
	"testing"
	"time"

	"waybill/internal/track"
)

// byMessage are the events of a log by queue id, in their order.
func byMessage(t *testing.T, files ...string) (byID map[string][]track.Event, stats []Stats) {
	t.Helper()
	byID = map[string][]track.Event{}
	for _, file := range files {
		p, err := New(Options{FileTime: time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)})
		if err != nil {
			t.Fatal(err)
		}
		for i, line := range genuine(t, file) {
			p.Line(line, int64(i+1), 0, func(e *track.Event) {
				checkEvent(t, e)
				if e.QueueID == "" {
					return
				}
				c := *e
				c.Attrs = append([]track.Attr(nil), e.Attrs...)
				byID[e.QueueID] = append(byID[e.QueueID], c)
			})
		}
		s := p.Stats()
		checkStats(t, s)
		for _, d := range s.Dialects {
			if d.Unknown > 0 {
				t.Errorf("%s: %d unknown lines, such as %q", file, d.Unknown, d.Samples)
			}
		}
		stats = append(stats, s)
	}
	return byID, stats
}

// sinkTruth is what the sink accepted: for mail with a sender each Message-ID
// and recipient, for the rest each recipient, with the number of times.
func sinkTruth(t *testing.T, file string) map[string]int {
	t.Helper()
	want := map[string]int{}
	for _, line := range genuine(t, file) {
		f := strings.Split(line, "\t")
		for _, to := range strings.Split(f[1], ",") {
			want[deliveryKey(strings.Trim(f[0], "<>"), strings.Trim(to, "<>"), f[2])]++
		}
	}
	return want
}

func deliveryKey(sender, to, messageID string) string {
	if sender == "" {
		messageID = "" // of its own mail the log does not tell it
	}
	return messageID + " " + sender + " " + to
}

// TestGenuineExim: each delivery that the sink saw is told once and no other,
// and each refusal once, whichever of the logs is read.
func TestGenuineExim(t *testing.T) {
	byID, _ := byMessage(t, "exim.log.gz")
	want := sinkTruth(t, "exim-sink-truth.tsv.gz")
	got := map[string]int{}
	messages, deferred, failed, bounces, delivered, discarded := 0, 0, 0, 0, 0, 0
	for id, events := range byID {
		m := track.Fold(events)
		if m.Kind != "" {
			continue
		}
		if m.KindBits&(1<<track.MessageClient|1<<track.MessagePickup) != 0 {
			messages++
		}
		if m.HeadOpen && m.Status != track.StatusRejected || !m.Ended {
			t.Errorf("%s: head open %v, ended %v", id, m.HeadOpen, m.Ended)
		}
		wait, fail := false, false
		for i := range events {
			switch events[i].Value(track.StatusWord) {
			case "deferred":
				wait = true
			case "bounced", "expired":
				fail = true
			case "delivered":
				delivered++
			case "discarded":
				discarded++
			}
		}
		for _, r := range m.Recipients {
			if r.Status == track.StatusDelivered {
				got[deliveryKey(*m.Sender, r.Address, m.MessageID)]++
			}
			if r.Status == track.StatusUnknown || r.Status == track.StatusQueued {
				t.Errorf("%s: %s is %s", id, r.Address, r.Status)
			}
		}
		if wait {
			deferred++
		}
		if fail {
			failed++
		}
		for _, l := range m.Links {
			if l.Parent && l.Relation == track.Bounce && byID[l.QueueID] != nil {
				bounces++
			}
		}
	}
	for k, n := range want {
		if got[k] != n {
			t.Errorf("%q was delivered %d times, the sink saw %d", k, got[k], n)
		}
	}
	for k, n := range got {
		if want[k] == 0 {
			t.Errorf("%q was delivered %d times, the sink never saw it", k, n)
		}
	}
	// What eximstats says of this log, which counts :blackhole: as a delivery.
	if messages != 5615 || deferred != 360 || failed != 752 || delivered+discarded != 5966 || discarded != 100 {
		t.Errorf("%d messages, %d deferred, %d failed, %d addresses delivered and %d discarded; eximstats counts 5615, 360, 752, 5866, 100",
			messages, deferred, failed, delivered, discarded)
	}
	if bounces != 852 { // some messages failed twice, at once and for good
		t.Errorf("%d bounces with their parent, want 852", bounces)
	}
}

// TestGenuineEximRejections: the main log, the reject log and both tell each
// refusal once, and the reject log adds the Message-ID.
func TestGenuineEximRejections(t *testing.T) {
	for _, files := range [][]string{{"exim.log.gz"}, {"exim-rejectlog.log.gz"}, {"exim.log.gz", "exim-rejectlog.log.gz"}, {"exim-rejectlog.log.gz", "exim.log.gz"}} {
		t.Run(strings.Join(files, "+"), func(t *testing.T) {
			byID, stats := byMessage(t, files...)
			rejected, named, temporary := 0, 0, 0
			for id, events := range byID {
				m := track.Fold(events)
				if m.Status != track.StatusRejected {
					continue
				}
				rejected++
				if (m.Kind == "rejection") != strings.HasPrefix(id, "!") {
					t.Errorf("%s is a %q", id, m.Kind)
				}
				if m.MessageID != "" && m.Subject == "VIRUS x" && len(m.Recipients) == 1 && strings.HasSuffix(m.Recipients[0].Address, "user@ok.test") {
					named++
				}
				if len(m.Recipients) == 1 && strings.HasPrefix(m.Recipients[0].Response, "temporarily ") {
					temporary++
				}
			}
			wantNamed := 70
			if len(files) == 1 && files[0] == "exim.log.gz" {
				wantNamed = 0
			}
			if rejected != 240 || temporary != 50 || named != wantNamed {
				t.Errorf("%d rejected, %d for now, %d with Message-ID; want 240, 50, %d", rejected, temporary, named, wantNamed)
			}
			for _, s := range stats {
				if s.Headerless > 0 || s.Blank > 0 {
					t.Errorf("lines of entries were not read as such: %+v", s)
				}
			}
		})
	}
}

func BenchmarkGenuineExim(b *testing.B) { benchGenuine(b, "exim.log.gz") }
