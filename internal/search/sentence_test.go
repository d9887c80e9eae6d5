package search

import (
	"testing"
	"time"

	"waybill/internal/track"
)

func TestSentence(t *testing.T) {
	begin := stamp(t, "2026-11-20T19:18:04Z")
	client := &track.Client{IP: "192.0.2.7", Name: "mail.example.org"}
	sent := track.Rcpt{Address: "bob@example.net", Status: track.StatusDelivered, Outcome: track.StatusDelivered, Time: begin + 1_900_000, Attempts: 1,
		Relay: "mx.example.net[198.51.100.4]:25", RelayIP: "198.51.100.4", Response: "250 2.0.0 Ok: queued as 4ZK"}
	with := func(r track.Rcpt, change func(*track.Rcpt)) track.Rcpt { change(&r); return r }
	one := func(r track.Rcpt) track.Message {
		return track.Message{Gateway: "mx1", Time: begin, Client: client, Status: r.Status, RecipientCount: 1, Recipients: []track.Rcpt{r}}
	}
	const accepted = "Accepted from mail.example.org [192.0.2.7] on 20 Nov 2026 at 20:18:04 +01:00"
	for _, tc := range []struct {
		name string
		m    track.Message
		want string
	}{
		{"delivered", one(sent), accepted + ", handed to mx.example.net 1.9 s later; it answered: 250 2.0.0 Ok: queued as 4ZK. What happened after that is outside our view."},
		{"rewritten", func() track.Message {
			m := one(track.Rcpt{Address: "bob@example.net", Status: track.StatusExpanded, Outcome: track.StatusDelivered})
			m.Children = []track.Relative{{QueueID: "51", Relation: track.Copy}, {QueueID: "52", Relation: track.Rewritten}}
			return m
		}(), accepted + ", rewritten as 52. Further on its way it is delivered."},
		{"dropped as a whole", func() track.Message {
			m := one(track.Rcpt{Address: "bob@example.net", Status: track.StatusDropped, Outcome: track.StatusDropped})
			m.Reason = "Dropped by CASE"
			return m
		}(), accepted + ", thrown away because of its content: Dropped by CASE."},
		{"released, came back", func() track.Message {
			m := one(track.Rcpt{Address: "", Status: track.StatusQueued})
			m.Client, m.Parent = nil, &track.Relative{QueueID: "41", Relation: track.Released}
			return m
		}(), "Released (before, it was 41) by mx1 on 20 Nov 2026 at 20:18:04 +01:00, waiting for its first attempt of delivery."},
		{"whole seconds", one(with(sent, func(r *track.Rcpt) { r.Time = begin; r.Response = "" })),
			accepted + ", handed to mx.example.net within a second. What happened after that is outside our view."},
		{"next hop in the fleet", one(with(sent, func(r *track.Rcpt) {
			r.Next, r.Outcome, r.Response = &track.Relative{Gateway: "mx2"}, track.StatusBounced, ""
		})), accepted + ", handed to mx.example.net 1.9 s later. Behind mx2 it is bounced."},
		{"filter", one(with(sent, func(r *track.Rcpt) {
			r.Relay, r.Outcome, r.Response = "127.0.0.1[127.0.0.1]:10024", track.StatusHeld, ""
		})),
			accepted + ", handed to 127.0.0.1 1.9 s later. Further on its way it is held."},
		{"local", one(with(sent, func(r *track.Rcpt) { r.Relay, r.RelayIP, r.Response = "local", "", "delivered to mailbox" })),
			accepted + ", delivered on mx1 itself 1.9 s later: delivered to mailbox."},
		{"deferred", one(with(sent, func(r *track.Rcpt) { r.Status, r.Attempts, r.Response = track.StatusDeferred, 3, "451 4.7.1 later" })),
			accepted + ", not delivered yet, 3 attempts, the last on 20 Nov 2026 at 20:18:05 +01:00 to mx.example.net: 451 4.7.1 later. Further on its way it is delivered."},
		{"uncertain", one(with(sent, func(r *track.Rcpt) {
			r.Status, r.Outcome, r.Uncertain, r.Response = track.StatusDeferred, track.StatusDeferred, true, ""
		})), accepted + ", not delivered yet, 1 attempt, the last on 20 Nov 2026 at 20:18:05 +01:00 to mx.example.net. " +
			"The connection was lost after the data was sent: it may have arrived although the log does not say so."},
		{"bounced", one(with(sent, func(r *track.Rcpt) {
			r.Status, r.Outcome, r.Response = track.StatusBounced, track.StatusBounced, "550 5.1.1 unknown"
		})), accepted + ", refused for good by mx.example.net 1.9 s later: 550 5.1.1 unknown."},
		{"two", track.Message{Gateway: "mx1", Time: begin, Client: client, Status: track.StatusMixed, RecipientCount: 3, Blind: track.BlindRecipients,
			Recipients: []track.Rcpt{with(sent, func(r *track.Rcpt) { r.Next = &track.Relative{Gateway: "mx2"} }),
				{Address: "eve@example.net", Status: track.StatusBounced, Outcome: track.StatusBounced, Response: "unknown\x1b[0m user"}}},
			accepted + `. For bob@example.net: handed to mx.example.net 1.9 s later; it answered: 250 2.0.0 Ok: queued as 4ZK.` +
				` For eve@example.net: could not be delivered: unknown\x1b[0m user. The log does not name 1 of its 3 recipients.`},
		{"held", track.Message{Gateway: "mx1", Time: begin, Client: client, Status: track.StatusHeld, Reason: "header Subject"},
			accepted + ", on hold until somebody releases it: header Subject."},
		{"aborted", track.Message{Gateway: "mx1", Time: begin, Client: &track.Client{IP: "192.0.2.7"}, Status: track.StatusAborted},
			"Accepted from [192.0.2.7] on 20 Nov 2026 at 20:18:04 +01:00; the client left before it was accepted, so the client still has it."},
		{"refused", track.Message{Gateway: "mx1", Time: begin, Client: client, Status: track.StatusRejected, Reason: "5.7.1 virus"},
			"Offered by mail.example.org [192.0.2.7] on 20 Nov 2026 at 20:18:04 +01:00, refused as a whole: 5.7.1 virus."},
		{"bounce", track.Message{Gateway: "mx1", Time: begin, Parent: &track.Relative{Relation: track.Bounce}, Status: track.StatusQueued},
			"Made by mx1 on 20 Nov 2026 at 20:18:04 +01:00 to tell the sender of another message that it could not be delivered, waiting for its first attempt of delivery."},
		{"requeued", track.Message{Gateway: "mx1", Time: begin, Client: client, Status: track.StatusExpanded, Children: []track.Relative{{QueueID: "4B2", Relation: track.Requeued}}},
			accepted + ", put into the queue again as 4B2."},
		{"again", track.Message{Gateway: "mx1", Time: begin, Parent: &track.Relative{QueueID: "4B1", Relation: track.Requeued}, Status: track.StatusQueued},
			"Put into the queue again (before, it was 4B1) by mx1 on 20 Nov 2026 at 20:18:04 +01:00, waiting for its first attempt of delivery."},
		{"cut", track.Message{Gateway: "mx1", Time: begin, HeadOpen: true, Recipients: []track.Rcpt{with(sent, func(r *track.Rcpt) { r.Response = "" })}},
			"First seen, already under way, by mx1 on 20 Nov 2026 at 20:18:04 +01:00, handed to mx.example.net. What happened after that is outside our view."},
		{"rejection", track.Message{Gateway: "mx1", Kind: "rejection", Time: begin, Client: client, Sender: text(""), Status: track.StatusRejected,
			Recipients: []track.Rcpt{{Address: "bob@example.net", Response: "550 5.7.1 no relay."}}},
			"Refused a delivery by mail.example.org [192.0.2.7] on 20 Nov 2026 at 20:18:04 +01:00, from <>, to bob@example.net: 550 5.7.1 no relay. It never became a message."},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := Sentence(&tc.m, time.FixedZone("", 3600)); got != tc.want {
				t.Errorf("sentence is\n%s\nwant\n%s", got, tc.want)
			}
		})
	}
}

func TestSentenceForEveryStatus(t *testing.T) {
	for _, status := range track.Statuses() {
		m := track.Message{Gateway: "mx1", Time: 1, Status: status, Recipients: []track.Rcpt{{Address: "bob@example.net", Status: status}}}
		if got := Sentence(&m, nil); len(got) < 20 || got[len(got)-1] != '.' {
			t.Errorf("%s: %q", status, got)
		}
		m.Recipients = nil
		if got := Sentence(&m, nil); len(got) < 20 || got[len(got)-1] != '.' {
			t.Errorf("%s: %q", status, got)
		}
	}
}

func TestDurationWords(t *testing.T) {
	for d, want := range map[time.Duration]string{
		1900 * time.Millisecond: "1.9 s", 2 * time.Second: "2 s", 59 * time.Second: "59 s", 90 * time.Second: "90 s", 9 * time.Minute: "9 min",
		2*time.Hour + 5*time.Minute: "2 h 5 min", 3 * time.Hour: "3 h", 49 * time.Hour: "2 d 1 h", 72 * time.Hour: "3 d",
	} {
		if got := durationWords(d); got != want {
			t.Errorf("%s is %q, want %q", d, got, want)
		}
	}
}
