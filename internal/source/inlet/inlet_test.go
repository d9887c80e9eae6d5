package inlet

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
)

func newQueue(items int) *Queue[string] {
	return NewQueue(items*(overhead+1), func(s *string) int { return len(*s) })
}

// TestQueue: nothing is lost or exchanged while one puts more than there is room
// for and the other fails now and then.
func TestQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(3)
		const letters = "abcdefghijklmnopqrstuvwxyz"
		go func() {
			for _, c := range letters {
				if !q.Put(t.Context(), string(c)) {
					t.Error("not put")
				}
			}
		}()
		var got strings.Builder
		fail := errors.New("fail")
		for n := 0; got.Len() < len(letters); n++ {
			<-q.Wake()
			synctest.Wait()
			if items, bytes := q.Len(); items > 3 || bytes > 3*(overhead+1) {
				t.Errorf("%d items, %d bytes", items, bytes)
			}
			taken := 0
			err := q.Poll(func(s string) error {
				if taken++; taken == 2 && n%2 == 0 {
					return fail
				}
				got.WriteString(s)
				return nil
			})
			if err != nil && !errors.Is(err, fail) {
				t.Error(err)
			}
		}
		if got.String() != letters {
			t.Errorf("got %q", got.String())
		}
		if items, bytes := q.Len(); items != 0 || bytes != 0 {
			t.Errorf("%d items, %d bytes are left", items, bytes)
		}
	})
}

func TestQueueFull(t *testing.T) {
	q := newQueue(1)
	if !q.Offer(strings.Repeat("x", 1000)) { // larger than the queue
		t.Error("an empty queue did not take it")
	}
	if q.Offer("a") {
		t.Error("a full queue took another")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if q.Put(ctx, "a") {
		t.Error("a full queue took another")
	}
	if err := q.Poll(func(string) error { return nil }); err != nil {
		t.Error(err)
	}
	if !q.Put(ctx, "a") {
		t.Error("there was room")
	}
}

func TestOneLine(t *testing.T) {
	for in, want := range map[string]string{"": "", "a\tb": "a\tb", "a\nb\r\x00\x1b\x7fü": "a#012b#015#000#033#177ü"} {
		if got := OneLine(in); got != want {
			t.Errorf("%q became %q, want %q", in, got, want)
		}
	}
}
