package maillog

// Bounds of the length of a queue id. The short form is microseconds and inode
// in hexadecimal, the long form seconds and microseconds in base 52, a "z",
// and the inode in base 51.
const (
	minShortID = 6
	maxID      = 32
	minLongID  = 12
	longIDMark = 10 // where the "z" stands
)

const (
	hexDigit  = 1 << iota // 0-9 A-F
	longDigit             // digits and consonants of both cases
)

var idClass = func() (t [256]byte) {
	for _, c := range []byte("0123456789ABCDEF") {
		t[c] |= hexDigit
	}
	for _, c := range []byte("0123456789BCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz") {
		t[c] |= longDigit
	}
	return t
}()

// cutID splits "QUEUEID: rest". Words that only look like an id are none:
// "NOQUEUE" and "warning" hold other letters, "connect" is too short and has
// vowels.
func cutID(s string) (id, rest string, ok bool) {
	i := idLen(s)
	if i == 0 || i+1 >= len(s) || s[i] != ':' || s[i+1] != ' ' {
		return "", s, false
	}
	return s[:i], s[i+2:], true
}

// isID reports whether all of s is a queue id.
func isID(s string) bool { return s != "" && idLen(s) == len(s) }

// idLen returns the length of the queue id that s begins with, 0 for none.
func idLen(s string) int {
	class := byte(hexDigit | longDigit)
	i := 0
	for i < len(s) && i <= maxID {
		k := class & idClass[s[i]]
		if k == 0 {
			break
		}
		class = k
		i++
	}
	switch {
	case i > maxID || i < minShortID:
		return 0
	case class&hexDigit != 0:
		return i
	case i >= minLongID && s[longIDMark] == 'z':
		return i
	}
	return 0
}
