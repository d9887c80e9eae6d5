package syslog

import (
	"bytes"
	"net/netip"
	"strings"
	"time"

	"waybill/internal/source/inlet"
)

// message is what a datagram or a frame says.
type message struct {
	line string    // for package maillog
	host string    // as its header says, "" when it does not
	at   time.Time // when it was written, zero when it does not say
}

// origin is what is known of a message beside its text.
type origin struct {
	from netip.Addr
	at   time.Time      // of receipt
	zone *time.Location // of stamps without one
}

// read makes a line of a message; false when it says nothing.
func read(b []byte, o origin) (message, bool) {
	b = bytes.TrimRight(b, "\r\n\x00 ")
	text := inlet.OneLine(string(b))
	body := text[priority(text):]
	if strings.TrimLeft(body, " ") == "" {
		return message{}, false
	}
	if strings.HasPrefix(body, "1 ") && len(body) < len(text) {
		if m, ok := rfc5424(text, body, o); ok {
			return m, true
		}
	}
	return rfc3164(text, body, o), true
}

// priority is the length of "<22>" at the start of s, 0 for none.
func priority(s string) int {
	for i := 1; i < len(s) && i <= 4 && s[0] == '<'; i++ {
		if s[i] == '>' && i > 1 {
			return i + 1
		}
		if !isDigit(s[i]) {
			break
		}
	}
	return 0
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// rfc5424 reads "<22>1 stamp host app pid id data text"; body begins behind the
// priority.
func rfc5424(text, body string, o origin) (message, bool) {
	rest := body[2:]
	stamp, rest, _ := strings.Cut(rest, " ")
	host, rest, ok := strings.Cut(rest, " ")
	if !ok || host == "" || strings.Count(rest, " ") < 3 {
		return message{}, false
	}
	m := message{line: text}
	if n := dataEnd(rest); strings.HasPrefix(rest[n:], "  ") && len(rest) > n+2 {
		// rsyslog writes the blank in front of a message twice.
		m.line = text[:len(text)-len(rest)+n] + rest[n+1:]
		rest = rest[:n] + rest[n+1:]
	}
	if stamp != "-" {
		at, err := time.Parse(time.RFC3339, stamp)
		if err != nil {
			return message{}, false
		}
		m.at = at
	}
	if host != "-" {
		m.host = host
	}
	if stamp == "-" || host == "-" {
		if stamp == "-" {
			stamp = o.at.UTC().Format(stampForm)
		}
		if host == "-" {
			host = o.from.String()
		}
		m.line = text[:len(text)-len(body)] + "1 " + stamp + " " + host + " " + rest
	}
	return m, true
}

// dataEnd is where the structured data ends in "app pid id data text".
func dataEnd(s string) int {
	n := 0
	for range 3 {
		n += strings.IndexByte(s[n:], ' ') + 1
	}
	if s[n:] == "" || s[n] != '[' {
		return n + max(strings.IndexByte(s[n:], ' '), 0)
	}
	quoted := false
	for at := n; at < len(s); at++ {
		switch c := s[at]; {
		case c == '\\' && quoted:
			at++
		case c == '"':
			quoted = !quoted
		case c == ']' && !quoted && (at+1 == len(s) || s[at+1] != '['):
			return at + 1
		}
	}
	return len(s) // it does not end: nothing is known of a text
}

// stampForm is that of times of receipt.
const stampForm = "2006-01-02T15:04:05.000000Z07:00"

// rfc3164 reads what stands behind the priority: stamp, host, text, of which
// any may be missing.
func rfc3164(text, body string, o origin) message {
	if n := isoStamp(body); n > 0 {
		m := message{line: body}
		if at, err := time.Parse(time.RFC3339, body[:n]); err == nil {
			m.at = at
		}
		if m.host = hostOf(body[n+1:]); m.host == "" {
			m.line = body[:n+1] + o.from.String() + " " + body[n+1:]
		}
		return m
	}
	wall, frac, n := shortStamp(body)
	if n == 0 {
		host := hostOf(body)
		if host != "" && programLen(body[len(host)+1:]) == 0 {
			host = "" // just a word
		}
		if host == "" {
			if maybeStamp(body) {
				return message{line: body} // of a form that is read further on
			}
			body = o.from.String() + " " + body
		}
		return message{line: o.at.UTC().Format(stampForm) + " " + body, host: host}
	}
	rest := body[n:]
	if host, ok := asyncOS(rest); ok {
		return message{line: text, host: host, at: resolve(wall, o)}
	}
	rest = unwrap(rest)
	m := message{at: resolve(wall, o), host: hostOf(rest)}
	name := ""
	if m.host == "" {
		name = o.from.String() + " "
	}
	m.line = m.at.Format("2006-01-02T15:04:05") + frac + m.at.Format("Z07:00") + " " + name + rest
	return m
}

// unwrap takes away the words that some daemons put in front of the name of the
// host for which they pass on a line.
func unwrap(s string) string {
	for _, words := range []string{"Message forwarded from ", "Forwarded from "} {
		if rest, ok := strings.CutPrefix(s, words); ok {
			if host, text, ok := strings.Cut(rest, ": "); ok && !strings.Contains(host, " ") {
				return host + " " + text
			}
		}
	}
	return s
}

// isoStamp is the length of a stamp of RFC 3339 with a blank behind it.
func isoStamp(s string) int {
	if len(s) < 21 || s[4] != '-' || s[7] != '-' || s[10] != 'T' {
		return 0
	}
	n := strings.IndexByte(s, ' ')
	if n < 20 || n > 40 || n+1 == len(s) {
		return 0
	}
	if _, err := time.Parse(time.RFC3339, s[:n]); err != nil {
		return 0
	}
	return n
}

// shortStamp reads "Nov 21 20:45:32" or "Nov 21 20:45:32.123456" and the blank
// behind it. wall is in the year 0.
func shortStamp(s string) (wall time.Time, frac string, n int) {
	if len(s) < 17 {
		return time.Time{}, "", 0
	}
	wall, err := time.Parse(time.Stamp, s[:15])
	if err != nil {
		return time.Time{}, "", 0
	}
	n = 15
	if s[n] == '.' {
		for n++; n < len(s) && n < 25 && isDigit(s[n]); n++ {
		}
		if n == 16 {
			return time.Time{}, "", 0
		}
		frac = s[15:n]
	}
	if n+1 >= len(s) || s[n] != ' ' || s[n+1] == ' ' || year(s[n+1:]) {
		return time.Time{}, "", 0
	}
	return wall, frac, n + 1
}

// year reports whether s begins with a year.
func year(s string) bool {
	return len(s) > 4 && (s[:2] == "19" || s[:2] == "20") && isDigit(s[2]) && isDigit(s[3]) && s[4] == ' '
}

// maybeStamp reports whether s begins like a date of another form.
func maybeStamp(s string) bool {
	if len(s) < 15 {
		return false
	}
	if isDigit(s[0]) && isDigit(s[1]) && isDigit(s[2]) && isDigit(s[3]) && s[4] == '-' {
		return true
	}
	_, month := time.Parse("Jan", s[:3])
	_, weekday := time.Parse("Mon", s[:3])
	if s[3] == ' ' && (month == nil || weekday == nil) {
		return true
	}
	return s[0] == '{'
}

// resolve finds the time nearest to that of receipt at which clocks in the zone
// show a stamp: it tells the year, and the side of an hour that comes twice.
func resolve(wall time.Time, o origin) time.Time {
	zone := o.zone
	if zone == nil {
		zone = time.Local
	}
	now := o.at.In(zone)
	if t := time.Date(now.Year(), wall.Month(), wall.Day(), wall.Hour(), wall.Minute(), wall.Second(), 0, zone); t.Sub(o.at).Abs() < 100*24*time.Hour && t.Day() == wall.Day() && !changes(t) {
		return t
	}
	var best time.Time
	for y := now.Year() - 1; y <= now.Year()+1; y++ {
		t := time.Date(y, wall.Month(), wall.Day(), wall.Hour(), wall.Minute(), wall.Second(), 0, zone)
		if t.Day() != wall.Day() {
			continue // 29 February
		}
		for _, d := range []time.Duration{0, -time.Hour, time.Hour, -time.Hour / 2, time.Hour / 2} {
			c := t.Add(d)
			if c.Hour() != t.Hour() || c.Minute() != t.Minute() {
				continue // another time, not another side
			}
			if best.IsZero() || c.Sub(o.at).Abs() < best.Sub(o.at).Abs() {
				best = c
			}
		}
	}
	if best.IsZero() {
		return o.at.In(zone).Truncate(time.Second)
	}
	return best
}

// changes reports whether clocks are changed near t.
func changes(t time.Time) bool {
	_, before := t.Add(-3 * time.Hour).Zone()
	_, behind := t.Add(3 * time.Hour).Zone()
	return before != behind
}

// hostOf is the name at the start of what stands behind a stamp, "" where a
// program stands there.
func hostOf(s string) string {
	name, rest, ok := strings.Cut(s, " ")
	if !ok || name == "" || rest == "" || len(name) > 255 || strings.HasSuffix(name, ":") || strings.ContainsAny(name, "[]<>\"'=") {
		return ""
	}
	return name
}

// programLen is the length of "tag:" or "tag[1]:" at the start of s.
func programLen(s string) int {
	word, _, _ := strings.Cut(s, " ")
	if len(word) < 2 || len(word) > 160 || word[len(word)-1] != ':' {
		return 0
	}
	return len(word)
}

// asyncOS reports whether what stands behind a stamp is AsyncOS's, and its host:
// "Info: text", "example.com: Info: text", "esa1 mail_logs: Info: text".
func asyncOS(s string) (host string, ok bool) {
	for n := range 3 {
		word, rest, more := strings.Cut(s, " ")
		switch word {
		case "Info:", "Warning:", "Critical:", "Debug:", "Trace:":
			return host, more
		}
		if !more || strings.ContainsAny(word, "[]") {
			return "", false
		}
		if name := strings.TrimSuffix(word, ":"); n == 0 && (name == word || strings.Contains(name, ".")) {
			host = name
		}
		s = rest
	}
	return "", false
}
