package maillog

import (
	"time"

	"waybill/internal/track"
)

// HeaderOptions tells what a line's header leaves open.
type HeaderOptions struct {
	// Location is the zone of stamps without one; nil is UTC.
	Location *time.Location
	// Year is the year of the first line whose stamp has none. 0 infers it:
	// the latest year that does not put the line more than a day behind
	// FileTime.
	Year int
	// FileTime is when the file was last written. Zero is now. Lines that
	// claim to be more than a day younger are marked uncertain.
	FileTime time.Time
}

// Header is what stands in front of a program's own words. Body is always the
// end of Text; both are substrings of the line where its form allows it.
type Header struct {
	Time      track.Stamp
	Uncertain bool   // Time is a guess: an hour that occurs twice or not at all, or a stamp from the future
	Host      string // "" when the line names none
	Tag       string // "postfix/smtpd"; "" when the line names no program
	PID       uint32 // 0 when the line has none
	// Level is what AsyncOS writes in front of its words: Info, Warning, Critical,
	// Debug, Trace; "" in logs of others. Body begins behind it.
	Level string
	// Head is set on the lines of AsyncOS that stand in front of the one that
	// states the zone of a file's stamps: their time may be off by hours.
	Head bool
	// Wall is such a line's stamp as it stands there, as if it were UTC. It is 0 on
	// lines of others, and where the stamp tells its zone. It is not set on lines
	// that are read quickly, which the first of a source never is.
	Wall track.Stamp
	// Stated is set on the line that states the zone.
	Stated bool
	Body   string // what the program said, behind "tag[pid]: "
	Text   string // from the tag on: "postfix/qmgr[12]: 4BZk: removed"
}

// Headers reads the headers of the lines of one source in their order. Order
// matters: the year of a traditional stamp and the side of an hour that
// occurs twice follow from what was read before. The zero Headers is not
// usable; it is not safe for concurrent use.
//
// Most lines of a log carry the second of the line before them, and nearly
// all the day: both are kept as text with their value, so that the common
// line costs a comparison and no calendar.
type Headers struct {
	cal calendar

	second   [15]byte // "Nov 21 21:06:25" as last read
	secTime  track.Stamp
	secGuess bool

	day     [7]byte // "Nov 21 " as last read, when no clock change is near
	dayBase track.Stamp

	iso     [19]byte // "2026-11-21T21:06:25" as last read
	isoTime track.Stamp
	zone    [6]byte // "+01:00" as last read
	zoneOff track.Stamp

	own ownStamp

	zones    map[string]*asyncZone // of appliances, by host
	changing []*time.Location      // whose clocks change, once it was needed
}

// NewHeaders returns Headers that have read nothing yet.
func NewHeaders(o HeaderOptions) *Headers {
	if o.Location == nil {
		o.Location = time.UTC
	}
	h := &Headers{cal: calendar{loc: o.Location, firstYear: o.Year}}
	if o.FileTime.IsZero() {
		o.FileTime = time.Now()
	}
	h.SetFileTime(o.FileTime)
	return h
}

// SetFileTime moves the time behind which stamps are from the future, for a
// file that is being written while it is read.
func (h *Headers) SetFileTime(t time.Time) {
	h.cal.limit = track.StampOf(t) + track.Day
	h.forget()
}

// forget drops the cached stamps: what they stand for may have changed.
func (h *Headers) forget() {
	h.second, h.day, h.iso, h.zone = [15]byte{}, [7]byte{}, [19]byte{}, [6]byte{}
	h.own = ownStamp{}
	for _, z := range h.zones {
		z.forget()
	}
}

// Parse reads the header of line into out, all of whose fields it sets. It
// reports false when line has no header of a known form; then nothing is
// remembered of the line.
func (h *Headers) Parse(line string, out *Header) bool {
	out.Head, out.Wall, out.Stated = false, 0, false
	return h.quick(line, out) || h.quickAsync(line, out) || h.slow(line, out)
}

