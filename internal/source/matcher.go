package source

import (
	"bytes"

	"github.com/cespare/xxhash/v2"
)

// Known is a piece of a log that was taken before.
type Known struct {
	ID    string
	Marks Marks
}

// Item is a line with what is known of it.
type Item struct {
	Line
	// Known is the ID of a piece that has this line, "" for a new one, and At
	// the number of the line there, from 1.
	Known string
	At    int64
}

// Matcher tells the lines of a piece that are new from those that were taken
// with a piece before, in the order of the lines.
//
// Where two pieces of one log overlap, the overlap begins with the first line
// of one of them. So there are two places to look: the head of the new piece
// may stand anywhere in a known one, and the head of a known one anywhere in
// the new piece. From there on both are compared line by line until one ends
// or they differ. Several known pieces may be followed at once.
//
// A head counts when it shows enough (see evidence). With less there is an
// overlap only
//   - when both pieces begin with the same lines until one of them ends: the
//     log grew, or is a copy of its beginning;
//   - when a short piece stands in the other as a whole, and no flood of its
//     lines goes on there;
//   - when a few lines at an end of the new piece lie across the border of two
//     known pieces of one log, be it a single line that the log does not repeat
//     thereabouts.
//
// What remains cannot be told from content: above all a piece that is one
// flood of the same lines. It is taken as new, because a line that is there
// twice can be found and one that is lost cannot. So is a piece of less than a
// dozen lines that was cut from far behind the head of a long one.
//
// The caller may leave out known pieces whose time does not meet that of the
// new one.
type Matcher struct {
	lines  interface{ Next() (Line, bool) }
	known  []head
	first  map[uint64][]int // strong hash of a known piece's first line to its index
	filter [1 << 10]uint64  // bits of those hashes, to pass most lines without the map
	marker Marker

	ring    []pending // lines read ahead; its length is a power of two
	from    int       // counts lines yielded
	to      int       // counts lines read
	ended   bool
	follows []follow
	joined  bool // the line before was known
	grown   int  // index into known, -1 for none
}

// head is a known piece and how many of its lines prove an overlap; 0 is none.
type head struct {
	Known
	proof  int
	period int  // of a short piece without proof, see period
	met    bool // it was found: it is not in the new piece twice
}

type pending struct {
	line Line
	hash uint64
}

// follow is a known piece that the new one runs along with.
type follow struct {
	piece  int
	at     int  // line of the piece, from 0, that must come next
	prefix bool // both began together
}

// NewMatcher returns a Matcher over lines for the known pieces of the same
// gateway. Without known pieces it does not read ahead.
func NewMatcher(lines interface{ Next() (Line, bool) }, known []Known) *Matcher {
	m := &Matcher{lines: lines, first: make(map[uint64][]int), grown: -1}
	for _, k := range known {
		if len(k.Marks.low) == 0 {
			continue
		}
		h := head{Known: k}
		begin := make([]uint64, min(len(k.Marks.low), lookAhead))
		for i := range begin {
			begin[i] = k.Marks.strong(i)
		}
		h.proof = evidence(begin)
		if h.proof == 0 && len(begin) <= maxShort {
			h.period = period(begin)
		}
		m.first[begin[0]] = append(m.first[begin[0]], len(m.known))
		*m.bit(begin[0]) |= 1 << (begin[0] & 63)
		m.known = append(m.known, h)
	}
	if len(m.known) > 0 {
		m.ring = make([]pending, ringSize)
	}
	return m
}

// bit is the word of the filter that tells of a hash.
func (m *Matcher) bit(hash uint64) *uint64 { return &m.filter[hash>>6&(1<<10-1)] }

