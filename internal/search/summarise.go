package search

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"waybill/internal/store"
	"waybill/internal/track"
)

// DefaultTop is how many values a list of a summary has unless it is told.
const DefaultTop = 10

// Summarise counts the messages of a search, each looked at once, in memory
// that does not grow with their number. Lists have at most top values; 0 is
// DefaultTop. The request's Limit, Cursor and Relations mean nothing here.
//
// Rejections are counted too, although a search leaves them out; what the
// query asks of a message it asks of them. Coverage is that of the search.
func (e *Engine) Summarise(ctx context.Context, r Request, top int) (*Summary, error) {
	if top < 0 {
		return nil, fmt.Errorf("%w: the number of values is negative", ErrUsage)
	}
	if top == 0 {
		top = DefaultTop
	}
	r.Limit, r.Cursor, r.Relations = 0, "", false
	s, err := e.Stream(ctx, r)
	if err != nil {
		return nil, err
	}
	s.rejections = true
	t := newTally(s)
	for m, err := range s.Messages(ctx) {
		if err != nil {
			return nil, err
		}
		t.add(m)
	}
	s.answer.Rejections = t.s.Rejections
	a, err := s.Answer(ctx)
	if err != nil {
		return nil, err
	}
	a.Next = "" // a summary has no pages
	return t.summary(a, top), nil
}

// tally is a summary while it is counted.
type tally struct {
	s          Summary
	outcomes   [statusEnd]int
	deliveries [statusEnd]int
	traffic    *meter

	deferred, failed *counter[Failure]
	rejected         *counter[string]
	senders          *counter[string]
	recipients       *counter[string]
	users            *counter[string]
	clients          *counter[track.Client]
	rejectedClients  *counter[track.Client]

	reasons map[string]string // reply to reason: most replies come again at once
	named   []string          // recipients of the message at hand
}

// statusEnd is behind the last status.
const statusEnd = int(track.StatusMixed) + 1

// maxReasons bounds tally.reasons, which is only there for speed.
const maxReasons = 256

func newTally(s *Stream) *tally {
	keepFailure := func(f Failure) Failure {
		return Failure{strings.Clone(f.Domain), strings.Clone(f.Relay), strings.Clone(f.Reason)}
	}
	keepClient := func(c track.Client) track.Client {
		return track.Client{IP: strings.Clone(c.IP), Name: strings.Clone(c.Name)}
	}
	return &tally{
		traffic:  newMeter(s.plan.zone),
		deferred: newCounter(MaxDistinct, keepFailure), failed: newCounter(MaxDistinct, keepFailure),
		rejected: newCounter(MaxDistinct, strings.Clone), senders: newCounter(MaxDistinct, strings.Clone),
		recipients: newCounter(MaxDistinct, strings.Clone), users: newCounter(MaxDistinct, strings.Clone),
		clients: newCounter(MaxDistinct, keepClient), rejectedClients: newCounter(MaxDistinct, keepClient),
		reasons: map[string]string{},
	}
}

func (t *tally) add(m *track.Message) {
	if m.Kind == "rejection" {
		t.s.Rejections++
		t.traffic.add(m.Time, 0, 1, 0)
		t.reject(m, rejectionReason(m))
		return
	}
	t.s.Messages++
	t.traffic.add(m.Time, 1, 0, m.Size)
	if m.Size > 0 {
		t.s.Sized++
		t.s.Bytes += m.Size
		t.s.Largest = max(t.s.Largest, m.Size)
	}
	if m.Sender != nil {
		t.senders.add(address(store.FieldSender, *m.Sender), m.Size)
	}
	if c := m.Client; c != nil && (c.IP != "" || c.Name != "") {
		t.clients.add(client(c), m.Size)
	}
	if m.Auth != nil && m.Auth.User != "" {
		t.users.add(bounded(m.Auth.User), m.Size)
	}
	t.addRecipients(m)
	if m.Status == track.StatusRejected {
		t.reject(m, rejectionReason(m))
	}
}

// addRecipients counts the recipients of a message, and the message by what
// became of them.
func (t *tally) addRecipients(m *track.Message) {
	outcome := track.StatusNone
	t.named = t.named[:0]
	for i := range m.Recipients {
		r := &m.Recipients[i]
		o := cmp.Or(r.Outcome, r.Status)
		t.deliveries[index(o)]++
		switch {
		case o == track.StatusExpanded:
		case outcome == track.StatusNone:
			outcome = o
		case outcome != o:
			outcome = track.StatusMixed
		}
		switch r.Status {
		case track.StatusDeferred:
			t.deferred.add(t.failure(m, r), 0)
		case track.StatusBounced, track.StatusExpired:
			t.failed.add(t.failure(m, r), 0)
		case track.StatusRejected:
			if m.Status != track.StatusRejected { // else it counts as a whole
				t.reject(m, r.Response)
			}
			continue
		case track.StatusExpanded, track.StatusVerified, track.StatusUndeliverable:
			continue // became another, or is no recipient of anything
		}
		if a := address(store.FieldRecipient, r.Address); !slices.Contains(t.named, a) {
			t.recipients.add(a, m.Size)
			if len(t.named) < maxNamed {
				t.named = append(t.named, a)
			}
		}
	}
	if outcome == track.StatusNone {
		outcome = m.Status
	}
	t.outcomes[index(outcome)]++
}