// quick reads "stamp host tag[pid]: body" with a stamp of the two common
// forms and leaves everything else to slow.
func (h *Headers) quick(line string, out *Header) bool {
	if len(line) < 24 {
		return false
	}
	if line[10] == ' ' && line[4] == '-' {
		return h.quickOwn(line, out)
	}
	t, guess, at, ok := h.quickStamp(line)
	if !ok || at >= len(line) || line[at] != ' ' {
		return false
	}
	at++
	host := at
	for at < len(line) && line[at] != ' ' && line[at] != '[' {
		at++
	}
	if at == host || at+1 >= len(line) || line[at] != ' ' {
		return false
	}
	switch {
	case line[at-1] == ':' || line[host] == ':' || line[host] == '<':
		return false // a name with a colon, no host at all, or a level
	case at-host == 4 && isDigit(line[host]):
		return false // perhaps a year
	}
	end := at
	at++
	tag := at
	for at < len(line) && line[at] > ' ' && line[at] != '[' && line[at] != ':' {
		at++
	}
	if at == tag || at-tag > maxTag || at >= len(line) || line[at] != '[' {
		return false
	}
	tagEnd := at
	at++
	pid, first := uint32(0), at
	for at < len(line) && isDigit(line[at]) {
		pid = pid*10 + uint32(line[at]-'0')
		at++
	}
	if pid == 0 || at-first > 9 || at+2 >= len(line) || line[at] != ']' || line[at+1] != ':' || line[at+2] != ' ' {
		return false
	}
	at += 3
	if body := line[at:]; startsID(body) || maybeStamp(body) {
		return false
	}
	out.Time, out.Uncertain = t, guess
	out.Host, out.Tag, out.Level, out.PID = line[host:end], line[tag:tagEnd], "", pid
	out.Body, out.Text = line[at:], line[tag:]
	h.cal.saw(t, guess)
	return true
}

// quickStamp reads a stamp whose date is the one of a line before. at is
// where it ends.
func (h *Headers) quickStamp(line string) (t track.Stamp, guess bool, at int, ok bool) {
	if isDigit(line[0]) {
		return h.quickISO(line)
	}
	switch {
	case line[:15] == string(h.second[:]):
		t, guess = h.secTime, h.secGuess
	case line[:7] == string(h.day[:]):
		sec, valid := clockSeconds(line[7:15])
		if !valid {
			return 0, false, 0, false
		}
		t = h.dayBase + track.Stamp(sec)*1e6
		guess = h.cal.future(t)
		copy(h.second[:], line)
		h.secTime, h.secGuess = t, guess
	default:
		return 0, false, 0, false
	}
	at = 15
	if line[at] == '.' {
		var micro int64
		micro, at = fraction(line, at)
		t += track.Stamp(micro)
	}
	return t, guess, at, true
}

// quickISO is quickStamp for RFC 3339, whose offset may change between lines.
func (h *Headers) quickISO(line string) (t track.Stamp, guess bool, at int, ok bool) {
	if line[:19] != string(h.iso[:]) {
		c, n := isoDate(line)
		if n == 0 {
			return 0, false, 0, false
		}
		copy(h.iso[:], line)
		h.isoTime = c.wall(c.year)
	}
	t, at = h.isoTime, 19
	if line[10] != 'T' {
		return 0, false, 0, false
	}
	if line[at] == '.' {
		var micro int64
		micro, at = fraction(line, at)
		t += track.Stamp(micro)
	}
	if at+6 > len(line) {
		return 0, false, 0, false
	}
	switch {
	case line[at] == 'Z':
		at++
	case line[at:at+6] == string(h.zone[:]):
		t -= h.zoneOff
		at += 6
	default:
		off, n := offset(line[at:])
		if n == 0 {
			return 0, false, 0, false
		}
		if n == 6 {
			copy(h.zone[:], line[at:])
			h.zoneOff = off
		}
		t -= off
		at += n
	}
	return t, t > h.cal.limit, at, true
}

// resolve turns a stamp as read into a time and fills the caches of quick.
// text is the line from the stamp on.
func (h *Headers) resolve(c clock, text string) (track.Stamp, bool) {
	t, guess, year := h.cal.resolve(c)
	h.cal.saw(t, guess)
	if c.spaced {
		h.own.keep(&h.cal, c, text, t, guess)
	}
	if c.short && len(text) >= 15 {
		copy(h.second[:], text)
		h.secTime, h.secGuess = t-track.Stamp(c.micro), guess
		h.day = [7]byte{}
		if base, ok := h.cal.plainDay(c, year); ok {
			copy(h.day[:], text)
			h.dayBase = base
		}
	}
	return t, guess
}
