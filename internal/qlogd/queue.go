package qlogd

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"waybill/internal/source"
)

// Queue is an Origin of lines that somebody pushes: a listener, a pipe. It
// holds as much as its bound allows and counts what it has to drop beyond, so
// that who pushes never waits. It outlives failures of the gateway's disk.
type Queue struct {
	name  string
	limit int

	mu      sync.Mutex
	lines   []string
	bytes   int
	dropped int64
	down    error // why nothing can come; nil while it is watched

	// Used by the one goroutine that calls the methods of Origin.
	taken []string // of lines, being handed over
	piece *Piece
	at    queuePlace
	open  bool
}

// queuePlace is where a Queue stands.
type queuePlace struct {
	ID     string `json:"id"`
	Number int64  `json:"l"`
	Offset int64  `json:"o"`
}

// DefaultQueueBytes is a bound that holds some ten thousand lines.
const DefaultQueueBytes = 8 << 20

// NewQueue makes a Queue that holds at most limit bytes of lines; 0 stands for
// DefaultQueueBytes.
func NewQueue(name string, limit int) *Queue {
	if limit <= 0 {
		limit = DefaultQueueBytes
	}
	return &Queue{name: name, limit: limit}
}

// lineCost is about what a line costs in memory beside its text.
const lineCost = 32

// Push takes a line and reports whether there was room for it. It may be called
// by any goroutine and does not wait.
func (q *Queue) Push(line string) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.bytes+len(line)+lineCost > q.limit {
		q.dropped++
		return false
	}
	q.lines = append(q.lines, line)
	q.bytes += len(line) + lineCost
	return true
}

// Drop counts lines that were lost before they could be pushed, as a kernel's
// counter of a socket tells.
func (q *Queue) Drop(n int64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.dropped += n
}

// Down says that nothing can come any more, and why; nil says that it can again.
func (q *Queue) Down(err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.down = err
}

// Name implements Origin.
func (q *Queue) Name() string { return q.name }

// Volatile is true.
func (q *Queue) Volatile() bool { return true }

// Open implements Origin.
func (q *Queue) Open(saved []byte) error {
	if q.open {
		return nil
	}
	if len(saved) > 0 {
		if err := json.Unmarshal(saved, &q.at); err != nil {
			return fmt.Errorf("position of %s: %w", q.name, err)
		}
	}
	if q.at.ID == "" {
		q.at.ID = source.PieceID(fmt.Sprint(q.name, " ", time.Now().UnixNano()), nil)
	}
	q.piece = &Piece{Log: q.name, ID: q.at.ID, Name: q.name}
	q.open = true
	return nil
}

// Poll implements Origin.
func (q *Queue) Poll(take func(*Piece, Line) error) error {
	for {
		if len(q.taken) == 0 {
			q.mu.Lock()
			q.taken, q.lines = q.lines, nil
			q.mu.Unlock()
			if len(q.taken) == 0 {
				return nil
			}
		}
		text := q.taken[0]
		q.taken[0] = ""
		q.taken = q.taken[1:]
		q.mu.Lock()
		q.bytes -= len(text) + lineCost
		q.mu.Unlock()
		l := Line{Line: source.Line{Text: text, Number: q.at.Number + 1, Offset: q.at.Offset}}
		q.at.Number++
		q.at.Offset += int64(len(text)) + 1
		l.End = q.at.Offset
		if err := take(q.piece, l); err != nil {
			return err
		}
	}
}

// Save implements Origin.
func (q *Queue) Save(positions []Position) []byte {
	at := q.at
	for _, p := range positions {
		at.Number, at.Offset = p.At.Number, p.At.End
	}
	b, err := json.Marshal(at)
	if err != nil {
		return nil // cannot be: strings and numbers
	}
	return b
}

// Logs implements Origin.
func (q *Queue) Logs() []LogStatus {
	q.mu.Lock()
	defer q.mu.Unlock()
	return []LogStatus{{Log: q.name, Watched: q.down == nil, Err: q.down, Behind: int64(q.bytes), Dropped: q.dropped}}
}

// Close implements Origin. Lines that were not taken are lost.
func (q *Queue) Close() error {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.open, q.lines, q.taken, q.bytes = false, nil, nil, 0
	return nil
}

// ErrEnded is the state of a pipe whose writer has closed it.
var ErrEnded = errors.New("the writer has closed the pipe")

// Pump pushes the lines of a pipe into q until it ends. It reads on when there
// is no room: who writes into a pipe must not be made to wait. It returns when r
// ends; closing r is how it is stopped.
func Pump(q *Queue, r io.Reader) error {
	f, err := source.NewPipe(r)
	if err == nil {
		defer f.Close()
		lines := f.Lines()
		for {
			l, ok := lines.Next()
			if !ok {
				break
			}
			// Of a chunk of many lines: it must not be kept whole for one of them.
			q.Push(string([]byte(l.Text)))
		}
		if l, ok := lines.Rest(); ok { // its writer has ended, so has the line
			q.Push(l.Text)
		}
		err = lines.Err()
	}
	if errors.Is(err, source.ErrEmpty) {
		err = nil
	}
	if err == nil {
		q.Down(ErrEnded)
	} else {
		q.Down(err)
	}
	return err
}
