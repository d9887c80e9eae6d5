package importer

import (
	"slices"
	"strings"
	"time"

	"waybill/internal/maillog"
	"waybill/internal/source"
	"waybill/internal/track"
)

// primeLines is how many lines before a log tell of the connections that are
// open when it begins. A connection seldom lasts longer.
const primeLines = 16 << 10

// prime returns the state of a parser at the end of the logs that stand before
// one which begins with first, and which are imported later: what they say of
// connections that are open. The nearest comes first. It is nil when the logs do
// not join. What cannot be read of them will be told when they are imported.
func (im *Importer) prime(before []string, first opening, fileTime time.Time) []byte {
	var ends []*end
	need := primeLines
	for _, path := range before {
		e, err := im.readEnd(path, need)
		if err != nil {
			break
		}
		ends = append(ends, e)
		if need -= len(e.lines); need <= 0 {
			break
		}
	}
	var state []byte
	var reached reach
	for _, e := range slices.Backward(ends) {
		// Its numbers are its own. The connections get none: they will have one
		// when their log is imported.
		p, err := maillog.New(maillog.Options{Gateway: im.Gateway, Location: im.Location, FileTime: e.time, Format: im.Format,
			NextICID: func() uint64 { return 0 }})
		if err != nil {
			return nil
		}
		if reached.joins(im.firstOf(e, state)) {
			if err := p.Resume(state); err != nil {
				return nil
			}
		} else {
			reached = reach{}
		}
		p.NewPiece(e.time)
		for _, l := range e.head {
			p.Line(l, 0, 0, func(*track.Event) {})
		}
		for n, l := range e.lines {
			p.Line(l, int64(n+1), 0, reached.event)
		}
		p.NewPiece(e.time) // lines that explain the end of a connection are not for another piece
		state = p.State()
	}
	if !reached.joins(im.behind(state, first, fileTime)) {
		return nil
	}
	return state
}

// end is the last lines of a log.
type end struct {
	head  []string // the first lines of the log, where they say in which zone the others are
	lines []string
	time  time.Time // of the file
}

// readEnd returns at most n lines from the end of a log.
func (im *Importer) readEnd(path string, n int) (*end, error) {
	f, err := source.OpenEnd(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	e := &end{time: f.ModTime, head: im.readHead(path)}
	lines := f.Lines()
	for {
		l, ok := lines.Next()
		if !ok {
			break
		}
		if len(e.lines) == 2*n {
			e.lines = append(e.lines[:0], e.lines[n:]...)
		}
		e.lines = append(e.lines, l.Text)
	}
	e.lines = e.lines[max(0, len(e.lines)-n):]
	return e, nil
}

// headLines is how many lines the head of an appliance's log has at most.
const headLines = 10

// readHead returns the head of an appliance's log, nil when the log has none.
func (im *Importer) readHead(path string) []string {
	f, err := im.open(path)
	if err != nil {
		return nil // it will be told when the log is imported
	}
	defer f.Close()
	h := im.headers(f.ModTime)
	var head []string
	var out maillog.Header
	lines := f.Lines()
	for range headLines {
		l, ok := lines.Next()
		if !ok || !h.Parse(l.Text, &out) || !out.Head && !out.Stated {
			break
		}
		if head = append(head, strings.Clone(l.Text)); out.Stated {
			return head
		}
	}
	return nil
}

// firstOf is the time of the first line that tells one, if it stands behind
// those at which state was taken.
func (im *Importer) firstOf(e *end, state []byte) track.Stamp {
	h := im.headers(e.time)
	var out maillog.Header
	for _, l := range e.head {
		h.Parse(l, &out)
	}
	for _, l := range e.lines {
		if !h.Parse(l, &out) || out.Time == 0 || out.Head {
			continue
		}
		if len(e.head) > 0 {
			return out.Time
		}
		return im.behind(state, im.openingOf(l, e.time), e.time)
	}
	return 0
}

// reach is the time that events reach to, and the longest pause among them.
type reach struct {
	last    track.Stamp
	silence time.Duration
}

func (r *reach) event(e *track.Event) {
	if e.Time == 0 || e.Uncertain {
		return
	}
	if r.last != 0 {
		r.silence = max(r.silence, e.Time.Sub(r.last))
	}
	r.last = max(r.last, e.Time)
}

// joins reports whether a log that begins at first goes on where these end; see
// follows.
func (r *reach) joins(first track.Stamp) bool {
	return r.last != 0 && first >= r.last && first.Sub(r.last) <= max(joint, r.silence)
}
