package importer

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"waybill/internal/maillog"
	"waybill/internal/source"
	"waybill/internal/track"
	"waybill/internal/window"
)

// cutter turns the new lines of one piece of log into windows. A window is
// begun by the first line that it takes and cut when it holds enough text or
// when lines are passed over.
type cutter struct {
	im     *Importer
	dir    string
	parser *maillog.Parser
	marks  func() source.Marks // of the piece's lines so far
	first  track.Stamp         // time of the first event of this reading
	piece  window.Source       // the piece as far as it was taken, cumulative
	base   maillog.Stats       // of the parser when the piece began
	prior  window.Source       // the piece as earlier imports left it

	w     *window.Writer
	from  int64 // of the open window
	text  int64 // bytes of lines in the open window
	err   error // of an event that could not be appended
	count int   // windows made
}

// line takes one new line.
func (c *cutter) line(ctx context.Context, l source.Line) error {
	if c.w == nil {
		if err := c.begin(l.Offset); err != nil {
			return err
		}
	}
	c.parser.Line(l.Text, l.Number, l.Offset, c.event)
	if c.err != nil {
		return c.err
	}
	c.pass(l)
	c.text += l.End - l.Offset
	limit := c.im.CutBytes
	if limit == 0 {
		limit = defaultCutBytes
	}
	if c.text >= limit {
		c.tally()
		return c.cut(ctx)
	}
	return nil
}

// pass moves the piece's end behind a line, whether it was new or not.
func (c *cutter) pass(l source.Line) {
	c.piece.To, c.piece.Lines = l.End, l.Number
}

// show lets the parser see lines that are known already, for what they say of
// connections that are open. They are not counted, and their events are not
// kept: whoever took the lines has them.
func (c *cutter) show(items []source.Item) {
	if len(items) == 0 {
		return
	}
	before := c.parser.Stats()
	for _, it := range items {
		c.parser.Line(it.Text, it.Number, it.Offset, c.reach)
	}
	c.base = plus(c.base, before, c.parser.Stats())
}

// reach widens the span of the piece to the time of an event.
func (c *cutter) reach(e *track.Event) {
	p := &c.piece
	if e.Time == 0 || e.Uncertain {
		return
	}
	if p.First == 0 || e.Time < p.First {
		p.First = e.Time
	}
	p.Last = max(p.Last, e.Time)
}

// event takes one event of the line that is being read.
func (c *cutter) event(e *track.Event) {
	e.Source = 0
	if t := e.Time; t != 0 && !e.Uncertain {
		if c.first == 0 {
			c.first = t
		}
		if p := &c.piece; p.Last != 0 {
			p.Silence = max(p.Silence, int64(t-p.Last))
		}
	}
	c.reach(e)
	err := c.w.Append(e)
	switch {
	case err == nil:
	case errors.Is(err, window.ErrEvent):
		c.im.Log.Warn("An event does not fit a tracking file and is left out", "path", c.piece.Name, "line", e.Line, "err", err)
	case c.err == nil:
		c.err = fmt.Errorf("line %d: %w", e.Line, err)
	}
}

func (c *cutter) begin(offset int64) error {
	w, err := window.Create(c.im.FS, c.dir, window.Header{
		Gateway: c.im.Gateway, Serial: c.im.Serial, Imported: true,
		Fingerprint: c.piece.ID, Software: c.im.Software,
	})
	if err != nil {
		return err
	}
	w.AddSource(c.piece)
	c.w, c.from, c.text = w, offset, 0
	return nil
}

// cut seals the open window, if there is one, and hands it over.
func (c *cutter) cut(ctx context.Context) error {
	if c.w == nil {
		return nil
	}
	c.w.SetSource(0, c.piece)
	c.w.SetRange(c.from, c.piece.To)
	sealed, err := c.w.Seal(false)
	if err != nil {
		c.abort()
		return err
	}
	c.w = nil
	return c.im.Taker.Take(ctx, sealed.Path)
}

// conclude tells the end of messages that were being handed in when the piece
// ended, from lines of the piece behind it, which was imported before.
func (c *cutter) conclude(next *window.Source) error {
	source := uint32(0)
	err := c.parser.Conclude(next.State, func(e *track.Event) {
		if c.err != nil {
			return
		}
		if c.w == nil {
			if c.err = c.begin(c.piece.To); c.err != nil {
				return
			}
		}
		if source == 0 {
			source = c.w.AddSource(*next)
		}
		e.Source = source
		c.err = c.w.Append(e)
	})
	if err != nil {
		c.im.Log.Warn("Cannot tell how the last connections of a log ended", "path", c.piece.Name, "err", err)
	}
	return c.err
}

// abort removes the open window: its lines will be read again.
func (c *cutter) abort() {
	if c.w != nil {
		if err := c.w.Abort(); err != nil {
			c.im.Log.Warn("Could not remove an unfinished window", "path", c.dir, "err", err)
		}
		c.w = nil
	}
}

// tally brings counts, marks and state of the piece up to date.
func (c *cutter) tally() {
	p := &c.piece
	p.Marks = c.marks().Encode()
	p.State = c.parser.State()
	s := since(c.base, c.parser.Stats())
	p.Parsed, p.Ignored, p.Unknown = c.prior.Parsed, c.prior.Ignored+s.Blank+s.Foreign, c.prior.Unknown+s.Headerless
	p.Samples = slices.Clip(c.prior.Samples)
	for _, d := range s.Dialects {
		p.Parsed += d.Parsed
		p.Ignored += d.Ignored
		p.Unknown += d.Unknown
		p.Samples = append(p.Samples, d.Samples...)
	}
	if len(p.Samples) > maxSamples {
		p.Samples = p.Samples[:maxSamples]
	}
}

// maxSamples bounds the unknown lines that a source keeps for people.
const maxSamples = 10
