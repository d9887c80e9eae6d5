package render

import (
	"slices"
	"strings"
	"time"

	"waybill/internal/doctor"
	"waybill/internal/safetext"
)

// firstStep is when the one who took a window did something, by the time since
// it closed.
func firstStep(f *doctor.Finding, did string) string {
	for _, s := range f.Race {
		if s.Did == did && (f.By == "" || s.Actor == f.By) && s.After >= 0 && s.After < 3600 {
			return s.Since()
		}
	}
	return ""
}

// story tells who did what around a window, and the lines that say so.
func (p *doctorSheet) story(f *doctor.Finding, gateway bool) {
	raced := len(f.Race) > 1
	if !raced && len(f.Evidence) == 0 {
		return
	}
	name, more := safetext.Of(f.Window).String(), ""
	if gateway {
		more = " · " + safetext.Of(f.Gateway).String()
	}
	if raced {
		more += " · 0 is when it closed"
	}
	if p.out.Width > 0 && safetext.Width("  "+name+more) > p.out.Width {
		name, more = strings.Join(Wrap(f.Window, p.room(2), "  "), "\n  "), strings.Join(Wrap(strings.TrimPrefix(more, " · "), p.room(2), ""), "\n  ")
		if more != "" {
			more = "\n  " + more
		}
	}
	p.print("\n  " + p.out.Style.Bold(name) + p.out.Style.Faint(more) + "\n")
	if raced {
		p.race(f)
	}
	p.evidence(f)
}

// race draws who did what: a lane for each actor and a column for each moment,
// or, where that is too wide, a line for each step.
func (p *doctorSheet) race(f *doctor.Finding) {
	t := p.lanes(f)
	if p.tight(t) {
		t = p.steps(f)
	}
	p.indented(t)
}

func (p *doctorSheet) lanes(f *doctor.Finding) *Table {
	t := &Table{Columns: []Column{{}, {}}}
	clocks := []Cell{{}, {}}
	var moments []int64
	for _, s := range f.Race {
		if slices.Contains(moments, s.After) {
			continue
		}
		moments = append(moments, s.After)
		t.Columns = append(t.Columns, Column{Head: s.Since()})
		clocks = append(clocks, faint(p.at(s.Time)))
	}
	t.Rows = append(t.Rows, clocks)
	lanes := make(map[string]int)
	for _, s := range f.Race {
		lane, known := lanes[s.Actor]
		if !known {
			lane = len(t.Rows)
			lanes[s.Actor] = lane
			row := []Cell{cell(s.Actor), faint(role(s))}
			for range moments {
				row = append(row, faint("·"))
			}
			t.Rows = append(t.Rows, row)
		}
		c := &t.Rows[lane][2+slices.Index(moments, s.After)]
		if c.Paint != nil { // nothing yet
			*c = Cell{}
		} else {
			c.Text = safetext.Of(c.Text.String() + ", ")
		}
		c.Text = safetext.Of(c.Text.String() + s.Did)
	}
	return t
}

func (p *doctorSheet) steps(f *doctor.Finding) *Table {
	t := &Table{Columns: []Column{{Right: true}, {Right: true}, {}, {}, {}}}
	for _, s := range f.Race {
		t.Rows = append(t.Rows, []Cell{faint(p.at(s.Time)), cell(s.Since()), cell(s.Actor), faint(role(s)), cell(s.Did)})
	}
	return t
}

func (p *doctorSheet) at(t time.Time) string { return t.In(p.clock.Zone).Format(time.TimeOnly) }

// role is what an actor is to the race.
func role(s doctor.Step) string {
	switch {
	case s.Main:
		return "main"
	case s.Did == "closed":
		return "gateway"
	}
	return "other"
}
