package reconcile

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"waybill/internal/mailqueue"
	"waybill/internal/store"
	"waybill/internal/track"
)

// Store is what a comparison needs of a message tracking database.
type Store interface {
	Search(ctx context.Context, q *store.Query) iter.Seq2[*track.Message, error]
}

// Input is what is compared.
type Input struct {
	Gateway string
	Queue   *mailqueue.Queue
	At      track.Stamp      // when the queue was listed
	Grace   time.Duration    // what is younger, or ended so late, is moving
	Log     []track.Interval // what the gateway's log claims to cover, by time
}

// Report is the result.
type Report struct {
	Gateway string      `json:"gateway"`
	MTA     string      `json:"mta,omitempty"`
	Source  string      `json:"source,omitempty"` // the command or file that the listing is from
	At      track.Stamp `json:"at"`
	Grace   float64     `json:"grace"` // seconds
	// LogTo is where the log ends that the store has, LogFrom where its last
	// stretch without a gap begins; absent without a log.
	LogFrom track.Stamp `json:"log_from,omitzero"`
	LogTo   track.Stamp `json:"log_to,omitzero"`

	InQueue   int `json:"in_queue"`
	OpenInLog int `json:"open_in_log"`
	Agree     int `json:"agree"`
	Disagree  int `json:"disagree"`
	Unsure    int `json:"unsure"`
	Moving    int `json:"moving"`

	Unknown int    `json:"unknown_lines,omitempty"` // of the listing
	Sample  string `json:"unknown_sample,omitempty"`
	Cut     string `json:"cut,omitempty"` // why the listing is not whole

	// Messages: disagreements first, then what is unsure, moving, and agrees.
	Messages []Message `json:"messages"`
}

// Verdict is how a message stands on both sides.
type Verdict string

// The verdicts. The first four are disagreements.
const (
	NotInLog   Verdict = "not_in_log"   // in the queue, never seen in the log
	EndedInLog Verdict = "ended_in_log" // in the queue, ended by the log
	NotInQueue Verdict = "not_in_queue" // open by the log
	Differs    Verdict = "differs"      // on both sides, with another sender or size
	Unsure     Verdict = "unsure"
	Moving     Verdict = "moving"
	Agrees     Verdict = "agrees"
)

// Disagrees reports whether the verdict is a disagreement.
func (v Verdict) Disagrees() bool {
	return v == NotInLog || v == EndedInLog || v == NotInQueue || v == Differs
}

// Message is one message of the queue, of the log or of both.
type Message struct {
	Verdict Verdict `json:"verdict"`
	Detail  string  `json:"detail,omitempty"` // in words
	QueueID string  `json:"queue_id"`
	ID      string  `json:"id,omitempty"` // in the store

	Sender     *string      `json:"sender,omitempty"`
	Recipients []string     `json:"recipients,omitempty"` // that it waits for, as many as maxShown
	More       int          `json:"more_recipients,omitempty"`
	Size       int64        `json:"size,omitempty"`
	Since      track.Stamp  `json:"since,omitzero"` // when it came
	Last       track.Stamp  `json:"last,omitzero"`  // of the log: its last line
	State      string       `json:"queue_state,omitempty"`
	Status     track.Status `json:"log_status,omitzero"`
	Reason     string       `json:"reason,omitempty"` // why it waits, by the queue, else by the log
}

// maxShown is how many recipients of a message are kept.
const maxShown = 10

// batch is how many queue ids are looked up at once.
const batch = 100

// Compare compares a queue with the log.
func Compare(ctx context.Context, s Store, in Input) (*Report, error) {
	r := &Report{Gateway: in.Gateway, MTA: string(in.Queue.Form), At: in.At, Grace: in.Grace.Seconds(), InQueue: len(in.Queue.Messages),
		Unknown: in.Queue.Unknown, Sample: in.Queue.Sample, Cut: in.Queue.Cut, Messages: []Message{}}
	if n := len(in.Log); n > 0 {
		r.LogFrom, r.LogTo = in.Log[n-1].From, in.Log[n-1].To
	}
	c := &comparison{in: in, listed: map[string]bool{}}
	for chunk := range slices.Chunk(in.Queue.Messages, batch) {
		lives, err := lookUp(ctx, s, in.Gateway, chunk)
		if err != nil {
			return nil, err
		}
		for i := range chunk {
			m := &chunk[i]
			c.listed[m.ID] = true
			r.add(c.inQueue(m, lives[m.ID]))
		}
	}
	for m, err := range s.Search(ctx, openQuery(in.Gateway)) {
		if err != nil {
			return nil, fmt.Errorf("look for open messages: %w", err)
		}
		if ended(m) || begun(m) || m.Time > in.At {
			continue
		}
		r.OpenInLog++
		if !c.listed[m.QueueID] {
			r.add(c.notListed(m))
		}
	}
	slices.SortStableFunc(r.Messages, func(a, b Message) int {
		return cmp.Or(cmp.Compare(rank(a.Verdict), rank(b.Verdict)), cmp.Compare(cmp.Or(a.Since, a.Last), cmp.Or(b.Since, b.Last)), strings.Compare(a.QueueID, b.QueueID))
	})
	return r, nil
}

