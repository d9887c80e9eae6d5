package maillog

import (
	"strconv"
	"strings"

	"waybill/internal/track"
)

// maxMessage bounds what is taken of a message in JSON.
const maxMessage = 1 << 20

// json reads a line that is one JSON object: "journalctl -o json", or the
// log of a container runtime ({"log": ..., "time": ...}) whose text may have
// a header of its own.
func (h *Headers) json(line string, out *Header) bool {
	var m journalLine
	if !m.read(line) {
		return false
	}
	if m.log != "" {
		return h.container(&m, out)
	}
	micros := m.source
	if micros == "" {
		micros = m.received
	}
	n, err := strconv.ParseInt(micros, 10, 64)
	if err != nil || n <= 0 {
		return false
	}
	tag, pid := m.identifier, m.syslogPID
	if tag == "" {
		tag = m.comm
	}
	if pid == "" {
		pid = m.pid
	}
	p, _ := strconv.ParseUint(strings.TrimSpace(pid), 10, 32) // no number: no pid
	h.stamped(track.Stamp(n), out)
	out.Host = m.host
	out.compose(tag, uint32(p), m.message)
	return true
}

// container reads the text that a container wrote. Its own stamp counts for
// more than the runtime's.
func (h *Headers) container(m *journalLine, out *Header) bool {
	text := strings.TrimRight(m.log, "\r\n")
	if !strings.HasPrefix(text, "{") && h.Parse(text, out) {
		return true
	}
	c, n := scanStamp(m.time)
	if n == 0 || !c.fixed {
		return false
	}
	h.stamped(c.wall(c.year)-c.offset, out)
	t := scanTail(text)
	out.Host, out.Tag, out.Level, out.PID, out.Text, out.Body = t.host, t.tag, "", t.pid, t.text, t.body
	if t.tag == "" {
		out.Host, out.Text, out.Body = "", text, text
	}
	return true
}

// stamped sets a time that needs no calendar.
func (h *Headers) stamped(t track.Stamp, out *Header) {
	out.Time, out.Uncertain = t, t > h.cal.limit
	h.cal.saw(t, out.Uncertain)
}

// journalLine is what is used of a JSON line.
type journalLine struct {
	source, received     string
	host, identifier     string
	comm, syslogPID, pid string
	message, log, time   string
}

// read takes the object apart. Only the members in use are decoded; a member
// that occurs twice counts the first time.
func (m *journalLine) read(line string) bool {
	s := scanner{s: line}
	if !s.take('{') {
		return false
	}
	for !s.take('}') {
		key, ok := s.key()
		if !ok || !s.take(':') {
			return false
		}
		to := m.member(key)
		if to == nil {
			if !s.skip(0) {
				return false
			}
		} else {
			v, ok := s.value()
			if !ok {
				return false
			}
			if *to == "" {
				*to = v
			}
		}
		if !s.take(',') && s.peek() != '}' {
			return false
		}
	}
	s.blank()
	return s.at == len(line)
}

func (m *journalLine) member(key string) *string {
	switch key {
	case "_SOURCE_REALTIME_TIMESTAMP":
		return &m.source
	case "__REALTIME_TIMESTAMP":
		return &m.received
	case "_HOSTNAME":
		return &m.host
	case "SYSLOG_IDENTIFIER":
		return &m.identifier
	case "_COMM":
		return &m.comm
	case "SYSLOG_PID":
		return &m.syslogPID
	case "_PID":
		return &m.pid
	case "MESSAGE":
		return &m.message
	case "log":
		return &m.log
	case "time":
		return &m.time
	}
	return nil
}
