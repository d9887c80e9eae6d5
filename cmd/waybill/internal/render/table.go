package render

import (
	"io"
	"slices"
	"strings"

	"waybill/cmd/waybill/internal/term"
	"waybill/internal/safetext"
)

// gap is what stands between two columns.
const gap = "  "

// Cell is one field of a table: safe text and how it is painted.
type Cell struct {
	Text  safetext.Text
	Keep  string                          // stands behind Text and is not cut with it
	Paint func(term.Style, string) string // nil: as it is
}

func cell(s string) Cell { return Cell{Text: safetext.Of(s)} }

func painted(s string, p func(term.Style, string) string) Cell {
	return Cell{Text: safetext.Of(s), Paint: p}
}

// Column is a heading and how its cells give way when the line is too long.
type Column struct {
	Head  string
	Right bool
	// Least is the width below which a cell is not cut; 0 means never cut.
	// Columns that may be cut share what is missing, the widest first.
	Least int
	// Spare columns are left out where the line is too long even so, the highest
	// first; 0 means never.
	Spare int
}

// absent is the width of a column that is left out.
const absent = -1

// Table collects rows until it knows how wide its columns are.
type Table struct {
	Columns []Column
	Rows    [][]Cell
	widths  []int
}

// Write prints the heading, once, and the rows, and forgets them; what comes
// later is laid out like what came first.
func (t *Table) Write(out *term.Stream) error {
	var b strings.Builder
	if t.widths == nil {
		t.widths = t.layout(out.Width)
		head := make([]Cell, len(t.Columns))
		for i, c := range t.Columns {
			head[i] = painted(c.Head, term.Style.Head)
		}
		t.line(&b, head, out.Style)
	}
	for _, row := range t.Rows {
		t.line(&b, row, out.Style)
	}
	t.Rows = t.Rows[:0]
	_, err := io.WriteString(out, b.String())
	return err
}

func (t *Table) line(b *strings.Builder, row []Cell, style term.Style) {
	for len(row) > 1 && row[len(row)-1].Text.String() == "" {
		row = row[:len(row)-1] // no blanks at the end of a line
	}
	shownAny := false
	for i, c := range row {
		if t.widths[i] == absent {
			continue
		}
		if shownAny {
			b.WriteString(gap)
		}
		shownAny = true
		text := c.Text.Short(t.widths[i] - len(c.Keep))
		space := strings.Repeat(" ", max(0, t.widths[i]-text.Width()-len(c.Keep)))
		shown := text.String() + c.Keep
		if c.Paint != nil {
			shown = c.Paint(style, shown)
		}
		switch {
		case t.Columns[i].Right:
			b.WriteString(space + shown)
		case i == len(row)-1:
			b.WriteString(shown)
		default:
			b.WriteString(shown + space)
		}
	}
	b.WriteByte('\n')
}

// wrapLast breaks what does not fit into the last column into rows below, where
// there is room for something that can be read.
func (t *Table) wrapLast(limit int) {
	const least = 30
	last := len(t.Columns) - 1
	room := limit
	for _, w := range t.layout(0)[:last] {
		room -= w + len(gap)
	}
	if room < least {
		return
	}
	var rows [][]Cell
	for _, row := range t.Rows {
		for i, line := range Wrap(row[last].Text.String(), room, "  ") {
			cells := make([]Cell, len(row))
			if i == 0 {
				copy(cells, row)
			}
			cells[last] = Cell{Text: safetext.Of(line), Paint: row[last].Paint}
			rows = append(rows, cells)
		}
	}
	t.Rows = rows
}

// layout gives every column its natural width and takes from the widest of
// those that may be cut until the line fits, and leaves columns out when it
// does not even so. Zero is no limit.
func (t *Table) layout(limit int) []int {
	w := make([]int, len(t.Columns))
	for i, c := range t.Columns {
		w[i] = safetext.Width(c.Head)
		for _, row := range t.Rows {
			w[i] = max(w[i], row[i].Text.Width()+len(row[i].Keep))
		}
	}
	if limit <= 0 {
		return w
	}
	for {
		out, fits := t.shrink(w, limit)
		spare := 0
		for i, c := range t.Columns {
			if w[i] != absent && c.Spare > t.Columns[spare].Spare {
				spare = i
			}
		}
		if fits || t.Columns[spare].Spare == 0 {
			return out // A line that wraps is better than one that lies.
		}
		w[spare] = absent
	}
}

// shrink takes from the widths until the line fits, if it can.
func (t *Table) shrink(natural []int, limit int) (w []int, fits bool) {
	w = slices.Clone(natural)
	total := -len(gap)
	for _, n := range w {
		if n != absent {
			total += len(gap) + n
		}
	}
	for ; total > limit; total-- {
		widest := -1
		for i, c := range t.Columns {
			if c.Least > 0 && w[i] > c.Least && (widest < 0 || w[i] > w[widest]) {
				widest = i
			}
		}
		if widest < 0 {
			return w, false
		}
		w[widest]--
	}
	return w, true
}
