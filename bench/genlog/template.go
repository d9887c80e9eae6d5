package genlog

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/cespare/xxhash/v2"
)

// kind says what a part of a line is replaced by.
type kind uint8

const (
	literal kind = iota
	stamp
	pid
	queueID
	messageID
	address
	subject
	client
)

// part is a piece of a line: fixed text, or a reference to a variable value
// by its index in Template.values.
type part struct {
	kind  kind
	text  string // of a literal
	value int
}

// value is one variable of the template. Parts that had the same text (or, for
// clients and Subjects, that belong to the same connection or message) share it.
type value struct {
	kind kind
	text string
	name uint64 // hash of what tells it from the others, the same in the log of the next hop
	num  int64  // offset from the log's start for a stamp, the number for a pid
}

// Template is a genuine log, cut into parts.
type Template struct {
	lines  [][]part
	values []value
	start  time.Time
	span   time.Duration
	index  map[string]int
}

// Span is the time between the first and the last line.
func (t *Template) Span() time.Duration { return t.span }

// Lines is the number of lines.
func (t *Template) Lines() int { return len(t.lines) }

// Messages is about the number of messages: that of its queue ids.
func (t *Template) Messages() int {
	n := 0
	for i := range t.values {
		if t.values[i].kind == queueID {
			n++
		}
	}
	return n
}

// ErrTemplate is returned for a log that cannot serve as a template.
var ErrTemplate = errors.New("not a Postfix log with traditional time stamps")

// Parse cuts a Postfix log with traditional time stamps into a template. The
// year is the one that the log was written in.
func Parse(log []byte, year int) (*Template, error) {
	t := &Template{index: map[string]int{}}
	p := parser{t: t, ids: queueIDs(log), roots: roots(log), conns: map[string]int{}, clients: map[string]int{}}
	for n, line := range bytes.Split(bytes.TrimSuffix(log, []byte("\n")), []byte("\n")) {
		if err := p.line(string(line), year); err != nil {
			return nil, fmt.Errorf("line %d: %w", n+1, err)
		}
	}
	if len(t.lines) == 0 {
		return nil, ErrTemplate
	}
	return t, nil
}

// queueIDs collects the ids that the log uses as such, so that no other word
// is taken for one.
func queueIDs(log []byte) map[string]bool {
	ids := map[string]bool{}
	for line := range strings.Lines(string(log)) {
		if _, rest, ok := strings.Cut(line, "]: "); ok {
			if id, _, ok := strings.Cut(rest, ": "); ok && len(id) >= 8 && id != "NOQUEUE" && wordEnd(id, 0) == len(id) && !strings.ContainsAny(id, "_") {
				if strings.ContainsAny(id, "0123456789") {
					ids[id] = true
				}
			}
		}
		if _, rest, ok := strings.Cut(line, "queued as "); ok {
			ids[rest[:wordEnd(rest, 0)]] = true
		}
	}
	return ids
}

// roots names the message of each queue id: by its Message-ID, or, for a
// notification, by that of the message which it tells about. Logs of two hosts
// that a message passes thereby give it the same people.
func roots(log []byte) map[string]string {
	names, parents := map[string]string{}, map[string]string{}
	for line := range strings.Lines(string(log)) {
		_, rest, _ := strings.Cut(line, "]: ")
		id, rest, _ := strings.Cut(strings.TrimSuffix(rest, "\n"), ": ")
		if _, ok := names[id]; !ok {
			names[id] = id
		}
		if name, ok := strings.CutPrefix(rest, "message-id="); ok {
			names[id] = name
		}
		if _, child, ok := strings.Cut(rest, "notification: "); ok {
			parents[child] = id
		}
	}
	for child, parent := range parents {
		for n := 0; n < 8 && parents[parent] != ""; n++ {
			parent = parents[parent]
		}
		names[child] = names[parent]
	}
	return names
}

// parser holds what is known while the lines of a template are read.
type parser struct {
	t       *Template
	ids     map[string]bool
	roots   map[string]string // queue id: name of the message, see roots
	conns   map[string]int    // tag[pid] of an smtpd: value of its connection's client
	clients map[string]int    // queue id: value of its client
	nconn   int
	parts   []part
	lit     strings.Builder
}

const localhost = "localhost[127.0.0.1]"

