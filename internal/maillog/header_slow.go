package maillog

import "strings"

// Bounds of what is looked at in front of a program's name.
const (
	maxStamps = 4   // stamps one behind the other
	maxNames  = 4   // names and levels between a stamp and the program
	maxTag    = 128 // bytes of a program's name
)

// slow reads every form that quick does not: see the package's documentation
// of headers.
func (h *Headers) slow(line string, out *Header) bool {
	s := strings.TrimPrefix(line, "\ufeff")
	if s != "" && s[0] == '{' {
		return h.json(s, out)
	}
	if n := priority(s); n > 0 {
		s = s[n:]
		if strings.HasPrefix(s, "1 ") {
			return h.rfc5424(s[2:], out)
		}
	}
	host := ""
	c, n := scanStamp(s)
	if n == 0 {
		if host, s = named(s); s == "" {
			return false
		}
		c, n = scanStamp(s)
	}
	// An appliance or a relay puts its own stamp and name in front. The
	// innermost stamp is the one that the mail host wrote.
	text := s
	var found tail
	for range maxStamps {
		found = scanTail(s[n:])
		if found.host != "" {
			host = found.host
		}
		if found.stamp < 0 {
			break
		}
		inner := s[n+found.stamp:]
		k, m := scanStamp(inner)
		if m == 0 {
			break
		}
		c, n, s, text = k, m, inner, inner
	}
	if rest := skipBlank(s[n:]); c.spaced && ownWords(rest, found) {
		// A program's own log: there is no host, and no name can be told.
		host, found = "", tail{text: rest}
		found.pid, found.body = ownPID(rest)
	}
	out.Host, out.Tag, out.Level, out.PID = host, found.tag, "", found.pid
	out.Body, out.Text = found.body, found.text
	if out.asyncOS(); out.Level != "" {
		h.asyncTime(c, text, out)
	} else {
		out.Time, out.Uncertain = h.resolve(c, text)
	}
	return true
}

// named finds the stamp behind a name at the start of a line, as some
// collectors write: "mx-a Nov 21 ...", "mail-1  | Nov 21 ...", "10.0.0.1: <22>Nov 21 ...".
// Any text may hold a date, so a program with its pid must follow.
func named(line string) (name, rest string) {
	name, rest = field(line)
	rest = skipBlank(strings.TrimPrefix(skipBlank(rest), "|"))
	rest = rest[priority(rest):]
	if name == "" || len(name) > maxTag || !maybeStamp(rest) {
		return "", ""
	}
	_, n := scanStamp(rest)
	if n == 0 {
		return "", ""
	}
	if t := scanTail(rest[n:]); t.stamp < 0 && (t.tag == "" || t.pid == 0) {
		return "", ""
	}
	return strings.TrimSuffix(name, ":"), rest
}

// tail is what stands behind a stamp.
type tail struct {
	host  string // the last name in front of the program
	tag   string
	pid   uint32
	text  string // from the tag on; without a tag the same as body
	body  string
	stamp int // where another stamp begins, -1 for none
}

// scanTail reads "host tag[pid]: body" with all that relays and other syslog
// daemons put between: further names, "mail.info" or "<mail.info>" or
// "mail:info", a name with a colon, or no host at all.
func scanTail(s string) tail {
	t := tail{stamp: -1}
	at, bare, direct := 0, "", 0
	for n := 0; n <= maxNames; n++ {
		for at < len(s) && (s[at] == ' ' || s[at] == ':' && n == 0) {
			at++
		}
		rest := s[at:]
		if n == 0 {
			bare = rest
		}
		// A relay that takes the whole datagram keeps its priority.
		pri := priority(rest)
		if maybeStamp(rest[pri:]) {
			if _, k := scanStamp(rest[pri:]); k > 0 {
				t.stamp = at + pri
				return t
			}
		}
		if tag, pid, k := program(rest); k > 0 && (pid > 0 || n < 2) {
			body := rest[k:]
			if stamp, ok := behindName(body, pid); ok {
				// "relay: Nov 21 ...", "docker[12]: Nov 21 ..."
				t.stamp = at + k + stamp
				if pid == 0 {
					t.host = tag
				}
				return t
			}
			if inner, p, j := program(body); pid == 0 && j > 0 && p > 0 && !strings.Contains(tag, "/") {
				t.host, rest, body = tag, body, body[j:]
				tag, pid = inner, p
			}
			t.tag, t.pid, t.text, t.body = tag, pid, rest, stripID(body)
			return t
		}
		end := strings.IndexByte(rest, ' ')
		if end < 0 {
			break
		}
		if name := rest[:end]; !level(name) {
			t.host = strings.TrimSuffix(name, ":")
			if direct++; direct == 1 {
				bare = skipBlank(rest[end:])
			}
		}
		at += end
	}
	// No program: the first name is the host, and the rest is told as it is.
	if first, rest, ok := strings.Cut(strings.TrimLeft(s, " :"), " "); ok && direct > 0 && !level(first) {
		t.host, bare = strings.TrimSuffix(first, ":"), skipBlank(rest)
	}
	t.text, t.body = bare, bare
	return t
}

