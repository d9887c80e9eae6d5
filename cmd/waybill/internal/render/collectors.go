package render

import (
	"strings"

	"waybill/cmd/waybill/internal/term"
	"waybill/internal/export"
	"waybill/internal/track"
)

// Collectors lists who collects from a gateway.
func Collectors(out *term.Stream, list []export.Collector, clock Clock) error {
	t := &Table{Columns: []Column{{Head: "NAME", Least: 16}, {Head: "ROLE"}, {Head: "FROM", Least: 12}, {Head: "LAST CAME", Spare: 1},
		{Head: "ID"}, {Head: "KEY", Least: 18, Spare: 2}}}
	for _, c := range list {
		var paint func(term.Style, string) string
		if c.Role == export.PendingRole || c.Role == export.StaleRole {
			paint = term.Style.Warn
		}
		last := "never"
		if !c.Seen.IsZero() {
			last = clock.Time(track.StampOf(c.Seen))
		}
		t.Rows = append(t.Rows, []Cell{cell(c.Name), painted(string(c.Role), paint), cell(from(c)), cell(last), cell(c.ID), cell(c.Fingerprint)})
	}
	return t.Write(out)
}

// from is where a collector may come from, or does.
func from(c export.Collector) string {
	var out []string
	for _, a := range c.Pinned {
		out = append(out, a.String())
	}
	text := strings.Join(out, ",")
	switch {
	case text != "":
		text += " only"
	case c.Address.IsValid():
		text = c.Address.String()
	default:
		text = "where it comes from first"
	}
	if c.Instance != "" {
		text += " (" + c.Instance + ")"
	}
	return text
}
