package trackerd

import (
	"cmp"
	"fmt"
	"maps"
	"path"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"waybill/internal/coverage"
	"waybill/internal/store"
	"waybill/internal/track"
)

// Status is what a Service knows of itself, since it was made.
type Status struct {
	Queues   []QueueStatus   `json:"queues"`
	Gateways []GatewayStatus `json:"gateways"` // by name; those that had a file since the start
	Inbox    int             `json:"inbox"`    // pulled files that wait for room in a queue
	Files    int64           `json:"files"`    // taken
	Events   int64           `json:"events"`   // in them
	Messages int64           `json:"messages"` // new ones
	Updated  int64           `json:"updated"`  // messages that got more events
	Repeated int64           `json:"repeated"` // files that had been taken before
	// Percent of the room in the queues that is taken by files that wait.
	Percent float64 `json:"percent"`
	// Rate is the events per second over the last minute.
	Rate        float64    `json:"rate"`
	Quarantined int64      `json:"quarantined"`
	Quarantine  []SetAside `json:"quarantine,omitempty"` // the last ones
	Error       string     `json:"error,omitempty"`      // what stopped it last, until it is at work again
}

// QueueStatus is one of the queues.
type QueueStatus struct {
	Number  int    `json:"number"`
	Waiting int    `json:"waiting"`           // files
	Working string `json:"working,omitempty"` // gateway and file that is being read
}

// GatewayStatus is what came from one gateway.
type GatewayStatus struct {
	Gateway     string        `json:"gateway"`
	Queue       int           `json:"queue"`
	Last        string        `json:"last"`    // file that was taken last
	LastAt      time.Time     `json:"last_at"` // and when
	Newest      track.Stamp   `json:"newest"`  // end of the newest window
	Lag         time.Duration `json:"lag"`     // from there to now
	Files       int64         `json:"files"`
	Quarantined int64         `json:"quarantined"`
}

// SetAside is a file that went to quarantine.
type SetAside struct {
	Gateway string `json:"gateway"`
	coverage.Quarantined
}

const (
	maxSetAside = 100
	ratePeriod  = time.Minute
)

// board is what the goroutines of a service write on, and Status reads.
type board struct {
	opt *Options

	mu       sync.Mutex
	status   Status
	gateways map[string]*GatewayStatus
	recent   []portion // events of the last minute
}

type portion struct {
	at     time.Time
	events int64
}

func (b *board) init(o *Options) {
	b.opt = o
	b.gateways = make(map[string]*GatewayStatus)
	b.status.Queues = make([]QueueStatus, o.Queues)
	for n := range b.status.Queues {
		b.status.Queues[n].Number = n
	}
}

// Status tells how things stand.
func (s *Service) Status() Status {
	b := &s.status
	b.mu.Lock()
	defer b.mu.Unlock()
	out := b.status
	out.Queues = slices.Clone(b.status.Queues)
	out.Quarantine = slices.Clone(b.status.Quarantine)
	now := s.opt.Now()
	waiting := 0
	for _, q := range out.Queues {
		waiting += q.Waiting
	}
	out.Percent = min(100, 100*float64(waiting)/float64(s.opt.Capacity*s.opt.Queues))
	b.forget(now)
	var events int64
	for _, p := range b.recent {
		events += p.events
	}
	out.Rate = float64(events) / ratePeriod.Seconds()
	for _, name := range slices.Sorted(maps.Keys(b.gateways)) {
		g := *b.gateways[name]
		g.Queue = s.queueOf(name)
		if g.Newest != 0 {
			g.Lag = max(0, now.Sub(g.Newest.Time()))
		}
		out.Gateways = append(out.Gateways, g)
	}
	return out
}

func (b *board) forget(now time.Time) {
	n := 0
	for n < len(b.recent) && now.Sub(b.recent[n].at) > ratePeriod {
		n++
	}
	b.recent = b.recent[n:]
}

func (b *board) gateway(name string) *GatewayStatus {
	g := b.gateways[name]
	if g == nil {
		g = &GatewayStatus{Gateway: name}
		b.gateways[name] = g
	}
	return g
}

func (b *board) begin(queue int, gateway, name string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.status.Queues[queue].Working = path.Join(gateway, name)
}

func (b *board) taken(gateway string, w *store.Window) {
	b.mu.Lock()
	defer b.mu.Unlock()
	g := b.gateway(gateway)
	g.Last, g.LastAt = w.Name, b.opt.Now()
	g.Newest = max(g.Newest, w.Interval.To)
	g.Files++
	b.status.Files++
	b.status.Events += int64(w.Events)
	// Portions of a second, lest there be many.
	if n := len(b.recent); n > 0 && g.LastAt.Sub(b.recent[n-1].at) < time.Second {
		b.recent[n-1].events += int64(w.Events)
	} else {
		b.recent = append(b.recent, portion{g.LastAt, int64(w.Events)})
	}
	b.forget(g.LastAt)
}

func (b *board) ingested(_ string, _ int, in store.Ingested) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.status.Messages += int64(in.New)
	b.status.Updated += int64(in.Updated)
	b.status.Repeated += int64(in.Skipped)
}

func (b *board) quarantined(gateway, from, to string, r *reason) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.gateway(gateway).Quarantined++
	b.status.Quarantined++
	q := coverage.Quarantined{Path: to, Cause: r.cause, Reason: r.text, Identity: r.identity, Digest: r.got, Stored: r.stored, Time: r.at}
	q.File = path.Base(from)
	b.status.Quarantine = append(b.status.Quarantine, SetAside{Gateway: gateway, Quarantined: q})
	b.status.Quarantine = b.status.Quarantine[max(0, len(b.status.Quarantine)-maxSetAside):]
	shown := func(p string) string { return filepath.Join(b.opt.Data, p) }
	b.opt.Oper.Warn(fmt.Sprintf("Tracking parser set %s aside as %s: %s", shown(from), shown(to), r.text))
}

// watching is the board as a queue's parser sees it.
type watching struct {
	*board
	queue int
}

func (w watching) begin(gateway, name string) { w.board.begin(w.queue, gateway, name) }

func (b *board) waiting(queue, files int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.status.Queues[queue].Waiting = files
}

func (b *board) moved(queue, files int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.status.Queues[queue].Waiting += files
}

func (b *board) drained(queue int, res Result) {
	b.mu.Lock()
	defer b.mu.Unlock()
	q := &b.status.Queues[queue]
	q.Waiting, q.Working = max(0, q.Waiting-res.Files-res.Quarantined), ""
}

func (b *board) inbox(files int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.status.Inbox = files
}

func (b *board) failed(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.status.Error = ""
	if err != nil {
		b.status.Error = cmp.Or(oneLine(err.Error()), "unknown")
	}
}
