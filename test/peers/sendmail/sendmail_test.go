// Package sendmail_test holds Waybill against what a real Sendmail did.
package sendmail_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"waybill/internal/track"
	"waybill/test/peers/check"
	"waybill/test/peers/peer"
	"waybill/test/peers/program"
	"waybill/test/peers/sendmail/rig"
	"waybill/test/peers/smtprig"
)

var scratch string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		dir, remove, err := program.Scratch("sendmail")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer func() {
			if err := remove(); err != nil {
				fmt.Fprintln(os.Stderr, err)
			}
		}()
		scratch = dir
		return m.Run()
	}())
}

// log: Sendmail cuts a long Message-ID, and says none of the message that it
// makes for a list with an owner.
var log = check.Log{Local: []string{"local.test"}, Logged: func(id string) string {
	if strings.HasPrefix(id, "owner.") {
		return ""
	}
	return id[:min(len(id), 99)]
}}

// world is what Waybill answers about a run.
type world struct {
	*program.Store
	site       *smtprig.Site
	truth      *smtprig.Truth
	messages   []*track.Message
	rejections []*track.Message
}

// levels are the LogLevels that a run is made with.
var levels = map[string]int{"default": 9, "talkative": 14}

type run struct {
	rig *rig.Rig
	err error
}

var (
	runsOnce sync.Once
	runs     = map[string]run{}
	worlds   = map[string]*world{}
)

func runAll(tree string) {
	ctx, cancel := context.WithTimeout(context.Background(), 4*time.Minute)
	defer cancel()
	var mu sync.Mutex
	var wg sync.WaitGroup
	for name, level := range levels {
		wg.Go(func() {
			dir := filepath.Join(scratch, name)
			err := os.Mkdir(dir, 0o755)
			var r *rig.Rig
			if err == nil {
				r, err = rig.Run(ctx, tree, dir, level)
			}
			mu.Lock()
			defer mu.Unlock()
			runs[name] = run{r, err}
		})
	}
	wg.Wait()
}

// each runs a test on every run, with both sorts of stamps.
func each(t *testing.T, test func(t *testing.T, w *world)) {
	t.Helper()
	if testing.Short() {
		t.Skip("a run of the rig takes a minute")
	}
	tree := peer.Unpacked(t, "sendmail")
	runsOnce.Do(func() { runAll(tree) })
	for name := range levels {
		r := runs[name]
		for _, stamps := range []string{"traditional", "rfc3339"} {
			which := name + "-" + stamps
			t.Run(which, func(t *testing.T) {
				if r.err != nil {
					t.Fatal(r.err)
				}
				w := worlds[which]
				if w == nil {
					w = &world{Store: program.New(t, scratch), site: &r.rig.Site, truth: &r.rig.Truth}
					path := r.rig.Log()
					if stamps == "rfc3339" {
						path = r.rig.LogRFC3339()
					}
					w.Import(t, "mx-s", time.Now().UTC().Year(), path)
					w.messages, w.rejections = w.Search(t), w.Search(t, "kind:rejection")
					worlds[which] = w
				}
				test(t, w)
			})
		}
	}
}

func (w *world) the(t *testing.T, class string) *track.Message {
	t.Helper()
	return check.The(t, w.truth, w.messages, class)
}

// TestSendmailDeliveries holds every delivery to a sink against what the sink
// took: each once and none beside. What the submission program handed to the
// server is no delivery to a sink.
func TestSendmailDeliveries(t *testing.T) {
	each(t, func(t *testing.T, w *world) { log.Deliveries(t, w.truth, w.messages) })
}

// TestSendmailOutcomes follows every recipient that the driver offered to its
// end.
func TestSendmailOutcomes(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		// The members of a list that has an owner are in a message of their own.
		log.Outcomes(t, w.truth, w.messages, "owner")
	})
}

// TestSendmailRefusals finds every refusal once.
func TestSendmailRefusals(t *testing.T) {
	each(t, func(t *testing.T, w *world) { check.Refusals(t, w.truth, w.messages, w.rejections, 0) })
}

// TestSendmailHeld tells quarantined messages from others.
func TestSendmailHeld(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		for class, reason := range map[string]string{"access-quarantine": "looks odd", "access-from-quarantine": "odd sender", "milter-quarantine": "looks dangerous"} {
			if m := w.the(t, class); m.Status != track.StatusQuarantined || !strings.Contains(m.Reason, reason) {
				t.Errorf("class %s is %v because of %q, want quarantined because of %q", class, m.Status, m.Reason, reason)
			}
		}
		for _, class := range []string{"header-discard", "access-discard", "access-from-discard", "milter-discard"} {
			if m := w.the(t, class); m.Status != track.StatusDiscarded {
				t.Errorf("class %s is %v, want discarded", class, m.Status)
			}
		}
	})
}

