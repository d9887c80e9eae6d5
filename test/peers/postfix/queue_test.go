package postfix_test

import (
	"bytes"
	"os"
	"testing"

	"waybill/internal/reconcile"
)

// TestPostfixQueue holds the queues as postqueue listed them against the logs:
// after everything that was held, requeued, deleted and given up the two agree,
// and what is taken from the listing, or put into it, is told.
func TestPostfixQueue(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		for host, paths := range w.queues {
			var listing []byte
			for _, path := range paths {
				part, err := os.ReadFile(path)
				if err != nil {
					t.Fatal(err)
				}
				listing = append(listing, part...)
			}
			if host == "mx-a" && bytes.Count(listing, []byte("\n")) < 3 {
				t.Fatalf("the queue of %s has no messages to compare: %s", host, listing)
			}
			if r, code := w.queue(t, host, paths[0], listing); code != 0 || r.Disagree+r.Unsure > 0 || r.Agree != r.InQueue || r.OpenInLog != r.InQueue {
				t.Errorf("%s: exit code %d, %+v", host, code, r)
			}
			if host != "mx-a" {
				continue
			}
			first, rest, _ := bytes.Cut(listing, []byte("\n"))
			other := bytes.Replace(first, []byte(`"queue_id": "`), []byte(`"queue_id": "F`), 1)
			r, code := w.queue(t, host, paths[0], append(append(other, '\n'), rest...))
			if code != 6 || r.Disagree != 2 || r.Messages[0].Verdict != reconcile.NotInLog || r.Messages[1].Verdict != reconcile.NotInQueue {
				t.Errorf("%s with one message that is another: exit code %d, %+v", host, code, r)
			}
		}
	})
}

// queue compares a listing, made when the file like was, with the log.
func (w *world) queue(t *testing.T, host, like string, listing []byte) (*reconcile.Report, int) {
	t.Helper()
	made, err := os.Stat(like)
	if err != nil {
		t.Fatal(err)
	}
	return w.Queue(t, host, "postfix", listing, made.ModTime())
}
