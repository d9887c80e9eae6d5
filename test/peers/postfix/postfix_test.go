package postfix_test

import (
	"slices"
	"strings"
	"testing"

	"waybill/internal/track"
	"waybill/test/peers/program"
	"waybill/test/peers/smtprig"
)

// TestPostfixDeliveries holds every delivery to a sink against what the sink
// took: each once and none beside.
func TestPostfixDeliveries(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) { checkDeliveries(t, &w.scene, w.messages) })
}

// TestPostfixOutcomes follows every recipient that the driver offered to its
// end, through filters, forwards, requeues and next hops.
func TestPostfixOutcomes(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		checkOutcomes(t, &w.scene, w.messages, []string{"hold-requeue", "forward-alias", "forward-two", "forward-owner", "forward-file", "forward-hard"},
			func(_ *track.Message, r track.Rcpt) track.Status { return r.Outcome })
	})
}

// TestPostfixRefused finds every message that was never accepted, as a
// rejection or as a message with that status, and in no other shape.
func TestPostfixRefused(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		rejected := w.Search(t, "status:rejected")
		for _, sent := range w.truth.Sent {
			if sent.Result != "refused" || strings.HasPrefix(sent.Class, "sasl-") {
				continue
			}
			for _, to := range sent.To {
				if !slices.ContainsFunc(rejected, func(m *track.Message) bool {
					return m.Sender != nil && *m.Sender == sent.Sender && len(rcpt(m, to)) > 0
				}) {
					t.Errorf("class %s: no rejection of %s to %s", sent.Class, sent.Sender, to)
				}
			}
			if sent.MessageID == "" {
				continue
			}
			for _, m := range w.messages {
				if m.MessageID == sent.MessageID && m.Status != track.StatusRejected {
					t.Errorf("class %s: %s is %v", sent.Class, m.QueueID, m.Status)
				}
			}
		}
	})
}

// TestPostfixHold puts messages on hold in every way, and takes them off it.
func TestPostfixHold(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		for _, name := range []string{"check-hold", "access-hold", "milter-quarantine", "defer-hold"} {
			if m := the(t, &w.scene, w.messages, name); m.Status != track.StatusHeld {
				t.Errorf("class %s is %v, want held", name, m.Status)
			}
		}
		held := the(t, &w.scene, w.messages, "check-hold")
		if !strings.Contains(held.Reason, "suspicious") {
			t.Errorf("held because %q", held.Reason)
		}
		m := w.Show(t, the(t, &w.scene, w.messages, "hold-release").ID)
		if got := program.Kinds(m); !slices.Contains(got, "message.held") || !slices.Contains(got, "message.released") || m.Status != track.StatusDelivered {
			t.Errorf("released message: %v with %v", m.Status, got)
		}
		if m := the(t, &w.scene, w.messages, "hold-delete"); m.Status == track.StatusHeld {
			t.Error("the deleted message is still held")
		}
	})
}

// TestPostfixHeldRecipientsBlind asks for a recipient of a held message that
// the log does not name: the answer must not be a plain no.
func TestPostfixHeldRecipientsBlind(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		if _, code := w.Run(t, "search", "-o", "ndjson", "recipient:=nobody-at-all@ok.test"); code != 3 {
			t.Errorf("exit code %d, want 3: held messages do not show their recipients", code)
		}
	})
}

// TestPostfixRequeue joins a requeued message to the one that it was.
func TestPostfixRequeue(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		for _, name := range []string{"hold-requeue", "defer-requeue"} {
			m := the(t, &w.scene, w.messages, name)
			again := w.Children(t, m, track.Requeued)
			if len(again) != 1 || again[0].Parent == nil || again[0].Parent.ID != m.ID {
				t.Errorf("class %s: children %+v", name, m.Children)
				continue
			}
			want := map[string]track.Status{"hold-requeue": track.StatusHeld, "defer-requeue": track.StatusExpired}[name]
			if again[0].Status != want {
				t.Errorf("class %s: the requeued message is %v, want %v", name, again[0].Status, want)
			}
		}
	})
}

