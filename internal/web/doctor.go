package web

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"slices"
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
	Uncovered            [][]string
	More                 int // rows of Uncovered that are left out
	Rows                 [][]string
	Managers, Files      [][]string
}

type doctorGroup struct {
	Title, Windows   string
	Verdict, Lost    string
	Disproof, Remedy string
	Findings         []doctorFinding
	More             int
	Lanes            *lanesView
	Evidence         []lineView
	Window, ID       string
}

type doctorFinding struct{ Gateway, Window, From, To, Sure, Why string }

// lanesView is a race as a drawing: a lane for each actor, a place for each
// moment.
type lanesView struct {
	Width, Height int
	Title         string
	Moments       []laneMoment
	Lanes         []lane
}

type laneMoment struct {
	X            int
	After, Clock string
	Closed       bool
	Top, Bottom  int
}

type lane struct {
	Y, From, To int
	Name, Role  string
	Tone        string
	Marks       []laneMark
}

type laneMark struct {
	X, Y int
	Did  string
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
	day := func(t time.Time) string { return t.In(zone).Format("2 Jan 2006 15:04:05") }
	for i, g := range r.Groups() {
		v.Groups = append(v.Groups, groupView(g, i, zone))
	}
	for i, u := range r.Uncovered {
		if i == maxShown {
			v.More = len(r.Uncovered) - i
			break
		}
		v.Uncovered = append(v.Uncovered, []string{plain(u.Gateway), day(u.From), day(u.To), u.To.Sub(u.From).String(), plain(u.Reason)})
	}
	for _, row := range r.Pages[:min(len(r.Pages), maxShown)] {
		found := plain(row.Window)
		if found == "" {
			found = "the logs given do not tell it"
		}
		v.Rows = append(v.Rows, []string{plain(row.Gateway), row.From.In(zone).Format("2 Jan 2006 15:04"), row.To.In(zone).Format("15:04"), found})
	}
	for _, m := range r.Managers {
		role, who := "collects, too", plain(m.Address)
		if m.Main {
			role = "main manager"
		}
		if who == "" {
			who = "address not in the logs"
		}
		v.Managers = append(v.Managers, []string{who, role, fmt.Sprint(m.Took)})
	}
	for _, f := range r.Files[:min(len(r.Files), maxShown)] {
		v.Files = append(v.Files, []string{plain(f.Name), string(f.Form), fmt.Sprint(f.Lines), fmt.Sprint(f.Bad), plain(f.Error)})
	}
	return v
}

func groupView(g doctor.Group, n int, zone *time.Location) doctorGroup {
	first := g.Findings[0]
	out := doctorGroup{
		Title: plain(g.Title()), Windows: fmt.Sprint(len(g.Findings)), ID: fmt.Sprintf("cause-%d", n+1),
		Verdict: plain(first.Verdict), Lost: plain(first.Lost), Disproof: plain(first.Disproof), Remedy: plain(first.Remedy), Window: plain(first.Window),
	}
	for i, f := range g.Findings {
		if i == maxShown {
			out.More = len(g.Findings) - i
			break
		}
		why := f.Lost
		if why == "" {
			why = f.Verdict
		}
		out.Findings = append(out.Findings, doctorFinding{plain(f.Gateway), plain(f.Window), f.From.In(zone).Format("2 Jan 2006 15:04:05"), f.To.In(zone).Format("15:04:05"), string(f.Confidence), plain(why)})
	}
	if len(first.Race) > 1 {
		out.Lanes = lanesOf(first, zone)
	}
	for _, e := range first.Evidence {
		out.Evidence = append(out.Evidence, lineView{Place: plain(fmt.Sprintf("%s:%d", e.File, e.Line)), Text: plain(e.Text)})
	}
	return out
}

// Measures of the drawing, in its own units.
const (
	laneName   = 190
	laneStep   = 96
	laneHeight = 54
	laneTop    = 46
	maxMoments = 10
)

func lanesOf(f *doctor.Finding, zone *time.Location) *lanesView {
	var moments []int64
	var actors []string
	for _, s := range f.Race {
		if !slices.Contains(moments, s.After) && len(moments) < maxMoments {
			moments = append(moments, s.After)
		}
		if !slices.Contains(actors, s.Actor) {
			actors = append(actors, s.Actor)
		}
	}
	v := &lanesView{Width: laneName + laneStep*len(moments) + 20, Height: laneTop + laneHeight*len(actors) + 14, Title: "Who did what, by the second"}
	x := func(i int) int { return laneName + laneStep*i + laneStep/2 }
	for i, m := range moments {
		v.Moments = append(v.Moments, laneMoment{X: x(i), After: sinceWords(m), Clock: f.To.Add(time.Duration(m) * time.Second).In(zone).Format("15:04:05"),
			Closed: m == 0, Top: laneTop, Bottom: v.Height - 8})
	}
	for k, a := range actors {
		l := lane{Y: laneTop + laneHeight*k + laneHeight/2, From: laneName, To: v.Width - 12, Name: plain(a), Tone: "gate", Role: "gateway"}
		for _, s := range f.Race {
			if s.Actor != a {
				continue
			}
			switch {
			case s.Did == "closed":
			case s.Main:
				l.Tone, l.Role = "main", "main manager"
			default:
				l.Tone, l.Role = "rival", "another collector"
			}
			if i := slices.Index(moments, s.After); i >= 0 {
				did := s.Did
				if did == "closed" {
					did = "window closed"
				}
				if n := len(l.Marks); n > 0 && l.Marks[n-1].X == x(i) {
					l.Marks[n-1].Did += ", " + did
					continue
				}
				l.Marks = append(l.Marks, laneMark{X: x(i), Y: l.Y, Did: did})
			}
		}
		v.Lanes = append(v.Lanes, l)
	}
	return v
}

// sinceWords writes the seconds since a window closed.
func sinceWords(n int64) string {
	switch {
	case n == 0:
		return "0"
	case n < 0:
		return "−" + (time.Duration(-n) * time.Second).String()
	}
	return "+" + (time.Duration(n) * time.Second).String()
}
