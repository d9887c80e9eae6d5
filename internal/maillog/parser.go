package maillog

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"waybill/internal/track"
)

const (
	// maxLine bounds what is read of a line; the rest is cut and counted.
	maxLine = 64 << 10
	// maxRepeat bounds the events of one "message repeated" line.
	maxRepeat = 1000
	// maxPrograms bounds the cache of (host, tag) pairs.
	maxPrograms = 4096
	// maxStrings bounds the table of strings that outlive their line.
	maxStrings = 8192
)

// Auto is the Format that looks at each line's program; several daemons may
// share one file.
const Auto = "auto"

// Options say how a source is to be read.
type Options struct {
	Gateway  string         // whose log it is; dialects with ids of their own need it
	Location *time.Location // zone of stamps that name none; nil is UTC
	Year     int            // of the first line, for stamps without one; 0 infers it
	FileTime time.Time      // when the source was last written; zero is now
	// Format is a dialect's name, or "" or Auto. With a name, every line whose
	// program no filter knows is taken as written by that dialect's daemons.
	Format string
	// NextMID and NextICID give the numbers of lives and connections. Nil counts
	// from 1.
	NextMID, NextICID func() uint64
}

// dialect knows the lines of one family of programs.
type dialect interface {
	name() string
	// recognise prepares p, whose tag is set, for the lines of its program, or
	// reports that this is not one of the dialect's programs. forced asks for a
	// best guess: the operator says that the program is the dialect's.
	recognise(p *origin, forced bool) bool
	// line tells what the line in c says by emitting its events.
	line(c *cursor) outcome
}

// sniffer is a dialect whose server writes lines that name no program, or a
// name that the operator chose: it is recognised by what the line says.
type sniffer interface {
	// sniff reports whether nobody else writes such a line.
	sniff(h *Header) bool
}

// continuer is a dialect whose entries may go on in lines without a header.
type continuer interface {
	// more reads c.raw, the line behind one of the dialect's. ok is false when the
	// line does not go on with it.
	more(c *cursor) (became outcome, ok bool)
	// within reports whether a line surely goes on with the entry before it,
	// whatever stands in it: it is not looked at for a header of its own.
	within(line string) bool
}

// keeper is a dialect with a state of its own.
type keeper interface {
	// save returns what load needs in another process; nil for nothing. Equal
	// states give equal bytes.
	save() []byte
	load(c *cursor, b []byte) error
}

// breaker is a dialect whose state does not hold across every gap.
type breaker interface {
	// skipped says that lines were left out: what an entry or line in the making
	// waits for does not come.
	skipped()
	// newPiece says that another piece of log begins: perhaps the next one, perhaps
	// another log that tells of the same time.
	newPiece()
}

// lastingKeeper is a keeper whose state goes by numbers that are never given
// again.
type lastingKeeper interface {
	keeper
	lasts()
}

// outcome says what became of a line.
type outcome uint8

const (
	notKnown outcome = iota // not understood: counted and sampled
	ignored                 // understood and of no use: counted
	parsed                  // became one event or several
)

// origin is a program on a host, as the header names it.
type origin struct {
	host    uint32 // number of the host name
	name    string // host name
	tag     string
	dialect int    // index into the parser's dialects, -1 for none
	found   bool   // dialect was found by what a line says
	daemon  daemon // set by the Postfix dialect
	service string // what stands before the last slash of the tag: the syslog_name
	// instance is the first part of the syslog_name. Services of one instance
	// often append a name of their own ("postfix/filtered"), instances differ in
	// front ("postfix-out").
	instance string
}

type originKey struct{ host, tag string }

// Parser turns the lines of one source into events. It is not safe for
// concurrent use.
type Parser struct {
	headers  *Headers
	dialects []dialect
	// sniffers and continuers are the dialects that are such, nil in the place of
	// one that is not.
	sniffers   []sniffer
	continuers []continuer
	forced     int // index of the dialect that Format names, -1 for none
	stats      counters

	origins map[originKey]*origin
	hosts   map[string]uint32
	strings map[string]string // interned strings
	cur     cursor

	// The last line that a program wrote, for "last message repeated".
	last     []byte
	lastBody int // where its body begins
	lastPID  uint32
	lastFrom *origin

	orphans []orphan
}

