package web

import (
	"fmt"
	"net/http"
	"time"

	"waybill/internal/health"
	"waybill/internal/safetext"
)

// statusPage is where the page of steps is.
const statusPage = "/status"

// healthView is the status page.
type healthView struct {
	Empty     string
	Processes []processView
	Accounts  []accountView
	Command   string
}

type levelView struct{ Symbol, Tone, Word string }

type processView struct {
	Name, Said string
	Look       levelView
	Steps      []wayView
}

type wayView struct {
	Look                       levelView
	Kind, Name, Text, Ago, Fix string
}

type accountView struct {
	Gateway                                                 string
	Written, Sealed, Pulled, Stored, Accounted, Unexplained string
	Bad                                                     bool
}

func levelOf(l health.Level) levelView {
	switch l {
	case health.OK:
		return levelView{"✓", good, "ok"}
	case health.Off:
		return levelView{"·", calm, "off"}
	case health.Warning:
		return levelView{"▲", warn, "warning"}
	}
	return levelView{"✗", bad, "problem"}
}

// status shows every step that the data takes.
func (s *site) status(w http.ResponseWriter, r *http.Request) error {
	reports, err := s.Health()
	if err != nil {
		return fmt.Errorf("status: %w", err)
	}
	view := healthView{Command: s.statusCommand()}
	if len(reports) == 0 {
		view.Empty = "No service has published anything yet."
	}
	now := s.Now()
	for i := range reports {
		view.Processes = append(view.Processes, s.process(&reports[i], now))
		for _, a := range reports[i].Accounts {
			n := func(v uint64) string { return number(int(v)) }
			view.Accounts = append(view.Accounts, accountView{Gateway: shown(a.Gateway), Written: n(a.Written), Sealed: n(a.Sealed), Pulled: n(a.Pulled), Stored: n(a.Stored),
				Accounted: n(a.Accounted), Unexplained: n(a.Unexplained), Bad: a.Unexplained > 0})
		}
	}
	return s.show(w, "status", http.StatusOK, "Status", "Status", view)
}

func (s *site) process(r *health.Report, now time.Time) processView {
	p := processView{Name: r.Process, Look: levelOf(r.Level())}
	if r.Name != "" {
		p.Name += " " + shown(r.Name)
	}
	runs := r.Running(now)
	switch {
	case r.Stopped:
		p.Look, p.Said = levelOf(health.Problem), "does not run: it ended at "+s.since(r.Written)
	case !runs:
		p.Look, p.Said = levelOf(health.Problem), "does not run: the last word of it is from "+s.since(r.Written)
	default:
		p.Said = "runs since " + s.since(r.Started) + " · " + shown(r.Version)
	}
	for _, step := range r.Steps {
		v := wayView{Look: levelOf(step.Level), Kind: step.Kind, Name: shown(step.Name), Text: shown(step.Text), Fix: shown(step.Fix)}
		if runs && !step.At.IsZero() {
			v.Ago = agoWords(now.Sub(step.At))
		}
		p.Steps = append(p.Steps, v)
	}
	return p
}

func (s *site) since(t time.Time) string { return t.In(s.Zone).Format(time.DateTime) }

// agoWords is how long ago something was, in its largest unit.
func agoWords(d time.Duration) string {
	switch {
	case d < 2*time.Second:
		return "just now"
	case d < 2*time.Minute:
		return fmt.Sprintf("%d s ago", d/time.Second)
	case d < 2*time.Hour:
		return fmt.Sprintf("%d min ago", d/time.Minute)
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h ago", d/time.Hour)
	}
	return fmt.Sprintf("%d days ago", d/(24*time.Hour))
}

// maxStep bounds a text of a step.
const maxStep = 500

func shown(text string) string { return safetext.Of(text).Short(maxStep).String() }

// statusCommand is the command that shows the same.
func (s *site) statusCommand() string {
	line := "waybill status"
	if s.DataDir != "" {
		line += " --data " + shellWord(s.DataDir)
	}
	return line
}
