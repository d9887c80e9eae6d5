package maillog

import (
	"strconv"
	"strings"
)

// rfc5424 reads what stands behind "<22>1 ": stamp host app procid msgid
// structured-data message.
func (h *Headers) rfc5424(s string, out *Header) bool {
	var c clock
	n := 0
	stamp, rest := field(s)
	if stamp != "-" {
		if c, n = scanStamp(stamp); n != len(stamp) || c.year == 0 {
			return false
		}
	}
	host, rest := field(rest)
	app, rest := field(rest)
	proc, rest := field(rest)
	_, rest = field(rest) // message id
	msg := strings.TrimPrefix(skipData(rest), "\ufeff")
	if app == "" || proc == "" {
		return false
	}
	out.Time, out.Uncertain = 0, true
	if n > 0 {
		out.Time, out.Uncertain = h.resolve(c, stamp)
	}
	out.Host = nilValue(host)
	if app = nilValue(app); app == "" {
		// A relay that could not take an old line apart keeps it whole.
		out.Tag, out.Level, out.PID, out.Text, out.Body = "", "", 0, msg, msg
		if tag, pid, k := program(msg); k > 0 {
			out.Tag, out.PID, out.Body = tag, pid, stripID(msg[k:])
		}
		return true
	}
	pid, _ := strconv.ParseUint(proc, 10, 32) // "-" and words are no pid
	out.compose(app, uint32(pid), msg)
	return true
}

// compose sets Tag, PID, Text and Body of a line whose form keeps them apart:
// Text reads as the traditional form does.
func (out *Header) compose(tag string, pid uint32, msg string) {
	out.Tag, out.Level, out.PID = tag, "", pid
	switch {
	case tag == "":
		out.Text = msg
	case pid == 0:
		out.Text = tag + ": " + msg
	default:
		out.Text = tag + "[" + strconv.FormatUint(uint64(pid), 10) + "]: " + msg
	}
	out.Body = out.Text[len(out.Text)-len(msg):]
}

// field cuts the first word off s.
func field(s string) (word, rest string) {
	word, rest, _ = strings.Cut(s, " ")
	return word, rest
}

func nilValue(s string) string {
	if s == "-" {
		return ""
	}
	return s
}

// skipData returns what stands behind the structured data at the start of s.
// Data that does not end is taken as message, so that nothing is lost.
func skipData(s string) string {
	if strings.HasPrefix(s, "-") {
		return strings.TrimPrefix(s[1:], " ")
	}
	at := 0
	for at < len(s) && s[at] == '[' {
		quoted := false
		for at++; at < len(s) && (quoted || s[at] != ']'); at++ {
			switch {
			case s[at] == '\\' && quoted:
				at++
			case s[at] == '"':
				quoted = !quoted
			}
		}
		if at >= len(s) {
			return s
		}
		at++
	}
	return strings.TrimPrefix(s[at:], " ")
}
