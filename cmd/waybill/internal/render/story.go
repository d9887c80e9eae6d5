package render

import (
	"fmt"
	"io"
	"strings"
	"time"

	"waybill/cmd/waybill/internal/term"
	"waybill/internal/safetext"
	"waybill/internal/search"
	"waybill/internal/track"
)

// Story tells one message to a person: the sentence, what is known of it, its
// recipients, its relations, and its lines with the time between them.
func Story(out *term.Stream, m *track.Message, sentence string, clock Clock) error {
	s := story{b: &strings.Builder{}, m: m, clock: clock, width: out.Width, style: out.Style}
	s.wrapped(s.style.Bold, sentence)
	s.facts()
	s.recipients()
	s.relations()
	s.events()
	_, err := io.WriteString(out, s.b.String())
	return err
}

type story struct {
	b     *strings.Builder
	m     *track.Message
	clock Clock
	width int
	style term.Style
}

// wrapped breaks a text at blanks so that it fits the terminal.
func (s *story) wrapped(paint func(string) string, text string) {
	limit := s.width
	if limit <= 0 || limit > 100 {
		limit = 100
	}
	for _, line := range Wrap(text, limit, "") {
		s.b.WriteString(paint(line) + "\n")
	}
}

func (s *story) heading(text string) {
	s.b.WriteString("\n" + s.style.Bold(text) + "\n")
}

// fact writes one line of what is known; nothing when it is not.
func (s *story) fact(name, value string) {
	if value == "" {
		return
	}
	fmt.Fprintf(s.b, "  %s %s\n", s.style.Faint(fmt.Sprintf("%-11s", name)), safetext.Of(value))
}

func (s *story) facts() {
	m := s.m
	s.b.WriteByte('\n')
	s.fact("id", m.ID)
	where := m.Gateway
	if m.QueueID != "" {
		where += ", queue id " + m.QueueID
	}
	if m.Instance != "" {
		where += ", instance " + m.Instance
	}
	s.fact("gateway", where)
	s.fact("message-id", m.MessageID)
	if m.Sender != nil {
		s.fact("from", sender(row{m: m}))
	}
	s.fact("subject", m.Subject)
	s.fact("client", strings.TrimSpace(ClientText(m.Client)+helo(m.Client)))
	if m.Auth != nil {
		s.fact("user", strings.TrimSpace(m.Auth.User+" "+m.Auth.Mechanism))
	}
	s.fact("tls", tlsText(m.TLS))
	if m.Size > 0 {
		s.fact("size", fmt.Sprintf("%d bytes", m.Size))
	}
	s.fact("direction", m.Direction)
	for _, a := range m.Attachments {
		s.fact("attachment", strings.TrimSpace(a.Name+" "+a.Hash))
	}
	for _, v := range m.Verdicts {
		s.fact("verdict", strings.TrimSpace(fmt.Sprintf("%s %s %s", v.Engine, v.Verdict, v.Score)))
	}
	l := lookOf(m.Status)
	text := statusWord(m.Status)
	if o := search.Outcome(m); o != m.Status && o != track.StatusNone {
		text += ", in the end " + statusWord(o)
		l = lookOf(o)
	}
	fmt.Fprintf(s.b, "  %s %s\n", s.style.Faint(fmt.Sprintf("%-11s", "status")), l.paint(s.style, l.symbol+" "+text))
	s.fact("reason", m.Reason)
}

func helo(c *track.Client) string {
	if c == nil || c.Helo == "" || c.Helo == c.Name {
		return ""
	}
	return " (helo " + c.Helo + ")"
}

func tlsText(t *track.TLS) string {
	if t == nil {
		return ""
	}
	return strings.Join(strings.Fields(t.Protocol+" "+t.Cipher+" "+t.Trust), " ")
}

func (s *story) recipients() {
	if len(s.m.Recipients) == 0 {
		if s.m.RecipientCount > 0 {
			s.heading(fmt.Sprintf("Recipients: %d, none logged", s.m.RecipientCount))
		}
		return
	}
	title := "Recipients"
	if n := s.m.RecipientCount; n > len(s.m.Recipients) {
		title = fmt.Sprintf("Recipients: %d of %d logged", len(s.m.Recipients), n)
	}
	s.heading(title)
	for i := range s.m.Recipients {
		s.recipient(&s.m.Recipients[i])
	}
}

