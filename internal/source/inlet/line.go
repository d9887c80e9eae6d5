package inlet

import "strings"

// OneLine writes the controls in s, but for tabs, as rsyslog does: #012 for a
// newline. A line that holds one would be two.
func OneLine(s string) string {
	n := 0
	for i := range len(s) {
		if control(s[i]) {
			n++
		}
	}
	if n == 0 {
		return s
	}
	var b strings.Builder
	b.Grow(len(s) + 3*n)
	for i := range len(s) {
		if c := s[i]; control(c) {
			b.Write([]byte{'#', '0' + c>>6, '0' + c>>3&7, '0' + c&7})
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

func control(c byte) bool { return c < ' ' && c != '\t' || c == 0x7f }