func rank(v Verdict) int {
	return slices.Index([]Verdict{NotInLog, EndedInLog, NotInQueue, Differs, Unsure, Moving, Agrees}, v)
}

func (r *Report) add(m Message) {
	switch {
	case m.Verdict.Disagrees():
		r.Disagree++
	case m.Verdict == Unsure:
		r.Unsure++
	case m.Verdict == Moving:
		r.Moving++
	default:
		r.Agree++
	}
	r.Messages = append(r.Messages, m)
}

// openQuery finds what may be open; ended decides.
func openQuery(gateway string) *store.Query {
	var any []store.Term
	for _, s := range []track.Status{track.StatusQueued, track.StatusHeld, track.StatusDeferred, track.StatusUnknown} {
		any = append(any, store.Term{Field: store.FieldStatus, Op: store.OpIs, Status: s})
	}
	any = append(any, store.Term{Field: store.FieldBlind, Op: store.OpIs, Blind: track.BlindRecipients})
	return &store.Query{Gateways: []string{gateway}, All: []store.Cond{{Any: any}}}
}

// lookUp finds all lives of the queue ids of a part of the listing.
func lookUp(ctx context.Context, s Store, gateway string, part []mailqueue.Message) (map[string][]*track.Message, error) {
	var any []store.Term
	for i := range part {
		any = append(any, store.Term{Field: store.FieldQueueID, Op: store.OpIs, Text: part[i].ID})
	}
	lives := map[string][]*track.Message{}
	for m, err := range s.Search(ctx, &store.Query{Gateways: []string{gateway}, All: []store.Cond{{Any: any}}}) {
		if err != nil {
			return nil, fmt.Errorf("look for the queue's messages: %w", err)
		}
		lives[m.QueueID] = append(lives[m.QueueID], m) // newest first
	}
	return lives, nil
}

// ended reports whether a message has left the queue by its log: its end was
// logged, or each of its recipients has come to one.
func ended(m *track.Message) bool {
	if m.Ended {
		return true
	}
	if len(m.Recipients) == 0 {
		return m.Status.Final()
	}
	for i := range m.Recipients {
		if !m.Recipients[i].Status.Final() {
			return false
		}
	}
	return m.RecipientCount <= len(m.Recipients)
}

// begun reports whether a message was only begun by its log: a client that
// leaves before the end of its data leaves an id behind, which no queue ever had.
func begun(m *track.Message) bool {
	return m.Status == track.StatusUnknown && m.Sender == nil && len(m.Recipients) == 0
}

type comparison struct {
	in     Input
	listed map[string]bool
}

// early is the time before which nothing is moving.
func (c *comparison) early() track.Stamp { return c.in.At.Add(-c.in.Grace) }

// inQueue judges a message of the queue, given all lives of its id.
func (c *comparison) inQueue(q *mailqueue.Message, lives []*track.Message) Message {
	out := ofQueue(q)
	life := fitting(q, lives)
	switch {
	case life != nil && !ended(life):
		c.fill(&out, life)
		if out.Detail = difference(q, life); out.Detail != "" {
			out.Verdict = Differs
		} else {
			out.Verdict = Agrees
		}
	case life != nil && life.Last >= c.early():
		c.fill(&out, life)
		out.Verdict, out.Detail = Moving, "it ended while the queue was listed, or since"
	case life != nil:
		c.fill(&out, life)
		out.Verdict, out.Detail = EndedInLog, "by the log it is "+life.Status.String()
	case out.Since == 0:
		out.Verdict, out.Detail = Unsure, "the queue does not tell when it came"
	case out.Since >= c.early():
		out.Verdict, out.Detail = Moving, "it came just before the queue was listed"
	case !c.covers(out.Since.Add(-q.SinceOff), out.Since):
		out.Verdict, out.Detail = Unsure, "the store has no log of when it came"
	default:
		out.Verdict, out.Detail = NotInLog, "the log of when it came does not have it"
	}
	return out
}

