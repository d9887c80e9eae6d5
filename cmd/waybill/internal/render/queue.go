package render

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"waybill/cmd/waybill/internal/term"
	"waybill/internal/reconcile"
	"waybill/internal/safetext"
	"waybill/internal/track"
)

// Queue tells a person how a mail queue and the log agree: the answer in a
// line, and the messages by how they stand. Of each kind as many as limit are
// shown; 0 is all.
func Queue(out *term.Stream, r *reconcile.Report, clock Clock, limit int) error {
	p := &queueSheet{sheet: sheet{out: out, clock: clock}, r: r, limit: limit}
	p.head()
	for _, k := range queueKinds() {
		p.kind(k.verdict, k.title)
	}
	return p.err
}

type queueKind struct {
	verdict reconcile.Verdict
	title   string
}

func queueKinds() []queueKind {
	return []queueKind{
		{reconcile.NotInLog, "In the queue, never seen in the log"},
		{reconcile.EndedInLog, "In the queue, but ended by the log"},
		{reconcile.NotInQueue, "Open by the log, but not in the queue"},
		{reconcile.Differs, "In both, but not the same"},
		{reconcile.Unsure, "Cannot be told"},
		{reconcile.Moving, "Began or ended while the queue was listed"},
		{reconcile.Agrees, "In both"},
	}
}

type queueSheet struct {
	sheet
	r     *reconcile.Report
	limit int
}

// head is the answer in a line.
func (p *queueSheet) head() {
	r := p.r
	mark, said := "✓ ", "Queue and log agree"
	paint := term.Style.Good
	switch {
	case r.Disagree > 0:
		mark, said, paint = "✗ ", Count(r.Disagree, "disagreement"), term.Style.Bad
	case r.Unsure > 0:
		mark, said, paint = "▲ ", "No disagreement, but "+Count(r.Unsure, "message")+" cannot be told", term.Style.Warn
	}
	in := fmt.Sprintf("%s in the queue", Thousands(r.InQueue))
	if r.Source != "" {
		in += " (" + r.Source + ")"
	}
	parts := []string{said, in, fmt.Sprintf("%s open by the log of %s", Thousands(r.OpenInLog), r.Gateway)}
	if r.Disagree > 0 && r.Unsure > 0 {
		parts = append(parts, Thousands(r.Unsure)+" cannot be told")
	}
	parts = append(parts, p.clock.Time(r.At))
	for i, line := range Wrap(mark+strings.Join(parts, " · "), p.out.Width, "  ") {
		if rest, ok := strings.CutPrefix(line, mark); ok && i == 0 {
			p.print(paint(p.out.Style, mark) + p.out.Style.Bold(rest) + "\n")
			continue
		}
		p.print(p.out.Style.Bold(line) + "\n")
	}
	var notes []string
	switch {
	case r.LogTo == 0:
		notes = append(notes, "the store has no log of "+r.Gateway)
	case r.LogTo.Add(time.Duration(r.Grace*float64(time.Second))) < r.At:
		notes = append(notes, fmt.Sprintf("the log in the store ends at %s: what happened since cannot be told", p.clock.Time(r.LogTo)))
	}
	if r.Cut != "" {
		notes = append(notes, "the listing of the queue is not whole: "+r.Cut)
	}
	if r.Unknown > 0 {
		notes = append(notes, fmt.Sprintf("%s of the listing not understood, such as: %s", Count(r.Unknown, "line"), r.Sample))
	}
	for _, n := range notes {
		p.print(strings.Join(Wrap("· "+n, p.out.Width, "  "), "\n") + "\n")
	}
}

// kind shows the messages of one verdict.
func (p *queueSheet) kind(v reconcile.Verdict, title string) {
	var of []*reconcile.Message
	for i := range p.r.Messages {
		if p.r.Messages[i].Verdict == v {
			of = append(of, &p.r.Messages[i])
		}
	}
	if len(of) == 0 {
		return
	}
	p.heading(title, Count(len(of), "message"))
	shown := of
	if p.limit > 0 && len(of) > p.limit {
		shown = of[:p.limit]
	}
	// What all of them share is said once.
	detail := shown[0].Detail
	if slices.ContainsFunc(shown, func(m *reconcile.Message) bool { return m.Detail != detail }) {
		detail = ""
	}
	if detail != "" && v != reconcile.Differs {
		p.print(p.out.Style.Faint(strings.Join(Wrap(detail, p.out.Width, ""), "\n")) + "\n")
	} else {
		detail = ""
	}
	t := Table{Columns: []Column{{Head: "QUEUE-ID"}, {Head: "AGE", Right: true}, {Head: "SIZE", Right: true, Spare: 2}, {Head: "QUEUE", Least: 8}, {Head: "LOG"}, {Head: "FROM", Least: 12}, {Head: "TO", Least: 12}}}
	var below [][]string
	for _, m := range shown {
		t.Rows = append(t.Rows, p.row(m))
		var more []string
		if detail == "" {
			more = append(more, m.Detail)
		}
		below = append(below, append(more, m.Reason))
	}
	t.dropEmpty()
	p.interleave(&t, below, 0)
	if n := len(of) - len(shown); n > 0 {
		p.print(p.out.Style.Faint(Thousands(n)+" more; --limit 0 shows all") + "\n")
	}
}

func (p *queueSheet) row(m *reconcile.Message) []Cell {
	age, size, log := "", "", Cell{}
	if m.Since != 0 {
		age = Age(p.r.At.Sub(m.Since))
	}
	if m.Size > 0 {
		size = Bytes(m.Size)
	}
	if m.Status != track.StatusNone {
		log = statusCell(m.Status)
	}
	from := ""
	if m.Sender != nil {
		from = nullSender(*m.Sender)
	}
	to := Cell{}
	if len(m.Recipients) > 0 {
		to.Text = safetext.Of(m.Recipients[0])
		if n := len(m.Recipients) + m.More - 1; n > 0 {
			to.Keep = fmt.Sprintf(" +%d", n)
		}
	}
	return []Cell{cell(m.QueueID), faint(age), cell(size), cell(m.State), log, cell(from), to}
}

// dropEmpty leaves out columns in which no row has anything.
func (t *Table) dropEmpty() {
	for i := len(t.Columns) - 1; i >= 0; i-- {
		if slices.ContainsFunc(t.Rows, func(row []Cell) bool { return row[i].Text.String() != "" }) {
			continue
		}
		t.Columns = slices.Delete(t.Columns, i, i+1)
		for n, row := range t.Rows {
			t.Rows[n] = slices.Delete(slices.Clone(row), i, i+1)
		}
	}
}

// Age is a duration in its largest unit: 25m, 3h, 4d.
func Age(d time.Duration) string {
	switch {
	case d < 0:
		return "0s"
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < 90*time.Minute:
		return fmt.Sprintf("%dm", int(d.Minutes()))
	case d < 72*time.Hour:
		return fmt.Sprintf("%dh", int(d.Hours()))
	}
	return fmt.Sprintf("%dd", int(d.Hours())/24)
}