// TestSendmailBounces joins every notification to the message that it is about.
func TestSendmailBounces(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		for _, class := range []string{"hard", "soft", "list", "double-bounce", "dns-none", "local-pipe-bad"} {
			m := w.the(t, class)
			told := slices.Concat(w.Children(t, m, track.Bounce), w.Children(t, m, track.Notification))
			if len(told) == 0 {
				t.Errorf("class %s: no bounce among %+v", class, w.Show(t, m.ID).Children)
			}
			for _, c := range told {
				if c.Parent == nil || c.Parent.ID != m.ID {
					t.Errorf("class %s: %s does not know its parent: %+v", class, c.QueueID, c.Parent)
				}
			}
		}
		for _, class := range []string{"single", "dsn-never"} {
			if m := w.the(t, class); len(w.Children(t, m, track.Bounce)) != 0 {
				t.Errorf("class %s has a bounce", class)
			}
		}
	})
}

// TestSendmailOwner finds the members of a list with an owner in the message
// that was made for them.
func TestSendmailOwner(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		m := w.the(t, "owner")
		made := w.Show(t, m.ID).Children
		if len(made) != 1 || made[0].ID == "" {
			t.Fatalf("children %+v", made)
		}
		clone := w.Show(t, made[0].ID)
		for _, to := range []string{"t1@ok.test", "t2@ok.test"} {
			if r := check.Rcpt(clone, to); len(r) != 1 || r[0].Outcome != track.StatusDelivered {
				t.Errorf("%s in the message made for the list: %+v", to, r)
			}
		}
	})
}

// TestSendmailSubmission joins what the submission program took to what the
// server made of it.
func TestSendmailSubmission(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		for class, want := range map[string]track.Status{"submitted": track.StatusDelivered, "submitted-two": track.StatusDelivered, "submitted-hard": track.StatusBounced} {
			sent := check.Class(t, w.truth, class)[0]
			var handed int
			for _, m := range w.messages {
				if strings.Trim(m.MessageID, "<>") != strings.Trim(sent.MessageID, "<>") {
					continue
				}
				for _, r := range m.Recipients {
					if check.HandedOn(m, r) {
						handed++
					}
					if r.Outcome != want {
						t.Errorf("class %s: %s to %s is %v in the end, want %v", class, m.QueueID, r.Address, r.Outcome, want)
					}
				}
			}
			if handed != len(sent.To) {
				t.Errorf("class %s: %d of %d recipients lead on to the server's message", class, handed, len(sent.To))
			}
		}
	})
}

// TestSendmailUncertain does not call a message lost that may have arrived.
func TestSendmailUncertain(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		late := check.Rcpt(w.the(t, "maybe"), "u1@maybe.test")
		if len(late) != 1 || late[0].Attempts != 2 || late[0].Outcome != track.StatusDelivered {
			t.Errorf("the message whose first answer was lost: %+v", late)
		}
		if r := check.Rcpt(w.the(t, "soft"), "u1@soft.test"); len(r) != 1 || r[0].Uncertain {
			t.Errorf("the message that was refused each time: %+v", r)
		}
	})
}

// TestSendmailForged finds nothing of what is only in a Subject.
func TestSendmailForged(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		for _, query := range []string{"sender:=forged@src.test", "recipient:=forged@ok.test", "message-id:=forged@evil"} {
			if n := len(w.Search(t, query)) + len(w.Search(t, "kind:rejection", query)); n != 0 {
				t.Errorf("%s: %d messages of what is only in a Subject", query, n)
			}
		}
	})
}

// TestSendmailQueue holds the queue as Sendmail lists it against the log: when
// all has come to rest the two agree. Messages in quarantine are not open.
func TestSendmailQueue(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		r, code := w.Queue(t, "mx-s", "sendmail", []byte(w.site.Queue), w.site.Listed)
		if code != 0 || r.Disagree+r.Unsure+r.OpenInLog > 0 || r.InQueue != 3 || r.Agree != r.InQueue {
			t.Errorf("exit code %d, %+v of\n%s", code, r, w.site.Queue)
		}
	})
}