// Next returns the next line; false at the end of the lines.
func (m *Matcher) Next() (Item, bool) {
	if m.ring == nil {
		line, ok := m.lines.Next()
		if ok {
			m.marker.Add(line.Text)
			m.from++
		}
		return Item{Line: line}, ok
	}
	if m.to-m.from < lookAhead/2 {
		m.readAhead()
	}
	if m.from == m.to {
		return Item{}, false
	}
	if m.from == 0 {
		m.begin()
	}
	p := *m.peek(0)
	if m.from > 0 && *m.bit(p.hash)>>(p.hash&63)&1 != 0 {
		m.meet(p.hash & strongMask)
	}
	item := Item{Line: p.line}
	live := m.follows[:0]
	for _, f := range m.follows {
		k := &m.known[f.piece]
		if !k.Marks.has(f.at, p.hash) {
			continue // not the same log from here on
		}
		f.at++
		item.Known, item.At = k.ID, int64(f.at)
		if f.at < len(k.Marks.low) {
			live = append(live, f)
		} else if f.prefix {
			m.grown = f.piece
		}
	}
	m.follows, m.joined = live, item.Known != ""
	m.marker.add(p.hash)
	m.from++
	return item, true
}

// Grown names the known piece that this one begins with as a whole, "" for
// none; of several it is the longest. It is settled when the first new line
// comes. When that line follows the piece's last one (Number is the piece's
// number of lines and one), the log has grown, and the parser goes on with the
// state that it had at the piece's end.
func (m *Matcher) Grown() string {
	if m.grown < 0 {
		return ""
	}
	return m.known[m.grown].ID
}

// Marks are those of the lines that Next has returned, and of those behind.
func (m *Matcher) Marks() Marks { return m.marker.Marks() }

// Extend takes a line that was written behind the last one that Next returned.
// It is new: nobody can have taken it before.
func (m *Matcher) Extend(line string) { m.marker.Add(line) }

// readAhead fills the ring. It is called for many lines at once: one by one
// costs more.
func (m *Matcher) readAhead() {
	for !m.ended && m.to-m.from < lookAhead {
		line, ok := m.lines.Next()
		if !ok {
			m.ended = true
			return
		}
		p := &m.ring[m.to&(len(m.ring)-1)]
		p.line, p.hash = line, xxhash.Sum64String(line.Text)
		m.to++
	}
}

// peek returns the line that comes i lines behind the next one; a negative i
// is a line that was yielded.
func (m *Matcher) peek(i int) *pending { return &m.ring[(m.from+i)&(len(m.ring)-1)] }

// ahead returns the hashes of the next n lines.
func (m *Matcher) ahead(n int) []uint64 {
	out := make([]uint64, n)
	for i := range out {
		out[i] = m.peek(i).hash
	}
	return out
}

// begin finds the known pieces in which the new one's head stands.
func (m *Matcher) begin() {
	n := m.to
	lines := m.ahead(n)
	for _, i := range m.first[lines[0]&strongMask] {
		if k := &m.known[i]; m.same(k, 0, 0, min(n, len(k.Marks.low))) {
			m.follow(i, 0, true)
		}
	}
	m.bridge(lines)
	proof := evidence(lines)
	short := 0 // the period of a short piece without proof
	if proof == 0 {
		if !m.ended || n > maxShort {
			return
		}
		proof, short = n, period(lines)
		if 2*short <= n {
			return
		}
	}
	pattern := make([]byte, proof)
	for i := range pattern {
		pattern[i] = byte(lines[i])
	}
	for i := range m.known {
		k := &m.known[i]
		for at := 0; ; at++ {
			next := bytes.Index(k.Marks.low[at:], pattern)
			if next < 0 {
				break
			}
			at += next
			if m.following(i, at) || !m.same(k, at, 0, proof) {
				continue
			}
			if short == 0 || m.shortIn(k, at, proof, short) {
				m.follow(i, at, at == 0)
				break // twice in a piece: either will do
			}
		}
	}
}

