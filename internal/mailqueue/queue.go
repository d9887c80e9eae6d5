package mailqueue

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// Form is the server whose listing it is.
type Form string

// The forms. Auto recognises by looking.
const (
	Auto      Form = ""
	Postfix   Form = "postfix"
	Exim      Form = "exim"
	Sendmail  Form = "sendmail"
	OpenSMTPD Form = "opensmtpd"
)

// Forms lists the forms that a listing can have.
func Forms() []Form { return []Form{Postfix, Exim, Sendmail, OpenSMTPD} }

// Queue is a listing.
type Queue struct {
	Form     Form
	Messages []Message
	// Unknown lines were not understood; Sample is the first of them.
	Unknown int
	Sample  string
	// Cut says why the listing is not whole, "" when it is.
	Cut string

	lost bool // the first line of the message at hand was not understood
}

// Message is a message in a queue.
type Message struct {
	ID         string
	Sender     *string   // "" is the null sender; nil: not told
	SenderCut  bool      // Sender is only its beginning
	Size       int64     // bytes; 0: not told, or not of the whole message
	SizeOff    int64     // how far Size may be off, because it is rounded
	Since      time.Time // when it came; zero: not told
	SinceOff   time.Duration
	State      string // of the queue: active, deferred, hold, frozen, ...; "" is none in particular
	Reason     string // why it waits
	Recipients []Recipient
	More       int // recipients beyond those that are kept
}

// Recipient is an address that a message waits for.
type Recipient struct {
	Address string
	Cut     bool   // Address is only its beginning
	Done    bool   // delivered already
	Reason  string // why it waits
}

// Bounds.
const (
	MaxMessages   = 500_000
	maxRecipients = 100      // of a message that are kept
	maxLine       = 16 << 20 // a message with 50,000 recipients is one line of postqueue -j
	maxText       = 1000     // bytes of an address or reason
	maxID         = 64
)

// ErrForm is returned for a listing that has none of the known forms.
var ErrForm = errors.New("not a listing of a mail queue that is known")

// Options tell what a listing leaves out.
type Options struct {
	// Now is when the listing was made: some forms tell ages, or times without a
	// year.
	Now time.Time
	// Zone is that of times without one; nil is UTC.
	Zone *time.Location
}

// Add adds another listing of the same server, of messages that are not in q.
func (q *Queue) Add(more *Queue) {
	q.Messages = append(q.Messages, more.Messages...)
	q.Unknown += more.Unknown
	if q.Sample == "" {
		q.Sample = more.Sample
	}
	if q.Cut == "" {
		q.Cut = more.Cut
	}
}

// parser takes the lines of one form.
type parser interface {
	line(q *Queue, text string)
}

// Read reads a listing. With Auto an empty one is ErrForm: an empty queue is
// silence in most forms, and so is a command that did nothing.
func Read(r io.Reader, form Form, o Options) (*Queue, error) { return read(r, form, o, MaxMessages) }

func read(r io.Reader, form Form, o Options, most int) (*Queue, error) {
	if o.Zone == nil {
		o.Zone = time.UTC
	}
	q := &Queue{Form: form}
	var p parser
	if form != Auto {
		p = newParser(form, o)
		if p == nil {
			return nil, fmt.Errorf("%w: %q", ErrForm, form)
		}
	}
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 0, 64<<10), maxLine)
	for lines.Scan() {
		text := strings.TrimRight(lines.Text(), "\r")
		if p == nil {
			if strings.TrimSpace(text) == "" {
				continue
			}
			if q.Form = recognise(text); q.Form == Auto {
				return nil, fmt.Errorf("%w: it begins with %q", ErrForm, bounded(text, 80))
			}
			p = newParser(q.Form, o)
		}
		p.line(q, text)
		if len(q.Messages) > most {
			q.Messages = q.Messages[:most]
			q.Cut = fmt.Sprintf("it has more than %d messages", most)
			return q, nil
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("read the queue's listing: %w", err)
	}
	if p == nil {
		return nil, fmt.Errorf("%w: it is empty", ErrForm)
	}
	return q, nil
}

func newParser(form Form, o Options) parser {
	switch form {
	case Postfix:
		return &postfix{o: o}
	case Exim:
		return &exim{o: o}
	case Sendmail:
		return &sendmail{o: o}
	case OpenSMTPD:
		return &opensmtpd{byID: map[string]int{}}
	}
	return nil
}

// recognise tells the form by the first line that is not blank.
func recognise(line string) Form {
	switch {
	case strings.HasPrefix(line, "{") && strings.Contains(line, `"queue_id"`),
		strings.HasPrefix(line, postfixHead), line == postfixEmpty:
		return Postfix
	case sendmailTitle(line), strings.HasPrefix(line, sendmailHead), strings.HasPrefix(strings.TrimSpace(line), sendmailTotal):
		return Sendmail
	}
	if _, ok := envelope(line); ok {
		return OpenSMTPD
	}
	if _, ok := eximHead(line, time.Time{}); ok {
		return Exim
	}
	return Auto
}

// add begins a message.
func (q *Queue) add(m Message) {
	q.Messages = append(q.Messages, m)
	q.lost = false
}

// last is the message whose lines are being read, nil before the first and
// where that was not understood.
func (q *Queue) last() *Message {
	if len(q.Messages) == 0 || q.lost {
		return nil
	}
	return &q.Messages[len(q.Messages)-1]
}

func (q *Queue) unknown(line string) {
	q.lost = true
	if q.Unknown++; q.Unknown == 1 {
		q.Sample = bounded(line, 200)
	}
}

func (m *Message) recipient(r Recipient) {
	if len(m.Recipients) >= maxRecipients {
		m.More++
		return
	}
	r.Address, r.Reason = bounded(r.Address, maxText), bounded(r.Reason, maxText)
	m.Recipients = append(m.Recipients, r)
}

// bounded is a copy of at most n bytes of s, in valid UTF-8.
func bounded(s string, n int) string {
	if len(s) > n {
		s = s[:n]
	}
	return strings.ToValidUTF8(strings.Clone(s), "\ufffd")
}

// sender makes an address of what a listing shows, with brackets or without.
func sender(s string) *string {
	s = bounded(unbracket(s), maxText)
	return &s
}

func unbracket(s string) string {
	if len(s) > 1 && s[0] == '<' && s[len(s)-1] == '>' {
		return s[1 : len(s)-1]
	}
	return s
}

// isID reports whether s can be a queue id: letters, digits and dashes.
func isID(s string) bool {
	if s == "" || len(s) > maxID {
		return false
	}
	for i := 0; i < len(s); i++ {
		c := s[i]
		if !(c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c == '-') {
			return false
		}
	}
	return true
}

// recent puts a time without a year into the year before now.
func recent(t, now time.Time) time.Time {
	const ahead = 24 * time.Hour // clocks and zones differ
	t = time.Date(now.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), 0, t.Location())
	if t.After(now.Add(ahead)) {
		t = t.AddDate(-1, 0, 0)
	}
	return t
}
