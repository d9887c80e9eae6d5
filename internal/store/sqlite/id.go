package sqlite

import (
	"strings"

	"github.com/cespare/xxhash/v2"

	"waybill/internal/store"
	"waybill/internal/track"
)

// A row is found by its day and its id in the day's file. The id is the time
// in milliseconds since the day began and a sequence number: unique, and in
// the order of time.
type rowKey struct {
	day int
	row int64
}

const (
	seqBits  = 22
	seqMask  = 1<<seqBits - 1
	msBits   = 27 // a day has less than 1<<27 milliseconds
	dayBits  = 17 // until the year 2328
	lastDay  = 1<<dayBits - 1
	dayMilli = 24 * 60 * 60 * 1000
)

// dayOf is the day file that a message with this first event belongs to. Times
// that no calendar of ours has go into the first or the last one.
func dayOf(t track.Stamp) int {
	return int(min(max(t, 0)/track.Day, lastDay))
}

// milliOf is the time within the day, in milliseconds.
func milliOf(t track.Stamp) int64 {
	return int64(min(max(t-track.Stamp(dayOf(t))*track.Day, 0)/1000, dayMilli-1))
}

// baseOf is the time that a row's key tells.
func baseOf(k rowKey) track.Stamp {
	return track.Stamp(k.day)*track.Day + track.Stamp(k.row>>seqBits)*1000
}

// Public ids are a row key and nine bits to tell typing errors, as fifteen
// digits of Crockford's base 32: no case, no characters that look alike, and
// in the order of time as text. The first three digits are the upper bits of
// the day, the other twelve are its last two bits, the row and the check.
const (
	idDigits  = "0123456789abcdefghjkmnpqrstvwxyz"
	idLength  = 15
	headLen   = 3
	checkBits = 9
	rowBits   = msBits + seqBits
	dayLow    = 60 - rowBits - checkBits // bits of the day in the last twelve digits
)

// publicID returns the id that people see.
func publicID(k rowKey) string {
	var b [idLength]byte
	putDigits(b[:headLen], uint64(k.day)>>dayLow)
	putDigits(b[headLen:], uint64(k.day)&(1<<dayLow-1)<<(rowBits+checkBits)|uint64(k.row)<<checkBits|check(k))
	return string(b[:])
}

// parseID reads what publicID wrote. Anything else is store.ErrNotFound: the
// store never gave it out.
func parseID(id string) (rowKey, error) {
	if len(id) != idLength {
		return rowKey{}, store.ErrNotFound
	}
	head, ok1 := digits(id[:headLen])
	tail, ok2 := digits(id[headLen:])
	k := rowKey{
		day: int(head<<dayLow | tail>>(rowBits+checkBits)),
		row: int64(tail >> checkBits & (1<<rowBits - 1)),
	}
	if !ok1 || !ok2 || k.day > lastDay || tail&(1<<checkBits-1) != check(k) {
		return rowKey{}, store.ErrNotFound
	}
	return k, nil
}

func putDigits(b []byte, v uint64) {
	for i := len(b) - 1; i >= 0; i-- {
		b[i] = idDigits[v&31]
		v >>= 5
	}
}

// digits reads digits as people type them: any case, o for 0, i and l for 1.
func digits(s string) (v uint64, ok bool) {
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c >= 'A' && c <= 'Z' {
			c += 'a' - 'A'
		}
		switch c {
		case 'o':
			c = '0'
		case 'i', 'l':
			c = '1'
		}
		d := strings.IndexByte(idDigits, c)
		if d < 0 {
			return 0, false
		}
		v = v<<5 | uint64(d)
	}
	return v, true
}

func check(k rowKey) uint64 {
	var b [16]byte
	putDigits(b[:4], uint64(k.day))
	putDigits(b[4:], uint64(k.row))
	return xxhash.Sum64(b[:]) >> (64 - checkBits)
}
