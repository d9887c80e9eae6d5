package render

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"waybill/cmd/waybill/internal/term"
	"waybill/internal/health"
	"waybill/internal/safetext"
	"waybill/internal/track"
)

// Health tells a person how the processes of a data directory go, step by step,
// and the account of each gateway.
func Health(out *term.Stream, reports []health.Report, clock Clock, now time.Time) error {
	p := &healthSheet{sheet: sheet{out: out, clock: clock}, now: now}
	for i := range reports {
		if i > 0 {
			p.print("\n")
		}
		p.process(&reports[i])
	}
	for i := range reports {
		p.accounts(reports[i].Accounts)
	}
	return p.err
}

type healthSheet struct {
	sheet
	now time.Time
}

func levelLook(l health.Level) look {
	switch l {
	case health.OK:
		return look{"✓", term.Style.Good}
	case health.Off:
		return look{"·", term.Style.Faint}
	case health.Warning:
		return look{"▲", term.Style.Warn}
	}
	return look{"✗", term.Style.Bad}
}

// process tells of one process: whether it runs, and its steps.
func (p *healthSheet) process(r *health.Report) {
	name := r.Process
	if r.Name != "" {
		name += " " + safetext.Of(r.Name).String()
	}
	l := levelLook(r.Level())
	said := "runs since " + p.clock.Time(track.StampOf(r.Started)) + " · " + r.Version + " · process " + strconv.Itoa(r.PID)
	switch {
	case r.Stopped:
		l, said = levelLook(health.Problem), "does not run: it ended at "+p.clock.Time(track.StampOf(r.Written))
	case !r.Running(p.now):
		l, said = levelLook(health.Problem), "does not run: the last word of it is from "+p.clock.Time(track.StampOf(r.Written))
	}
	p.print(l.paint(p.out.Style, l.symbol) + " " + p.out.Style.Bold(name) + p.out.Style.Faint(" · "+said) + "\n")
	if r.Pages != "" && r.Running(p.now) {
		p.print("  pages at " + safetext.Of(r.Pages).String() + p.out.Style.Faint(" · waybill link lets a browser in") + "\n")
	}
	t := &Table{Columns: []Column{{}, {}, {Least: 16}, {Least: 30}}}
	above := p.namesAbove(r.Steps)
	if above {
		t.Columns = []Column{{}, {}, {Least: 30}}
	}
	for _, s := range r.Steps {
		l := levelLook(s.Level)
		text := s.Text
		if !s.At.IsZero() && r.Running(p.now) {
			text += " " + ago(p.now.Sub(s.At))
		}
		lead := []Cell{painted(l.symbol, l.paint), painted(s.Kind, term.Style.Faint)}
		says := []Cell{cell(text)}
		switch {
		case !above:
			lead = append(lead, cell(s.Name))
		case s.Name != "":
			says = []Cell{painted(s.Name, term.Style.Bold), cell(text)}
		}
		if s.Fix != "" {
			says = append(says, cell("→ "+s.Fix))
		}
		for _, line := range says {
			t.Rows = append(t.Rows, append(lead, line))
			lead = make([]Cell, len(lead))
		}
	}
	t.indent()
	if p.out.Width > 0 {
		t.wrapLast(p.out.Width)
	}
	t.widths = t.layout(p.out.Width)
	p.table(t)
}

// namesAbove reports whether a name is so long that names have lines of their
// own, for a column of them would leave no room for what is said.
func (p *healthSheet) namesAbove(steps []health.Step) bool {
	return p.out.Width > 0 && slices.ContainsFunc(steps, func(s health.Step) bool { return safetext.Of(s.Name).Width() > p.out.Width/3 })
}

// accounts is what became of the windows of each gateway.
func (p *healthSheet) accounts(all []health.Account) {
	if len(all) == 0 {
		return
	}
	p.heading("Account", "tracking files, by gateway")
	t := &Table{Columns: []Column{{Head: "GATEWAY", Least: 12}, {Head: "WRITTEN", Right: true}, {Head: "SEALED", Right: true}, {Head: "PULLED", Right: true},
		{Head: "STORED", Right: true}, {Head: "ACCOUNTED", Right: true}, {Head: "UNEXPLAINED", Right: true}}}
	n := func(v uint64) Cell { return cell(Thousands(int(v))) }
	for _, a := range all {
		unexplained := n(a.Unexplained)
		if a.Unexplained > 0 {
			unexplained.Paint = term.Style.Bad
		}
		t.Rows = append(t.Rows, []Cell{cell(a.Gateway), n(a.Written), n(a.Sealed), n(a.Pulled), n(a.Stored), n(a.Accounted), unexplained})
	}
	p.table(t)
}

// HealthLine is all of it in a line, for a prompt or a mail: "manager ok, gateway
// mx-a warning".
func HealthLine(reports []health.Report, now time.Time) string {
	var parts []string
	for i := range reports {
		r := &reports[i]
		name := r.Process
		if r.Name != "" {
			name += " " + r.Name
		}
		state := string(r.Level())
		if !r.Running(now) {
			state = "down"
		}
		parts = append(parts, name+" "+state)
	}
	return safetext.Of(strings.Join(parts, ", ")).String()
}
