package window

import (
	"bytes"
	"fmt"
)

// Link says how one live window of a gateway follows another.
type Link uint8

// What two windows can be to each other.
const (
	LinkNext     Link = iota // the one right after, unaltered
	LinkMissing              // windows between the two are missing
	LinkSame                 // the same window again
	LinkConflict             // the same identity with other content
	LinkAltered              // the one right after, but it followed another content
	LinkBefore               // an earlier window of the same epoch
	LinkEpoch                // another epoch: the gateway started without its state
	LinkOther                // of another gateway, or not live: no chain
)

var linkNames = [...]string{"next", "missing", "same", "conflict", "altered", "before", "epoch", "other"}

func (l Link) String() string {
	if int(l) < len(linkNames) {
		return linkNames[l]
	}
	return fmt.Sprintf("link %d", uint8(l))
}

// Chained is what the chain needs to know of a window.
type Chained struct {
	Header Header
	Digest [32]byte // of its content
}

// Follow says how b follows a in the chain of their gateway, and how many
// windows are missing between them.
func Follow(a, b Chained) (Link, uint64) {
	switch {
	case a.Header.Imported || b.Header.Imported || a.Header.Serial != b.Header.Serial:
		return LinkOther, 0
	case a.Header.Epoch != b.Header.Epoch:
		return LinkEpoch, 0
	case b.Header.Sequence < a.Header.Sequence:
		return LinkBefore, 0
	case b.Header.Sequence == a.Header.Sequence:
		if a.Digest == b.Digest {
			return LinkSame, 0
		}
		return LinkConflict, 0
	case b.Header.Sequence > a.Header.Sequence+1:
		return LinkMissing, b.Header.Sequence - a.Header.Sequence - 1
	case !bytes.Equal(b.Header.Previous, a.Digest[:]):
		return LinkAltered, 0
	}
	return LinkNext, 0
}