// TestPostfixDiscard tells what was thrown away from what was delivered or
// left, also where the client was told that all is well.
func TestPostfixDiscard(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		for _, name := range []string{"check-discard", "access-discard", "milter-discard", "discard"} {
			if m := the(t, &w.scene, w.messages, name); m.Status != track.StatusDiscarded {
				t.Errorf("class %s is %v, want discarded", name, m.Status)
			}
		}
	})
}

// TestPostfixSASL finds a message by the name that submitted it, and the
// login that failed.
func TestPostfixSASL(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		found := w.Search(t, "user:=ann@example.test")
		if len(found) != 1 || found[0].MessageID != "<sasl.1@driver.test>" || found[0].Auth == nil || found[0].Auth.Mechanism != "PLAIN" ||
			found[0].TLS == nil || !strings.HasPrefix(found[0].TLS.Protocol, "TLSv1") {
			t.Errorf("found %d messages of ann", len(found))
		}
		if failed := w.Search(t, "kind:rejection", "user:=eve@example.test"); len(failed) != 1 {
			t.Errorf("found %d failed logins of eve, want 1", len(failed))
		}
	})
}

// TestPostfixMilter tells apart what a milter did.
func TestPostfixMilter(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		for name, want := range map[string]track.Status{"milter-pass": track.StatusDelivered, "milter-discard": track.StatusDiscarded,
			"milter-quarantine": track.StatusHeld, "milter-redirect": track.StatusDelivered, "milter-rcpt": track.StatusDelivered} {
			m := the(t, &w.scene, w.messages, name)
			if name == "milter-rcpt" {
				if r := rcpt(m, "milterno@ok.test"); len(r) != 1 || r[0].Status != track.StatusRejected {
					t.Errorf("the recipient that the milter refused: %+v", r)
				}
				continue
			}
			if m.Status != want {
				t.Errorf("class %s is %v, want %v", name, m.Status, want)
			}
		}
	})
}

// TestPostfixPostscreen finds what postscreen refused, and the clients that it
// let through as ordinary ones.
func TestPostfixPostscreen(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		for ip, want := range map[string]int{"127.0.0.5": 1, "127.0.0.66": 1} {
			if n := len(w.Search(t, "kind:rejection", "client:"+ip+"/32")); n != want {
				t.Errorf("%d rejections of %s, want %d", n, ip, want)
			}
		}
		if n := len(w.Search(t, "client:127.0.0.6/32")); n != 2 {
			t.Errorf("%d messages of 127.0.0.6, want 2", n)
		}
	})
}

// TestPostfixProbes never counts an address probe as a delivery.
func TestPostfixProbes(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		for to, want := range map[string]track.Status{"asked@ok.test": track.StatusVerified, "asked@hard.test": track.StatusUndeliverable} {
			found := w.Search(t, "recipient:="+to)
			if len(found) != 1 {
				t.Errorf("%d messages to %s, want the probe", len(found), to)
				continue
			}
			if r := rcpt(found[0], to); len(r) != 1 || r[0].Outcome != want {
				t.Errorf("probe of %s: %+v, want %v", to, r, want)
			}
		}
	})
}

// TestPostfixTwice keeps apart the two ways in which one address was reached.
func TestPostfixTwice(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		for name, want := range map[string]int{"twice": 2, "twice-one": 1, "twice-noorig": 1} {
			entries := rcpt(the(t, &w.scene, w.messages, name), "twice@ok.test")
			if len(entries) != want {
				t.Errorf("class %s: twice@ok.test stands %d times, want %d", name, len(entries), want)
			}
			for _, r := range entries {
				if r.Original == "" {
					t.Errorf("class %s: no original address", name)
				}
			}
		}
	})
}