// maxNamed is up to how many recipients of one message doubles are looked for.
const maxNamed = 50

func index(s track.Status) int {
	if s == track.StatusNone || int(s) >= statusEnd {
		s = track.StatusUnknown
	}
	return int(s)
}

// reject counts something that was refused.
func (t *tally) reject(m *track.Message, reply string) {
	var own [2]string
	if m.Client != nil {
		own = [2]string{m.Client.Name, m.Client.Helo}
		if c := m.Client; c.IP != "" || c.Name != "" {
			t.rejectedClients.add(client(c), 0)
		}
	}
	t.rejected.add(t.reason(reply, own[:]...), 0)
}

// rejectionReason is why a rejection, or a message as a whole, was refused.
func rejectionReason(m *track.Message) string {
	if m.Reason != "" {
		return m.Reason
	}
	for i := range m.Recipients {
		if r := &m.Recipients[i]; r.Response != "" {
			return r.Response
		}
	}
	return ""
}

// failure tells where a recipient waits or was refused.
func (t *tally) failure(m *track.Message, r *track.Rcpt) Failure {
	f := Failure{Relay: bounded(r.RelayIP)}
	if i := strings.LastIndexByte(r.Address, '@'); i >= 0 {
		f.Domain = domainOf(address(store.FieldRecipient, r.Address))
	}
	if name, _, ok := strings.Cut(r.Relay, "["); ok && name != "" {
		f.Relay = strings.ToLower(bounded(name))
	}
	f.Reason = t.reason(r.Response, f.Domain, f.Relay)
	return f
}

func domainOf(address string) string { return address[strings.LastIndexByte(address, '@')+1:] }

// reason is Reason, which is slow beside everything else.
func (t *tally) reason(reply string, own ...string) string {
	if reply == "" {
		return ""
	}
	key := reply
	for _, o := range own {
		key += "\x00" + o
	}
	out, ok := t.reasons[key]
	if !ok {
		if len(t.reasons) >= maxReasons {
			clear(t.reasons)
		}
		out = Reason(reply, own...)
		t.reasons[strings.Clone(key)] = out
	}
	return out
}

// maxValue is how long a value of a list can be in bytes: a little more than
// the longest address.
const maxValue = 400

func bounded(s string) string {
	if len(s) > maxValue {
		return strings.ToValidUTF8(s[:maxValue], "") + "…"
	}
	return s
}

// address is an address without case, as a search compares it.
func address(f store.Field, s string) string { return store.FoldText(f, bounded(s)) }

func client(c *track.Client) track.Client {
	name := bounded(c.Name)
	if name == "unknown" {
		name = ""
	}
	return track.Client{IP: bounded(c.IP), Name: strings.ToLower(name)}
}

// summary is what was counted, beside the search's answer.
func (t *tally) summary(a *Answer, top int) *Summary {
	s := &t.s
	s.Answer, s.Coverage, s.Why = a, a.Coverage, a.Why
	s.Outcomes, s.Deliveries = statuses(&t.outcomes), statuses(&t.deliveries)
	s.Traffic = t.traffic.traffic(a.Coverage.Gaps)
	byClient := func(a, b track.Client) int { return cmp.Or(cmp.Compare(a.IP, b.IP), cmp.Compare(a.Name, b.Name)) }
	byPlace := func(a, b Failure) int {
		return cmp.Or(cmp.Compare(a.Domain, b.Domain), cmp.Compare(a.Relay, b.Relay), cmp.Compare(a.Reason, b.Reason))
	}
	s.Deferred, s.Failed = t.deferred.top(top, byPlace), t.failed.top(top, byPlace)
	s.Rejected, s.RejectedClients = t.rejected.top(top, strings.Compare), t.rejectedClients.top(top, byClient)
	s.Senders, s.Recipients = t.senders.top(top, strings.Compare), t.recipients.top(top, strings.Compare)
	s.Users, s.Clients = t.users.top(top, strings.Compare), t.clients.top(top, byClient)
	return s
}

// statuses lists what was counted, the commonest first.
func statuses(counts *[statusEnd]int) []StatusCount {
	out := []StatusCount{}
	for _, s := range track.Statuses() {
		if n := counts[s]; n > 0 {
			out = append(out, StatusCount{s, n})
		}
	}
	slices.SortStableFunc(out, func(a, b StatusCount) int { return b.Count - a.Count })
	return out
}