// behindName finds a stamp with a host and a program at the start of what a
// program said: then that program only passed on a whole line.
func behindName(body string, pid uint32) (at int, ok bool) {
	if !maybeStamp(body) {
		return 0, false
	}
	_, n := scanStamp(body)
	if n == 0 {
		return 0, false
	}
	if pid == 0 {
		return 0, true
	}
	inner := scanTail(body[n:])
	if rest := skipBlank(body[n:]); inner.stamp < 0 && ownWords(rest, inner) {
		return 0, false // the program puts a stamp in front of its own words, as Exim does
	}
	return 0, inner.stamp >= 0 || inner.pid > 0
}

// program reads "tag: " or "tag[pid]: " at the start of s; n is its length
// with the blank, 0 for none. Without a pid the colon needs a blank or the
// end behind it, else "mail:info" would be a program.
func program(s string) (tag string, pid uint32, n int) {
	for n < len(s) && n < maxTag && s[n] > ' ' && s[n] != '[' && s[n] != ':' {
		n++
	}
	if n == 0 || n == len(s) {
		return "", 0, 0
	}
	tag = s[:n]
	switch s[n] {
	case ':':
		n++
	case '[':
		first := n + 1
		for n = first; n < len(s) && isDigit(s[n]); n++ {
			pid = pid*10 + uint32(s[n]-'0')
		}
		if n == first || n-first > 9 || n == len(s) || s[n] != ']' {
			return "", 0, 0
		}
		n++
		if n < len(s) && s[n] == ':' {
			n++
			if n < len(s) && s[n] == ' ' {
				n++
			}
			return tag, pid, n
		}
	default:
		return "", 0, 0
	}
	if n == len(s) {
		return tag, pid, n
	}
	if s[n] != ' ' {
		return "", 0, 0
	}
	return tag, pid, n + 1
}

// level reports whether a word is a facility and severity, as some daemons
// print them between stamp and host: "mail.info", "mail:info", "<mail.info>".
func level(word string) bool {
	if len(word) > 2 && word[0] == '<' && word[len(word)-1] == '>' {
		return true
	}
	i := strings.IndexAny(word, ".:")
	if i < 0 {
		return false
	}
	switch word[i+1:] {
	case "emerg", "alert", "crit", "err", "error", "warn", "warning", "notice", "info", "debug":
	default:
		return false
	}
	switch facility := word[:i]; facility {
	case "mail", "daemon", "user", "kern", "auth", "authpriv", "syslog", "cron":
		return true
	default:
		return len(facility) == 6 && strings.HasPrefix(facility, "local")
	}
}

// startsID reports whether a body begins with the message number of Solaris:
// "[ID 197553 mail.info] ".
func startsID(body string) bool { return strings.HasPrefix(body, "[ID ") }

// stripID removes it.
func stripID(body string) string {
	if !startsID(body) {
		return body
	}
	if i := strings.IndexByte(body, ']'); i > 0 && i < 64 {
		return skipBlank(body[i+1:])
	}
	return body
}

// priority returns the length of "<22>" at the start of s, 0 for none.
func priority(s string) int {
	if len(s) < 3 || s[0] != '<' {
		return 0
	}
	for i := 1; i < len(s) && i <= 4; i++ {
		if s[i] == '>' && i > 1 {
			return i + 1
		}
		if !isDigit(s[i]) {
			return 0
		}
	}
	return 0
}

func skipBlank(s string) string {
	for s != "" && s[0] == ' ' {
		s = s[1:]
	}
	return s
}
