package maillog

import (
	"encoding/binary"
	"errors"

	"waybill/internal/track"
)

// errHeaderState is returned for a state that State did not make.
var errHeaderState = errors.New("header state is damaged")

const headerState = 1 // version

// State returns what must be known to go on with the next line in another
// process: the last time, from which year and side of an hour that occurs
// twice follow.
func (h *Headers) State() []byte {
	return binary.AppendVarint([]byte{headerState}, int64(h.cal.last))
}

// Resume sets the state. An empty state is that of new Headers.
func (h *Headers) Resume(b []byte) error {
	h.forget()
	if len(b) == 0 {
		h.cal.last = 0
		return nil
	}
	if b[0] != headerState {
		return errHeaderState
	}
	last, n := binary.Varint(b[1:])
	if n <= 0 || 1+n != len(b) {
		return errHeaderState
	}
	h.cal.last = track.Stamp(last)
	return nil
}
