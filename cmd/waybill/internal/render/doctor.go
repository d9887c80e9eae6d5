package render

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"waybill/cmd/waybill/internal/term"
	"waybill/internal/doctor"
	"waybill/internal/safetext"
)

// Shown is how much of a report of the doctor is shown.
type Shown struct {
	Limit int  // windows of each cause; 0 is all
	Races bool // the race for each of these windows, not for the first alone
}

// Doctor tells a person what the logs say of missing windows: the answer, the
// causes with who did what around a window, what no log covers, and what was
// read.
func Doctor(out *term.Stream, r *doctor.Report, clock Clock, shown Shown) error {
	p := &doctorSheet{sheet: sheet{out: out, clock: clock}, r: r, Shown: shown}
	p.head()
	for _, g := range r.Groups() {
		p.group(&g)
	}
	p.pages()
	p.uncovered()
	p.read()
	return p.err
}

type doctorSheet struct {
	sheet
	r *doctor.Report
	Shown
}

func (p *doctorSheet) head() {
	mark, paint := "✗ ", term.Style.Bad
	switch {
	case len(p.r.Findings) > 0:
	case p.r.Blind():
		mark, paint = "▲ ", term.Style.Warn
	default:
		mark, paint = "✓ ", term.Style.Good
	}
	for i, line := range Wrap(mark+p.r.Answer(), p.out.Width, "  ") {
		if rest, ok := strings.CutPrefix(line, mark); ok && i == 0 {
			p.print(paint(p.out.Style, mark) + p.out.Style.Bold(rest) + "\n")
			continue
		}
		p.print(p.out.Style.Bold(line) + "\n")
	}
	if said := p.r.Assumption(); said != "" {
		p.print("  " + p.out.Style.Warn("▲ ") + strings.Join(Wrap(said, p.room(4), "    "), "\n") + "\n")
	}
}

// clause writes a text behind its label, the lines of the text below each other.
func (p *doctorSheet) clause(label, text string) {
	const width = 13 // of the longest label, and a blank
	if text == "" {
		return
	}
	indent := strings.Repeat(" ", width)
	for i, l := range Wrap(text, p.room(2+width), "") {
		head := indent
		if i == 0 {
			head = p.out.Style.Faint(label) + indent[safetext.Width(label):]
		}
		p.print("  " + head + l + "\n")
	}
}

// room is what an indent leaves of a line; 0 is no limit.
func (p *doctorSheet) room(indent int) int {
	if p.out.Width <= 0 {
		return 0
	}
	return max(20, p.out.Width-indent)
}

// span writes two times, the date of the second only where it is another.
func (p *doctorSheet) span(from, to time.Time) string {
	from, to = from.In(p.clock.Zone), to.In(p.clock.Zone)
	last := time.DateTime
	if from.Format(time.DateOnly) == to.Format(time.DateOnly) {
		last = time.TimeOnly
	}
	return from.Format(time.DateTime) + " → " + to.Format(last)
}

func (p *doctorSheet) more(n int) {
	if n > 0 {
		p.print("  " + p.out.Style.Faint(Thousands(n)+" more; --limit 0 shows all") + "\n")
	}
}

func (p *doctorSheet) some(n int) int {
	if p.Limit > 0 {
		return min(n, p.Limit)
	}
	return n
}

// shared is what f tells of every finding of a group, "" when they differ.
func shared(g *doctor.Group, f func(*doctor.Finding) string) string {
	one := f(g.Findings[0])
	for _, other := range g.Findings[1:] {
		if f(other) != one {
			return ""
		}
	}
	return one
}

// group tells the findings of one cause; what all have in common is said once.
func (p *doctorSheet) group(g *doctor.Group) {
	first := g.Findings[0]
	gateway := shared(g, func(f *doctor.Finding) string { return f.Gateway })
	sure := shared(g, func(f *doctor.Finding) string { return string(f.Confidence) })
	verdict := shared(g, func(f *doctor.Finding) string { return f.Verdict })
	why := shared(g, (*doctor.Finding).Why)
	title := Count(len(g.Findings), "window")
	if gateway != "" {
		title += " of " + safetext.Of(gateway).String()
	}
	title += " · " + Length(g.Length())
	if sure != "" {
		title += " · " + sure + " confidence"
	}
	p.title(safetext.Of(g.Title()).String(), title)
	p.clause("Cause", verdict)
	if why != verdict {
		p.clause("Lost because", why)
	}
	p.clause("What to do", g.Remedy())
	if g.Cause != doctor.UnknownCause { // of which nothing was concluded
		p.clause("Disproof", first.Disproof)
	}
	p.print("\n")
	p.windows(g, gateway == "", sure == "", why == "")
	told := g.Findings[:1]
	if p.Races {
		told = g.Findings[:p.some(len(g.Findings))]
	}
	for _, f := range told {
		p.story(f, gateway == "")
	}
	if n := stories(g.Findings) - stories(told); n > 0 && !p.Races {
		p.print("\n  " + p.out.Style.Faint(Thousands(n)+" more; --verbose shows who did what around each window") + "\n")
	}
}

