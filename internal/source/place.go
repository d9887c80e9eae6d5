package source

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/cespare/xxhash/v2"
)

// Sum knows the first bytes of a content again without keeping them.
type Sum struct {
	N    int    `json:"n"` // how many bytes
	Hash []byte `json:"h"`
}

// sumBytes is how much of a SHA-256 a Sum keeps: contents are chosen by strangers.
const sumBytes = 16

func sumOf(head []byte) Sum {
	h := sha256.Sum256(head)
	return Sum{N: len(head), Hash: h[:sumBytes]}
}

// is reports whether a content that begins with head is the one.
func (s Sum) is(head []byte) bool {
	if s.N == 0 || len(head) < s.N {
		return false
	}
	h := sha256.Sum256(head[:s.N])
	return bytes.Equal(h[:sumBytes], s.Hash)
}

// Mark is a line that was taken: reading goes on behind it.
type Mark struct {
	Start  int64  `json:"s"` // of its first byte in the uncompressed content
	End    int64  `json:"e"` // of the first byte behind its newline
	Number int64  `json:"l"`
	Sum    uint64 `json:"x,omitempty"` // of its text
}

// MarkOf is the mark of a line.
func MarkOf(l Line) Mark {
	return Mark{Start: l.Offset, End: l.End, Number: l.Number, Sum: xxhash.Sum64String(l.Text)}
}

// Place is where the reading of one generation of a log stood, for another
// process to go on there. The generation is known by its first bytes; inode and
// device only choose among copies.
type Place struct {
	// ID is for the one who keeps places; a Tail hands it back (Generation.ID).
	ID     string `json:"id"`
	Head   Sum    `json:"head"`
	From   int64  `json:"from,omitempty"` // of its first byte that is not zero
	Device uint64 `json:"dev,omitempty"`
	Inode  uint64 `json:"ino,omitempty"`
	At     Mark   `json:"at"`
	// Done is set when no more lines were to come.
	Done bool `json:"done,omitempty"`
}

// Checkpoint is what a Tail must know to go on in another process.
type Checkpoint struct {
	Places []Place `json:"places,omitempty"`
	// Past are contents beside the log that were read before or are not ours.
	Past []Sum `json:"past,omitempty"`
}

// Place is where reading stands when l was the last line taken of the generation.
func (g *Generation) Place(id string, m Mark) Place {
	p := Place{ID: id, Head: sumOf(g.head), From: g.from, At: m, Done: g.done}
	p.Device, p.Inode = inodeOf(g.info)
	return p
}

// ID is that of the Place from which the generation was resumed, "" for one
// that is read from its beginning.
func (g *Generation) ID() string { return g.resumed.ID }

// Begun reports whether anything of the generation was read, so that a Place of
// it can be found again.
func (g *Generation) Begun() bool { return len(g.head) > 0 }

// Past are the contents that the Tail knows and does not read.
func (t *Tail) Past() []Sum {
	out := append([]Sum(nil), t.sums...)
	for _, h := range t.past {
		out = append(out, sumOf(h))
	}
	return out[max(0, len(out)-maxPast):]
}

// Behind is how many bytes of the log wait to be taken, as far as files tell.
func (t *Tail) Behind() int64 {
	var n int64
	for _, g := range t.gens {
		if g.file == nil || g.stream != nil {
			continue
		}
		if info, err := g.file.Stat(); err == nil {
			n += max(0, info.Size()-g.lines.Offset())
		}
	}
	return n
}

// ResumeTail goes on in a log that another Tail was reading. It looks for each
// generation at the path and beside it, whatever rotation did meanwhile: renamed,
// copied, compressed. What was rotated in between is read whole. lost are the
// places whose content is gone, other than those that were done: lines may be
// lost with them. Errors are *Error.
func ResumeTail(path string, c Checkpoint) (t *Tail, lost []Place, err error) {
	return resumeTail(path, c, time.Now)
}

func resumeTail(path string, c Checkpoint, now func() time.Time) (t *Tail, lost []Place, err error) {
	t = &Tail{path: path, now: now}
	t.sums = append([]Sum(nil), c.Past...)
	places := c.Places
	// Rotation may be at work now: a name that moved between two looks is found by
	// the next one.
	for range resumeLooks {
		t.scan.again = false
		if places, err = t.takeUp(places); err != nil {
			return nil, nil, errors.Join(err, t.Close())
		}
		if len(places) == 0 || !t.scan.again && !t.restless() {
			break
		}
	}
	for _, p := range places {
		t.sums = append(t.sums, p.Head)
		if !p.Done {
			lost = append(lost, p)
		}
	}
	t.scan = scanState{}
	if t.current() == nil {
		if _, err := t.openCurrent(); err != nil {
			return nil, nil, errors.Join(err, t.Close())
		}
	}
	// Generations that came and went are older than the current one. What cannot be
	// read of them now is looked for again by Poll.
	if _, err := t.search(); err != nil {
		t.scan = scanState{}
	}
	return t, lost, nil
}

// resumeLooks bounds the looks for what was being read.
const resumeLooks = 20

// restless reports whether names beside the log were changing a moment ago.
func (t *Tail) restless() bool {
	info, err := os.Stat(filepath.Dir(t.place()))
	return err == nil && t.now().Sub(info.ModTime()).Abs() < settled
}

