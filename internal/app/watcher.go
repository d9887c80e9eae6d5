package app

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"waybill/internal/search"
	"waybill/internal/store"
	"waybill/internal/track"
)

// Received is the change by which a message is seen first. The others are the
// words of a status.
const Received = "received"

// Change is one step of a message.
type Change struct {
	Time      track.Stamp `json:"time,omitzero"`
	Change    string      `json:"change"` // Received, or the status that it has now
	ID        string      `json:"id"`     // of the message
	Kind      string      `json:"kind,omitempty"`
	Gateway   string      `json:"gateway"`
	QueueID   string      `json:"queue_id,omitempty"`
	MessageID string      `json:"message_id,omitempty"`
	Sender    *string     `json:"sender,omitempty"`
	// What follows is of the recipient that the change is about, and absent for
	// one of the whole message.
	Recipient string `json:"recipient,omitempty"`
	Original  string `json:"original,omitempty"`
	Attempts  int    `json:"attempts,omitempty"`
	Relay     string `json:"relay,omitempty"`
	DSN       string `json:"dsn,omitempty"`
	Response  string `json:"response,omitempty"` // or why, for the whole message

	Status track.Status `json:"-"` // that Change names, StatusUnknown for Received
}

const (
	// recentTime is how far before the newest message others are looked for that
	// are new: logs of several gateways come at different speeds.
	recentTime = 15 * time.Minute
	// queueTime is how long a message may wait in a queue and be remembered.
	queueTime = 8 * 24 * time.Hour
	// maxWatched bounds the messages that are looked at in one step.
	maxWatched = 50_000
)

// Watcher tells what has become of messages since it was asked last.
type Watcher struct {
	reader *Reader
	text   string
	rev    string
	newest track.Stamp
	seen   map[string]watched // by ID
}

// watched is what was told of a message.
type watched struct {
	time   track.Stamp
	open   bool // something is still to become of it
	status track.Status
	rcpts  map[rcptKey]rcptState
}

type rcptKey struct{ address, original, route string }

type rcptState struct {
	status   track.Status
	attempts int
}

// NewWatcher watches the messages that a query finds.
func NewWatcher(r *Reader, query string) *Watcher {
	return &Watcher{reader: r, text: query, seen: make(map[string]watched)}
}

// Begin looks at what is there and returns the changes of the last n messages.
func (w *Watcher) Begin(ctx context.Context, n int) ([]Change, error) {
	found, err := w.look(ctx)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(found, func(a, b *track.Message) int { return cmp.Compare(b.Time, a.Time) })
	if len(found) < n { // the last of them are longer ago
		if found, err = w.find(ctx, search.Request{Text: w.text, Limit: n}); err != nil {
			return nil, err
		}
	}
	var out []Change
	for i, m := range found {
		changes := w.diff(m)
		if i < n {
			out = append(out, changes...)
		}
	}
	return inOrder(out), nil
}

// Poll returns what has changed since the last call, in the order in which it
// happened.
func (w *Watcher) Poll(ctx context.Context) ([]Change, error) {
	rev, err := w.reader.db.Revision(ctx)
	if err != nil || rev == w.rev {
		return nil, err
	}
	found, err := w.look(ctx)
	if err != nil {
		return nil, err
	}
	w.rev = rev // what came while looking is looked at again
	var out []Change
	for _, m := range found {
		out = append(out, w.diff(m)...)
	}
	w.forget()
	return inOrder(out), nil
}

func inOrder(changes []Change) []Change {
	slices.SortStableFunc(changes, func(a, b Change) int { return cmp.Compare(a.Time, b.Time) })
	return changes
}