func (p *parser) line(s string, year int) error {
	if len(s) < 17 {
		return ErrTemplate
	}
	at, err := time.Parse("2006 Jan _2 15:04:05", strconv.Itoa(year)+" "+s[:15])
	if err != nil {
		return fmt.Errorf("%w: %w", ErrTemplate, err)
	}
	if p.t.start.IsZero() {
		p.t.start = at
	}
	p.t.span = max(p.t.span, at.Sub(p.t.start))
	p.parts, p.lit = nil, strings.Builder{}
	p.add(stamp, s[:15], int64(at.Sub(p.t.start)))
	rest := s[15:]
	tag := ""
	if open := strings.IndexByte(rest, '['); open >= 0 {
		if end := strings.Index(rest[open:], "]: "); end >= 0 {
			if n, err := strconv.ParseInt(rest[open+1:open+end], 10, 64); err == nil {
				tag = rest[strings.LastIndexByte(rest[:open], ' ')+1 : open+end]
				p.lit.WriteString(rest[:open+1])
				p.add(pid, rest[open+1:open+end], n)
				rest = rest[open+end:]
			}
		}
	}
	p.body(rest, tag)
	p.flush()
	p.t.lines = append(p.t.lines, p.parts)
	return nil
}

// body cuts what stands behind the process id.
func (p *parser) body(s, tag string) {
	if strings.Contains(tag, "smtpd[") && strings.HasPrefix(s, "]: connect from ") {
		p.nconn++
		p.conns[tag] = p.value(client, "connection "+strconv.Itoa(p.nconn), 0)
	}
	id := ""
	for i := 0; i < len(s); {
		switch {
		case strings.HasPrefix(s[i:], " header Subject: ") && id != "":
			from := i + len(" header Subject: ")
			end := strings.LastIndex(s, " from ")
			if end < from {
				end = len(s)
			}
			p.lit.WriteString(s[i:from])
			p.add(subject, p.roots[id], 0)
			i = end
		case strings.HasPrefix(s[i:], localhost):
			p.client(tag, id)
			i += len(localhost)
		case s[i] == '<':
			end := strings.IndexByte(s[i:], '>')
			if end < 0 || strings.IndexByte(s[i:i+end], '@') < 0 {
				p.lit.WriteByte(s[i])
				i++
				continue
			}
			p.lit.WriteByte('<')
			if strings.HasSuffix(s[:i], "message-id=") {
				p.add(messageID, s[i+1:i+end], 0)
			} else {
				p.address(s[i+1:i+end], tag, id)
			}
			i += end
		case wordEnd(s, i) > i:
			end := wordEnd(s, i)
			if p.ids[s[i:end]] {
				if id == "" {
					id = s[i:end]
				}
				p.add(queueID, s[i:end], 0)
			} else {
				p.lit.WriteString(s[i:end])
			}
			i = end
		default:
			p.lit.WriteByte(s[i])
			i++
		}
	}
}

// client writes the client of the connection or message that a line is about.
// A re-injection comes from this host itself and stays.
func (p *parser) client(tag, id string) {
	v, ok := p.conns[tag]
	if strings.Contains(tag, "cleanup[") {
		v, ok = p.clients[id]
	}
	if !ok || strings.HasPrefix(tag, "postfix/reinject/") {
		p.lit.WriteString(localhost)
		return
	}
	if id != "" {
		p.clients[id] = v
	}
	p.flush()
	p.parts = append(p.parts, part{kind: client, value: v})
}

// address writes an address of a message. Every message has people of its own;
// the lines of a client that never got a queue id share its connection's.
func (p *parser) address(a, tag, id string) {
	owner := p.roots[id]
	if id == "" {
		owner = "connection " + strconv.Itoa(p.conns[tag])
	}
	p.flush()
	p.parts = append(p.parts, part{kind: address, value: p.valueOf(owner+" "+a, address, a, 0)})
}

// add appends a variable part.
func (p *parser) add(k kind, text string, num int64) {
	p.flush()
	p.parts = append(p.parts, part{kind: k, value: p.value(k, text, num)})
}

// value returns the index of a variable, the same for the same text.
func (p *parser) value(k kind, text string, num int64) int {
	return p.valueOf(text, k, text, num)
}

// valueOf is value where the text alone does not say which variable it is.
func (p *parser) valueOf(name string, k kind, text string, num int64) int {
	key := strconv.Itoa(int(k)) + " " + name
	i, ok := p.t.index[key]
	if !ok {
		i = len(p.t.values)
		p.t.index[key] = i
		p.t.values = append(p.t.values, value{k, text, xxhash.Sum64String(key), num})
	}
	return i
}

// flush ends a piece of fixed text.
func (p *parser) flush() {
	if p.lit.Len() > 0 {
		p.parts = append(p.parts, part{text: p.lit.String()})
		p.lit.Reset()
	}
}

// wordEnd returns the end of the run of letters and digits that begins at i.
func wordEnd(s string, i int) int {
	for i < len(s) && (s[i] >= '0' && s[i] <= '9' || s[i] >= 'A' && s[i] <= 'Z' || s[i] >= 'a' && s[i] <= 'z') {
		i++
	}
	return i
}
