package maillog

import (
	"strconv"
	"strings"
	"time"

	"waybill/internal/track"
)

// statedOffset is how AsyncOS says at the head of a file, and of a syslog
// session, what zone its stamps are in: "Time offset from UTC: -21600 seconds"
// is six hours west. Each head holds until the next one.
const statedOffset = "Time offset from UTC: "

// statedSerial is in front of the serial number of the appliance in the line
// "Version: 14.2.0-620 SN: 420D4FEA7093-0AF2EE5E700E" of such a head.
const statedSerial = " SN: "

// Serial is the serial number of the appliance that the line states, as
// AsyncOS does at the head of a file; "" on all other lines.
func (h *Header) Serial() string {
	version, serial, ok := strings.Cut(h.Body, statedSerial)
	if !ok || h.Level == "" || !strings.HasPrefix(version, "Version: ") {
		return ""
	}
	serial, _, _ = strings.Cut(serial, " ")
	return serial
}

// maxZones bounds the appliances whose zone is followed in one source.
const maxZones = 256

// asyncZone is the zone of one appliance's stamps. It is known as an offset, and
// an offset does not tell when summer time begins or ends. Where the operator's
// own zone (HeaderOptions.Location) has the same offset when it is stated, it
// decides. Else the offset is believed until the next instant at which any zone
// of the world with that offset would have changed, and from then on stamps are
// marked as uncertain, until another head confirms or replaces it.
type asyncZone struct {
	stated bool
	offset track.Stamp // east of UTC
	head   track.Stamp // when it was stated
	local  bool        // the operator's zone decides
	// fold is when clocks that will be set back come to the hour that they run
	// through twice, change when a clock may first have changed; 0 for never.
	fold, change track.Stamp
	changed      bool // a line showed that the clock may have changed

	// The stamps read last, in both forms, and their days if no change is near.
	second  [24]byte // "Wed Nov 19 09:16:46 2014"
	secTime track.Stamp
	secSure bool
	day     [11]byte // "Wed Nov 19 "
	year    [5]byte  // " 2014"
	dayBase track.Stamp

	sec2     [15]byte // "Nov 19 09:16:46"
	sec2Time track.Stamp
	sec2Sure bool
	day2     [7]byte // "Nov 19 "
	day2Base track.Stamp
}

// appliance returns the zone of a host, nil when there are too many.
func (h *Headers) appliance(host string) *asyncZone {
	z := h.zones[host]
	if z == nil && len(h.zones) < maxZones {
		z = &asyncZone{}
		if h.zones == nil {
			h.zones = make(map[string]*asyncZone)
		}
		h.zones[strings.Clone(host)] = z
	}
	return z
}

// readOffset reads the line that states a zone.
func readOffset(body string) (track.Stamp, bool) {
	s, ok := strings.CutPrefix(body, statedOffset)
	if !ok {
		return 0, false
	}
	s, _, _ = strings.Cut(s, " ")
	n, err := strconv.Atoi(s)
	if err != nil || n < -16*3600 || n > 16*3600 {
		return 0, false
	}
	return track.Stamp(n) * 1e6, true
}

// state takes an offset that a line with the stamp c states. It is later than
// anything that was read, so that what the lines in front of it were taken for
// does not count.
func (h *Headers) state(z *asyncZone, c clock, offset track.Stamp) {
	year := c.year
	if year == 0 {
		year = h.cal.yearOf(&c)
	}
	*z = asyncZone{stated: true, offset: offset, head: c.wall(year) - offset}
	h.judge(z)
	if z.head <= h.cal.limit {
		h.cal.last = z.head
	}
}

// judge sets how long an offset is to be believed.
func (h *Headers) judge(z *asyncZone) {
	z.local = h.cal.zoned(z.head) && h.cal.offsetAt(z.head) == z.offset
	z.fold, z.change = 0, 0
	if !z.local {
		z.fold, z.change = h.nextChange(z.head, z.offset)
	}
}

// zoned reports whether the zone of a calendar says more than UTC does, which
// is what hosts have that nobody has told where they are.
func (c *calendar) zoned(t track.Stamp) bool {
	if c.loc == time.UTC || c.offsetAt(t) != 0 {
		return c.loc != time.UTC
	}
	start, end := t.Time().In(c.loc).ZoneBounds()
	return !start.IsZero() || !end.IsZero()
}

// doubt reports whether a time that follows from the offset is uncertain. last
// is the latest time that was read.
func (z *asyncZone) doubt(t, last track.Stamp) bool {
	switch {
	case z.change == 0 || t < z.fold:
		return false
	case z.changed:
		return true
	case t >= z.change || last-t > disorder && last-t < track.Day && last != 0:
		z.changed = true // in the second case it runs through an hour again
		return true
	}
	return last == 0 || t-last > believable
}

