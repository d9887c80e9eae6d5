package simulated

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"waybill/internal/simulate"
	"waybill/internal/track"
)

// answers are the messages that Waybill knows, by gateway and id.
type answers struct {
	byID  map[string]*track.Message
	lives map[string][]*track.Message // of gateway/queue id
	taken map[string]bool             // ids that a truth has been found for
}

func newAnswers(ms []*track.Message) *answers {
	a := &answers{make(map[string]*track.Message), make(map[string][]*track.Message), make(map[string]bool)}
	for _, m := range ms {
		a.byID[m.ID] = m
		key := m.Gateway + "/" + m.QueueID
		a.lives[key] = append(a.lives[key], m)
	}
	return a
}

// find returns the life that began at about the time at which a message did.
func (a *answers) find(gateway, id string, began time.Time) *track.Message {
	var best *track.Message
	var far time.Duration
	for _, m := range a.lives[gateway+"/"+id] {
		if d := m.Time.Time().Sub(began).Abs(); best == nil || d < far {
			best, far = m, d
		}
	}
	if far > 5*time.Second {
		return nil
	}
	return best
}

// differences is what Waybill says otherwise than it is.
func (a *answers) differences(truth *simulate.Message) []string {
	got := a.find(truth.Gateway, truth.QueueID, truth.Began)
	if got == nil {
		return []string{"it is not there"}
	}
	a.taken[got.ID] = true
	d := &differences{}
	d.envelope(truth, got)
	if whole(truth) {
		d.want("status", got.Status, truth.Recipients[0].Status)
	} else {
		d.recipients(a, truth, got)
	}
	d.relation(truth, got)
	return d.list
}

// whole reports whether the log tells the end of the message and not of each
// recipient: it was not accepted, or nobody tried to deliver it yet.
func whole(truth *simulate.Message) bool {
	switch truth.Recipients[0].Status {
	case simulate.Aborted, simulate.Rejected, simulate.Held, simulate.Dropped:
		return true
	case simulate.Discarded:
		return truth.MTA == simulate.ESA
	}
	return false
}

type differences struct{ list []string }

func (d *differences) add(format string, args ...any) {
	d.list = append(d.list, fmt.Sprintf(format, args...))
}

// want compares two texts.
func (d *differences) want(what string, got, want any) {
	if g, w := fmt.Sprint(got), fmt.Sprint(want); g != w {
		d.add("%s is %q, says %q", what, w, g)
	}
}

func (d *differences) envelope(truth *simulate.Message, got *track.Message) {
	bounce := truth.Relation == simulate.Bounce
	switch {
	case bounce && truth.MTA == simulate.Sendmail: // has no line that tells it
	case truth.Scene == simulate.FromHere && truth.MTA == simulate.Sendmail && truth.Client.IP == "":
		if name, _, _ := strings.Cut(truth.Sender, "@"); got.Sender == nil || *got.Sender != name {
			d.add("sender is %q", name) // as the program said it
		}
	case truth.Scene == simulate.CutOff && truth.MTA == simulate.Postfix: // was never written
	case truth.Recipients[0].Status == simulate.Held && got.Sender == nil: // comes with the first run of the queue
	case got.Sender == nil:
		d.add("sender is %q, says none", truth.Sender)
	default:
		d.want("sender", *got.Sender, truth.Sender)
	}
	if truth.MTA.LogsMessageID() && !(bounce && truth.MTA != simulate.Postfix && truth.MTA != simulate.ESA) && truth.Relation != simulate.Rewritten &&
		truth.Relation != simulate.Split && truth.Relation != simulate.Copy && !(truth.Scene == simulate.CutOff && truth.MTA == simulate.ESA) {
		d.want("Message-ID", got.MessageID, truth.MessageID)
	}
	if got.Subject != "" && truth.Subject != "" {
		d.want("subject", got.Subject, truth.Subject)
	}
	if got.Client != nil {
		d.want("client", got.Client.IP, truth.Client.IP)
	}
	switch local, _, _ := strings.Cut(truth.Sender, "@"); {
	case got.Auth != nil && truth.Scene == simulate.FromHere && truth.MTA == simulate.Sendmail:
		d.want("user", got.Auth.User, local) // of the host, who stands where a client would
	case got.Auth != nil:
		d.want("user", got.Auth.User, truth.User)
	case truth.User != "" && truth.MTA != simulate.Sendmail:
		d.add("user is %q, says none", truth.User)
	}
	if got.Size != 0 {
		d.want("size", got.Size, truth.Size)
	}
}