// bridge finds the end of a known piece before the beginning of another, when
// the new piece begins with less of that end than would prove an overlap: both
// together are one.
func (m *Matcher) bridge(lines []uint64) {
	for n := 1; n < min(len(lines), maxShort); n++ {
		next := false
		for _, i := range m.first[lines[n]&strongMask] {
			k := &m.known[i]
			next = next || k.proof > 0 && k.proof <= len(lines)-n && m.same(k, 0, n, k.proof)
		}
		if !next {
			continue
		}
		few := differing(lines[:n])
		for i := range m.known {
			k := &m.known[i]
			at := len(k.Marks.low) - n
			if few < minJoined && (few < n || at+n > strongLines || k.mentions(lines[:n], at-maxShort, at)) {
				continue
			}
			if at > 0 && m.same(k, at, 0, n) && !m.following(i, at) {
				m.follow(i, at, false)
			}
		}
	}
}

// mentions reports whether one of a few lines stands in k between two lines.
func (k *head) mentions(lines []uint64, from, to int) bool {
	for at := max(0, from); at < to; at++ {
		for _, h := range lines {
			if k.Marks.has(at, h) {
				return true
			}
		}
	}
	return false
}

// peculiar reports whether the next n lines, the last of the piece, are no part
// of a flood: they are many, or were not seen shortly before.
func (m *Matcher) peculiar(n int) bool {
	lines := m.ahead(n)
	if few := differing(lines); few >= minJoined || few < n {
		return few >= minJoined
	}
	for i := 1; i <= min(m.from, maxShort); i++ {
		if among(lines, m.peek(-i).hash) {
			return false
		}
	}
	return true
}

// follow begins to compare with a known piece from its line at on.
func (m *Matcher) follow(piece, at int, prefix bool) {
	m.known[piece].met = true
	m.follows = append(m.follows, follow{piece, at, prefix})
}

// following reports whether piece is followed from line at on.
func (m *Matcher) following(piece, at int) bool {
	for _, f := range m.follows {
		if f.piece == piece && f.at == at {
			return true
		}
	}
	return false
}

// same reports whether n lines of k from line at are the next n lines but skip.
func (m *Matcher) same(k *head, at, skip, n int) bool {
	for i := range n {
		if !k.Marks.has(at+i, m.peek(skip+i).hash) {
			return false
		}
	}
	return true
}

// shortIn reports whether the whole new piece of n lines, which was found in k
// at line at, is to be taken as those lines: not when its pattern goes on
// there, for then it is a flood of which the new piece may be another part.
func (m *Matcher) shortIn(k *head, at, n, period int) bool {
	const weak = 12 // so many single bytes are not equal by chance
	step := 1
	if at+n > strongLines {
		if n < weak {
			return false
		}
		step = period // a single line says little there
	}
	before := at >= step && m.same(k, at-step, period-step, step)
	behind := at+n+step <= len(k.Marks.low) && m.same(k, at+n, n-period, step)
	return !before && !behind
}

// meet finds the known pieces that begin with the next line.
func (m *Matcher) meet(first uint64) {
	m.readAhead()
	for _, i := range m.first[first] {
		k := &m.known[i]
		whole, rest := len(k.Marks.low), m.to-m.from
		n := k.proof
		if n == 0 {
			n = whole
		}
		switch {
		case k.met:
		case n > rest:
			// Less is left than would prove it. Where the lines before are
			// known too, this is the next piece of the same log.
			if m.joined && rest <= maxShort && m.same(k, 0, 0, rest) && m.peculiar(rest) {
				m.follow(i, 0, false)
			}
		case k.proof > 0:
			if m.same(k, 0, 0, n) {
				m.follow(i, 0, false)
			}
		case k.period > 0 && 2*k.period > n && m.same(k, 0, 0, n):
			// As in shortIn, with the places changed.
			before := k.Marks.has(k.period-1, m.peek(-1).hash)
			behind := rest > n && k.Marks.has(n-k.period, m.peek(n).hash)
			if !before && !behind {
				m.follow(i, 0, false)
			}
		}
	}
}
