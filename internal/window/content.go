package window

import (
	"fmt"
	"strconv"

	"waybill/internal/track"
)

// The version of the format that this package writes. A reader accepts every
// minor version of its major one.
const (
	Major = 1
	Minor = 0
)

// Header says what a tracking file is about. Create writes it first; what is
// known only at the end (Interval, FromByte and ToByte) is written again in the trailer and
// replaces it.
type Header struct {
	Major, Minor uint32 // version of the format; set by Create
	Gateway      string
	Serial       string
	Imported     bool   // made from a log by import, else live
	Epoch        uint64 // live: changes when a gateway starts without its state
	Sequence     uint64 // live: number of the window in its epoch
	// Interval is what the window covers. Of an imported window that has none when
	// it is sealed it becomes the span of its content.
	Interval track.Interval
	Previous []byte // live: digest of the previous window, empty for the first of an epoch
	Software string // name and version of the writer

	Fingerprint string // imported: fingerprint of the source's content
	FromByte    int64  // imported: byte range of the source's content
	ToByte      int64
}

// Identity names a window for good: no two have the same, and a copy has the
// same as its original. Of an imported window it is known when the file has
// been read to its end.
func Identity(h Header) string {
	if h.Imported {
		return fmt.Sprintf("%s/%s/%d-%d", h.Gateway, h.Fingerprint, h.FromByte, h.ToByte)
	}
	return h.Serial + "/" + strconv.FormatUint(h.Epoch, 10) + "/" + strconv.FormatUint(h.Sequence, 10)
}

// Source is a part of a piece of log, or of another origin of lines: what this
// window took of it. Parts that meet (To of one is From of the next) make the
// piece; their Marks are put one behind the other.
type Source struct {
	ID      string      // fingerprint of the content's beginning; with Gateway the identity
	Gateway string      //
	Name    string      // path as it was given, for people
	From    int64       // byte range [From, To) of the uncompressed content
	To      int64       //
	Lines   int64       // number of the last line in the range
	First   track.Stamp // smallest and largest time of a line
	Last    track.Stamp //
	Silence int64       // longest time between two lines, microseconds
	Marks   []byte      // opaque: lets later imports find overlaps
	State   []byte      // opaque: the parser's state at To
	Parsed  int64       // lines that became events
	Ignored int64       // lines passed over on purpose
	Unknown int64       // lines that no dialect knew
	Samples []string    // some of the unknown lines
	Waiting int64       // bytes of an unfinished last line, not taken

	Watched  []track.Interval // live: when the source was watched
	Dropped  int64            // lines that were lost on the way to us
	Volatile bool             // cannot be read again (a UDP listener)
}

// Trailer closes a tracking file. Digest is the SHA-256 of all bytes before the
// trailer's frame.
type Trailer struct {
	Counts [256]uint64 // events by Kind
	Events uint64
	First  track.Stamp // smallest and largest time of an event, 0 when there is none
	Last   track.Stamp
	Digest [32]byte
}

// count takes an event into the trailer.
func (t *Trailer) count(e *track.Event) {
	t.Counts[e.Kind]++
	t.Events++
	if e.Time != 0 {
		if t.First == 0 || e.Time < t.First {
			t.First = e.Time
		}
		if e.Time > t.Last || t.Last == 0 {
			t.Last = e.Time
		}
	}
}
