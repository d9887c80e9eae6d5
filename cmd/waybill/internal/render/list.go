package render

import (
	"strings"

	"waybill/cmd/waybill/internal/term"
	"waybill/internal/safetext"
	"waybill/internal/track"
)

// List shows messages as a table, one row per message, or with wide one per
// recipient. Rows are laid out by the first Layout of them.
type List struct {
	out    *term.Stream
	clock  Clock
	fields []field
	split  bool // a row per recipient
	named  bool // the fields were asked for by name
	table  Table
	rows   int
}

// layoutRows is how many rows decide how wide columns are.
const layoutRows = 1000

var tableFields = []string{"time", "outcome", "sender", "recipient", "subject", "gateway", "queue_id"}

var wideFields = []string{"time", "status", "outcome", "sender", "recipient", "original", "subject", "size", "gateway", "queue_id", "client_ip",
	"relay", "dsn", "response", "next_gateway", "next_queue_id", "message_id", "id"}

// NewList prepares a table. Names are the fields to show, the usual ones when
// there are none; wide shows more of them and never cuts.
func NewList(out *term.Stream, names []string, wide bool, clock Clock) (*List, error) {
	l := &List{clock: clock, split: wide, named: len(names) > 0}
	stream := *out
	if wide {
		stream.Width = 0
	}
	l.out = &stream
	switch {
	case len(names) > 0:
	case wide:
		names = wideFields
	default:
		names = tableFields
	}
	var err error
	if l.fields, err = pick(names); err != nil {
		return nil, err
	}
	for _, f := range l.fields {
		c := Column{Head: f.head, Least: f.least, Right: f.name == "size" || f.name == "attempts"}
		if !l.named { // what was asked for by name is never left out
			switch f.name {
			case "gateway":
				c.Spare = 2
			case "subject":
				c.Spare = 1
			}
		}
		l.table.Columns = append(l.table.Columns, c)
	}
	return l, nil
}

func (l *List) Message(m *track.Message) error {
	if l.rows == 0 && len(l.table.Rows) == 0 {
		l.narrow(m)
	}
	if !l.split || len(m.Recipients) == 0 {
		l.add(row{m, -1, l.clock})
	} else {
		for i := range m.Recipients {
			l.add(row{m, i, l.clock})
		}
	}
	if len(l.table.Rows) >= layoutRows {
		return l.flush(false)
	}
	return nil
}

// narrow drops the year from times on a small terminal: what is left is what
// tells rows apart.
func (l *List) narrow(*track.Message) {
	if l.out.Width > 0 && l.out.Width < 100 && l.clock.Format == Local {
		l.clock.Format = shortLocal
	}
}

func (l *List) add(r row) {
	cells := make([]Cell, len(l.fields))
	for i, f := range l.fields {
		switch f.name {
		case "outcome":
			if r.rcpt < 0 {
				cells[i] = outcomeCell(r.m)
				continue
			}
			fallthrough
		case "status":
			word := f.get(r)
			s, _ := track.ParseStatus(word)
			cells[i] = statusCell(s)
		case "time", "last", "delivery_time":
			cells[i] = painted(f.get(r), term.Style.Faint)
		case "queue_id":
			cells[i] = l.reference(r)
		case "recipient":
			name, more := addressees(r)
			cells[i] = Cell{Text: safetext.Of(name), Keep: more}
		default:
			cells[i] = cell(f.get(r))
		}
	}
	l.table.Rows = append(l.table.Rows, cells)
	l.rows++
}

// reference is the queue id, or what else `waybill show` takes where a
// rejection never got one.
func (l *List) reference(r row) Cell {
	if r.m.QueueID == "" && !l.named {
		return painted(r.m.ID, term.Style.Faint)
	}
	return cell(r.m.QueueID)
}

func (l *List) flush(last bool) error {
	if len(l.table.Rows) == 0 {
		return nil
	}
	if l.table.widths == nil && !l.named {
		l.dropIdle(last)
	}
	if l.table.widths == nil && last {
		l.dropDate()
	}
	return l.table.Write(l.out)
}

// dropIdle leaves out columns that tell nothing: those in which no row has
// anything, and the gateway when all rows are known and have the same one.
func (l *List) dropIdle(all bool) {
	var columns []Column
	var fields []field
	var index []int
	for i, c := range l.table.Columns {
		if l.idle(i, all) {
			continue
		}
		columns, fields, index = append(columns, c), append(fields, l.fields[i]), append(index, i)
	}
	for n, r := range l.table.Rows {
		cells := make([]Cell, len(index))
		for j, i := range index {
			cells[j] = r[i]
		}
		l.table.Rows[n] = cells
	}
	l.table.Columns, l.fields = columns, fields
}

// dropDate leaves only the time of day where all rows are of one day and room
// is scarce; the answer line names the day.
func (l *List) dropDate() {
	const date = len("01-02 ")
	for i := range l.fields {
		if l.fields[i].name != "time" || l.clock.Format != shortLocal {
			continue
		}
		first := l.table.Rows[0][i].Text.String()
		for _, r := range l.table.Rows {
			if t := r[i].Text.String(); len(t) < date || t[:date] != first[:date] {
				return
			}
		}
		for _, r := range l.table.Rows {
			r[i].Text = safetext.Of(r[i].Text.String()[date:])
		}
	}
}

func (l *List) idle(i int, all bool) bool {
	first := l.table.Rows[0][i].Text
	same := all && !l.split && l.fields[i].name == "gateway"
	for _, r := range l.table.Rows {
		switch t := r[i].Text; {
		case same && t != first, !same && t.String() != "":
			return false
		}
	}
	return true
}

func (l *List) End(Tail) error { return l.flush(true) }

// ClientText names a client: "mail.src.test [192.0.2.7]".
func ClientText(c *track.Client) string {
	if c == nil {
		return ""
	}
	parts := []string{}
	if c.Name != "" && c.Name != "unknown" {
		parts = append(parts, c.Name)
	}
	if c.IP != "" {
		parts = append(parts, "["+c.IP+"]")
	}
	return strings.Join(parts, " ")
}
