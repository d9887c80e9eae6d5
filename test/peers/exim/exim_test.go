// Package exim_test holds Waybill against what a real Exim did, in each of the
// ways in which Exim can be told to log.
package exim_test

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
	"waybill/test/peers/exim/rig"
	"waybill/test/peers/peer"
	"waybill/test/peers/program"
	"waybill/test/peers/smtprig"
)

var scratch string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		dir, remove, err := program.Scratch("exim")
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

// log is what every variant of Exim's log can tell.
// log: Exim leaves out a Message-ID with blanks, or one that is too long.
var log = check.Log{Local: []string{"local.test"}, Logged: func(id string) string {
	if strings.Contains(id, " ") || len(id) > 255 {
		return ""
	}
	return id
}}

// world is what Waybill answers about a run.
type world struct {
	*program.Store
	variant    rig.Variant
	site       *smtprig.Site
	truth      *smtprig.Truth
	logs       []string
	messages   []*track.Message
	rejections []*track.Message
}

// run is one run of the rig, all variants of which go side by side: they wait
// for Exim's retries most of the time.
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
	for _, v := range rig.Variants {
		wg.Go(func() {
			dir := filepath.Join(scratch, v.Name)
			err := os.Mkdir(dir, 0o755)
			var r *rig.Rig
			if err == nil {
				r, err = rig.Run(ctx, tree, dir, v)
			}
			mu.Lock()
			defer mu.Unlock()
			runs[v.Name] = run{r, err}
		})
	}
	wg.Wait()
}

// each runs a test on every variant, imported through the program.
func each(t *testing.T, test func(t *testing.T, w *world)) {
	t.Helper()
	if testing.Short() {
		t.Skip("a run of the rig takes a minute")
	}
	tree := peer.Unpacked(t, "exim")
	runsOnce.Do(func() { runAll(tree) })
	for _, v := range rig.Variants {
		t.Run(v.Name, func(t *testing.T) {
			r := runs[v.Name]
			if r.err != nil {
				t.Fatal(r.err)
			}
			w := worlds[v.Name]
			if w == nil {
				w = &world{Store: program.New(t, scratch), variant: v, site: &r.rig.Site, truth: &r.rig.Truth, logs: r.rig.Logs()}
				w.Import(t, "mx-e", time.Now().UTC().Year(), w.logs...)
				w.messages, w.rejections = w.Search(t), w.Search(t, "kind:rejection")
				worlds[v.Name] = w
			}
			test(t, w)
		})
	}
}

func (w *world) the(t *testing.T, class string) *track.Message {
	t.Helper()
	return check.The(t, w.truth, w.messages, class)
}

// TestEximDeliveries holds every delivery to a sink against what the sink took:
// each once and none beside.
func TestEximDeliveries(t *testing.T) {
	each(t, func(t *testing.T, w *world) { log.Deliveries(t, w.truth, w.messages) })
}

// TestEximOutcomes follows every recipient that the driver offered to its end.
func TestEximOutcomes(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		// What an administrator marks as delivered was not: the log says who did it.
		// A recipient that an access list throws away is told before there is a message.
		log.Outcomes(t, w.truth, w.messages, "defer-mark", "acl-rcpt-discard-one")
		thrown := w.Search(t, "kind:rejection", "recipient:=discard@acc.test", "status:discarded")
		if n := len(check.Class(t, w.truth, "acl-rcpt-discard")) + len(check.Class(t, w.truth, "acl-rcpt-discard-one")); len(thrown) != n {
			t.Errorf("%d recipients that were thrown away at the door, want %d", len(thrown), n)
		}
	})
}

// TestEximRefusals finds every refusal once, also where two logs tell it.
func TestEximRefusals(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		messages := slices.DeleteFunc(slices.Clone(w.messages), func(m *track.Message) bool {
			return strings.Contains(m.MessageID, "acl-fake.") // refused in words only
		})
		truth := &smtprig.Truth{Sunk: w.truth.Sunk, Sent: slices.DeleteFunc(slices.Clone(w.truth.Sent), func(s smtprig.Sent) bool { return s.Class == "acl-fake" })}
		check.Refusals(t, truth, messages, w.rejections, 0)
	})
}

