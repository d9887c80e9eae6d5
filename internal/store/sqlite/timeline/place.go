package timeline

import "waybill/internal/track"

// place is where the last event of a source stood. It keeps the numbers small
// that say where the next one stands.
type place struct {
	line, offset int64
	head, text   int64 // bytes of that line in front of the event's text, as far as known, and of the text
}

// places are those of a block's sources. Sources may share one: that costs
// bytes only.
type places [64]place

func (p *places) of(source uint32) *place { return &p[source%uint32(len(p))] }

// guess tells about where a line begins: behind the last one if it is the next,
// else as far on as lines of this source are long in the mean. Sums may wrap
// around; both sides of the codec wrap alike.
func (p *place) guess(line int64) int64 {
	switch step := line - p.line; {
	case step == 0:
		return p.offset
	case step == 1:
		return p.offset + p.head + p.text
	case p.line > 1:
		return p.offset + step*(p.offset/(p.line-1))
	}
	return p.offset
}

// went takes an event and what its line tells of the one before.
func (p *place) went(e *track.Event) {
	if e.Line == p.line+1 {
		p.head = e.Offset - p.offset - p.text
	}
	p.line, p.offset, p.text = e.Line, e.Offset, int64(len(e.Text))
}
