package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"waybill/internal/config"
	"waybill/internal/qlogd"
	"waybill/internal/source"
	"waybill/internal/source/journal"
)

// journalOrigin is the journal of systemd as qlogd asks for it: one piece, in
// which a cursor is the position.
type journalOrigin struct {
	name string
	o    journal.Options

	reader *journal.Reader
	end    context.CancelFunc
	ended  chan struct{}
	piece  *qlogd.Piece
	place  journalPlace

	mu   sync.Mutex // guards down
	down error      // why it is not read now
}

// journalPlace is where reading stands, as it is kept.
type journalPlace struct {
	ID     string `json:"id"`
	Cursor string `json:"cursor"`
	Number int64  `json:"l"`
	Offset int64  `json:"o"`
}

func newJournalOrigin(c *config.Journal, now func() time.Time, log *slog.Logger) *journalOrigin {
	name := "journal"
	if words := append(append([]string{}, c.Units...), c.Identifiers...); len(words) > 0 {
		name += " " + strings.Join(words, " ")
	}
	return &journalOrigin{name: name, down: errNotBegun, o: journal.Options{Units: c.Units, Identifiers: c.Identifiers, Now: now, Log: log}}
}

var errNotBegun = errors.New("reading has not begun")

func (j *journalOrigin) Name() string { return j.name }

// Volatile is false: the journal keeps what was not read.
func (j *journalOrigin) Volatile() bool { return false }

// Open begins at the oldest entry, or behind the one that was kept.
func (j *journalOrigin) Open(saved []byte) error {
	j.place = journalPlace{}
	if saved != nil {
		if err := json.Unmarshal(saved, &j.place); err != nil {
			return fmt.Errorf("%s: the position that was kept: %w", j.name, err)
		}
	}
	o := j.o
	o.After = j.place.Cursor
	j.reader = journal.New(o)
	j.piece = &qlogd.Piece{Log: j.name, ID: j.place.ID, Name: j.name}
	ctx, end := context.WithCancel(context.Background())
	j.end, j.ended = end, make(chan struct{})
	go j.run(ctx, j.reader, j.ended)
	return nil
}

// journalPause is how long a journal that cannot be read is left alone.
const journalPause = 5 * time.Second

// run reads for as long as the origin is open, whatever becomes of journalctl.
func (j *journalOrigin) run(ctx context.Context, r *journal.Reader, ended chan<- struct{}) {
	defer close(ended)
	for ctx.Err() == nil {
		j.set(nil)
		err := r.Run(ctx)
		if ctx.Err() != nil {
			break
		}
		if err == nil {
			err = journal.ErrEnded
		}
		j.set(err)
		pause := time.NewTimer(journalPause)
		select {
		case <-ctx.Done():
		case <-pause.C:
		}
		pause.Stop()
	}
	j.set(errNotBegun)
}

func (j *journalOrigin) set(err error) {
	j.mu.Lock()
	j.down = err
	j.mu.Unlock()
}

// Poll hands over what has come. An entry that was given to take counts as
// taken, whatever take says; the reader would give it again.
func (j *journalOrigin) Poll(take func(*qlogd.Piece, qlogd.Line) error) error {
	var failed error
	err := j.reader.Poll(func(e journal.Entry) error {
		if failed != nil {
			return failed
		}
		at := j.place.Offset
		j.place.Number++
		j.place.Offset += int64(len(e.Line)) + 1
		j.place.Cursor = e.Cursor
		failed = take(j.piece, qlogd.Line{Line: source.Line{Text: e.Line, Number: j.place.Number, Offset: at, End: j.place.Offset}, Cursor: e.Cursor})
		return nil
	})
	if failed != nil {
		return failed
	}
	return err
}

func (j *journalOrigin) Save(at []qlogd.Position) []byte {
	p := j.place
	if len(at) > 0 {
		last := at[len(at)-1]
		p = journalPlace{ID: last.Piece.ID, Cursor: last.Cursor, Number: last.At.Number, Offset: last.At.End}
	}
	b, err := json.Marshal(&p)
	if err != nil {
		panic(err) // texts and numbers can be written
	}
	return b
}

func (j *journalOrigin) Logs() []qlogd.LogStatus {
	st := qlogd.LogStatus{Log: j.name}
	j.mu.Lock()
	st.Err = j.down
	j.mu.Unlock()
	st.Watched = st.Err == nil
	if j.reader != nil {
		st.Behind = int64(j.reader.Status().WaitBytes)
	}
	return []qlogd.LogStatus{st}
}

// Close ends journalctl.
func (j *journalOrigin) Close() error {
	if j.end == nil {
		return nil
	}
	j.end()
	<-j.ended
	j.end = nil
	return nil
}
