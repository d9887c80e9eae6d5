package window

import (
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"

	"waybill/internal/track"
)

// This file writes and reads the payloads of all frames but the events: in the
// wire format of Protocol Buffers, by hand. docs/format.md has the messages. As
// there, a zero value is left out, and an unknown field is passed over.

func putUint(b []byte, num protowire.Number, v uint64) []byte {
	if v == 0 {
		return b
	}
	return protowire.AppendVarint(protowire.AppendTag(b, num, protowire.VarintType), v)
}

func putInt(b []byte, num protowire.Number, v int64) []byte { return putUint(b, num, uint64(v)) }

func putBool(b []byte, num protowire.Number, v bool) []byte {
	if v {
		return putUint(b, num, 1)
	}
	return b
}

func putBytes[T ~string | ~[]byte](b []byte, num protowire.Number, v T) []byte {
	if len(v) == 0 {
		return b
	}
	return putItem(b, num, v)
}

// putItem is putBytes for a repeated field, where an empty one counts.
func putItem[T ~string | ~[]byte](b []byte, num protowire.Number, v T) []byte {
	b = protowire.AppendTag(b, num, protowire.BytesType)
	b = protowire.AppendVarint(b, uint64(len(v)))
	return append(b, v...)
}

// fields calls f for each field of a message: with v for a varint, with data
// (a part of b) for bytes. Fields of other types are passed over.
func fields(b []byte, f func(num protowire.Number, v uint64, data []byte) error) error {
	for len(b) > 0 {
		num, typ, n := protowire.ConsumeTag(b)
		if n < 0 {
			return fmt.Errorf("%w: %w", ErrFormat, protowire.ParseError(n))
		}
		b = b[n:]
		var (
			v    uint64
			data []byte
		)
		switch typ {
		case protowire.VarintType:
			v, n = protowire.ConsumeVarint(b)
		case protowire.BytesType:
			data, n = protowire.ConsumeBytes(b)
		default:
			n = protowire.ConsumeFieldValue(num, typ, b)
		}
		if n < 0 {
			return fmt.Errorf("%w: %w", ErrFormat, protowire.ParseError(n))
		}
		b = b[n:]
		if typ != protowire.VarintType && typ != protowire.BytesType {
			continue
		}
		if err := f(num, v, data); err != nil {
			return err
		}
	}
	return nil
}

// Fields of Header that the trailer repeats.
const (
	fieldFrom, fieldTo         = 8, 9
	fieldFromByte, fieldToByte = 13, 14
)

func (h *Header) append(b []byte) []byte {
	b = putUint(b, 1, uint64(h.Major))
	b = putUint(b, 2, uint64(h.Minor))
	b = putBytes(b, 3, h.Gateway)
	b = putBytes(b, 4, h.Serial)
	b = putBool(b, 5, h.Imported)
	b = putUint(b, 6, h.Epoch)
	b = putUint(b, 7, h.Sequence)
	b = h.appendSpan(b)
	b = putBytes(b, 10, h.Previous)
	b = putBytes(b, 11, h.Software)
	b = putBytes(b, 12, h.Fingerprint)
	return b
}

func (h *Header) appendSpan(b []byte) []byte {
	b = putInt(b, fieldFrom, int64(h.Interval.From))
	b = putInt(b, fieldTo, int64(h.Interval.To))
	b = putInt(b, fieldFromByte, h.FromByte)
	return putInt(b, fieldToByte, h.ToByte)
}

func (h *Header) parse(b []byte) error {
	return fields(b, func(num protowire.Number, v uint64, data []byte) error {
		switch num {
		case 1:
			h.Major = uint32(v)
		case 2:
			h.Minor = uint32(v)
		case 3:
			h.Gateway = string(data)
		case 4:
			h.Serial = string(data)
		case 5:
			h.Imported = v != 0
		case 6:
			h.Epoch = v
		case 7:
			h.Sequence = v
		case 10:
			h.Previous = append([]byte(nil), data...)
		case 11:
			h.Software = string(data)
		case 12:
			h.Fingerprint = string(data)
		default:
			h.parseSpan(num, v)
		}
		return nil
	})
}

func (h *Header) parseSpan(num protowire.Number, v uint64) {
	switch num {
	case fieldFrom:
		h.Interval.From = track.Stamp(v)
	case fieldTo:
		h.Interval.To = track.Stamp(v)
	case fieldFromByte:
		h.FromByte = int64(v)
	case fieldToByte:
		h.ToByte = int64(v)
	}
}

