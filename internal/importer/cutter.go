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
// begun by the first line that it takes and cut when it holds enough text. It
// tells of its part of the piece; the parts join at their ends.
type cutter struct {
	im     *Importer
	dir    string
	parser *maillog.Parser
	marks  func() source.Marks // of the piece's lines so far
	part   window.Source       // the part that the next window tells of
	last   track.Stamp         // time of the last line in the parts before it
	lines  int64               // in the parts before it
	base   maillog.Stats       // of the parser when the part began
	start  maillog.Stats       // of the parser when the reading began
	first  track.Stamp         // time of the first event of this reading

	w    *window.Writer
	text int64 // bytes of lines in the open window
	err  error // of an event that could not be appended
}

// line takes one new line.
func (c *cutter) line(ctx context.Context, l source.Line) error {
	if c.w == nil {
		if err := c.begin(); err != nil {
			return err
		}
	}
	c.parser.Line(l.Text, l.Number, l.Offset, c.event)
	if c.err != nil {
		return c.err
	}
	c.pass(l)
	c.text += l.End - l.Offset
	if c.text >= c.im.limit() {
		return c.cut(ctx)
	}
	return nil
}

// pass moves the part's end behind a line, whether it was new or not.
func (c *cutter) pass(l source.Line) {
	c.part.To, c.part.Lines = l.End, l.Number
}

// show lets the parser see lines that are known already, for what they say of
// connections that are open. They are not counted, and their events are not
// kept: whoever took the lines has them.
func (c *cutter) show(items []source.Item) {
	if len(items) == 0 {
		return
	}
	c.parser.Skip()
	before := c.parser.Stats()
	for _, it := range items {
		c.parser.Line(it.Text, it.Number, it.Offset, c.reach)
	}
	after := c.parser.Stats()
	c.base, c.start = plus(c.base, before, after), plus(c.start, before, after)
}

// reach widens the span of the part to the time of an event.
func (c *cutter) reach(e *track.Event) {
	p := &c.part
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
		if last := max(c.last, c.part.Last); last != 0 {
			c.part.Silence = max(c.part.Silence, int64(t-last))
		}
	}
	c.reach(e)
	err := c.w.Append(e)
	switch {
	case err == nil:
	case errors.Is(err, window.ErrEvent):
		c.im.Log.Warn("An event does not fit a tracking file and is left out", "path", c.part.Name, "line", e.Line, "err", err)
	case c.err == nil:
		c.err = fmt.Errorf("line %d: %w", e.Line, err)
	}
}

func (c *cutter) begin() error {
	w, err := window.Create(c.im.FS, c.dir, window.Header{
		Gateway: c.im.Gateway, Serial: c.im.Serial, Imported: true,
		Fingerprint: c.part.ID, Software: c.im.Software,
	})
	if err != nil {
		return err
	}
	w.AddSource(c.part)
	c.w, c.text = w, 0
	return nil
}

// cut seals the open window, if there is one, and hands it over. The next one
// tells of what comes behind it.
func (c *cutter) cut(ctx context.Context) error {
	if c.w == nil {
		return nil
	}
	c.tally()
	c.w.SetSource(0, c.part)
	c.w.SetRange(c.part.From, c.part.To)
	sealed, err := c.w.Seal(false)
	if err != nil {
		c.abort()
		return err
	}
	c.w = nil
	c.im.cuts++
	c.im.learn(c.part)
	c.next()
	return c.im.Taker.Take(ctx, sealed.Path)
}

// next begins the part behind the one that was cut.
func (c *cutter) next() {
	p := &c.part
	c.lines, c.last = p.Lines, max(c.last, p.Last)
	c.base = c.parser.Stats()
	c.part = window.Source{ID: p.ID, Gateway: p.Gateway, Name: p.Name, From: p.To, To: p.To, Lines: p.Lines}
}

// conclude tells the end of messages that were being handed in when the piece
// ended, from lines of the piece behind it, which was imported before.
func (c *cutter) conclude(next *window.Source) error {
	// The other piece is named for what it says; nothing of it is taken.
	names := window.Source{ID: next.ID, Gateway: next.Gateway, Name: next.Name, From: next.To, To: next.To,
		Lines: next.Lines, State: next.State, Waiting: next.Waiting}
	source := uint32(0)
	err := c.parser.Conclude(next.State, func(e *track.Event) {
		if c.err != nil {
			return
		}
		if c.w == nil {
			if c.err = c.begin(); c.err != nil {
				return
			}
		}
		if source == 0 {
			source = c.w.AddSource(names)
		}
		e.Source = source
		c.err = c.w.Append(e)
	})
	if err != nil {
		c.im.Log.Warn("Cannot tell how the last connections of a log ended", "path", c.part.Name, "err", err)
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

// tally fills in counts, marks and state of the part.
func (c *cutter) tally() {
	p := &c.part
	p.Marks = c.marks().EncodeFrom(c.lines)
	p.State = c.parser.State()
	s := since(c.base, c.parser.Stats())
	p.Parsed, p.Ignored, p.Unknown = 0, s.Blank+s.Foreign, s.Headerless
	p.Samples = slices.Clone(s.HeaderlessSamples)
	for _, d := range s.Dialects {
		p.Parsed += d.Parsed
		p.Ignored += d.Ignored
		p.Unknown += d.Unknown
		p.Samples = append(p.Samples, d.Samples...)
	}
	p.Samples = p.Samples[:min(len(p.Samples), maxSamples)]
}

// maxSamples bounds the unknown lines that a part keeps for people.
const maxSamples = 10
