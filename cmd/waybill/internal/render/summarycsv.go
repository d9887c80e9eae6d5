package render

import (
	"encoding/csv"
	"fmt"
	"io"
	"strconv"

	"waybill/internal/safetext"
	"waybill/internal/search"
)

// SummaryCSV writes a line for every number of a summary: which list it is of,
// the value, and for failures the relay and the reason. Comments stand before
// the heading.
func SummaryCSV(w io.Writer, s *search.Summary, clock Clock, comment []string) error {
	for _, l := range comment {
		if _, err := fmt.Fprintf(w, "# %s\n", safetext.Of(l)); err != nil {
			return err
		}
	}
	clock.Format = RFC3339
	out := csv.NewWriter(w)
	row := func(list, value, relay, reason string, count, rejections int, bytes int64, atLeast bool) {
		cells := []string{list, safetext.CSV(value), safetext.CSV(relay), safetext.CSV(reason), strconv.Itoa(count), "", number(bytes), ""}
		if rejections > 0 {
			cells[5] = strconv.Itoa(rejections)
		}
		if atLeast {
			cells[7] = "true"
		}
		_ = out.Write(cells) // an error stays, see below
	}
	_ = out.Write([]string{"list", "value", "relay", "reason", "count", "rejections", "bytes", "at_least"})
	row("total", "", "", "", s.Messages, s.Rejections, s.Bytes, false)
	for _, c := range s.Outcomes {
		row("outcome", c.Status.String(), "", "", c.Count, 0, 0, false)
	}
	for _, c := range s.Deliveries {
		row("delivery", c.Status.String(), "", "", c.Count, 0, 0, false)
	}
	failures := func(list string, top search.Top[search.Failure]) {
		for _, i := range top.Items {
			row(list, i.Value.Domain, i.Value.Relay, i.Value.Reason, i.Count, 0, i.Bytes, i.AtLeast)
		}
		if top.Others > 0 {
			row(list, "(others)", "", "", top.Others, 0, 0, false)
		}
	}
	failures("deferred", s.Deferred)
	failures("failed", s.Failed)
	csvList(row, "rejected", s.Rejected, orUnknown)
	csvList(row, "rejected_client", s.RejectedClients, clientName)
	csvList(row, "sender", s.Senders, nullSender)
	csvList(row, "recipient", s.Recipients, orUnknown)
	csvList(row, "client", s.Clients, clientName)
	csvList(row, "user", s.Users, orUnknown)
	for _, p := range s.Traffic.Periods {
		row(s.Traffic.Unit, clock.Time(p.From), "", "", p.Messages, p.Rejections, p.Bytes, false)
	}
	out.Flush()
	return out.Error()
}

func csvList[K any](row func(list, value, relay, reason string, count, rejections int, bytes int64, atLeast bool), list string, top search.Top[K], name func(K) string) {
	for _, i := range top.Items {
		row(list, name(i.Value), "", "", i.Count, 0, i.Bytes, i.AtLeast)
	}
	if top.Others > 0 {
		row(list, "(others)", "", "", top.Others, 0, 0, false)
	}
}

// IndentedYAML writes any value as a YAML document.
func IndentedYAML(w io.Writer, v any) error {
	text, err := Compact(v)
	if err != nil {
		return err
	}
	return writeYAML(w, []byte(text), 0)
}