func (d *differences) recipients(a *answers, truth *simulate.Message, got *track.Message) {
	if len(got.Recipients) != len(truth.Recipients) {
		d.add("there are %d recipients, says %d: %v", len(truth.Recipients), len(got.Recipients), got.Recipients)
	}
	for _, want := range truth.Recipients {
		r := recipient(got, want)
		if r == nil {
			d.add("%s is a recipient, says nothing of it", want.Address)
			continue
		}
		d.recipient(a, want, r)
	}
}

func recipient(got *track.Message, want *simulate.Recipient) *track.Rcpt {
	for i := range got.Recipients {
		if r := &got.Recipients[i]; r.Address == want.Address && r.Original == want.Original {
			return r
		}
	}
	return nil
}

func (d *differences) recipient(a *answers, want *simulate.Recipient, r *track.Rcpt) {
	to := want.Address + ": "
	if want.Status != "" {
		d.want(to+"status", r.Status, want.Status)
	}
	d.want(to+"outcome", r.Outcome, want.Outcome())
	d.want(to+"uncertain", r.Uncertain, want.Uncertain)
	if want.Status != "" && want.Attempts > 0 && r.Attempts > 0 {
		d.want(to+"attempts", r.Attempts, want.Attempts)
	}
	if want.Next == nil || want.Next.Parent != nil {
		return // what stays on the gateway is a child: see relation
	}
	if r.Next == nil {
		d.add("%sgoes on as %s on %s, says nothing", to, want.Next.QueueID, want.Next.Gateway)
		return
	}
	next := a.byID[r.Next.ID]
	if next == nil {
		d.add("%snext %s is not there", to, r.Next.ID)
		return
	}
	d.want(to+"next", next.Gateway+" "+next.QueueID, want.Next.Gateway+" "+want.Next.QueueID)
}

func (d *differences) relation(truth *simulate.Message, got *track.Message) {
	switch {
	case truth.Parent == nil && got.Parent == nil:
	case truth.Parent == nil:
		d.add("it has no parent, says %+v", *got.Parent)
	case truth.MTA == simulate.OpenSMTPD: // does not tell
	case got.Parent == nil:
		d.add("it is a %s of %s, says it has no parent", truth.Relation, truth.Parent.QueueID)
	default:
		d.want("parent", got.Parent.QueueID, truth.Parent.QueueID)
		d.want("relation", got.Parent.Relation, truth.Relation)
	}
}

// rejected looks for a rejection that no other truth has been found for. What
// had an id before it was refused is a message with a rejected recipient.
func (a *answers) rejected(r simulate.Rejection) bool {
	const most = 2 * time.Second
	best, far := "", most
	for id, m := range a.byID {
		d := m.Time.Time().Sub(r.Time).Abs()
		switch {
		case a.taken[id] || m.Gateway != r.Gateway || d >= far:
		case r.QueueID != "" && m.QueueID != "" && m.QueueID != r.QueueID:
		case r.Recipient == "" && m.Status != track.StatusRejected:
		case r.Recipient != "" && !slices.ContainsFunc(m.Recipients, func(got track.Rcpt) bool {
			return got.Address == r.Recipient && got.Status == track.StatusRejected
		}):
		case m.Client != nil && m.Client.IP != r.Client.IP:
		default:
			best, far = id, d
		}
	}
	a.taken[best] = true
	return best != ""
}
