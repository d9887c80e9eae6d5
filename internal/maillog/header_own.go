package maillog

import (
	"strings"

	"waybill/internal/track"
)

// This file reads the headers of logs that a server writes itself, without
// syslog: they name neither host nor program.
//
//	2026-11-21 20:37:12 [11271] 1xUrpg-0002vn-2z <= ...          Exim
//	2026-11-21 20:37:12.105 +0100 1xUrpg-0002vn-2z <= ...

// ownStamp is the stamp of such a line as last read.
type ownStamp struct {
	second [19]byte // "2026-11-21 20:37:12"
	time   track.Stamp
	guess  bool
	wall   track.Stamp // as if it were UTC

	day     [11]byte // "2026-11-21 ", when no clock change is near
	dayBase track.Stamp
	dayWall track.Stamp
}

// keep fills in the caches from a stamp that was read the slow way.
func (o *ownStamp) keep(cal *calendar, c clock, text string, t track.Stamp, guess bool) {
	*o = ownStamp{}
	if c.fixed || len(text) < 19 {
		return
	}
	copy(o.second[:], text)
	o.time, o.guess, o.wall = t-track.Stamp(c.micro), guess, c.wall(c.year)-track.Stamp(c.micro)
	if base, ok := cal.plainDay(c, c.year); ok {
		copy(o.day[:], text)
		o.dayBase, o.dayWall = base, track.Stamp(days(c.year, c.month, c.day))*track.Day
	}
}

// quickOwn reads "stamp [pid] body" and "stamp id body" of a day that was seen.
func (h *Headers) quickOwn(line string, out *Header) bool {
	o := &h.own
	if line[:19] != string(o.second[:]) {
		if line[:11] != string(o.day[:]) {
			return false
		}
		sec, ok := clockSeconds(line[11:19])
		if !ok {
			return false
		}
		copy(o.second[:], line)
		o.time, o.wall = o.dayBase+track.Stamp(sec)*1e6, o.dayWall+track.Stamp(sec)*1e6
		o.guess = h.cal.future(o.time)
	}
	t, guess, at := o.time, o.guess, 19
	if line[at] == '.' {
		var micro int64
		micro, at = fraction(line, at)
		t += track.Stamp(micro)
	}
	if len(line) < at+8 || line[at] != ' ' {
		return false
	}
	if line[at+1] == '+' || line[at+1] == '-' {
		off, n := offset(line[at+1 : at+6])
		if n != 5 || line[at+6] != ' ' {
			return false
		}
		t += o.wall - o.time - off
		guess = t > h.cal.limit
		at += 6
	}
	text := line[at+1:]
	pid, body := ownPID(text)
	if pid == 0 && eximIDLen(body) == 0 {
		return false
	}
	out.Time, out.Uncertain = t, guess
	out.Host, out.Tag, out.Level, out.PID = "", "", "", pid
	out.Body, out.Text = body, text
	h.cal.saw(t, guess)
	return true
}

// ownPID reads "[11271] ".
func ownPID(s string) (pid uint32, rest string) {
	if len(s) < 4 || s[0] != '[' {
		return 0, s
	}
	n := 1
	for ; n < len(s) && n < 11 && isDigit(s[n]); n++ {
		pid = pid*10 + uint32(s[n]-'0')
	}
	if n == 1 || n+1 >= len(s) || s[n] != ']' || s[n+1] != ' ' {
		return 0, s
	}
	return pid, s[n+2:]
}

// ownWords reports whether what stands behind an ISO stamp with a blank is what
// the log's own server said, although t makes some of it look like a program.
// Much of it is chosen by others, so that the first word decides.
func ownWords(s string, t tail) bool {
	if t.tag == "" || t.host == "" && t.pid == 0 || digits(t.tag) == t.tag {
		return true
	}
	first, _, _ := strings.Cut(s, " ")
	return first == "" || first[0] == '[' || eximIDLen(s) > 0 || strings.ContainsAny(first, "=(<>")
}

// eximIDLen returns the length of the Exim message id with a blank behind it
// that s begins with, 0 for none: 6-6-2 characters, 6-11-4 from release 4.97 on.
func eximIDLen(s string) int {
	n := 16
	if len(s) < 18 || s[6] != '-' {
		return 0
	}
	if s[13] != '-' || s[16] != ' ' {
		n = 23
	}
	if len(s) > n && s[n] == ' ' && isEximID(s[:n]) {
		return n
	}
	return 0
}

// isEximID reports whether all of s is an Exim message id.
func isEximID(s string) bool {
	var second int
	switch len(s) {
	case 16:
		second = 13
	case 23:
		second = 18
	default:
		return false
	}
	n := 0
	for i := range len(s) {
		n += int(base62[s[i]])
	}
	return s[6] == '-' && s[second] == '-' && n == len(s)-2
}

// base62 is 1 for digits and letters.
var base62 = func() (in [256]uint8) {
	for c := range in {
		if isDigit(byte(c)) || (byte(c)|0x20)-'a' < 26 {
			in[c] = 1
		}
	}
	return in
}()