// notListed judges a message that is open by the log and not in the queue.
func (c *comparison) notListed(m *track.Message) Message {
	var out Message
	c.fill(&out, m)
	out.QueueID, out.Sender, out.Size, out.Since, out.Reason = m.QueueID, m.Sender, m.Size, m.Time, m.Reason
	for i := range m.Recipients {
		r := &m.Recipients[i]
		if r.Status.Final() {
			continue
		}
		out.recipient(r.Address)
		out.Reason = cmp.Or(out.Reason, r.Response)
	}
	switch {
	case m.Last >= c.early():
		out.Verdict, out.Detail = Moving, "its last line is just before the queue was listed, or later"
	case c.in.Queue.Cut != "":
		out.Verdict, out.Detail = Unsure, "the listing of the queue is not whole"
	case !c.covers(m.Last, c.early()):
		out.Verdict, out.Detail = Unsure, "it may have ended in a part of the log that the store does not have"
	default:
		out.Verdict, out.Detail = NotInQueue, "by the log it is "+m.Status.String()
	}
	return out
}

// covers reports whether the log claims all of a span. A log claims nothing
// behind its last line, but what is younger than the grace period need not be
// there yet.
func (c *comparison) covers(from, to track.Stamp) bool {
	return slices.ContainsFunc(c.in.Log, func(i track.Interval) bool { return i.From <= from && to < i.To })
}

// slack is how far the time of a message may differ between queue and log.
const slack = 2 * time.Minute

// fitting is the life that a message of the queue is, nil when there is none:
// the newest that began no later, unless it had ended before the message came.
func fitting(q *mailqueue.Message, lives []*track.Message) *track.Message {
	if q.Since.IsZero() {
		if len(lives) > 0 {
			return lives[0]
		}
		return nil
	}
	since, off := track.StampOf(q.Since), q.SinceOff+slack
	for _, m := range lives {
		if m.Time > since.Add(off) {
			continue
		}
		if ended(m) && m.Last < since.Add(-off) {
			return nil // all others ended before this one began
		}
		return m
	}
	return nil
}

func ofQueue(q *mailqueue.Message) Message {
	out := Message{QueueID: q.ID, Sender: q.Sender, Size: q.Size, Since: track.StampOf(q.Since), State: q.State, Reason: q.Reason, More: q.More}
	for _, r := range q.Recipients {
		if !r.Done {
			out.recipient(r.Address)
		}
	}
	return out
}

func (m *Message) recipient(address string) {
	if len(m.Recipients) >= maxShown {
		m.More++
		return
	}
	m.Recipients = append(m.Recipients, address)
}

// fill adds what the log knows.
func (c *comparison) fill(out *Message, m *track.Message) {
	out.ID, out.Last, out.Status = m.ID, m.Last, m.Status
	if out.Reason == "" {
		for i := range m.Recipients {
			if r := &m.Recipients[i]; !r.Status.Final() {
				out.Reason = cmp.Or(out.Reason, r.Response)
			}
		}
	}
	if out.Reason == "" {
		out.Reason = m.Reason
	}
}

// difference says in which the two do not agree, "" when they do.
func difference(q *mailqueue.Message, m *track.Message) string {
	var out []string
	if q.Sender != nil && m.Sender != nil && !sameSender(q, *m.Sender) {
		out = append(out, fmt.Sprintf("sender: in the queue <%s>, in the log <%s>", *q.Sender, *m.Sender))
	}
	if q.Size > 0 && m.Size > 0 && max(q.Size-m.Size, m.Size-q.Size) > q.SizeOff {
		out = append(out, fmt.Sprintf("size: in the queue %d, in the log %d", q.Size, m.Size))
	}
	return strings.Join(out, "; ")
}

// sameSender compares without case, and without what a listing writes another
// way: quotes, and a question mark for what cannot be printed.
func sameSender(q *mailqueue.Message, log string) bool {
	have := *q.Sender
	if strings.ContainsAny(have+log, "\"\\?") {
		return true // both sides have their own way to write it
	}
	have, log = store.FoldText(store.FieldSender, have), store.FoldText(store.FieldSender, log)
	if q.SenderCut {
		return strings.HasPrefix(log, have)
	}
	return have == log
}