// TestPostfixUncertain does not call a message lost that may have arrived.
func TestPostfixUncertain(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		lost := rcpt(the(t, &w.scene, w.messages, "lose"), "u1@lose.test")
		if len(lost) != 1 || !lost[0].Uncertain || lost[0].Outcome != track.StatusExpired {
			t.Errorf("the message whose answer was lost each time: %+v", lost)
		}
		late := rcpt(the(t, &w.scene, w.messages, "maybe"), "u1@maybe.test")
		if len(late) != 1 || late[0].Attempts != 2 || late[0].Outcome != track.StatusDelivered {
			t.Errorf("the message whose first answer was lost: %+v", late)
		}
		dead := rcpt(the(t, &w.scene, w.messages, "dead"), "u1@dead.test")
		if len(dead) != 1 || dead[0].Uncertain {
			t.Errorf("the message that never left: %+v", dead)
		}
	})
}

// TestPostfixForward follows local forwards to the messages made for them.
func TestPostfixForward(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		for name, to := range map[string][]string{"forward-alias": {"away@ok.test"}, "forward-two": {"away1@ok.test", "away2@ok.test"},
			"forward-owner": {"t1@ok.test", "t2@ok.test"}, "forward-file": {"played@ok.test"}, "forward-hard": {"nowhere@hard.test"}} {
			m := the(t, &w.scene, w.messages, name)
			made := w.Children(t, m, track.Forwarded)
			if len(made) != 1 || made[0].Parent == nil || made[0].Parent.ID != m.ID {
				t.Errorf("class %s: children %+v", name, m.Children)
				continue
			}
			want := track.StatusDelivered
			if name == "forward-hard" {
				want = track.StatusBounced
			}
			for _, a := range to {
				if r := rcpt(made[0], a); len(r) != 1 || r[0].Outcome != want {
					t.Errorf("class %s: %s in the forwarded message: %+v", name, a, r)
				}
			}
			if got := m.Recipients[0]; got.Status != track.StatusExpanded || got.Outcome != want {
				t.Errorf("class %s: the address that forwards is %v with outcome %v, want expanded and %v", name, got.Status, got.Outcome, want)
			}
		}
	})
}

// TestPostfixRedirect shows who got a message instead of whom.
func TestPostfixRedirect(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		for _, name := range []string{"check-redirect", "access-redirect", "milter-redirect"} {
			sent := class(t, &w.scene, name)[0]
			m := the(t, &w.scene, w.messages, name)
			for _, to := range sent.To {
				if r := rcpt(m, to); slices.ContainsFunc(r, func(r track.Rcpt) bool { return r.Status == track.StatusDelivered }) {
					t.Errorf("class %s: delivered to %s, who was replaced", name, to)
				}
			}
		}
		found := w.Search(t, "recipient:=redirected@ok.test")
		if len(found) != 2 {
			t.Errorf("%d messages were redirected, want 2", len(found))
		}
	})
}

// TestPostfixFilters joins what went through a content filter.
func TestPostfixFilters(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		for _, name := range []string{"filter-smtp", "filter-smtp-hard", "filter-scan"} {
			m := the(t, &w.scene, w.messages, name)
			back := w.Children(t, m, track.Reinjected)
			if len(back) != 1 || back[0].Parent == nil || back[0].Parent.ID != m.ID {
				t.Errorf("class %s: children %+v", name, m.Children)
			}
		}
		m := the(t, &w.scene, w.messages, "proxy")
		if m.Status != track.StatusDelivered || len(m.Recipients) != 2 {
			t.Errorf("the message behind the proxy is %v with %d recipients", m.Status, len(m.Recipients))
		}
	})
}

// TestPostfixBounces joins every notification to the message that it is about.
func TestPostfixBounces(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		for name, rel := range map[string]track.Relation{"hard": track.Bounce, "soft": track.Bounce, "instance-own-hard": track.Bounce, "list": track.Bounce,
			"grey": track.Notification, "dsn-success": track.Notification} {
			m := the(t, &w.scene, w.messages, name)
			told := w.Children(t, m, rel)
			if len(told) == 0 {
				t.Errorf("class %s: no %v among %+v", name, rel, m.Children)
			}
			for _, c := range told {
				if c.Sender == nil || c.Parent == nil || c.Parent.ID != m.ID || c.Parent.Relation != rel {
					t.Errorf("class %s: %s does not know its parent: %+v", name, c.QueueID, c.Parent)
				}
			}
		}
		for _, name := range []string{"dsn-never", "null-sender-hard"} {
			if m := the(t, &w.scene, w.messages, name); len(w.Children(t, m, track.Bounce)) != 0 {
				t.Errorf("class %s has a bounce", name)
			}
		}
	})
}

