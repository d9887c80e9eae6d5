package window

import (
	"fmt"

	"waybill/internal/track"
)

// A block of events keeps each property of all its events together, as one
// column. What most events share is told once per block: their shape is a
// combination of kind, host, tag, source and keys that occurs in the block, and
// strings that are no part of a line are in a table. See docs/format.md.

// Columns of a block by their field number.
const (
	colCount   = 1 // number of events
	colString  = 2 // table of strings; number 0 is "" and not in it
	colShape   = 3 // the shapes, one after the other
	colIndex   = 4 // number of each event's shape
	colTime    = 5
	colPID     = 6
	colMID     = 7
	colICID    = 8
	colLine    = 9
	colOffset  = 10
	colTextLen = 11
	colRef     = 12
	colText    = 13
	colEnd     = 14
)

// Flags of a shape.
const (
	flagHead      = 1 << iota // Text begins with "tag[pid]: " or "tag: ", which is not stored
	flagMID                   // has a MID
	flagICID                  // has an ICID
	flagQueueID               // has a queue id, coded as a reference before those of the attributes
	flagUncertain             // Time is not sure
	flagEnd
)

// Limits of one event and of one block. They are far above what logs hold and
// keep a reader's memory small whatever it is given.
const (
	maxText      = 4 << 20  // bytes of an event's text
	maxAttrs     = 4096     // attributes of an event
	maxStrings   = 8 << 20  // bytes of an event's strings that are no part of its text
	maxBlockText = 32 << 20 // bytes of all strings of a block
)

// AppendBlock appends the events, coded as one block that needs nothing else to
// be read, to dst. It is compact, but not compressed and has no checksum.
func AppendBlock(dst []byte, events []track.Event) []byte {
	var b blockEncoder
	for i := range events {
		b.add(&events[i])
	}
	return b.appendTo(dst)
}

// ReadBlock calls fn for each event of a block, in their order. The event and
// its Attrs slice are used again for the next one; its strings stay.
func ReadBlock(b []byte, fn func(*track.Event) error) error {
	var (
		d blockDecoder
		e track.Event
	)
	if err := d.load(b); err != nil {
		return err
	}
	for d.left > 0 {
		if err := d.next(&e); err != nil {
			return err
		}
		if err := fn(&e); err != nil {
			return err
		}
	}
	return d.done()
}

// fits says why an event cannot be coded, nil when it can.
func fits(e *track.Event) error {
	if len(e.Text) > maxText {
		return fmt.Errorf("%w: text of %d bytes", ErrEvent, len(e.Text))
	}
	if len(e.Attrs) > maxAttrs {
		return fmt.Errorf("%w: %d attributes", ErrEvent, len(e.Attrs))
	}
	n := len(e.Host) + len(e.Tag) + len(e.QueueID)
	for i := range e.Attrs {
		n += len(e.Attrs[i].Value)
	}
	if n > maxStrings {
		return fmt.Errorf("%w: values of %d bytes", ErrEvent, n)
	}
	return nil
}

func zigzag(v int64) uint64   { return uint64(v<<1) ^ uint64(v>>63) }
func unzigzag(v uint64) int64 { return int64(v>>1) ^ -int64(v&1) }
