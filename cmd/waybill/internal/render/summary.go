package render

import (
	"fmt"
	"io"
	"strings"

	"waybill/cmd/waybill/internal/term"
	"waybill/internal/safetext"
	"waybill/internal/search"
	"waybill/internal/track"
)

// Summary tells a person what the messages of a search come to, section by
// section. Sections with nothing in them are left out.
func Summary(out *term.Stream, s *search.Summary, clock Clock) error {
	p := &sheet{out: out, clock: clock}
	p.totals(s)
	p.outcomes(s)
	p.failures("Deferred", s.Deferred)
	p.failures("Failed for good", s.Failed)
	section(p, "Refused", "REASON", "refusal", s.Rejected, orUnknown)
	section(p, "Clients refused", "CLIENT", "refusal", s.RejectedClients, clientName)
	section(p, "Senders", "SENDER", "message", s.Senders, nullSender)
	section(p, "Recipients", "RECIPIENT", "message", s.Recipients, orUnknown)
	section(p, "Clients", "CLIENT", "message", s.Clients, clientName)
	section(p, "SASL users", "USER", "message", s.Users, orUnknown)
	p.traffic(&s.Traffic)
	return p.err
}

// sheet is a summary while it is written. After an error it writes nothing.
type sheet struct {
	out   *term.Stream
	clock Clock
	err   error
}

func (p *sheet) print(text string) {
	if p.err == nil {
		_, p.err = io.WriteString(p.out, text)
	}
}

func (p *sheet) heading(title, more string) {
	if more != "" {
		more = p.out.Style.Faint(" · " + more)
	}
	p.print("\n" + p.out.Style.Bold(title) + more + "\n")
}

func (p *sheet) table(t *Table) {
	if p.err == nil {
		p.err = t.Write(p.out)
	}
}

func (p *sheet) totals(s *search.Summary) {
	if s.Sized == 0 {
		return
	}
	p.print(p.out.Style.Faint(fmt.Sprintf("%s in all, %s on average, %s the largest", Bytes(s.Bytes), Bytes(s.Bytes/int64(s.Sized)), Bytes(s.Largest))) + "\n")
}

// outcomes shows messages and recipients in one table: both have a status.
func (p *sheet) outcomes(s *search.Summary) {
	if s.Messages == 0 {
		return
	}
	t := Table{Columns: []Column{{Head: "OUTCOME"}, {Head: "MESSAGES", Right: true}, {Head: "", Right: true}, {Head: "RECIPIENTS", Right: true}, {Head: "", Right: true}}}
	counts := map[track.Status][2]int{}
	var order []track.Status
	recipients := 0
	for i, list := range [2][]search.StatusCount{s.Outcomes, s.Deliveries} {
		for _, c := range list {
			have, known := counts[c.Status]
			if !known {
				order = append(order, c.Status)
			}
			have[i] = c.Count
			counts[c.Status] = have
			recipients += i * c.Count
		}
	}
	for _, status := range order {
		n := counts[status]
		t.Rows = append(t.Rows, []Cell{statusCell(status), cell(orBlank(n[0])), faint(share(n[0], s.Messages)), cell(orBlank(n[1])), faint(share(n[1], recipients))})
	}
	p.heading("Outcomes", "")
	p.table(&t)
}

// failures shows where recipients wait, and why. A reason that does not fit
// behind the rest stands below it.
func (p *sheet) failures(title string, top search.Top[search.Failure]) {
	if top.Total == 0 {
		return
	}
	t := Table{Columns: []Column{{Head: "COUNT", Right: true}, {Head: "", Right: true}, {Head: "DESTINATION", Least: 14}, {Head: "RELAY", Least: 14}, {Head: "REASON"}}}
	var reasons []string
	widest := 0
	for _, item := range top.Items {
		f := item.Value
		reason := safetext.Of(orUnknown(f.Reason))
		reasons = append(reasons, reason.String())
		widest = max(widest, reason.Width())
		t.Rows = append(t.Rows, []Cell{cell(sure(item.Count, item.AtLeast)), faint(share(item.Count, top.Total)), cell(orDash(f.Domain)), cell(orDash(f.Relay)), {Text: reason}})
	}
	if n := top.Others; n > 0 {
		t.Rows = append(t.Rows, []Cell{cell(Thousands(n)), faint(share(n, top.Total)), faint(others(top.Distinct-len(top.Items), top.AtLeast)), cell(""), cell("")})
	}
	p.heading(title, Count(top.Total, "recipient"))
	last := len(t.Columns) - 1
	if _, fits := t.shrink(t.layout(0), p.out.Width); fits || p.out.Width <= 0 {
		p.table(&t)
		return
	}
	t.Columns = t.Columns[:last]
	for i := range t.Rows {
		t.Rows[i] = t.Rows[i][:last]
	}
	below := make([][]string, len(t.Rows))
	for i, r := range reasons {
		below[i] = []string{r}
	}
	p.interleave(&t, below, 2)
}

// interleave writes a table with texts below each row, under its column of that
// number; under the first they are indented.
func (p *sheet) interleave(t *Table, below [][]string, column int) {
	var b strings.Builder
	stream := *p.out
	stream.Writer = &b
	if p.err = t.Write(&stream); p.err != nil {
		return
	}
	indent := "    "
	if column > 0 {
		indent = ""
		for _, w := range t.widths[:column] {
			indent += strings.Repeat(" ", w) + gap
		}
	}
	room := 0
	if p.out.Width > 0 {
		room = max(30, p.out.Width-len(indent))
	}
	for i, line := range strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n") {
		p.print(line + "\n")
		if i == 0 {
			continue // the heading
		}
		for _, text := range below[i-1] {
			if text == "" {
				continue
			}
			for _, l := range Wrap(text, room, "  ") {
				p.print(indent + p.out.Style.Faint(l) + "\n")
			}
		}
	}
}