// look returns the messages of which something may be new: the recent ones,
// those that wait in a queue, and those that waited when it looked last.
func (w *Watcher) look(ctx context.Context) ([]*track.Message, error) {
	latest, err := w.find(ctx, search.Request{Text: w.text, Limit: 1})
	if err != nil {
		return nil, err
	}
	for _, m := range latest {
		w.newest = max(w.newest, m.Time)
	}
	if w.newest == 0 {
		return nil, nil
	}
	since := func(d time.Duration) string { return w.newest.Add(-d).Time().Format(time.RFC3339) }
	byID := make(map[string]*track.Message)
	for _, r := range []search.Request{
		{Text: w.text, Limit: maxWatched, From: since(recentTime)},
		{Text: w.text, Limit: maxWatched, From: since(queueTime), Form: search.Form{Status: []string{
			track.StatusQueued.String(), track.StatusDeferred.String(), track.StatusHeld.String()}}},
	} {
		found, err := w.find(ctx, r)
		if err != nil {
			return nil, err
		}
		for _, m := range found {
			byID[m.ID] = m
		}
	}
	for id, s := range w.seen {
		if byID[id] != nil || !s.open {
			continue
		}
		m, err := w.reader.Message(ctx, id)
		if errors.Is(err, store.ErrNotFound) {
			delete(w.seen, id)
			continue
		}
		if err != nil {
			return nil, err
		}
		if m.ID != id { // an earlier part of its life was found
			delete(w.seen, id)
			w.seen[m.ID] = s
		}
		byID[m.ID] = m
	}
	out := make([]*track.Message, 0, len(byID))
	for _, m := range byID {
		out = append(out, m)
	}
	return out, nil
}

func (w *Watcher) find(ctx context.Context, r search.Request) ([]*track.Message, error) {
	stream, err := w.reader.Search(ctx, r)
	if err != nil {
		return nil, err
	}
	var out []*track.Message
	for m, err := range stream.Messages(ctx) {
		if err != nil {
			return nil, err
		}
		out = append(out, m)
	}
	return out, nil
}

// diff tells what is new of a message, and remembers it.
func (w *Watcher) diff(m *track.Message) []Change {
	before, known := w.seen[m.ID]
	now := watched{time: m.Time, status: m.Status, open: unsettled(m.Status), rcpts: make(map[rcptKey]rcptState, len(m.Recipients))}
	base := Change{Time: m.Time, ID: m.ID, Kind: m.Kind, Gateway: m.Gateway, QueueID: m.QueueID, MessageID: m.MessageID, Sender: m.Sender}
	var out []Change
	if !known && m.Kind == "" {
		c := base
		c.Change = Received
		out = append(out, c)
	}
	told := false
	for _, r := range m.Recipients {
		k := rcptKey{r.Address, r.Original, r.Route}
		s := rcptState{r.Status, r.Attempts}
		now.rcpts[k] = s
		now.open = now.open || unsettled(r.Status)
		if s == before.rcpts[k] || r.Status == track.StatusQueued && !known {
			continue
		}
		c := base
		c.Time, c.Change, c.Status = max(r.Time, m.Time), r.Status.String(), r.Status
		c.Recipient, c.Original, c.Attempts, c.Relay, c.DSN, c.Response = r.Address, r.Original, r.Attempts, r.Relay, r.DSN, r.Response
		out, told = append(out, c), true
	}
	// What no recipient tells: held, aborted, refused as a whole.
	if !told && m.Status != before.status && tells(m.Status, known) {
		c := base
		c.Time, c.Change, c.Status, c.Response = m.Last, m.Status.String(), m.Status, m.Reason
		out = append(out, c)
	}
	w.seen[m.ID] = now
	return out
}

// tells reports whether a status of a whole message is a step of its own: that
// one which was just received is queued, is none.
func tells(s track.Status, known bool) bool {
	switch s {
	case track.StatusNone, track.StatusUnknown, track.StatusMixed:
		return false
	case track.StatusQueued:
		return known
	}
	return true
}

// unsettled reports whether a status is not the last word.
func unsettled(s track.Status) bool {
	switch s {
	case track.StatusQueued, track.StatusDeferred, track.StatusHeld, track.StatusMixed:
		return true
	}
	return false
}

// forget drops what need not be remembered: messages that are done and too old
// to be met again.
func (w *Watcher) forget() {
	for id, s := range w.seen {
		if age := w.newest.Sub(s.time); !s.open && age > 2*recentTime || age > queueTime {
			delete(w.seen, id)
		}
	}
}
