package syslog

import (
	"context"
	"sync"
)

// overhead is what a line costs in the buffer beside its text.
const overhead = 256

func (r *Received) size() int { return len(r.Line) + len(r.Host) + len(r.Peer) + overhead }

// queue is the bounded buffer between the network and the one who polls.
type queue struct {
	max  int
	wake chan struct{}

	mu    sync.Mutex
	items []Received
	bytes int           // also of those that are being polled
	room  chan struct{} // closed when there is room again
}

func newQueue(max int) *queue {
	return &queue{max: max, wake: make(chan struct{}, 1), room: make(chan struct{})}
}

// offer takes a line if there is room.
func (q *queue) offer(r Received) bool {
	ok, _ := q.try(r)
	return ok
}

// put takes a line and waits for room until ctx ends.
func (q *queue) put(ctx context.Context, r Received) bool {
	for {
		ok, room := q.try(r)
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

func (q *queue) try(r Received) (bool, <-chan struct{}) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.bytes > 0 && q.bytes+r.size() > q.max {
		return false, q.room
	}
	q.items = append(q.items, r)
	q.bytes += r.size()
	select {
	case q.wake <- struct{}{}:
	default:
	}
	return true, nil
}

// poll gives what is there to take, in order. When take fails, that line and
// those behind it stay.
func (q *queue) poll(take func(Received) error) error {
	q.mu.Lock()
	batch := q.items
	q.items = nil
	q.mu.Unlock()
	freed, done := 0, 0
	var err error
	for i := range batch {
		size := batch[i].size()
		if err = take(batch[i]); err != nil {
			break
		}
		freed += size
		done++
		batch[i] = Received{}
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.bytes -= freed
	if done < len(batch) {
		q.items = append(batch[done:], q.items...)
		select { // it is still to be polled
		case q.wake <- struct{}{}:
		default:
		}
	}
	if done > 0 {
		close(q.room)
		q.room = make(chan struct{})
	}
	return err
}

func (q *queue) len() (lines, bytes int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.items), q.bytes
}