// servers are the dialects of mail servers, in the order in which they are
// asked. What the filters beside them write is understood with each.
func servers() []dialect {
	return []dialect{
		postfix{},
		&exim{},
		newSendmail(),
		newOpenSMTPD(),
		newESA(),
	}
}

// dialects returns the servers and the filters beside them.
func dialects() []dialect { return append(servers(), filters{}) }

// Formats lists the names that Options.Format may have.
func Formats() []string {
	out := []string{Auto}
	for _, d := range servers() {
		out = append(out, d.name())
	}
	return out
}

// New returns a Parser that has read nothing yet.
func New(o Options) (*Parser, error) {
	p := &Parser{
		headers:  NewHeaders(HeaderOptions{Location: o.Location, Year: o.Year, FileTime: o.FileTime}),
		dialects: dialects(),
		forced:   -1,
		origins:  make(map[originKey]*origin),
		hosts:    make(map[string]uint32),
		strings:  make(map[string]string),
	}
	if o.Format != "" && o.Format != Auto {
		if p.forced = slices.Index(Formats()[1:], o.Format); p.forced < 0 {
			return nil, fmt.Errorf("unknown log format %q, known are %s", o.Format, strings.Join(Formats(), ", "))
		}
	}
	for _, d := range p.dialects {
		sniffs, _ := d.(sniffer)
		continues, _ := d.(continuer)
		p.sniffers, p.continuers = append(p.sniffers, sniffs), append(p.continuers, continues)
	}
	p.stats.init(p.dialects)
	p.cur.init(p, counter(o.NextMID), counter(o.NextICID))
	return p, nil
}

func counter(next func() uint64) func() uint64 {
	if next != nil {
		return next
	}
	var n uint64
	return func() uint64 { n++; return n }
}

// Line reads one line without its line end. emit is called for each event;
// the event and its attributes are used again afterwards, its strings are
// parts of text or outlive it. number counts lines from 1, offset is that of
// the line's first byte.
func (p *Parser) Line(text string, number, offset int64, emit func(*track.Event)) {
	p.stats.lines++
	if len(text) > maxLine {
		text = text[:maxLine]
		p.stats.cut++
	}
	if !utf8.ValidString(text) {
		text = strings.ToValidUTF8(text, "\uFFFD")
		p.stats.repaired++
	}
	c := &p.cur
	c.raw = text
	h := &c.h
	if p.within(text) && p.continued(number, offset, emit) {
		return
	}
	if !p.headers.Parse(text, h) {
		if p.continued(number, offset, emit) {
			return
		}
		if strings.TrimSpace(text) == "" {
			p.stats.blank++
		} else {
			p.stats.headerless++
			p.stats.headerlessSamples.add(text)
		}
		return
	}
	if text[0] == '{' {
		h.repair()
	}
	times := 1
	if h.Tag == "" && strings.HasPrefix(h.Body, lastRepeated) {
		if times = p.recall(h); times == 0 {
			p.stats.foreign++
			return
		}
	}
	o := p.origin(h)
	if h.Tag == "" || h.Level != "" || o.dialect < 0 {
		p.look(o, h)
	}
	p.last = append(p.last[:0], h.Text...)
	p.lastBody, p.lastPID, p.lastFrom = len(h.Text)-len(h.Body), h.PID, o
	if o.dialect < 0 {
		p.stats.foreign++
		p.stats.programs.add(o.tag)
		return
	}
	if strings.HasPrefix(h.Body, messageRepeated) {
		if inner, n := repeated(h.Body); n > 0 {
			h.Body, times = inner, n
		}
	}
	c.o, c.number, c.offset, c.emitTo = o, number, offset, emit
	c.lineLife = nil
	d := p.dialects[o.dialect]
	became := d.line(c)
	for range times - 1 {
		d.line(c)
	}
	c.emitTo = nil
	p.stats.count(o.dialect, became, h.Text)
}

// look finds the dialect of a line by what it says. A log keeps the dialect
// that was found until a line says for sure that it is another's.
func (p *Parser) look(o *origin, h *Header) {
	if p.forced >= 0 {
		return // the operator has said it
	}
	if o.dialect >= 0 {
		if d := p.sniffers[o.dialect]; d == nil || d.sniff(h) {
			return
		}
	}
	for i, d := range p.sniffers {
		if d != nil && i != o.dialect && d.sniff(h) {
			o.dialect, o.found = i, true
			return
		}
	}
}

