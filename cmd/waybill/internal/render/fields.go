package render

import (
	"fmt"
	"strconv"
	"strings"

	"waybill/internal/search"
	"waybill/internal/track"
)

// row is what one line of a table or CSV file is about: a message, and one of
// its recipients (-1 for all of them).
type row struct {
	m     *track.Message
	rcpt  int
	clock Clock
}

func (r row) recipient() *track.Rcpt {
	if r.rcpt >= 0 && r.rcpt < len(r.m.Recipients) {
		return &r.m.Recipients[r.rcpt]
	}
	return nil
}

// of returns what get says of the row's recipient, "" when it has none.
func of(get func(*track.Rcpt) string) func(row) string {
	return func(r row) string {
		if rc := r.recipient(); rc != nil {
			return get(rc)
		}
		return ""
	}
}

// field is a value that --fields can name.
type field struct {
	name  string
	head  string
	least int
	get   func(row) string
}

// flatFields is the table of fields that a line can hold, in the order in
// which help lists them.
func flatFields() []field {
	client := func(get func(*track.Client) string) func(row) string {
		return func(r row) string {
			if r.m.Client == nil {
				return ""
			}
			return get(r.m.Client)
		}
	}
	return []field{
		{"time", "TIME", 0, func(r row) string { return r.clock.Time(r.m.Time) }},
		{"last", "LAST", 0, func(r row) string { return r.clock.Time(r.m.Last) }},
		{"status", "STATUS", 0, status},
		{"outcome", "OUTCOME", 0, outcome},
		{"sender", "FROM", 10, sender},
		{"recipient", "TO", 10, recipients},
		{"original", "ORIGINALLY TO", 10, of(func(rc *track.Rcpt) string { return rc.Original })},
		{"subject", "SUBJECT", 8, func(r row) string { return r.m.Subject }},
		{"message_id", "MESSAGE-ID", 12, func(r row) string { return r.m.MessageID }},
		{"gateway", "GATEWAY", 8, func(r row) string { return r.m.Gateway }},
		{"queue_id", "QUEUE-ID", 0, func(r row) string { return r.m.QueueID }},
		{"id", "ID", 0, func(r row) string { return r.m.ID }},
		{"kind", "KIND", 0, func(r row) string { return kind(r.m) }},
		{"size", "SIZE", 0, func(r row) string { return number(r.m.Size) }},
		{"direction", "DIRECTION", 0, func(r row) string { return r.m.Direction }},
		{"client_ip", "CLIENT", 0, client(func(c *track.Client) string { return c.IP })},
		{"client_name", "CLIENT NAME", 10, client(func(c *track.Client) string { return c.Name })},
		{"helo", "HELO", 10, client(func(c *track.Client) string { return c.Helo })},
		{"user", "USER", 8, func(r row) string {
			if r.m.Auth == nil {
				return ""
			}
			return r.m.Auth.User
		}},
		{"tls", "TLS", 8, func(r row) string { return protocol(r.m.TLS) }},
		{"relay", "RELAY", 12, of(func(rc *track.Rcpt) string { return rc.Relay })},
		{"dsn", "DSN", 0, of(func(rc *track.Rcpt) string { return rc.DSN })},
		{"response", "RESPONSE", 12, response},
		{"attempts", "ATTEMPTS", 0, of(func(rc *track.Rcpt) string { return number(int64(rc.Attempts)) })},
		{"delivery_time", "DELIVERY TIME", 0, func(r row) string {
			return of(func(rc *track.Rcpt) string { return r.clock.Time(rc.Time) })(r)
		}},
		{"delivery_tls", "DELIVERY TLS", 8, of(func(rc *track.Rcpt) string { return protocol(rc.TLS) })},
		{"uncertain", "UNCERTAIN", 0, of(func(rc *track.Rcpt) string {
			if rc.Uncertain {
				return "true"
			}
			return ""
		})},
		{"next_gateway", "NEXT GATEWAY", 8, of(func(rc *track.Rcpt) string { return relative(rc.Next).Gateway })},
		{"next_queue_id", "NEXT QUEUE-ID", 0, of(func(rc *track.Rcpt) string { return relative(rc.Next).QueueID })},
		{"next_id", "NEXT ID", 0, of(func(rc *track.Rcpt) string { return relative(rc.Next).ID })},
		{"mid", "MID", 0, func(r row) string { return unsigned(r.m.MID) }},
		{"icid", "ICID", 0, func(r row) string { return unsigned(r.m.ICID) }},
		{"dcid", "DCID", 0, of(func(rc *track.Rcpt) string { return unsigned(rc.DCID) })},
		{"attachments", "ATTACHMENTS", 8, attachments},
		{"serial", "SERIAL", 0, func(r row) string { return r.m.Serial }},
		{"host", "HOST", 8, func(r row) string { return r.m.Host }},
		{"instance", "INSTANCE", 8, func(r row) string { return r.m.Instance }},
		{"recipient_count", "RECIPIENTS", 0, func(r row) string { return number(int64(r.m.RecipientCount)) }},
		{"reason", "REASON", 12, func(r row) string { return r.m.Reason }},
	}
}