// stories counts the findings around whose windows somebody did something.
func stories(all []*doctor.Finding) (n int) {
	for _, f := range all {
		if len(f.Race) > 1 {
			n++
		}
	}
	return n
}

// title is a heading; what does not fit beside it stands below.
func (p *doctorSheet) title(title, more string) {
	if p.out.Width <= 0 || safetext.Width(title+" · "+more) <= p.out.Width {
		p.heading(title, more)
		return
	}
	p.heading(strings.Join(Wrap(title, p.room(0), "  "), "\n"), "")
	for _, l := range Wrap(more, p.room(2), "  ") {
		p.print("  " + p.out.Style.Faint(l) + "\n")
	}
}

// indented writes a table below its heading. Without heads it has none.
func (p *doctorSheet) indented(t *Table) {
	t.indent()
	if !slices.ContainsFunc(t.Columns, func(c Column) bool { return c.Head != "" }) {
		t.widths = t.layout(p.out.Width)
	}
	p.table(t)
}

// indent puts an empty column in front.
func (t *Table) indent() {
	t.Columns = slices.Insert(t.Columns, 0, Column{})
	for i, row := range t.Rows {
		t.Rows[i] = slices.Insert(slices.Clone(row), 0, Cell{})
	}
}

// windows lists the windows of a cause, with what is not the same of all. What
// there is no room for in a line stands below it, names of files are left out.
func (p *doctorSheet) windows(g *doctor.Group, gateway, sure, why bool) {
	shown := g.Findings[:p.some(len(g.Findings))]
	t := windowTable(p, shown, gateway, sure, why, true)
	if p.tight(t) {
		t = windowTable(p, shown, gateway, sure, why, false)
	}
	if !why || !p.tight(t) {
		p.indented(t)
	} else {
		t = windowTable(p, shown, gateway, sure, false, false)
		t.indent()
		below := make([][]string, len(shown))
		for i, f := range shown {
			below[i] = []string{f.Why()}
		}
		p.interleave(t, below, 0)
	}
	p.more(len(g.Findings) - len(shown))
}

func windowTable(p *doctorSheet, shown []*doctor.Finding, gateway, sure, why, file bool) *Table {
	t := &Table{Columns: []Column{{Head: "GATEWAY"}, {Head: "WINDOW"}, {Head: "LISTED", Right: true}, {Head: "COPIED", Right: true}, {Head: "REMOVED", Right: true}, {Head: "SURE"}, {Head: "FILE"}, {Head: "WHY"}}}
	only := func(want bool, c Cell) Cell {
		if want {
			return c
		}
		return Cell{}
	}
	for _, f := range shown {
		row := []Cell{only(gateway, cell(f.Gateway)), cell(p.span(f.From, f.To))}
		for _, did := range []string{"listed", "copied", "removed"} {
			row = append(row, cell(firstStep(f, did)))
		}
		name := cell(f.Window)
		if f.Reckoned {
			name = faint("no line names it")
		}
		t.Rows = append(t.Rows, append(row, only(sure, cell(string(f.Confidence))), only(file, name), only(why, faint(f.Why()))))
	}
	t.dropEmpty()
	return t
}

// tight tells that a table, indented, does not fit.
func (p *doctorSheet) tight(t *Table) bool {
	return p.out.Width > 0 && len(gap)+t.width() > p.out.Width
}

// width is that of the table where nothing is cut.
func (t *Table) width() int {
	n := -len(gap)
	for _, w := range t.layout(0) {
		n += len(gap) + w
	}
	return n
}

// evidence quotes the lines that a finding follows from, below the names of
// their files.
func (p *doctorSheet) evidence(f *doctor.Finding) {
	if len(f.Evidence) == 0 {
		return
	}
	most := int64(0)
	for _, e := range f.Evidence {
		most = max(most, e.Line)
	}
	width := len(fmt.Sprint(most))
	file := ""
	for i, e := range f.Evidence {
		if i == 0 || e.File != file {
			file = e.File
			p.print("\n  " + p.out.Style.Faint(safetext.Of(file).String()) + "\n")
		}
		text := []string{safetext.Of(e.Text).String()}
		if room := p.room(width + 6); room > 0 && safetext.Width(text[0]) > room {
			text = Wrap(e.Text, room, "  ")
		}
		for k, l := range text {
			number := strings.Repeat(" ", width)
			if k == 0 {
				number = p.out.Style.Faint(fmt.Sprintf("%*d", width, e.Line))
			}
			p.print("  " + number + "  " + l + "\n")
		}
	}
}