// within reports whether a line belongs to the entry that the line before began,
// although a stranger may have made it look like another.
func (p *Parser) within(line string) bool {
	if p.lastFrom == nil || p.lastFrom.dialect < 0 {
		return false
	}
	d := p.continuers[p.lastFrom.dialect]
	return d != nil && d.within(line)
}

// continued gives a line without a header to the dialect of the line before.
func (p *Parser) continued(number, offset int64, emit func(*track.Event)) bool {
	o := p.lastFrom
	if o == nil || o.dialect < 0 {
		return false
	}
	d := p.continuers[o.dialect]
	if d == nil {
		return false
	}
	c := &p.cur
	c.o, c.number, c.offset, c.emitTo = o, number, offset, emit
	c.lineLife = nil
	became, ok := d.more(c)
	c.emitTo = nil
	if ok {
		p.stats.count(o.dialect, became, c.raw)
	}
	return ok
}

// Two forms of saying that the line before came again: rsyslog puts the body
// in brackets behind the program's own tag, the old syslogd has no tag.
const (
	messageRepeated = "message repeated "
	lastRepeated    = "last message repeated "
)

// repeated reads "message repeated N times: [ body]".
func repeated(s string) (inner string, times int) {
	n, rest := number(s[len(messageRepeated):])
	rest, ok := strings.CutPrefix(rest, " times: [")
	if !ok || n <= 0 || !strings.HasSuffix(rest, "]") {
		return "", 0
	}
	return strings.TrimPrefix(rest[:len(rest)-1], " "), min(n, maxRepeat)
}

// recall puts the last line back into h, all but its time.
func (p *Parser) recall(h *Header) (times int) {
	n, rest := number(h.Body[len(lastRepeated):])
	if p.lastFrom == nil || n <= 0 || !strings.HasPrefix(rest, " time") {
		return 0
	}
	h.Host, h.Tag, h.PID = p.lastFrom.name, p.lastFrom.tag, p.lastPID
	h.Text = string(p.last)
	h.Body = h.Text[p.lastBody:]
	return min(n, maxRepeat)
}

// repair makes the strings of a header valid that were not parts of the line
// as it stood there (JSON escapes, byte arrays).
func (h *Header) repair() {
	for _, s := range []*string{&h.Host, &h.Tag} {
		*s = strings.ToValidUTF8(*s, "\uFFFD")
	}
	if !utf8.ValidString(h.Text) {
		front := strings.ToValidUTF8(h.Text[:len(h.Text)-len(h.Body)], "\uFFFD")
		body := strings.ToValidUTF8(h.Body, "\uFFFD")
		h.Text = front + body
		h.Body = h.Text[len(front):]
	}
}

// origin returns what is known of the program that wrote the line.
func (p *Parser) origin(h *Header) *origin {
	if o := p.lastFrom; o != nil && o.tag == h.Tag && o.name == h.Host {
		return o
	}
	if o, ok := p.origins[originKey{h.Host, h.Tag}]; ok {
		return o
	}
	if len(p.origins) >= maxPrograms {
		clear(p.origins)
	}
	o := &origin{name: strings.Clone(h.Host), tag: strings.Clone(h.Tag), dialect: -1}
	o.host = p.host(o.name)
	for i, d := range p.dialects {
		if _, filter := d.(filters); (filter || p.forced < 0) && d.recognise(o, false) {
			o.dialect = i
			break
		}
	}
	if o.dialect < 0 && p.forced >= 0 && p.dialects[p.forced].recognise(o, true) {
		o.dialect = p.forced
	}
	p.origins[originKey{o.name, o.tag}] = o
	return o
}

// host numbers a host name. When there are too many they share the number 0,
// which costs nothing but a mistaken life where two of them use the same id.
func (p *Parser) host(name string) uint32 {
	n, ok := p.hosts[name]
	if !ok && len(p.hosts) < maxPrograms {
		n = uint32(len(p.hosts)) + 1
		p.hosts[name] = n
	}
	return n
}

// intern returns a copy of s that outlives its line. The few strings that the
// state keeps (ciphers, relays) come again and again.
func (p *Parser) intern(s string) string {
	if v, ok := p.strings[s]; ok {
		return v
	}
	if len(p.strings) >= maxStrings {
		clear(p.strings)
	}
	s = strings.Clone(s)
	p.strings[s] = s
	return s
}