// TestEximLogsTogether gives the main log and the reject log in either order and
// one by one: what is in the store is the same.
func TestEximLogsTogether(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		if len(w.logs) < 2 {
			t.Skip("syslog has both in one")
		}
		want := shape(append(slices.Clone(w.messages), w.rejections...))
		year := time.Now().UTC().Year()
		for name, calls := range map[string][][]string{
			"the other way round": {{w.logs[1], w.logs[0]}},
			"one by one":          {{w.logs[0]}, {w.logs[1]}},
			"reject log first":    {{w.logs[1]}, {w.logs[0]}},
		} {
			s := program.New(t, scratch)
			for _, logs := range calls {
				s.Import(t, "mx-e", year, logs...)
			}
			if got := shape(append(s.Search(t), s.Search(t, "kind:rejection")...)); !slices.Equal(got, want) {
				t.Errorf("%s: %d messages and rejections, not the %d of both together", name, len(got), len(want))
				for _, g := range got {
					if !slices.Contains(want, g) {
						t.Logf("%s: only here: %s", name, g)
					}
				}
				for _, x := range want {
					if !slices.Contains(got, x) {
						t.Logf("%s: not here: %s", name, x)
					}
				}
			}
		}
		if !slices.ContainsFunc(append(slices.Clone(w.messages), w.rejections...), func(m *track.Message) bool {
			return strings.Trim(m.MessageID, "<>") == "acl-data-reject.1@driver.test"
		}) {
			t.Error("the Message-ID of what was refused after DATA is in the reject log and not found")
		}
	})
}

// shape is what may not depend on the order of imports.
func shape(messages []*track.Message) []string {
	var out []string
	for _, m := range messages {
		s := fmt.Sprintf("%s %s %s %s %v", m.Kind, m.QueueID, m.MessageID, m.Subject, m.Status)
		if m.Sender != nil {
			s += " " + *m.Sender
		}
		var to []string
		for _, r := range m.Recipients {
			to = append(to, fmt.Sprintf("%s=%v", r.Address, r.Outcome))
		}
		slices.Sort(to)
		out = append(out, s+" "+strings.Join(to, " "))
	}
	slices.Sort(out)
	return out
}

// TestEximFrozen tells a frozen message from one that was thawed.
func TestEximFrozen(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		for _, class := range []string{"acl-freeze", "defer-freeze"} {
			if m := w.the(t, class); m.Status != track.StatusHeld {
				t.Errorf("class %s is %v, want held", class, m.Status)
			}
		}
		m := w.Show(t, w.the(t, "freeze-thaw").ID)
		if got := program.Kinds(m); !slices.Contains(got, "message.held") || !slices.Contains(got, "message.released") || m.Status != track.StatusDelivered {
			t.Errorf("thawed message: %v with %v", m.Status, got)
		}
	})
}

// TestEximBounces joins every notification to the message that it is about.
func TestEximBounces(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		for _, class := range []string{"hard", "soft", "list", "double-bounce", "fail", "dns-none", "defer-give-up", "command-unknown"} {
			m := w.the(t, class)
			told := slices.Concat(w.Children(t, m, track.Bounce), w.Children(t, m, track.Notification))
			if len(told) == 0 {
				t.Errorf("class %s: no bounce among %+v", class, w.Show(t, m.ID).Children)
			}
			for _, c := range told {
				if c.Sender == nil || *c.Sender != "" || c.Parent == nil || c.Parent.ID != m.ID {
					t.Errorf("class %s: %s does not know its parent: %+v", class, c.QueueID, c.Parent)
				}
			}
		}
		for _, class := range []string{"single", "null-sender-hard", "dsn-never"} {
			if m := w.the(t, class); len(w.Children(t, m, track.Bounce)) != 0 {
				t.Errorf("class %s has a bounce", class)
			}
		}
	})
}

