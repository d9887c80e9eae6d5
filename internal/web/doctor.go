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
// rows of its other tables; maxStories the windows of all causes whose race and
// evidence are.
const (
	maxShown   = 500
	maxStories = 1000
)

type doctorPage struct {
	Answer, Tone, Symbol string
	Assumption           string // "" where none is made
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
	First             doctorStory
	Others            []doctorStory // those of the other windows, which have one
	Untold            int           // windows that the page has no room to tell
}

// doctorStory is who did what around a window, and the lines that say so.
type doctorStory struct {
	Gateway, Window string
	Why             string    // "" where it is that of all
	Race            *raceView // nil where nobody did anything
	Evidence        []quotedFile
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
	v := doctorPage{Answer: plain(r.Answer()), Assumption: plain(r.Assumption()), Tone: "good", Symbol: "✓", Zone: zone.String()}
	switch {
	case len(r.Findings) > 0:
		v.Tone, v.Symbol = "bad", "✗"
	case r.Blind():
		v.Tone, v.Symbol = "warn", "▲"
	}
	room := maxStories
	for i, g := range r.Groups() {
		group := groupView(&g, i, zone)
		group.tell(&g, &room, zone)
		v.Groups = append(v.Groups, group)
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
		case m.Assumed:
			role = "main manager, assumed"
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
		Verdict: plain(first.Verdict), Lost: plain(first.Lost), Remedy: plain(g.Remedy()),
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
		out.Findings = append(out.Findings, doctorFinding{plain(f.Gateway), plain(f.Window), day(f.From, zone), dayAfter(f.From, f.To, zone), string(f.Confidence), plain(f.Why())})
	}
	out.More = len(g.Findings) - len(out.Findings)
	return out
}

// tell puts in the stories of the group's windows, as many as there is room for.
func (v *doctorGroup) tell(g *doctor.Group, room *int, zone *time.Location) {
	v.First = storyOf(g.Findings[0], zone)
	for _, f := range g.Findings[1:] {
		switch {
		case len(f.Race) <= 1 && len(f.Evidence) == 0:
		case *room == 0 || len(v.Others) == maxShown-1:
			v.Untold++
		default:
			*room--
			s := storyOf(f, zone)
			if v.Differ {
				s.Why = plain(f.Why())
			}
			v.Others = append(v.Others, s)
		}
	}
}

func storyOf(f *doctor.Finding, zone *time.Location) doctorStory {
	s := doctorStory{Gateway: plain(f.Gateway), Window: plain(f.Window)}
	if len(f.Race) > 1 {
		s.Race = raceOf(f, zone)
	}
	for _, e := range f.Evidence {
		if n := len(s.Evidence); n == 0 || s.Evidence[n-1].Name != plain(e.File) {
			s.Evidence = append(s.Evidence, quotedFile{Name: plain(e.File)})
		}
		of := &s.Evidence[len(s.Evidence)-1]
		of.Lines = append(of.Lines, quotedLine{e.Line, plain(e.Text)})
	}
	return s
}
