package maillog

import (
	"strings"

	"waybill/internal/track"
)

// This file reads the headers of AsyncOS: a level in front of its words, behind
// a stamp of its own or behind what syslog writes, and stamps in the zone that
// the appliance states (see asyncZone).
//
//	Wed Nov 19 09:16:46 2014 Info: MID 24611490 ready ...
//	<22>Jun 25 08:50:03 example.com: Info: MID 24611490 ready ...
//	Mar 17 18:24:37 esa1 mail_logs: Info: MID 24611490 ready ...

// asyncLevel reports whether a word is a level of AsyncOS.
func asyncLevel(word string) bool {
	switch word {
	case "Info", "Warning", "Critical", "Debug", "Trace":
		return true
	}
	return false
}

// asyncOS finds the level that AsyncOS writes in front of its words: alone, or
// behind the name of the log or the host ("mail_logs: Info: ...",
// "example.com: Info: ...").
func (out *Header) asyncOS() {
	if out.PID != 0 || out.Tag == "" {
		return
	}
	if asyncLevel(out.Tag) {
		out.Level, out.Tag = out.Tag, ""
		return
	}
	word, rest, ok := strings.Cut(out.Body, ": ")
	if !ok || !asyncLevel(word) {
		return
	}
	out.Level, out.Body = word, rest
	if out.Host == "" && strings.Contains(out.Tag, ".") {
		out.Host, out.Tag = out.Tag, ""
	}
}

// fileHead reports whether the line stands in front of the one that states the
// zone.
func (out *Header) fileHead() bool {
	return out.Body == "Begin Logfile" || strings.HasPrefix(out.Body, "Version: ")
}

// asyncTime gives the time of a line whose level and host are known. text is
// the line from its stamp on.
func (h *Headers) asyncTime(c clock, text string, out *Header) {
	out.Head = out.fileHead()
	if c.fixed {
		out.Time, out.Uncertain = h.resolve(c, text)
		return
	}
	z := h.appliance(out.Host)
	if z != nil {
		if off, ok := readOffset(out.Body); ok {
			h.state(z, c, off)
			out.Stated = true
		}
	}
	t, guess, year := h.asyncResolve(z, c)
	out.Time, out.Uncertain, out.Wall = t, guess, c.wall(year)
	if !out.Head {
		h.cal.saw(t, guess)
	}
	if z != nil {
		z.keep(h, c, text, t, guess, year)
	}
}

// asyncResolve gives the time of a stamp in the zone z, and its year.
func (h *Headers) asyncResolve(z *asyncZone, c clock) (t track.Stamp, guess bool, year int) {
	if z == nil || !z.stated || z.local {
		return h.cal.resolve(c)
	}
	if year = c.year; year == 0 {
		year = h.cal.yearOf(&c)
	}
	t = c.wall(year) - z.offset
	guess = z.doubt(t, h.cal.last) || c.month == 2 && c.day == 29 && !leap(year)
	return t, guess || h.cal.future(t), year
}

// quickAsync reads a line whose stamp is of a second or day that was seen.
func (h *Headers) quickAsync(line string, out *Header) bool {
	if len(h.zones) == 0 || len(line) < 32 {
		return false
	}
	if line[3] == ' ' && line[19] == ' ' && line[24] == ' ' {
		z := h.zones[""]
		if z == nil {
			return false
		}
		t, guess, ok := z.long(h, line)
		if !ok || !out.asyncWords(line[25:], line[25:]) {
			return false
		}
		out.Host, out.Tag = "", ""
		return h.asyncQuick(t, guess, out)
	}
	s := line[priority(line):]
	if len(s) < 32 {
		return false
	}
	if isDigit(s[0]) {
		t, guess, at, ok := h.quickISO(s)
		if !ok || at >= len(s) || s[at] != ' ' || !out.asyncTail(s[at+1:]) {
			return false
		}
		return h.asyncQuick(t, guess, out)
	}
	if s[15] != ' ' || !out.asyncTail(s[16:]) {
		return false
	}
	z := h.zones[out.Host]
	if z == nil {
		return false
	}
	t, guess, ok := z.short(h, s)
	return ok && h.asyncQuick(t, guess, out)
}

// asyncQuick finishes a line that was read quickly; what says something of the
// zone is left to slow.
func (h *Headers) asyncQuick(t track.Stamp, guess bool, out *Header) bool {
	if b := out.Body; b != "" && (b[0] == 'T' && strings.HasPrefix(b, statedOffset) || out.fileHead()) {
		return false
	}
	out.Time, out.Uncertain, out.PID = t, guess, 0
	h.cal.saw(t, guess)
	return true
}

// asyncTail reads "esa1 mail_logs: Info: ...", "esa1 Info: ...", "mail_logs:
// Info: ..." and "example.com: Info: ...".
func (out *Header) asyncTail(s string) bool {
	name, rest, ok := strings.Cut(s, " ")
	if !ok || name == "" || len(name) > maxTag || strings.IndexByte(name, '[') >= 0 {
		return false
	}
	if i := strings.IndexByte(name, ':'); i >= 0 {
		if i != len(name)-1 || i == 0 || asyncLevel(name[:i]) {
			return false
		}
		if name = name[:i]; strings.IndexByte(name, '.') >= 0 {
			out.Host, out.Tag = name, ""
		} else {
			out.Host, out.Tag = "", name
		}
		return out.asyncWords(rest, s)
	}
	if len(name) == 4 && isDigit(name[0]) || level(name) {
		return false // perhaps a year
	}
	out.Host, out.Tag = name, ""
	if out.asyncWords(rest, rest) {
		return true
	}
	tag, words, ok := strings.Cut(rest, ": ")
	if !ok || tag == "" || len(tag) > maxTag || strings.ContainsAny(tag, " [:/") {
		return false
	}
	out.Tag = tag
	return out.asyncWords(words, rest)
}

// asyncWords reads "Info: ..." at the start of s.
func (out *Header) asyncWords(s, text string) bool {
	i := strings.IndexByte(s[:min(len(s), 9)], ':')
	if i < 0 || i+1 >= len(s) || s[i+1] != ' ' || !asyncLevel(s[:i]) {
		return false
	}
	body := s[i+2:]
	if maybeStamp(body) || startsID(body) {
		return false
	}
	if _, pid, n := program(body); n > 0 && pid > 0 {
		return false // somebody else's line, passed on
	}
	out.Level, out.Body, out.Text = s[:i], body, text
	return true
}
