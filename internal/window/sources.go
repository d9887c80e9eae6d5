package window

import (
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"
)

// maxSources bounds the source table.
const maxSources = 100_000

// readSources takes a frame of the source table. The entries of a table that
// goes on in the next frame take effect with its last one, so that positions of
// several sources always belong to one moment.
func (c *content) readSources(payload []byte) error {
	more := false
	err := fields(payload, func(num protowire.Number, v uint64, data []byte) error {
		switch num {
		case 1:
			var e numbered
			if err := fields(data, func(num protowire.Number, v uint64, data []byte) error {
				switch num {
				case 1:
					e.n = v
				case 2:
					return e.s.parse(data)
				}
				return nil
			}); err != nil {
				return err
			}
			c.part = append(c.part, e)
		case 2:
			more = v != 0
		}
		return nil
	})
	if err != nil || more {
		if len(c.part) > maxSources {
			return fmt.Errorf("%w: %d sources", ErrLimit, len(c.part))
		}
		return err
	}
	for _, e := range c.part {
		switch {
		case e.n < uint64(len(c.sources)):
			c.sources[e.n] = e.s
		case e.n == uint64(len(c.sources)) && e.n < maxSources:
			c.sources = append(c.sources, e.s)
		default:
			return fmt.Errorf("%w: number %d of a source", ErrFormat, e.n)
		}
	}
	c.part = c.part[:0]
	return nil
}

// finish checks the trailer against what was read; digest is that of all frames
// before it.
func (c *content) finish(payload []byte, digest [32]byte) error {
	var t Trailer
	h := c.header
	if err := t.parse(payload, &h); err != nil {
		return err
	}
	if t.Digest != digest {
		return fmt.Errorf("%w: digest of the content", ErrChecksum)
	}
	c.seen.Digest = digest
	if t != c.seen {
		return fmt.Errorf("%w: the trailer tells of other events", ErrFormat)
	}
	if !c.committed() {
		return fmt.Errorf("%w: the table of sources has no end", ErrFormat)
	}
	if t.Events > 0 && uint64(c.lastSource) >= uint64(len(c.sources)) {
		return fmt.Errorf("%w: an event of source %d, which is not in the table", ErrFormat, c.lastSource)
	}
	if h.Imported && t.Events == 0 && len(c.sources) == 0 {
		return fmt.Errorf("%w: %w", ErrFormat, ErrEmpty)
	}
	c.trailer, c.header = t, h
	return nil
}
