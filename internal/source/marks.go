package source

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"strconv"

	"github.com/cespare/xxhash/v2"
)

// strongLines is for how many lines of a piece, from its first, the marks keep
// strongBits of each line's hash. Of the lines behind they keep one byte.
//
// One byte of every line, rather than a sparse choice of strong hashes: it
// costs about the same, but every line of an overlap is compared instead of
// some of them, the place of an overlap is exact to the line, and finding a
// head in a piece is a plain search in a byte string, for which the machine
// has instructions. Where single lines must be told apart (short pieces, the
// heads of long ones) the strong part does it.
const (
	strongLines = 16 << 10
	strongBits  = 40
	strongMask  = 1<<strongBits - 1
)

// Marks are what is kept of a piece's lines to find them again in another
// piece. The zero Marks are those of an empty piece. They never change.
type Marks struct {
	low  []byte // of each line the lowest byte of its hash
	high []byte // of each of the first strongLines lines the next four
}

// Lines is the number of lines that the marks cover.
func (m Marks) Lines() int64 { return int64(len(m.low)) }

// has reports whether line i (from 0) may have the given hash.
func (m Marks) has(i int, hash uint64) bool {
	return m.low[i] == byte(hash) &&
		(i*4 >= len(m.high) || binary.LittleEndian.Uint32(m.high[i*4:]) == uint32(hash>>8))
}

// strong returns strongBits of the hash of line i, which must be among the
// first strongLines.
func (m Marks) strong(i int) uint64 {
	return uint64(binary.LittleEndian.Uint32(m.high[i*4:]))<<8 | uint64(m.low[i])
}

const marksVersion = 1

var errMarks = errors.New("marks of a log piece are damaged")

// Encode returns the marks in the form that DecodeMarks reads.
func (m Marks) Encode() []byte { return m.EncodeFrom(0) }

// EncodeFrom returns the marks of the lines behind the first n. Appended to
// the encoded marks of those it gives the encoded marks of all, so that a
// piece which is taken in steps needs no marks twice.
func (m Marks) EncodeFrom(n int64) []byte {
	n = min(n, m.Lines())
	low, high := m.low[n:], m.high[min(int(n)*4, len(m.high)):]
	b := make([]byte, 0, len(low)+len(high)+21)
	b = append(b, marksVersion)
	b = binary.AppendUvarint(b, uint64(n))
	b = binary.AppendUvarint(b, uint64(len(low)))
	return append(append(b, low...), high...)
}

// DecodeMarks reads what Encode wrote, with any number of EncodeFrom behind
// it. No bytes are the marks of an empty piece.
func DecodeMarks(b []byte) (Marks, error) {
	var m Marks
	for len(b) > 0 {
		if b[0] != marksVersion {
			return Marks{}, errMarks
		}
		first, k := binary.Uvarint(b[1:])
		if k <= 0 || first != uint64(len(m.low)) {
			return Marks{}, errMarks
		}
		b = b[1+k:]
		count, k := binary.Uvarint(b)
		if k <= 0 || count > uint64(len(b)-k) {
			return Marks{}, errMarks
		}
		b = b[k:]
		m.low = append(m.low, b[:count]...)
		b = b[count:]
		n := min(len(m.low), strongLines)*4 - len(m.high)
		if n > len(b) {
			return Marks{}, errMarks
		}
		m.high = append(m.high, b[:n]...)
		b = b[n:]
	}
	return m, nil
}

// Marker makes the marks of a piece line by line. The zero Marker is that of
// an empty piece.
type Marker struct{ m Marks }

// ResumeMarker returns a Marker that goes on behind the lines of m.
func ResumeMarker(m Marks) *Marker {
	// Appending must not write into what others read.
	return &Marker{Marks{m.low[:len(m.low):len(m.low)], m.high[:len(m.high):len(m.high)]}}
}

// Add takes the next line, as Line.Text has it.
func (k *Marker) Add(line string) { k.add(xxhash.Sum64String(line)) }

func (k *Marker) add(hash uint64) {
	if len(k.m.low) < strongLines {
		k.m.high = binary.LittleEndian.AppendUint32(k.m.high, uint32(hash>>8))
	}
	k.m.low = append(k.m.low, byte(hash))
}

// Marks returns the marks of the lines so far.
func (k *Marker) Marks() Marks {
	return Marks{k.m.low[:len(k.m.low):len(k.m.low)], k.m.high[:len(k.m.high):len(k.m.high)]}
}

// PieceID names a piece by its first line. Two logs of a gateway may begin
// with the same line and go on differently: the marks tell that they are two,
// and the second gets the first free name of a row, ID-2, ID-3. taken may be
// nil.
func PieceID(first string, taken func(id string) bool) string {
	sum := sha256.Sum256([]byte(first))
	id := hex.EncodeToString(sum[:8])
	if taken == nil || !taken(id) {
		return id
	}
	for n := 2; ; n++ {
		if next := id + "-" + strconv.Itoa(n); !taken(next) {
			return next
		}
	}
}
