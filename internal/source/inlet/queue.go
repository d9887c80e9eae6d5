package inlet

import (
	"context"
	"sync"
)

// overhead is what an item costs in the buffer beside its text.
const overhead = 256

// Queue is a buffer with a bound in bytes. Many may put; one polls.
type Queue[T any] struct {
	max  int
	size func(*T) int
	wake chan struct{}

	mu    sync.Mutex
	items []T
	bytes int           // also of those that are being polled
	room  chan struct{} // closed when there is room again
}

// NewQueue returns a queue of at most max bytes; size tells those of an item's
// text. An item that is larger than the queue gets in when it is empty.
func NewQueue[T any](max int, size func(*T) int) *Queue[T] {
	return &Queue[T]{max: max, size: size, wake: make(chan struct{}, 1), room: make(chan struct{})}
}

// Wake has something when there is something to poll.
func (q *Queue[T]) Wake() <-chan struct{} { return q.wake }

// Offer takes an item if there is room.
func (q *Queue[T]) Offer(item T) bool {
	ok, _ := q.try(item)
	return ok
}

// Put takes an item and waits for room until ctx ends; false when it did not
// take it. With room it takes it also when ctx has ended.
func (q *Queue[T]) Put(ctx context.Context, item T) bool {
	for {
		ok, room := q.try(item)
		if ok {
			return true
		}
		select {
		case <-room:
		case <-ctx.Done():
			return false
		}
	}
}

func (q *Queue[T]) try(item T) (bool, <-chan struct{}) {
	size := q.size(&item) + overhead
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.bytes > 0 && q.bytes+size > q.max {
		return false, q.room
	}
	q.items = append(q.items, item)
	q.bytes += size
	q.signal()
	return true, nil
}

// signal wakes the one who polls.
func (q *Queue[T]) signal() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// Poll gives what is there to take, in order, and does not wait for any. When
// take fails, its error is returned; that item and those behind it stay.
func (q *Queue[T]) Poll(take func(T) error) error {
	q.mu.Lock()
	batch := q.items
	q.items = nil
	q.mu.Unlock()
	var err error
	done := 0
	for ; done < len(batch); done++ {
		if err = take(batch[done]); err != nil {
			break
		}
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	for i := range batch[:done] {
		q.bytes -= q.size(&batch[i]) + overhead
	}
	if done < len(batch) {
		q.items = append(batch[done:], q.items...)
		q.signal() // it is still to be polled
	}
	if done > 0 {
		close(q.room)
		q.room = make(chan struct{})
	}
	return err
}

// Len is the number of items that wait and the bytes that they take, with those
// that are being polled.
func (q *Queue[T]) Len() (items, bytes int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.items), q.bytes
}
