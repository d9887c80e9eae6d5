package render

import (
	"fmt"
	"strings"
	"time"

	"waybill/cmd/waybill/internal/term"
	"waybill/internal/app"
	"waybill/internal/safetext"
	"waybill/internal/smad"
	"waybill/internal/track"
)

// gatewayState is what is going on with a gateway, in a word.
func gatewayState(g *app.GatewayInfo) string {
	switch {
	case g.Paused:
		return string(smad.PausedHere)
	case g.Enrolling:
		return string(smad.Enrolling)
	case g.Status == nil:
		return "unknown"
	case !g.Running:
		return "stopped"
	}
	return string(g.Status.State)
}

func stateCell(g *app.GatewayInfo) Cell {
	word := gatewayState(g)
	switch smad.State(word) {
	case smad.Held:
		return painted("✗ "+word, term.Style.Bad)
	case smad.Waiting, smad.Enrolling, smad.PausedHere, "stopped":
		return painted("▲ "+word, term.Style.Warn)
	case smad.Idle, smad.Pulling:
		return painted("✓ "+word, term.Style.Good)
	}
	return cell("  " + word)
}

// Gateways prints the list.
func Gateways(out *term.Stream, list []app.GatewayInfo, clock Clock) error {
	t := &Table{Columns: []Column{{Head: "NAME", Least: 12}, {Head: "ADDRESS", Least: 12}, {Head: "STATE"}, {Head: "MODE", Spare: 2}, {Head: "LAST PULL", Spare: 1},
		{Head: "LAG", Right: true}, {Head: "WAITING", Right: true, Spare: 3}, {Head: "PROBLEM", Least: 10}}}
	for i := range list {
		g := &list[i]
		row := []Cell{cell(g.Name), cell(g.Address), stateCell(g), cell(string(g.Mode)), cell(""), cell(""), cell(""), cell("")}
		if s := g.Status; s != nil {
			row[3] = cell(string(s.Mode))
			row[4] = cell(clock.Time(stampOf(s.LastPull)))
			if !s.Newest.IsZero() {
				row[5] = cell(Length(max(0, clock.Now.Sub(s.Newest))))
			}
			row[6] = cell(fmt.Sprint(s.Waiting))
			if s.Error != nil {
				row[7] = cell(string(s.Error.Cause) + ": " + s.Error.Text)
			}
		}
		t.Rows = append(t.Rows, row)
	}
	return t.Write(out)
}

func stampOf(t time.Time) track.Stamp {
	if t.IsZero() {
		return 0
	}
	return track.StampOf(t)
}

// facts prints labelled lines.
type facts struct{ b strings.Builder }

func (f *facts) add(style term.Style, label, format string, args ...any) {
	fmt.Fprintf(&f.b, "  %s %s\n", style.Faint(fmt.Sprintf("%-12s", label)), safetext.Of(fmt.Sprintf(format, args...)))
}

// Gateway prints what is known of one gateway, and the key that it must know.
func Gateway(out *term.Stream, g *app.GatewayInfo, key string, clock Clock) error {
	var f facts
	add := func(label, format string, args ...any) { f.add(out.Style, label, format, args...) }
	user, dir := g.User, g.Directory
	if user == "" {
		user = smad.DefaultUser
	}
	if dir == "" {
		dir = smad.DefaultDirectory
	}
	add("address", "%s, user %s, %s", g.Address, user, dir)
	add("state", "%s", gatewayState(g))
	switch {
	case g.Fingerprint != "":
		add("host key", "%s", g.Fingerprint)
	case g.Enrolling:
		add("host key", "none yet; the token is valid until %s", clock.Time(stampOf(*g.Expires)))
	default:
		add("host key", "none is pinned")
	}
	if s := g.Status; s != nil {
		if s.Remote != nil {
			add("speaks", "waybill %s, gateway %s, serial %s, window %s", s.Remote.Version, s.Remote.Gateway, s.Remote.Serial, s.Remote.Window)
		} else if s.Mode == smad.Legacy {
			add("speaks", "legacy: ls, scp, rm")
		}
		add("last poll", "%s", orNever(clock.Time(stampOf(s.LastPoll))))
		add("last pull", "%s", orNever(clock.Time(stampOf(s.LastPull))))
		if !s.Newest.IsZero() {
			add("newest", "window until %s, %s old", clock.Time(stampOf(s.Newest)), Length(max(0, clock.Now.Sub(s.Newest))))
		}
		add("files", "%d listed, %d pulled, %d acknowledged, %d waiting; %d vanished, %d damaged, %d set aside", s.Listed, s.Pulled, s.Acknowledged,
			s.Waiting, s.Vanished, s.Damaged, s.Quarantined)
		if p := s.Error; p != nil {
			add("problem", "%s, %s: %s", clock.Time(stampOf(p.Time)), p.Cause, p.Text)
			if p.Hint != "" {
				add("", "→ %s", p.Hint)
			}
		} else if p := s.Last; p != nil {
			add("last problem", "%s, %s: %s", clock.Time(stampOf(p.Time)), p.Cause, p.Text)
		}
	}
	add("our key", "%s", key)
	_, err := fmt.Fprintf(out, "%s\n%s", out.Style.Bold(safetext.Of(g.Name).String()), f.b.String())
	return err
}

func orNever(s string) string {
	if s == "" {
		return "never"
	}
	return s
}

// Probe prints the steps of a test.
func Probe(out *term.Stream, p *smad.Probe) error {
	t := &Table{Columns: []Column{{Head: ""}, {Head: "STEP"}, {Head: "TOOK", Right: true}, {Head: ""}}}
	for _, s := range p.Steps {
		mark, text := painted("✓", term.Style.Good), s.Detail
		if s.Error != "" {
			mark, text = painted("✗", term.Style.Bad), string(s.Cause)+": "+s.Error
		}
		t.Rows = append(t.Rows, []Cell{mark, cell(s.Name), cell(Length(s.Took)), cell(text)})
	}
	return t.Write(out)
}
