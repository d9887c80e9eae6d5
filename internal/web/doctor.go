package web

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"time"

	"waybill/internal/doctor"
	"waybill/internal/safetext"
)

// The report of the doctor is one page without anything around it: it is
// attached to tickets, and read where there is no network.

//go:embed report/doctor.html
var doctorText string

// maxShown bounds the windows of one cause that are told on the page, and the
// rows of its other tables.
const maxShown = 500

type doctorPage struct {
	Answer, Tone, Symbol string
	Zone                 string
	Groups               []doctorGroup
	Uncovered, Rows      doctorTable
	Managers, Files      doctorTable
}

// doctorTable is a table of texts; More is the number of rows that are left out.
type doctorTable struct {
	Rows [][]string
	More int
}

type doctorGroup struct {
	ID, Title, Extent string
	Verdict, Lost     string // "" where windows differ in it
	Remedy, Disproof  string
	Findings          []doctorFinding
	Differ            bool // in why, each says it
	More              int
	Window            string // whose race and evidence follow
	Race              *raceView
	Evidence          []quotedFile
}

type doctorFinding struct{ Gateway, Window, From, To, Sure, Why string }

// quotedFile are the lines of a file that say something.
type quotedFile struct {
	Name  string
	Lines []quotedLine
}

type quotedLine struct {
	Number int64
	Text   string
}

// WriteDoctor writes a report as a page that needs nothing else: no script, no
// network. Times are in zone.
func WriteDoctor(w io.Writer, r *doctor.Report, zone *time.Location) error {
	t, err := template.New("doctor").Parse(doctorText)
	if err != nil {
		return fmt.Errorf("the template of the report: %w", err)
	}
	return t.Execute(w, viewOfDoctor(r, zone))
}

func plain(s string) string { return safetext.Of(s).String() }

func viewOfDoctor(r *doctor.Report, zone *time.Location) doctorPage {
	v := doctorPage{Answer: plain(r.Answer()), Tone: "good", Symbol: "✓", Zone: zone.String()}
	switch {
	case len(r.Findings) > 0:
		v.Tone, v.Symbol = "bad", "✗"
	case len(r.Uncovered) > 0 || len(r.Managers) == 0:
		v.Tone, v.Symbol = "warn", "▲"
	}
	for i, g := range r.Groups() {
		v.Groups = append(v.Groups, groupView(&g, i, zone))
	}
	v.Uncovered = tableOf(r.Uncovered, func(u doctor.Uncovered) []string {
		return []string{u.Gateway, day(u.From, zone), dayAfter(u.From, u.To, zone), length(u.To.Sub(u.From)), u.Reason}
	})
	v.Rows = tableOf(r.Pages, func(row doctor.PageRow) []string {
		found := row.Window
		switch {
		case found == "":
			found = "no log names it"
		case row.Ingested:
			found = "ingested all the same: " + found
		}
		return []string{row.Gateway, row.From.In(zone).Format("2 Jan 2006 15:04"), row.To.In(zone).Format("15:04"), found}
	})
	v.Managers = tableOf(r.Managers, func(m doctor.Manager) []string {
		role, who := "collects, too", m.Address
		switch {
		case m.Main:
			role = "main manager"
		case m.Took == 0:
			role = "takes nothing"
		}
		if who == "" {
			who = "address not in the logs"
		}
		return []string{who, role, fmt.Sprint(m.Took)}
	})
	v.Files = tableOf(r.Files, func(f doctor.File) []string {
		form := string(f.Form)
		if f.Form == doctor.Unknown {
			form = "of no known form"
		}
		bad := fmt.Sprint(f.Bad)
		if f.Error != "" {
			bad += "; reading ended early: " + f.Error
		}
		return []string{f.Name, form, fmt.Sprint(f.Lines), bad}
	})
	return v
}

// tableOf makes the rows of a table, as many as a page has.
func tableOf[T any](of []T, row func(T) []string) (t doctorTable) {
	shown := of[:min(len(of), maxShown)]
	t.More = len(of) - len(shown)
	for _, one := range shown {
		cells := row(one)
		for i := range cells {
			cells[i] = plain(cells[i])
		}
		t.Rows = append(t.Rows, cells)
	}
	return t
}

func day(t time.Time, zone *time.Location) string {
	return t.In(zone).Format("2 Jan 2006 15:04:05")
}

// dayAfter leaves out the day when it is the one before.
func dayAfter(before, t time.Time, zone *time.Location) string {
	if before.In(zone).Format(time.DateOnly) == t.In(zone).Format(time.DateOnly) {
		return t.In(zone).Format(time.TimeOnly)
	}
	return day(t, zone)
}

func groupView(g *doctor.Group, n int, zone *time.Location) doctorGroup {
	first := g.Findings[0]
	out := doctorGroup{
		ID: fmt.Sprintf("cause-%d", n+1), Title: plain(g.Title()), Extent: fmt.Sprintf("%d windows, %s", len(g.Findings), length(g.Length())),
		Verdict: plain(first.Verdict), Lost: plain(first.Lost), Remedy: plain(g.Remedy()), Window: plain(first.Window),
	}
	if len(g.Findings) == 1 {
		out.Extent = "1 window, " + length(g.Length())
	}
	if g.Cause != doctor.UnknownCause { // of which nothing was concluded
		out.Disproof = plain(first.Disproof)
	}
	for i, f := range g.Findings {
		if f.Verdict != first.Verdict {
			out.Verdict, out.Differ = "", true
		}
		if f.Lost != first.Lost {
			out.Lost, out.Differ = "", true
		}
		if i >= maxShown {
			continue
		}
		why := f.Lost
		if why == "" {
			why = f.Verdict
		}
		out.Findings = append(out.Findings, doctorFinding{plain(f.Gateway), plain(f.Window), day(f.From, zone), dayAfter(f.From, f.To, zone), string(f.Confidence), plain(why)})
	}
	out.More = len(g.Findings) - len(out.Findings)
	if len(first.Race) > 1 {
		out.Race = raceOf(first, zone)
	}
	for _, e := range first.Evidence {
		if n := len(out.Evidence); n == 0 || out.Evidence[n-1].Name != plain(e.File) {
			out.Evidence = append(out.Evidence, quotedFile{Name: plain(e.File)})
		}
		of := &out.Evidence[len(out.Evidence)-1]
		of.Lines = append(of.Lines, quotedLine{e.Line, plain(e.Text)})
	}
	return out
}
