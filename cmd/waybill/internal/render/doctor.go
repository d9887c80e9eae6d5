package render

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"waybill/cmd/waybill/internal/term"
	"waybill/internal/doctor"
	"waybill/internal/safetext"
	"waybill/internal/track"
)

// Doctor tells a person what the logs say of missing windows: the answer, the
// causes with the race for one window of each, what no log covers, and what was
// read. Of each cause as many windows as limit are shown; 0 is all.
func Doctor(out *term.Stream, r *doctor.Report, clock Clock, limit int) error {
	p := &doctorSheet{sheet: sheet{out: out, clock: clock}, r: r, limit: limit}
	p.head()
	for _, g := range r.Groups() {
		p.group(g)
	}
	p.pages()
	p.uncovered()
	p.read()
	return p.err
}

type doctorSheet struct {
	sheet
	r     *doctor.Report
	limit int
}

func (p *doctorSheet) head() {
	mark, paint := "✗ ", term.Style.Bad
	switch {
	case len(p.r.Findings) > 0:
	case len(p.r.Uncovered) > 0 || len(p.r.Managers) == 0:
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
}

func (p *doctorSheet) wrapped(label, text string) {
	if text == "" {
		return
	}
	lines := Wrap(label+" "+text, p.out.Width-2, "  ")
	for i, l := range lines {
		if i == 0 {
			l = p.out.Style.Faint(label) + strings.TrimPrefix(l, label)
		}
		p.print("  " + l + "\n")
	}
}

func (p *doctorSheet) time(t time.Time) string { return p.clock.Time(track.StampOf(t)) }

// group tells the findings of one cause.
func (p *doctorSheet) group(g doctor.Group) {
	p.heading(g.Title(), Count(len(g.Findings), "window")+" · "+Length(g.Length()))
	t := Table{Columns: []Column{{Head: "GATEWAY"}, {Head: "WINDOW"}, {Head: "LISTED", Right: true}, {Head: "COPIED", Right: true}, {Head: "REMOVED", Right: true}, {Head: "SURE"}, {Head: "", Least: 16}}}
	shown := g.Findings
	if p.limit > 0 && len(shown) > p.limit {
		shown = shown[:p.limit]
	}
	for _, f := range shown {
		at := p.time(f.From) + " → " + f.To.In(p.clock.Zone).Format("15:04:05")
		row := []Cell{cell(f.Gateway), cell(at)}
		for _, did := range []string{"listed", "copied", "removed"} {
			row = append(row, cell(firstStep(f, did)))
		}
		why := f.Lost
		if why == "" {
			why = f.Verdict
		}
		row = append(row, cell(string(f.Confidence)), faint(why))
		t.Rows = append(t.Rows, row)
	}
	t.dropEmpty()
	p.table(&t)
	if n := len(g.Findings) - len(shown); n > 0 {
		p.print(p.out.Style.Faint(Thousands(n)+" more; --limit 0 shows all") + "\n")
	}
	f := g.Findings[0]
	if len(f.Race) > 1 {
		p.print("\n  " + p.out.Style.Bold(f.Window) + "\n")
		p.lanes(f)
	}
	for _, e := range f.Evidence {
		p.print("  " + strings.Join(Wrap(p.out.Style.Faint(safetext.Of(fmt.Sprintf("%s:%d", e.File, e.Line)).String())+"  "+safetext.Of(e.Text).String(), p.out.Width-2, "    "), "\n  ") + "\n")
	}
	p.print("\n")
	p.wrapped("Cause:", f.Verdict)
	p.wrapped("Why the main manager lost:", f.Lost)
	p.wrapped("Would disprove it:", f.Disproof)
	p.wrapped("What to do:", f.Remedy)
}

// firstStep is when the one who took a window did something, by the time since
// it closed.
func firstStep(f *doctor.Finding, did string) string {
	for _, s := range f.Race {
		if s.Did == did && (f.By == "" || s.Actor == f.By) && s.After >= 0 && s.After < 3600 {
			return Since(s.After)
		}
	}
	return ""
}

// Since writes seconds since something happened: "+4 s", "−2 s".
func Since(seconds int64) string {
	sign := "+"
	if seconds < 0 {
		sign, seconds = "−", -seconds
	}
	if seconds < 120 {
		return fmt.Sprintf("%s%d s", sign, seconds)
	}
	return sign + (time.Duration(seconds) * time.Second).String()
}

// lanes draws a race: a line for each actor, a column for each moment.
func (p *doctorSheet) lanes(f *doctor.Finding) {
	var moments []int64
	var actors []string
	for _, s := range f.Race {
		if !slices.Contains(moments, s.After) {
			moments = append(moments, s.After)
		}
		if !slices.Contains(actors, s.Actor) {
			actors = append(actors, s.Actor)
		}
	}
	const most = 9
	if len(moments) > most {
		moments = moments[:most]
	}
	t := Table{Columns: []Column{{Head: ""}}}
	for _, m := range moments {
		head := Since(m)
		if m == 0 {
			head = "0"
		}
		t.Columns = append(t.Columns, Column{Head: head})
	}
	clock := []Cell{faint("")}
	for _, m := range moments {
		clock = append(clock, faint(f.To.Add(time.Duration(m)*time.Second).In(p.clock.Zone).Format("15:04:05")))
	}
	t.Rows = append(t.Rows, clock)
	for _, a := range actors {
		name := a
		row := make([]Cell, len(moments)+1)
		for _, s := range f.Race {
			if s.Actor != a {
				continue
			}
			if s.Main {
				name = a + " (main)"
			}
			if i := slices.Index(moments, s.After); i >= 0 {
				if row[i+1].Text.String() != "" {
					row[i+1] = cell(row[i+1].Text.String() + ", " + s.Did)
				} else {
					row[i+1] = cell(s.Did)
				}
			}
		}
		row[0] = cell(name)
		t.Rows = append(t.Rows, row)
	}
	p.table(&t)
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
	p.heading("Availability pages", fmt.Sprintf("%s, %s of them found here", Count(len(p.r.Pages), "missing interval"), Thousands(same)))
	t := Table{Columns: []Column{{Head: "GATEWAY"}, {Head: "INTERVAL"}, {Head: "WINDOW", Least: 16}}}
	for i, row := range p.r.Pages {
		if p.limit > 0 && i >= p.limit {
			break
		}
		w := cell(row.Window)
		if row.Window == "" {
			w = faint("the logs given do not tell it")
		}
		t.Rows = append(t.Rows, []Cell{cell(row.Gateway), cell(p.time(row.From) + " → " + row.To.In(p.clock.Zone).Format("15:04")), w})
	}
	n := len(p.r.Pages) - len(t.Rows)
	p.table(&t)
	if n > 0 {
		p.print(p.out.Style.Faint(Thousands(n)+" more; --limit 0 shows all") + "\n")
	}
}

func (p *doctorSheet) uncovered() {
	if len(p.r.Uncovered) == 0 {
		return
	}
	p.heading("Not covered", "nothing is known of these times")
	t := Table{Columns: []Column{{Head: "GATEWAY"}, {Head: "FROM"}, {Head: "TO"}, {Head: "", Right: true}, {Head: "WHY", Least: 16}}}
	for i, u := range p.r.Uncovered {
		if p.limit > 0 && i >= p.limit {
			break
		}
		t.Rows = append(t.Rows, []Cell{cell(u.Gateway), cell(p.time(u.From)), cell(p.time(u.To)), faint(Length(u.To.Sub(u.From))), faint(u.Reason)})
	}
	n := len(p.r.Uncovered) - len(t.Rows)
	p.table(&t)
	if n > 0 {
		p.print(p.out.Style.Faint(Thousands(n)+" more; --limit 0 shows all") + "\n")
	}
}

// read tells what was read, and what of it was not understood.
func (p *doctorSheet) read() {
	p.heading("Read", "")
	if z := p.r.Zone; z != nil {
		p.print("  stamps are at " + z.Offset + ", " + z.Source + "\n")
	}
	for _, m := range p.r.Managers {
		role := "collects, too"
		if m.Main {
			role = "main manager"
		}
		who := m.Address
		if who == "" {
			who = "(address not in the logs)"
		}
		p.print(fmt.Sprintf("  %s  %s, %s\n", safetext.Of(who), role, Count(m.Took, "window")))
	}
	type sum struct{ files, lines, used, bad int64 }
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
		s.used += f.Used
		s.bad += f.Bad
	}
	for _, form := range forms {
		s, name := sums[form], string(form)
		if form == doctor.Unknown {
			name = "of no known form"
		}
		text := fmt.Sprintf("  %s  %s, %s", name, Count(int(s.files), "file"), Count(int(s.lines), "line"))
		if s.bad > 0 {
			text += fmt.Sprintf(", %s not understood", Thousands(int(s.bad)))
		}
		p.print(text + "\n")
	}
	for _, f := range p.r.Files {
		if f.Error != "" {
			p.print("  " + p.out.Style.Warn("▲ ") + safetext.Of(f.Name+": "+f.Error).String() + "\n")
		}
	}
}
