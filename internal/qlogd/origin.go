package qlogd

import (
	"time"

	"waybill/internal/source"
)

// Origin is where lines of a gateway come from. All methods but Name and
// Volatile are called by one goroutine at a time, and none may wait: what is
// not there yet is asked for again, every PollEvery. An Origin that receives
// lines by itself gathers them in a buffer with a bound of its own and counts
// what it has to drop; Queue does that.
//
// To adapt a source: name its contents as Pieces, number the lines of each from
// 1 without a gap, and let Save write down whatever Open needs to deliver the
// line behind each Position, and all that nobody has taken yet.
type Origin interface {
	// Name is how the configuration names the origin. It is the key under which
	// its position is kept: unique in a gateway and the same after a restart.
	Name() string
	// Volatile reports that lines cannot be read again.
	Volatile() bool
	// Open begins, with saved nil at the very first start, or goes on behind what
	// Save wrote. It may be called again, with an older saved, after Close; a
	// volatile origin that is open stays as it is. An origin that cannot be read
	// now is no error: Logs says so, and Poll tries again.
	Open(saved []byte) error
	// Poll hands over the lines that are there. A line that was given to take
	// counts as taken, whatever take returns; its error ends Poll and is returned
	// as it is. What is wrong with a source is told by Logs, not returned.
	Poll(take func(*Piece, Line) error) error
	// Save returns what Open needs to go on behind the given lines: the last one
	// taken of each piece. Pieces of which nothing was taken are not among them.
	Save([]Position) []byte
	// Logs tells how it stands with each of its logs.
	Logs() []LogStatus
	Close() error
}

// Piece is one content that lines come from: a generation of a file, a journal,
// a listener. An Origin uses one pointer for one piece.
type Piece struct {
	// Log is what the piece is a part of. Lines of one log go on from each other,
	// whichever of its pieces they stand in, and are read by one parser.
	Log string
	// ID names the content for good. When it is "", qlogd fills it in with a
	// fingerprint of the first line; Save should keep it.
	ID   string
	Name string // path, for people
	Done bool   // no line of it will come any more
	Ref  any    // for the Origin
}

// Line is a line and what finds it again. Where there are no bytes to count,
// Offset and End count those of the texts.
type Line struct {
	source.Line
	Cursor string // of an origin that has such a thing; "" else
}

// Position is the last line that was taken of a piece.
type Position struct {
	Piece  *Piece
	At     source.Mark
	Cursor string
}

// LogStatus is how it stands with one log of an origin.
type LogStatus struct {
	Log     string
	Watched bool  // it is being read: a line that is written now will be seen
	Err     error // why not; a *source.Error where a command mends it
	Behind  int64 // bytes that wait to be taken
	Dropped int64 // lines that were lost on the way, since the start
}

// Source is an origin and how its lines are to be read.
type Source struct {
	Origin
	Location *time.Location // zone of stamps that name none; nil is UTC
	Format   string         // a dialect's name; "" or maillog.Auto looks at each line
}
