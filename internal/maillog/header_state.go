package maillog

import (
	"encoding/binary"
	"errors"
	"maps"
	"slices"
	"strings"

	"waybill/internal/track"
)

// errHeaderState is returned for a state that State did not make.
var errHeaderState = errors.New("header state is damaged")

// Versions of a state: with the last time alone, and with the zones of
// appliances behind it.
const (
	headerState  = 1
	headerStateZ = 2
)

// State returns what must be known to go on with the next line in another
// process: the last time, from which year and side of an hour that occurs
// twice follow, and the zones that appliances have stated.
func (h *Headers) State() []byte {
	b := binary.AppendVarint([]byte{headerState}, int64(h.cal.last))
	for _, host := range slices.Sorted(maps.Keys(h.zones)) {
		z := h.zones[host]
		if !z.stated {
			continue
		}
		b[0] = headerStateZ
		b = binary.AppendUvarint(b, uint64(len(host)))
		b = append(b, host...)
		b = binary.AppendVarint(b, int64(z.offset))
		b = binary.AppendVarint(b, int64(z.head))
		changed := byte(0)
		if z.changed {
			changed = 1
		}
		b = append(b, changed)
	}
	return b
}

// Resume sets the state. An empty state is that of new Headers.
func (h *Headers) Resume(b []byte) error {
	h.forget()
	h.zones = nil
	if len(b) == 0 {
		h.cal.last = 0
		return nil
	}
	version := b[0]
	last, n := binary.Varint(b[1:])
	b = b[1:]
	if version != headerState && version != headerStateZ || n <= 0 || (version == headerState) != (n == len(b)) {
		return errHeaderState
	}
	h.cal.last = track.Stamp(last)
	for b = b[n:]; len(b) > 0; {
		var ok bool
		if b, ok = h.resumeZone(b); !ok {
			return errHeaderState
		}
	}
	return nil
}

// TimeBehind returns the time of a line of which it is not known yet whether it
// follows the one at which state, of a Parser, was taken: where it does, the
// zone of its stamps may have been told before. 0 is unknown.
func TimeBehind(state []byte, line string, o HeaderOptions) track.Stamp {
	s, err := readState(state)
	if err != nil {
		return 0
	}
	h := NewHeaders(o)
	if err := h.Resume(s.Headers); err != nil {
		return 0
	}
	var out Header
	if !h.Parse(line, &out) {
		return 0
	}
	return out.Time
}

func (h *Headers) resumeZone(b []byte) (rest []byte, ok bool) {
	size, n := binary.Uvarint(b)
	if n <= 0 || size > uint64(len(b)-n) {
		return nil, false
	}
	host := string(b[n : n+int(size)])
	b = b[n+int(size):]
	offset, n := binary.Varint(b)
	if n <= 0 {
		return nil, false
	}
	b = b[n:]
	head, n := binary.Varint(b)
	if n <= 0 || n == len(b) {
		return nil, false
	}
	z := h.appliance(strings.ToValidUTF8(host, "\uFFFD"))
	if z == nil {
		return nil, false
	}
	*z = asyncZone{stated: true, offset: track.Stamp(offset), head: track.Stamp(head), changed: b[n] == 1}
	h.judge(z)
	return b[n+1:], true
}