// TestPostfixNextHop joins a message to what the next hop made of it, on
// another host and in another instance of this one.
func TestPostfixNextHop(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		for name, gateway := range map[string]string{"tls-hop": "mx-b", "tls-hop-hard": "mx-b", "tls-reuse": "mx-b"} {
			for _, sent := range class(t, &w.scene, name) {
				m := find(w.messages, sent)
				if m == nil {
					t.Errorf("class %s: no message %s", name, sent.QueueID)
					continue
				}
				m = w.Show(t, m.ID)
				if len(m.Recipients) != 1 || m.Recipients[0].Next == nil || m.Recipients[0].Next.Gateway != gateway {
					t.Errorf("class %s: %s has no next hop", name, sent.QueueID)
					continue
				}
				if next := w.Show(t, m.Recipients[0].Next.ID); next.MessageID != sent.MessageID {
					t.Errorf("class %s: the next hop of %s is another message", name, sent.QueueID)
				}
			}
		}
	})
}

// TestPostfixInstances keeps two queues in one log apart.
func TestPostfixInstances(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		for name, want := range map[string]string{"instance-own": "postfix-c", "hard": "postfix"} {
			if m := the(t, &w.scene, w.messages, name); m.Instance != want {
				t.Errorf("class %s is in instance %q, want %q", name, m.Instance, want)
			}
		}
	})
}

// TestPostfixTLS does not claim to know what the log does not say.
func TestPostfixTLS(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		r := rcpt(the(t, &w.scene, w.messages, "tls-sink"), "u1@stls.test")
		if len(r) != 1 || r[0].TLS == nil || !strings.HasPrefix(r[0].TLS.Protocol, "TLSv1") {
			t.Errorf("delivery over TLS: %+v", r)
		}
		for _, sent := range class(t, &w.scene, "bulk") {
			if m := find(w.messages, sent); m != nil && m.TLS != nil {
				t.Errorf("%s came without TLS, not with %+v", sent.QueueID, m.TLS)
			}
		}
	})
}

// TestPostfixSubjects reads Subjects as they were sent, also those that imitate
// the log.
func TestPostfixSubjects(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		for name, want := range map[string]string{
			"subject-attack":  "x from evil[192.0.2.66]; from=<forged@src.test> to=<forged@ok.test> proto=ESMTP helo=<forged>",
			"subject-encoded": "Grüße aus Köln",
			"unknown-client":  "class unknown-client",
		} {
			if got := the(t, &w.scene, w.messages, name).Subject; got != want {
				t.Errorf("class %s: Subject %q, want %q", name, got, want)
			}
		}
		if n := len(w.Search(t, "sender:=forged@src.test")); n != 0 {
			t.Errorf("%d messages of a sender that is only in a Subject", n)
		}
		if n := len(w.Search(t, "subject:grüße")); n == 0 {
			t.Error("the encoded Subject is not found by its text")
		}
	})
}

// TestPostfixAborted tells a client that left from one that was refused.
func TestPostfixAborted(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		aborted := w.Search(t, "status:aborted")
		if len(aborted) != 2 {
			t.Errorf("%d messages are aborted, want those left after RCPT and in DATA", len(aborted))
		}
	})
}

// TestPostfixMessageIDs never shows a Message-ID that no line had.
func TestPostfixMessageIDs(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		sent := class(t, &w.scene, "no-message-id-remote")[0]
		for _, m := range w.messages {
			if m.QueueID == sent.QueueID && m.Gateway == hosts["a"] && m.Sender != nil && *m.Sender == smtprig.Sender && m.Subject == "class no-message-id-remote" && m.MessageID != "" {
				t.Errorf("%s has Message-ID %s", m.QueueID, m.MessageID)
			}
		}
	})
}
