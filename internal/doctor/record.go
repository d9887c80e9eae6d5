package doctor

import "slices"

// record is a line that matters, in 20 bytes: a gigabyte of log has millions.
type record struct {
	at   uint32 // stamp, local time as if it were UTC
	from uint32 // window, 0 is none
	line uint32 // number of the line, from 1
	len  uint16 // of the window, in seconds
	host uint16 // gateway, index into names
	addr uint16 // who logged in, index into names; 0 is unknown
	what what
	// plain: the name that the line has is that of a file without compression.
	plain bool
}

func (r *record) win() span { return span{r.from, uint32(r.len)} }

// records are those of one file, in its order, in pieces: what grows by copying
// needs its memory twice.
type records struct {
	pieces [][]record
	n      int
}

const pieceLen = 1 << 14

func (rs *records) add(r record) {
	if rs.n%pieceLen == 0 {
		size := pieceLen
		if rs.n == 0 {
			size = 64 // most files are small
		}
		rs.pieces = append(rs.pieces, make([]record, 0, size))
	}
	last := &rs.pieces[len(rs.pieces)-1]
	*last = append(*last, r)
	rs.n++
}

// clip gives back what was set aside for more.
func (rs *records) clip() {
	if n := len(rs.pieces); n > 0 {
		rs.pieces[n-1] = slices.Clip(slices.Clone(rs.pieces[n-1]))
	}
}

func (rs *records) at(i int) *record { return &rs.pieces[i/pieceLen][i%pieceLen] }

// all yields the records in their order.
func (rs *records) all(yield func(i int, r *record) bool) {
	for p := range rs.pieces {
		for i := range rs.pieces[p] {
			if !yield(p*pieceLen+i, &rs.pieces[p][i]) {
				return
			}
		}
	}
}

// names numbers texts that come again and again.
type names struct {
	byText map[string]uint16
	texts  []string
}

func newNames() *names { return &names{byText: map[string]uint16{"": 0}, texts: []string{""}} }

// maxNames bounds the gateways and addresses: logs of more are no logs of one
// site.
const maxNames = 60_000

// of numbers a text; 0 when there are too many, or it is too long.
func (n *names) of(s string) uint16 {
	if i, ok := n.byText[s]; ok {
		return i
	}
	if len(n.texts) >= maxNames || len(s) > 200 {
		return 0
	}
	s = string([]byte(s))
	i := uint16(len(n.texts))
	n.byText[s] = i
	n.texts = append(n.texts, s)
	return i
}
