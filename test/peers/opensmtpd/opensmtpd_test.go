// Package opensmtpd_test holds Waybill against what a real OpenSMTPD did. Its
// log has no Message-ID and names no parent of a notification: messages are told
// apart by sender and recipient, and by the queue id that the client was told.
package opensmtpd_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"waybill/internal/track"
	"waybill/test/peers/check"
	"waybill/test/peers/opensmtpd/rig"
	"waybill/test/peers/peer"
	"waybill/test/peers/program"
	"waybill/test/peers/smtprig"
)

var scratch string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		dir, remove, err := program.Scratch("opensmtpd")
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

// What goes to lmtp.test does so on the host itself, as far as the log can tell;
// the rig's sink sees it all the same.
var log = check.Log{NoMessageID: true, Local: []string{"local.test"}}

// world is what Waybill answers about a run.
type world struct {
	*program.Store
	site       *smtprig.Site
	truth      *smtprig.Truth
	messages   []*track.Message
	rejections []*track.Message
}

var live = sync.OnceValues(func() (*rig.Rig, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 4*time.Minute)
	defer cancel()
	dir := filepath.Join(scratch, "rig")
	if err := os.Mkdir(dir, 0o755); err != nil {
		return nil, err
	}
	tree, err := peer.Tree("opensmtpd")
	if err != nil {
		return nil, err
	}
	return rig.Run(ctx, tree, dir)
})

var worlds = map[string]*world{}

// each runs a test on the run with both sorts of stamps.
func each(t *testing.T, test func(t *testing.T, w *world)) {
	t.Helper()
	if testing.Short() {
		t.Skip("a run of the rig takes a minute")
	}
	peer.Unpacked(t, "opensmtpd")
	r, err := live()
	if err != nil {
		t.Fatal(err)
	}
	for stamps, path := range map[string]string{"traditional": r.Log(), "rfc3339": r.LogRFC3339()} {
		t.Run(stamps, func(t *testing.T) {
			w := worlds[stamps]
			if w == nil {
				w = &world{Store: program.New(t, scratch), site: &r.Site, truth: &r.Truth}
				w.Import(t, "mx-o", time.Now().UTC().Year(), path)
				w.messages, w.rejections = w.Search(t), w.Search(t, "kind:rejection")
				worlds[stamps] = w
			}
			test(t, w)
		})
	}
}

func (w *world) the(t *testing.T, class string) *track.Message {
	t.Helper()
	return check.The(t, w.truth, w.messages, class)
}

// TestOpenSMTPDDeliveries holds every delivery to a sink against what the sink
// took: as many of each sender and recipient, and none beside.
func TestOpenSMTPDDeliveries(t *testing.T) {
	each(t, func(t *testing.T, w *world) { log.Deliveries(t, w.truth, w.messages) })
}

// TestOpenSMTPDOutcomes follows every recipient that the driver offered to its
// end.
func TestOpenSMTPDOutcomes(t *testing.T) {
	each(t, func(t *testing.T, w *world) { log.Outcomes(t, w.truth, w.messages) })
}

// TestOpenSMTPDRefusals finds every refusal once.
func TestOpenSMTPDRefusals(t *testing.T) {
	each(t, func(t *testing.T, w *world) { check.Refusals(t, w.truth, w.messages, w.rejections, 0) })
}

// TestOpenSMTPDRedirected shows who an address became.
func TestOpenSMTPDRedirected(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		m := w.the(t, "list")
		for to, want := range map[string]track.Status{"m1@ok.test": track.StatusDelivered, "m2@stls.test": track.StatusDelivered, "m3@hard.test": track.StatusBounced} {
			if r := check.Rcpt(m, to); len(r) != 1 || r[0].Outcome != want || r[0].Original != "list@local.test" {
				t.Errorf("%s, who is on list@local.test: %+v", to, r)
			}
		}
	})
}

// TestOpenSMTPDHidden claims neither a Message-ID, a Subject nor a parent, and
// says so to who asks.
func TestOpenSMTPDHidden(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		for _, m := range slices.Concat(w.messages, w.rejections) {
			if m.MessageID != "" || m.Subject != "" || m.Parent != nil {
				t.Errorf("%s: Message-ID %q, Subject %q, parent %+v of a log without", m.QueueID, m.MessageID, m.Subject, m.Parent)
			}
		}
		for _, query := range []string{"message-id:=single.1@driver.test", "subject:class"} {
			if _, code := w.Run(t, "search", "-o", "ndjson", query); code != 3 {
				t.Errorf("%s: exit code %d, want 3: no message shows it", query, code)
			}
		}
	})
}

// TestOpenSMTPDTLS tells TLS where it was used.
func TestOpenSMTPDTLS(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		if m := w.the(t, "single"); m.TLS != nil {
			t.Errorf("a message that came without TLS has %+v", m.TLS)
		}
	})
}

// TestOpenSMTPDWaiting counts the attempts of a message that was put off.
func TestOpenSMTPDWaiting(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		r := check.Rcpt(w.the(t, "grey"), "u1@grey.test")
		if len(r) != 1 || r[0].Attempts != 4 || r[0].Outcome != track.StatusDelivered {
			t.Errorf("the message that was put off three times: %+v", r)
		}
	})
}

// TestOpenSMTPDQueue holds the queue as OpenSMTPD lists it against the log: when all
// has come to rest the two agree.
func TestOpenSMTPDQueue(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		r, code := w.Queue(t, "mx-o", "opensmtpd", []byte(w.site.Queue), w.site.Listed)
		if code != 0 || r.Disagree+r.Unsure > 0 || r.InQueue == 0 || r.Agree != r.InQueue || r.OpenInLog != r.InQueue {
			t.Errorf("exit code %d, %+v of\n%s", code, r, w.site.Queue)
		}
	})
}
