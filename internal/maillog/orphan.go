package maillog

import (
	"strings"
	"time"

	"waybill/internal/track"
)

const (
	maxOrphans    = 256
	maxOrphanText = 1 << 10
)

// orphan is a line that tells the end of a connection whose beginning was not
// seen: it stands in the piece of log before this one, which may be read
// later.
type orphan struct {
	Text   string `json:"text"` // the whole line
	Number int64  `json:"line"`
	Offset int64  `json:"offset"`
}

// orphaned keeps the line being read.
func (c *cursor) orphaned() {
	p := c.p
	if len(p.orphans) < maxOrphans && len(c.raw) <= maxOrphanText {
		p.orphans = append(p.orphans, orphan{strings.Clone(c.raw), c.number, c.offset})
	}
}

// NewPiece says that the lines that follow stand in another piece of the same
// log, numbered from 1 again and last written at fileTime; zero is now.
func (p *Parser) NewPiece(fileTime time.Time) {
	p.orphans = nil
	for _, d := range p.dialects {
		if b, ok := d.(breaker); ok {
			b.newPiece()
		}
	}
	if fileTime.IsZero() {
		fileTime = time.Now()
	}
	p.headers.SetFileTime(fileTime)
}

// Conclude tells what became of the messages that were being handed in when
// this piece of log ended. next is the State at the end of the piece that
// follows it, which was read before and without knowing of this one. Only
// events of kind MessageAbort are emitted; their lines stand in that piece. It
// must come behind the last Line of this piece.
func (p *Parser) Conclude(next []byte, emit func(*track.Event)) error {
	s, err := readState(next)
	if err != nil {
		return err
	}
	for _, o := range s.Orphans {
		p.Line(o.Text, o.Number, o.Offset, func(e *track.Event) {
			if e.Kind == track.MessageAbort {
				emit(e)
			}
		})
	}
	return nil
}

// SetTime moves the time behind which stamps are from the future, for a log
// that is being written while it is read.
func (p *Parser) SetTime(now time.Time) { p.headers.SetFileTime(now) }