// section shows one list. It is a function because methods have no type
// parameters.
func section[K any](p *sheet, title, head, unit string, top search.Top[K], name func(K) string) {
	if top.Total == 0 {
		return
	}
	sized := false
	for _, item := range top.Items {
		sized = sized || item.Bytes > 0
	}
	t := Table{Columns: []Column{{Head: "COUNT", Right: true}, {Head: "", Right: true}, {Head: "SIZE", Right: true}, {Head: head, Least: 20}}}
	row := func(count, size, value Cell, n int) {
		cells := []Cell{count, faint(share(n, top.Total)), size, value}
		if !sized {
			cells = append(cells[:2], cells[3:]...)
		}
		t.Rows = append(t.Rows, cells)
	}
	if !sized {
		t.Columns = append(t.Columns[:2], t.Columns[3:]...)
	}
	for _, item := range top.Items {
		size := ""
		if item.Bytes > 0 {
			size = Bytes(item.Bytes)
		}
		row(cell(sure(item.Count, item.AtLeast)), cell(size), cell(name(item.Value)), item.Count)
	}
	if n := top.Others; n > 0 {
		row(cell(Thousands(n)), cell(""), faint(others(top.Distinct-len(top.Items), top.AtLeast)), n)
	}
	p.heading(title, Count(top.Total, unit))
	if head == "REASON" { // of which the end may tell as much as the beginning
		t.wrapLast(p.out.Width)
	}
	p.table(&t)
}

// barWidth is how long the longest bar is.
const barWidth = 30

// traffic draws a bar per period: messages solid, rejections light.
func (p *sheet) traffic(t *search.Traffic) {
	if len(t.Periods) < 2 {
		return
	}
	layout := map[string]string{"hour": "Mon 01-02 15:04", "day": "Mon 2006-01-02", "month": "2006-01", "year": "2006"}[t.Unit]
	most, rejected, gaps := 0, false, false
	for _, x := range t.Periods {
		most = max(most, x.Messages+x.Rejections)
		rejected = rejected || x.Rejections > 0
		gaps = gaps || x.Incomplete
	}
	legend := "times in " + p.clock.Zone.String()
	if p.clock.Zone.String() == "Local" {
		legend = "times of this host"
	}
	if rejected {
		legend += ", █ messages ░ rejections"
	}
	if gaps {
		legend += ", ▲ a part of the log is missing"
	}
	table := Table{Columns: []Column{{Head: strings.ToUpper(t.Unit)}, {Head: "MESSAGES", Right: true}, {Head: "REJECTIONS", Right: true}, {Head: "SIZE", Right: true, Spare: 1}, {Head: ""}}}
	for _, x := range t.Periods {
		mark := ""
		if x.Incomplete {
			mark = " ▲"
		}
		when := painted(x.From.Time().In(p.clock.Zone).Format(layout)+mark, term.Style.Faint)
		if x.Incomplete {
			when.Paint = term.Style.Warn
		}
		size := ""
		if x.Bytes > 0 {
			size = Bytes(x.Bytes)
		}
		a, b := bar(x.Messages, most), bar(x.Messages+x.Rejections, most)
		table.Rows = append(table.Rows, []Cell{when, cell(Thousands(x.Messages)), cell(orBlank(x.Rejections)), cell(size),
			cell(strings.Repeat("█", a) + strings.Repeat("░", b-a))})
	}
	p.heading("Traffic", legend)
	p.table(&table)
	if t.Undated > 0 {
		p.print(p.out.Style.Faint(Thousands(t.Undated)+" of unknown time") + "\n")
	}
}

// bar is the length for n of most; whatever is not nothing is seen.
func bar(n, most int) int {
	if n == 0 || most == 0 {
		return 0
	}
	return max(1, n*barWidth/most)
}

func faint(s string) Cell { return painted(s, term.Style.Faint) }

func orBlank(n int) string {
	if n == 0 {
		return ""
	}
	return Thousands(n)
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

func orUnknown(s string) string {
	if s == "" {
		return "(not in the log)"
	}
	return s
}

func nullSender(s string) string {
	if s == "" {
		return "<>"
	}
	return s
}

func clientName(c track.Client) string { return orUnknown(ClientText(&c)) }

// sure is a count, marked where it may be more.
func sure(n int, atLeast bool) string {
	if atLeast {
		return "≥" + Thousands(n)
	}
	return Thousands(n)
}

func others(n int, atLeast bool) string {
	switch {
	case atLeast:
		return fmt.Sprintf("others, at least %s", Thousands(n))
	case n == 1:
		return "1 other"
	}
	return Thousands(n) + " others"
}

// share is n of all in percent.
func share(n, all int) string {
	switch {
	case n == 0 || all == 0:
		return ""
	case n == all:
		return "100 %"
	}
	switch p := 100 * float64(n) / float64(all); {
	case p < 0.05:
		return "<0.1 %"
	case p < 99.95:
		return fmt.Sprintf("%.1f %%", p)
	}
	return "99.9 %"
}

// Bytes is a size for people, in steps of 1024.
func Bytes(n int64) string {
	if n < 1024 {
		return fmt.Sprintf("%d B", n)
	}
	x, unit := float64(n)/1024, 0
	for x >= 1023.95 && unit < 4 {
		x, unit = x/1024, unit+1
	}
	return fmt.Sprintf("%.1f %ciB", x, "KMGTP"[unit])
}

// Count is a number of things.
func Count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return Thousands(n) + " " + what + "s"
}

// Thousands writes a number with its digits in groups.
func Thousands(n int) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