// pages tells how the rows of saved availability pages agree.
func (p *doctorSheet) pages() {
	if len(p.r.Pages) == 0 {
		return
	}
	same := 0
	for _, row := range p.r.Pages {
		if row.Window != "" {
			same++
		}
	}
	p.heading("Availability pages", fmt.Sprintf("%s, %s of them found in the logs", Count(len(p.r.Pages), "missing interval"), Thousands(same)))
	t := Table{Columns: []Column{{Head: "GATEWAY"}, {Head: "INTERVAL"}, {Head: "WINDOW", Least: 16}}}
	for _, row := range p.r.Pages[:p.some(len(p.r.Pages))] {
		w := cell(row.Window)
		switch {
		case row.Window == "":
			w = faint("no log names it")
		case row.Ingested:
			w = faint("ingested: " + row.Window)
		}
		from, to := row.From.In(p.clock.Zone), row.To.In(p.clock.Zone)
		t.Rows = append(t.Rows, []Cell{cell(row.Gateway), cell(from.Format("2006-01-02 15:04") + " → " + to.Format("15:04")), w})
	}
	n := len(p.r.Pages) - len(t.Rows)
	p.indented(&t)
	p.more(n)
}

// uncovered tells the times that no log covers, below the reason, the longest
// first.
func (p *doctorSheet) uncovered() {
	if len(p.r.Uncovered) == 0 {
		return
	}
	p.heading("Not covered", "nothing is concluded about these times")
	var reasons []string
	by := make(map[string][]doctor.Uncovered)
	for _, u := range p.r.Uncovered {
		if by[u.Reason] == nil {
			reasons = append(reasons, u.Reason)
		}
		by[u.Reason] = append(by[u.Reason], u)
	}
	for _, reason := range reasons {
		for _, l := range Wrap(reason, p.room(2), "  ") {
			p.print("  " + l + "\n")
		}
		const most = 5 // of a reason; the rest matters to few
		list := slices.Clone(by[reason])
		slices.SortStableFunc(list, func(a, b doctor.Uncovered) int {
			return int(b.To.Sub(b.From)/time.Second - a.To.Sub(a.From)/time.Second)
		})
		if p.Limit > 0 {
			list = list[:min(len(list), most, p.Limit)]
		}
		t := Table{Columns: []Column{{}, {}, {Right: true}}}
		for _, u := range list {
			t.Rows = append(t.Rows, []Cell{cell(u.Gateway), cell(p.span(u.From, u.To)), faint(Length(u.To.Sub(u.From)))})
		}
		p.indented(&t)
		p.more(len(by[reason]) - len(list))
	}
}

// read tells what was read, and what of it was not understood.
func (p *doctorSheet) read() {
	p.heading("Read", "")
	t := Table{Columns: []Column{{Least: 16}, {}, {}, {}}}
	for _, m := range p.r.Managers {
		role, who := "collects, too", m.Address
		switch {
		case m.Assumed:
			role = "main manager, assumed"
		case m.Main:
			role = "main manager"
		case m.Took == 0:
			role = "takes nothing"
		}
		if who == "" {
			who = "(address not in the logs)"
		}
		t.Rows = append(t.Rows, []Cell{cell(who), cell(role), cell(Count(m.Took, "window")), {}})
	}
	type sum struct{ files, lines, bad int64 }
	sums := make(map[doctor.Form]*sum)
	var forms []doctor.Form
	for _, f := range p.r.Files {
		s := sums[f.Form]
		if s == nil {
			s = &sum{}
			sums[f.Form] = s
			forms = append(forms, f.Form)
		}
		s.files++
		s.lines += f.Lines
		s.bad += f.Bad
	}
	for _, form := range forms {
		s, name, bad := sums[form], string(form), ""
		if form == doctor.Unknown {
			name = "of no known form"
		}
		if s.bad > 0 {
			bad = Thousands(int(s.bad)) + " not understood"
		}
		t.Rows = append(t.Rows, []Cell{cell(name), cell(Count(int(s.files), "file")), cell(Count(int(s.lines), "line")), faint(bad)})
	}
	t.dropEmpty()
	p.indented(&t)
	if z := p.r.Zone; z != nil {
		how := "as given"
		if z.Source == "inferred" {
			how = "inferred from the names of tracking files"
		}
		p.print("  " + strings.Join(Wrap("stamps are at "+z.Offset+", "+how+"; times here are "+p.clock.Zone.String(), p.room(2), "  "), "\n  ") + "\n")
	}
	for _, f := range p.r.Files {
		said := f.Error
		if said == "" && f.Form == doctor.Unknown && f.Lines > 0 {
			said = "no line of a known form"
		}
		if said != "" {
			p.print("  " + p.out.Style.Warn("▲ ") + strings.Join(Wrap(f.Name+": "+said, p.room(4), "    "), "\n") + "\n")
		}
	}
}