// sure reports whether no time of the day that begins at t is uncertain.
func (z *asyncZone) sure(t track.Stamp) bool { return z.change == 0 || t+track.Day <= z.fold }

// changing are zones that stand for all whose clocks change, one for each rule
// and offset. Those that gave it up are there for logs of their time.
func changing() []string {
	return []string{
		"Atlantic/Azores", "Europe/London", "Europe/Paris", "Europe/Athens", "America/Nuuk",
		"Asia/Jerusalem", "Asia/Beirut", "Africa/Cairo",
		"America/St_Johns", "America/Halifax", "America/New_York", "America/Chicago", "America/Denver", "America/Los_Angeles",
		"America/Anchorage", "America/Adak", "America/Havana", "America/Mexico_City",
		"America/Santiago", "America/Asuncion", "America/Sao_Paulo",
		"Australia/Adelaide", "Australia/Sydney", "Australia/Lord_Howe", "Pacific/Auckland", "Pacific/Chatham",
	}
}

// nextChange returns when the first of the world's clocks changes that show the
// given offset at t, and from when on that may make an hour occur twice.
func (h *Headers) nextChange(t, offset track.Stamp) (fold, at track.Stamp) {
	if h.changing == nil {
		for _, name := range changing() {
			if loc, err := time.LoadLocation(name); err == nil { // the program brings its own
				h.changing = append(h.changing, loc)
			}
		}
	}
	for _, loc := range h.changing {
		begin := t.Time().In(loc)
		_, have := begin.Zone()
		if track.Stamp(have)*1e6 != offset {
			continue
		}
		_, end := begin.ZoneBounds()
		then := have
		for range 4 { // a zone may change its name alone
			if end.IsZero() {
				break
			}
			if _, then = end.Zone(); then != have {
				break
			}
			_, end = end.ZoneBounds()
		}
		if end.IsZero() || then == have {
			continue
		}
		change := track.StampOf(end)
		back := change - track.Stamp(max(have-then, 0))*1e6
		if at == 0 || change < at {
			at = change
		}
		if fold == 0 || back < fold {
			fold = back
		}
	}
	return fold, at
}

// forget drops the stamps that were read.
func (z *asyncZone) forget() {
	*z = asyncZone{stated: z.stated, offset: z.offset, head: z.head, local: z.local, fold: z.fold, change: z.change, changed: z.changed}
}

// keep remembers a stamp that was read the slow way, and its day when every
// second of it exists once and is sure.
func (z *asyncZone) keep(h *Headers, c clock, text string, t track.Stamp, guess bool, year int) {
	if c.micro != 0 || c.abbrev != "" {
		return
	}
	base, plain := track.Stamp(0), false
	if !z.stated || z.local {
		base, plain = h.cal.plainDay(c, year)
	} else if base = track.Stamp(days(year, c.month, c.day))*track.Day - z.offset; z.sure(base) {
		plain = true
	}
	switch {
	case c.short && len(text) >= 15:
		copy(z.sec2[:], text)
		z.sec2Time, z.sec2Sure, z.day2 = t, !guess, [7]byte{}
		if plain {
			copy(z.day2[:], text)
			z.day2Base = base
		}
	case c.year != 0 && len(text) > 24 && text[3] == ' ' && text[24] == ' ' && weekday(text) > 0:
		copy(z.second[:], text)
		z.secTime, z.secSure, z.day = t, !guess, [11]byte{}
		if plain {
			copy(z.day[:], text)
			copy(z.year[:], text[19:])
			z.dayBase = base
		}
	}
}

// long reads "Wed Nov 19 09:16:46 2014" of a second or day that was seen.
func (z *asyncZone) long(h *Headers, s string) (t track.Stamp, guess, ok bool) {
	if s[:24] == string(z.second[:]) {
		return z.secTime, !z.secSure, true
	}
	if s[:11] != string(z.day[:]) || s[19:24] != string(z.year[:]) {
		return 0, false, false
	}
	sec, ok := clockSeconds(s[11:19])
	if !ok {
		return 0, false, false
	}
	t = z.dayBase + track.Stamp(sec)*1e6
	guess = h.cal.future(t)
	copy(z.second[:], s)
	z.secTime, z.secSure = t, !guess
	return t, guess, true
}

// short reads "Nov 19 09:16:46" in the same way.
func (z *asyncZone) short(h *Headers, s string) (t track.Stamp, guess, ok bool) {
	if s[:15] == string(z.sec2[:]) {
		return z.sec2Time, !z.sec2Sure, true
	}
	if s[:7] != string(z.day2[:]) {
		return 0, false, false
	}
	sec, ok := clockSeconds(s[7:15])
	if !ok {
		return 0, false, false
	}
	t = z.day2Base + track.Stamp(sec)*1e6
	guess = h.cal.future(t)
	copy(z.sec2[:], s)
	z.sec2Time, z.sec2Sure = t, !guess
	return t, guess, true
}