// takeUp opens what it finds of places and returns those that it did not find.
func (t *Tail) takeUp(places []Place) (missing []Place, err error) {
	found, err := t.candidates(places)
	if err != nil {
		return nil, err
	}
	used := make(map[*beside]bool)
	for _, p := range places {
		var best *beside
		score := 0
		for _, b := range found {
			if s := b.suits(t, p); s > score && !used[b] {
				best, score = b, s
			}
		}
		if best == nil {
			missing = append(missing, p)
			continue
		}
		g, err := t.resume(best, p)
		if err != nil {
			missing = append(missing, p)
			continue
		}
		used[best] = true
		t.takeIn(g, best.path == t.path)
	}
	for _, b := range found {
		if !used[b] {
			_ = b.file.Close() // it was only read
		}
	}
	return missing, nil
}

// takeIn puts a generation that was resumed among the others: older ones first,
// the current one last.
func (t *Tail) takeIn(g *Generation, current bool) {
	if current {
		t.gens = append(t.gens, g)
		return
	}
	g.retire(t.now(), false)
	at := len(t.gens)
	for at > 0 && (!t.gens[at-1].retired() || t.gens[at-1].ModTime.After(g.ModTime)) {
		at--
	}
	t.gens = append(t.gens, nil)
	copy(t.gens[at+1:], t.gens[at:])
	t.gens[at] = g
}

// candidates are the files at the path and beside it that begin like one of places.
func (t *Tail) candidates(places []Place) ([]*beside, error) {
	wanted := func(head []byte) bool {
		for _, p := range places {
			if p.Head.is(head) {
				return true
			}
		}
		return false
	}
	var out []*beside
	if t.current() == nil {
		b, err := t.open(t.path)
		switch {
		case errors.Is(err, fs.ErrPermission):
			return nil, Unreadable(t.path, err)
		case err != nil: // nothing is there, or nothing in it
		case b != nil && !b.packed && wanted(b.head):
			out = append(out, b)
		case b != nil:
			_ = b.file.Close() // it was only read
		}
	}
	err := t.each(t.place(), func(b *beside) bool {
		if !wanted(b.head) || b.packed && !b.complete() {
			return false
		}
		out = append(out, b)
		return true
	})
	if err != nil && errors.Is(err, fs.ErrNotExist) {
		err = nil // there is no directory: nothing is beside
	}
	return out, err
}

// suits says how well a file fits a place: 0 not at all.
func (b *beside) suits(t *Tail, p Place) int {
	if !p.Head.is(b.head) || p.From < 0 || p.At.Start < p.From || p.At.End < p.At.Start {
		return 0
	}
	if b.packed {
		return 1
	}
	if !b.holds(p) {
		return 0
	}
	dev, ino := inodeOf(b.info)
	switch {
	case b.path == t.path:
		return 4 // a copy beside it may be one that is about to be truncated
	case dev == p.Device && ino == p.Inode:
		return 3
	}
	return 2
}

// holds reports whether a file that is not compressed has the last line taken
// where it stood.
func (b *beside) holds(p Place) bool {
	n := p.At.End - p.At.Start
	if b.info.Size() < p.At.End || n < 0 {
		return false
	}
	if n == 0 || n > MaxLine {
		return true
	}
	buf := make([]byte, n)
	if _, err := b.file.ReadAt(buf, p.At.Start); err != nil || buf[n-1] != '\n' {
		return false
	}
	buf = bytes.TrimSuffix(buf[:n-1], []byte{'\r'})
	return p.At.Sum == 0 || xxhash.Sum64(buf) == p.At.Sum
}

// resume makes a generation of a file and sets it to a place in it.
func (t *Tail) resume(b *beside, p Place) (*Generation, error) {
	g, err := newGeneration(t.path, b.file)
	if err != nil {
		return nil, err
	}
	g.resumed, g.from, g.pos, g.head = p, p.From, p.At.End, b.head[:min(int64(len(b.head)), p.At.End-p.From)]
	g.lines.base, g.lines.number = p.At.End, p.At.Number
	if b.packed {
		f, err := b.content()
		if err != nil {
			return nil, err
		}
		if _, err := io.CopyN(io.Discard, reader{f}, g.pos); err != nil {
			return nil, errors.Join(err, f.Close())
		}
		g.stream, g.whole, g.head = f, true, b.head
		return g, nil
	}
	from := max(g.from, g.pos-headBytes)
	g.last = make([]byte, g.pos-from)
	if _, err := b.file.ReadAt(g.last, from); err != nil {
		return nil, err
	}
	return g, nil
}

// knows reports whether a content is one of those that an earlier Tail knew.
func (t *Tail) knows(head []byte) bool {
	for _, s := range t.sums {
		if s.is(head) {
			return true
		}
	}
	return false
}

// Generations are those that are open, older ones first.
func (t *Tail) Generations() []*Generation { return append([]*Generation(nil), t.gens...) }

// Resumed is the Place from which the generation was resumed; false for one
// that is read from its beginning.
func (g *Generation) Resumed() (Place, bool) { return g.resumed, g.resumed.Head.N > 0 }
