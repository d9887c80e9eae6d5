package doctor

import (
	"cmp"
	"fmt"
	"strings"
	"time"
)

// Group are the findings of one cause.
type Group struct {
	Cause    Cause
	By       string
	Findings []*Finding // in order of gateway and time
}

// Groups gathers findings of equal cause, those that cost the most first.
func (r *Report) Groups() []Group {
	var out []Group
	for i := range r.Findings {
		f := &r.Findings[i]
		if n := len(out); n > 0 && out[n-1].Cause == f.Cause && out[n-1].By == f.By {
			out[n-1].Findings = append(out[n-1].Findings, f)
			continue
		}
		out = append(out, Group{f.Cause, f.By, []*Finding{f}})
	}
	return out
}

// Length is the time that the group's windows cover.
func (g *Group) Length() (d time.Duration) {
	for _, f := range g.Findings {
		d += f.To.Sub(f.From)
	}
	return d
}

// Title is the cause in a few words.
func (g *Group) Title() string {
	switch g.Cause {
	case TakenByOther:
		return strings.TrimSuffix("Taken by another collector, "+g.By, ", ")
	case NeverProduced:
		return "Never produced by the gateway"
	case TransferFailed:
		return "Copied by the main manager, and lost there"
	case Expired:
		return "Expired at the gateway"
	case Damaged:
		return "Damaged"
	case Conflict:
		return "In conflict"
	}
	if g.By != "" {
		return "Removed by " + g.By + ", which is no collector"
	}
	return "Of unknown cause"
}

// Answer is what was found out, in a sentence.
func (r *Report) Answer() string {
	switch {
	case len(r.Managers) == 0:
		return "No log of a manager, and none of a gateway, was among the files"
	case len(r.Findings) == 0 && len(r.Uncovered) == 0:
		return "No window is missing"
	case len(r.Findings) == 0:
		return "No window is missing where the logs cover it"
	}
	groups := r.Groups()
	var parts []string
	for _, g := range groups[:min(len(groups), 3)] {
		parts = append(parts, g.sentence())
	}
	if n := len(groups) - 3; n > 0 {
		parts = append(parts, fmt.Sprintf("%d more causes", n))
	}
	return strings.Join(parts, "; ")
}

func (g *Group) sentence() string {
	first, last := g.Findings[0].From, g.Findings[0].To
	gateways := make(map[string]bool)
	for _, f := range g.Findings {
		gateways[f.Gateway] = true
		if f.From.Before(first) {
			first = f.From
		}
		if f.To.After(last) {
			last = f.To
		}
	}
	where := g.Findings[0].Gateway
	if len(gateways) > 1 {
		where = fmt.Sprintf("%d gateways", len(gateways))
	}
	n := fmt.Sprintf("%d windows", len(g.Findings))
	if len(g.Findings) == 1 {
		n = "1 window"
	}
	span := last.Sub(first).Round(time.Minute)
	in := ""
	if span > 0 && len(g.Findings) > 1 {
		in = " in " + strings.TrimSuffix(span.String(), "0s")
	}
	switch g.Cause {
	case TakenByOther:
		return fmt.Sprintf("%s takes files from %s: %s lost%s", cmp.Or(g.By, "another manager"), where, n, in)
	case NeverProduced:
		return fmt.Sprintf("%s wrote no file for %s%s", where, n, in)
	case TransferFailed:
		return fmt.Sprintf("%s of %s copied and lost by the main manager%s", n, where, in)
	}
	if g.By != "" {
		return fmt.Sprintf("%s, which is no collector, removed %s of %s%s", g.By, n, where, in)
	}
	return fmt.Sprintf("%s of %s missing, cause unknown%s", n, where, in)
}