func (s *story) recipient(rc *track.Rcpt) {
	status := rc.Outcome
	if status == track.StatusNone {
		status = rc.Status
	}
	l := lookOf(status)
	word := statusWord(rc.Status)
	if status != rc.Status {
		word += " → " + statusWord(status)
	}
	if rc.Uncertain {
		word += ", may have arrived all the same"
	}
	name := rc.Address
	if name == "" {
		name = strings.TrimSpace("(not named in the log) " + rc.Route)
	}
	if rc.Original != "" && rc.Original != rc.Address {
		name += "  (for " + rc.Original + ")"
	}
	fmt.Fprintf(s.b, "  %s  %s\n", l.paint(s.style, l.symbol+" "+word), safetext.Of(name))
	var how []string
	if t := s.clock.Time(rc.Time); t != "" {
		how = append(how, t)
	}
	if rc.Attempts > 1 {
		how = append(how, fmt.Sprintf("%d attempts", rc.Attempts))
	}
	if rc.Relay != "" && rc.Relay != "none" {
		how = append(how, "by "+rc.Relay)
	}
	if t := protocol(rc.TLS); t != "" {
		how = append(how, t)
	}
	if len(how) > 0 {
		fmt.Fprintf(s.b, "      %s\n", safetext.Of(strings.Join(how, ", ")))
	}
	if rc.Response != "" {
		fmt.Fprintf(s.b, "      %s\n", s.style.Faint(safetext.Of(rc.Response).String()))
	}
	if rc.Next != nil {
		fmt.Fprintf(s.b, "      goes on at %s\n", safetext.Of(relativeText(*rc.Next)))
	}
}

func (s *story) relations() {
	if s.m.Parent == nil && len(s.m.Children) == 0 {
		return
	}
	s.heading("Related messages")
	if r := s.m.Parent; r != nil {
		fmt.Fprintf(s.b, "  %s %s\n", search.ParentWords(r.Relation), safetext.Of(relativeText(*r)))
	}
	for _, r := range s.m.Children {
		fmt.Fprintf(s.b, "  %s %s\n", search.ChildWords(r.Relation), safetext.Of(relativeText(r)))
	}
}

func relativeText(r track.Relative) string {
	text := r.Gateway
	if r.QueueID != "" {
		text += " " + r.QueueID
	}
	if r.ID != "" {
		text += "  (waybill show " + r.ID + ")"
	}
	return strings.TrimSpace(text)
}

// pause is how long nothing happens before the story says so.
const pause = time.Second

func (s *story) events() {
	if len(s.m.Events) == 0 {
		return
	}
	layout, title := "2006-01-02 15:04:05.999999", "Lines"
	if day := s.oneDay(); day != "" && s.clock.Format != RFC3339 {
		layout, title = "15:04:05.999999", "Lines of "+day
	} else if s.clock.Format == RFC3339 {
		layout = "2006-01-02T15:04:05.999999Z07:00"
	}
	s.heading(title)
	var before track.Stamp
	for i, e := range s.m.Events {
		if i > 0 && e.Source == s.m.Events[i-1].Source && e.Text == s.m.Events[i-1].Text {
			continue // one line told several things
		}
		if d := e.Time.Sub(before); before != 0 && e.Time != 0 && d > pause {
			fmt.Fprintf(s.b, "  %s\n", s.style.Faint("⋮ "+Length(d)))
		}
		clock := ""
		if e.Time != 0 {
			before = e.Time
			clock = e.Time.Time().In(s.clock.Zone).Format(layout)
		}
		s.line(clock, e.Text, e.Source)
	}
}

// line writes a line of the log behind its time. On a terminal it is broken so
// that times stand alone in their column.
func (s *story) line(clock, text, source string) {
	indent := 2 + len(clock) + 2
	lines := []string{safetext.Of(text).String()}
	if s.width > indent+30 {
		lines = Wrap(text, s.width-indent, "")
	}
	where := safetext.Of(source).String()
	last := lines[len(lines)-1]
	if s.width > 0 && indent+safetext.Width(last)+2+safetext.Width(where) > s.width {
		lines = append(lines, s.style.Faint(where))
	} else {
		lines[len(lines)-1] = last + "  " + s.style.Faint(where)
	}
	fmt.Fprintf(s.b, "  %s  %s\n", s.style.Faint(clock), strings.Join(lines, "\n"+strings.Repeat(" ", indent)))
}

// oneDay is the day of all events, "" when they are of several.
func (s *story) oneDay() string {
	day := ""
	for _, e := range s.m.Events {
		d := e.Time.Time().In(s.clock.Zone).Format(time.DateOnly)
		if e.Time == 0 || day != "" && d != day {
			return ""
		}
		day = d
	}
	return day
}