// attachments are the names of a message's files.
func attachments(r row) string {
	var names []string
	for _, a := range r.m.Attachments {
		if a.Name != "" {
			names = append(names, a.Name)
		}
	}
	return strings.Join(names, ", ")
}

// FlatFields are the names that --fields takes with -o table, wide and csv.
func FlatFields() []string {
	var out []string
	for _, f := range flatFields() {
		out = append(out, f.name)
	}
	return out
}

// pick returns the named fields in the order of the names.
func pick(names []string) ([]field, error) {
	all := flatFields()
	out := make([]field, 0, len(names))
	for _, n := range names {
		i := indexOf(all, n)
		if i < 0 {
			return nil, fmt.Errorf("no field %q; there are: %s", n, strings.Join(FlatFields(), " "))
		}
		out = append(out, all[i])
	}
	return out, nil
}

func indexOf(all []field, name string) int {
	for i := range all {
		if all[i].name == strings.ReplaceAll(name, "-", "_") {
			return i
		}
	}
	return -1
}

func status(r row) string {
	if rc := r.recipient(); rc != nil {
		return statusWord(rc.Status)
	}
	return statusWord(r.m.Status)
}

func outcome(r row) string {
	if rc := r.recipient(); rc != nil && rc.Outcome != track.StatusNone {
		return rc.Outcome.String()
	} else if rc != nil {
		return statusWord(rc.Status)
	}
	return statusWord(search.Outcome(r.m))
}

func sender(r row) string {
	switch {
	case r.m.Sender == nil:
		return ""
	case *r.m.Sender == "":
		return "<>"
	}
	return *r.m.Sender
}

func recipients(r row) string {
	name, more := addressees(r)
	return name + more
}

// addressees is the recipient of the row, or for a whole message the first and
// how many there are beside it.
func addressees(r row) (name, more string) {
	if rc := r.recipient(); rc != nil {
		return rc.Address, ""
	}
	name, n := search.Addressees(r.m)
	switch {
	case name == "" && n > 0:
		return fmt.Sprintf("(%d, not logged)", n), ""
	case n > 0:
		return name, fmt.Sprintf(" +%d", n)
	}
	return name, ""
}

func response(r row) string {
	if rc := r.recipient(); rc != nil && rc.Response != "" {
		return rc.Response
	}
	return r.m.Reason
}

func kind(m *track.Message) string {
	if m.Kind == "" {
		return "message"
	}
	return m.Kind
}

func protocol(t *track.TLS) string {
	if t == nil {
		return ""
	}
	return t.Protocol
}

func relative(r *track.Relative) track.Relative {
	if r == nil {
		return track.Relative{}
	}
	return *r
}

func number(n int64) string {
	if n == 0 {
		return ""
	}
	return strconv.FormatInt(n, 10)
}

func unsigned(n uint64) string {
	if n == 0 {
		return ""
	}
	return strconv.FormatUint(n, 10)
}