// TestEximUncertain does not call a message lost that may have arrived.
func TestEximUncertain(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		lost := check.Rcpt(w.the(t, "lose"), "u1@lose.test")
		if len(lost) != 1 || !lost[0].Uncertain || lost[0].Outcome != track.StatusExpired {
			t.Errorf("the message whose answer was lost each time: %+v", lost)
		}
		for _, class := range []string{"dead", "drop", "soft"} {
			if r := check.Rcpt(w.the(t, class), "u1@"+class+".test"); len(r) != 1 || r[0].Uncertain {
				t.Errorf("class %s, which never left: %+v", class, r)
			}
		}
	})
}

// TestEximTwice keeps what one address became apart from how often it was
// delivered.
func TestEximTwice(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		if r := check.Rcpt(w.the(t, "twice"), "twice@ok.test"); len(r) != 1 {
			t.Errorf("twice@ok.test stands %d times, want once: %+v", len(r), r)
		}
		m := w.the(t, "unseen")
		if a, b := check.Rcpt(m, "copy@ok.test"), check.Rcpt(m, "copied@ok.test"); len(a) != 1 || len(b) != 1 || b[0].Original != "copy@ok.test" {
			t.Errorf("an address and its copy: %+v, %+v", a, b)
		}
	})
}

// TestEximSession finds a message by who submitted it and tells TLS where it
// was used.
func TestEximSession(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		found := w.Search(t, "user:=ann@example.test")
		if len(found) != 1 || strings.Trim(found[0].MessageID, "<>") != "auth.1@driver.test" || found[0].Auth == nil || found[0].TLS == nil {
			t.Errorf("found %d messages of ann: %+v", len(found), found)
		}
		if m := w.the(t, "tls-in"); m.TLS == nil || !strings.HasPrefix(m.TLS.Protocol, "TLS1") && !strings.HasPrefix(m.TLS.Protocol, "TLSv1") {
			t.Errorf("a message that came over TLS has %+v", m.TLS)
		}
		if m := w.the(t, "single"); m.TLS != nil {
			t.Errorf("a message that came without TLS has %+v", m.TLS)
		}
		if r := check.Rcpt(w.the(t, "tls-out"), "u1@stls.test"); len(r) != 1 || r[0].TLS == nil {
			t.Errorf("delivery over TLS: %+v", r)
		}
	})
}

// eximSubject is how much of a Subject Exim logs.
const eximSubject = 100

// TestEximSubjects reads Subjects as they were sent, where the log has them, and
// nothing else out of them.
func TestEximSubjects(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		for class, want := range map[string]string{
			"subject-attack":  smtprig.Attack[:eximSubject],
			"subject-encoded": "Grüße aus Köln",
			"subject-8bit":    "Grüße aus Köln",
		} {
			m := w.the(t, class)
			if w.variant.Name == "debian" {
				want = ""
			}
			if m.Subject != want {
				t.Errorf("class %s: Subject %q, want %q", class, m.Subject, want)
			}
		}
		for _, query := range []string{"sender:=forged@src.test", "recipient:=forged@ok.test", "message-id:=forged@evil"} {
			if n := len(w.Search(t, query)) + len(w.Search(t, "kind:rejection", query)); n != 0 {
				t.Errorf("%s: %d messages of what is only in a Subject", query, n)
			}
		}
	})
}

// TestEximQueue holds the queue as Exim lists it against the log: when all
// has come to rest the two agree.
func TestEximQueue(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		r, code := w.Queue(t, "mx-e", "exim", []byte(w.site.Queue), w.site.Listed)
		if code != 0 || r.Disagree+r.Unsure > 0 || r.InQueue == 0 || r.Agree != r.InQueue || r.OpenInLog != r.InQueue {
			t.Errorf("exit code %d, %+v of\n%s", code, r, w.site.Queue)
		}
	})
}