func (s *Source) append(b []byte) []byte {
	b = putBytes(b, 1, s.ID)
	b = putBytes(b, 2, s.Gateway)
	b = putBytes(b, 3, s.Name)
	b = putInt(b, 4, s.From)
	b = putInt(b, 5, s.To)
	b = putInt(b, 6, s.Lines)
	b = putInt(b, 7, int64(s.First))
	b = putInt(b, 8, int64(s.Last))
	b = putInt(b, 9, s.Silence)
	b = putBytes(b, 10, s.Marks)
	b = putBytes(b, 11, s.State)
	b = putInt(b, 12, s.Parsed)
	b = putInt(b, 13, s.Ignored)
	b = putInt(b, 14, s.Unknown)
	for _, line := range s.Samples {
		b = putItem(b, 15, line)
	}
	b = putInt(b, 16, s.Waiting)
	for _, iv := range s.Watched {
		var span []byte
		span = putInt(span, 1, int64(iv.From))
		span = putInt(span, 2, int64(iv.To))
		b = putItem(b, 17, span)
	}
	b = putInt(b, 18, s.Dropped)
	return putBool(b, 19, s.Volatile)
}

func (s *Source) parse(b []byte) error {
	return fields(b, func(num protowire.Number, v uint64, data []byte) error {
		switch num {
		case 1:
			s.ID = string(data)
		case 2:
			s.Gateway = string(data)
		case 3:
			s.Name = string(data)
		case 4:
			s.From = int64(v)
		case 5:
			s.To = int64(v)
		case 6:
			s.Lines = int64(v)
		case 7:
			s.First = track.Stamp(v)
		case 8:
			s.Last = track.Stamp(v)
		case 9:
			s.Silence = int64(v)
		case 10:
			s.Marks = append([]byte(nil), data...)
		case 11:
			s.State = append([]byte(nil), data...)
		case 12:
			s.Parsed = int64(v)
		case 13:
			s.Ignored = int64(v)
		case 14:
			s.Unknown = int64(v)
		case 15:
			s.Samples = append(s.Samples, string(data))
		case 16:
			s.Waiting = int64(v)
		case 17:
			return s.parseWatched(data)
		case 18:
			s.Dropped = int64(v)
		case 19:
			s.Volatile = v != 0
		}
		return nil
	})
}

func (s *Source) parseWatched(b []byte) error {
	var iv track.Interval
	err := fields(b, func(num protowire.Number, v uint64, _ []byte) error {
		switch num {
		case 1:
			iv.From = track.Stamp(v)
		case 2:
			iv.To = track.Stamp(v)
		}
		return nil
	})
	s.Watched = append(s.Watched, iv)
	return err
}

// append writes the trailer's message. The counts are pairs of kind and number.
func (t *Trailer) append(b []byte, h *Header) []byte {
	var counts []byte
	for k, n := range t.Counts {
		if n > 0 {
			counts = protowire.AppendVarint(protowire.AppendVarint(counts, uint64(k)), n)
		}
	}
	b = putBytes(b, 1, counts)
	b = putUint(b, 2, t.Events)
	b = putInt(b, 3, int64(t.First))
	b = putInt(b, 4, int64(t.Last))
	b = putBytes(b, 5, t.Digest[:])
	return h.appendSpan(b)
}

// parse reads the trailer's message and takes what it says of the span into h.
func (t *Trailer) parse(b []byte, h *Header) error {
	h.Interval, h.FromByte, h.ToByte = track.Interval{}, 0, 0
	return fields(b, func(num protowire.Number, v uint64, data []byte) error {
		switch num {
		case 1:
			for len(data) > 0 {
				k, n := protowire.ConsumeVarint(data)
				if n < 0 || k > 255 {
					return fmt.Errorf("%w: counts of the trailer", ErrFormat)
				}
				c, m := protowire.ConsumeVarint(data[n:])
				if m < 0 {
					return fmt.Errorf("%w: counts of the trailer", ErrFormat)
				}
				t.Counts[k] = c
				data = data[n+m:]
			}
		case 2:
			t.Events = v
		case 3:
			t.First = track.Stamp(v)
		case 4:
			t.Last = track.Stamp(v)
		case 5:
			if len(data) != len(t.Digest) {
				return fmt.Errorf("%w: digest of the trailer", ErrFormat)
			}
			copy(t.Digest[:], data)
		default:
			h.parseSpan(num, v)
		}
		return nil
	})
}
