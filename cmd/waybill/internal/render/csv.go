package render

import (
	"encoding/csv"
	"fmt"
	"io"

	"waybill/internal/safetext"
	"waybill/internal/track"
)

// csvFields are the columns of a CSV file unless --fields names others.
var csvFields = []string{"time", "gateway", "queue_id", "sender", "recipient", "original", "status", "outcome", "subject", "message_id",
	"size", "direction", "client_ip", "client_name", "user", "relay", "dsn", "response", "attempts", "delivery_time", "next_gateway", "next_queue_id", "id"}

// CSV writes one line per recipient. Coverage stands in comment lines, before
// the heading as far as it is known there and in full at the end.
type CSV struct {
	w      io.Writer
	csv    *csv.Writer
	clock  Clock
	fields []field
	cells  []string
}

// NewCSV writes the comment and the heading. Times are in the clock's zone and
// always RFC 3339, which every spreadsheet reads.
func NewCSV(w io.Writer, names []string, clock Clock, comment []string) (*CSV, error) {
	if len(names) == 0 {
		names = csvFields
	}
	fields, err := pick(names)
	if err != nil {
		return nil, err
	}
	clock.Format = RFC3339
	c := &CSV{w: w, csv: csv.NewWriter(w), clock: clock, fields: fields, cells: make([]string, len(fields))}
	if err := c.comments(comment); err != nil {
		return nil, err
	}
	for i, f := range fields {
		c.cells[i] = f.name
	}
	return c, c.csv.Write(c.cells)
}

func (c *CSV) Message(m *track.Message) error {
	if len(m.Recipients) == 0 {
		return c.row(row{m, -1, c.clock})
	}
	for i := range m.Recipients {
		if err := c.row(row{m, i, c.clock}); err != nil {
			return err
		}
	}
	return nil
}

func (c *CSV) row(r row) error {
	for i, f := range c.fields {
		c.cells[i] = safetext.CSV(f.get(r))
	}
	return c.csv.Write(c.cells)
}

func (c *CSV) End(t Tail) error {
	c.csv.Flush()
	if err := c.csv.Error(); err != nil {
		return err
	}
	if t.Next != "" {
		return c.comments([]string{"more with: --cursor " + t.Next})
	}
	return nil
}

func (c *CSV) comments(lines []string) error {
	c.csv.Flush()
	for _, l := range lines {
		if _, err := fmt.Fprintf(c.w, "# %s\n", safetext.Of(l)); err != nil {
			return err
		}
	}
	return c.csv.Error()
}
