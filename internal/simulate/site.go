package simulate

import (
	"container/heap"
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"
)

// Line is one entry of one log file.
type Line struct {
	Gateway string
	File    string // name of the log: mail.log, mainlog, rejectlog or mail_logs
	Time    time.Time
	Text    string // ends with a newline; an entry of Exim's reject log can have several lines
}

// Site is a fleet at work. Its zero value is not useful; see New. It must not
// be used by several goroutines at a time.
type Site struct {
	o     Options
	rnd   *rand.Rand
	now   time.Time
	due   tasks
	seq   int
	hosts []*host
	lines []Line // written and not yet taken; from head on
	head  int
	buf   []byte // in which a line is put together
	mails int    // messages that came so far, for their Message-IDs
	load  int    // sum of the gateways' weights
}

// New makes a site. The error says which option cannot be played.
func New(o Options) (*Site, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	w := &Site{o: o, rnd: rand.New(rand.NewPCG(o.Seed, 0x7761_7962_696c_6c)), now: o.Start}
	for i, g := range o.Gateways {
		w.hosts = append(w.hosts, newHost(w, i, g))
		w.load += g.Weight
	}
	for _, h := range w.hosts {
		h.inbound, h.outbound = w.host(h.Inbound), w.host(h.Outbound)
		h.voice.start()
	}
	for _, c := range o.Script {
		w.at(c.At, func() { w.play(c) })
	}
	if o.Rate > 0 && w.load > 0 {
		w.after(w.gap(), w.traffic)
	}
	return w, nil
}

// Next returns the next line. It returns false when all is said: that takes
// an end of the traffic (Options.Until) and of the queues.
func (w *Site) Next() (Line, bool) {
	for w.head == len(w.lines) {
		w.lines, w.head = w.lines[:0], 0
		if len(w.due) == 0 {
			return Line{}, false
		}
		t := heap.Pop(&w.due).(task)
		w.now = time.Unix(0, t.at).UTC()
		t.do()
	}
	w.head++
	return w.lines[w.head-1], true
}

// host returns the gateway of a name, nil for "".
func (w *Site) host(name string) *host {
	for _, h := range w.hosts {
		if h.Name == name {
			return h
		}
	}
	return nil
}

// task is something that happens at a time.
type task struct {
	at  int64 // nanoseconds since the epoch
	seq int
	do  func()
}

type tasks []task

func (q tasks) Len() int { return len(q) }
func (q tasks) Less(i, j int) bool {
	return q[i].at < q[j].at || q[i].at == q[j].at && q[i].seq < q[j].seq
}
func (q tasks) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *tasks) Push(x any)   { *q = append(*q, x.(task)) }
func (q *tasks) Pop() any {
	old := *q
	t := old[len(old)-1]
	old[len(old)-1] = task{}
	*q = old[:len(old)-1]
	return t
}

// at does something at a time that is not over.
func (w *Site) at(t time.Time, do func()) {
	if t.Before(w.now) {
		t = w.now
	}
	w.seq++
	heap.Push(&w.due, task{t.UnixNano(), w.seq, do})
}

func (w *Site) after(d time.Duration, do func()) { w.at(w.now.Add(d), do) }

// steps does one thing after the other with short pauses, so that the lines of
// several messages are mixed as they are in a real log.
func (w *Site) steps(all ...func()) {
	if len(all) == 0 {
		return
	}
	w.after(w.pause(), func() {
		all[0]()
		w.steps(all[1:]...)
	})
}

// pause is what passes between two lines of one message: mostly well below a second.
func (w *Site) pause() time.Duration {
	if w.chance(25) {
		return time.Duration(w.rnd.IntN(2_000_000)) * time.Microsecond
	}
	return time.Duration(500+w.rnd.IntN(60_000)) * time.Microsecond
}

// between is a time of at least a and less than b.
func (w *Site) between(a, b time.Duration) time.Duration {
	return a + time.Duration(w.rnd.Int64N(int64(b-a)))
}

// chance is true once in n times.
func (w *Site) chance(n int) bool { return w.rnd.IntN(n) == 0 }

// pick draws one.
func pick[T any](w *Site, from []T) T { return from[w.rnd.IntN(len(from))] }

// often draws one, those in front more often.
func often[T any](w *Site, from []T) T {
	f := w.rnd.Float64()
	return from[int(f*f*float64(len(from)))]
}

// host is a gateway at work.
type host struct {
	Gateway
	w                 *Site
	inbound, outbound *host
	ip                string
	voice             voice
	pid               int // the last one that was given to a short-lived process
}

func newHost(w *Site, n int, g Gateway) *host {
	if g.Zone == nil {
		g.Zone = time.UTC
	}
	h := &host{Gateway: g, w: w, ip: fmt.Sprintf("192.0.2.%d", 10+n), pid: 2000 + w.rnd.IntN(20000)}
	h.voice = voices[g.MTA](h)
	return h
}

// fqdn is the host's full name.
func (h *host) fqdn() string { return h.Name + "." + h.w.o.Domain }

// fork gives a new process id.
func (h *host) fork() int {
	h.pid += 1 + h.w.rnd.IntN(5)
	if h.pid > 32000 {
		h.pid = 1000 + h.w.rnd.IntN(1000)
	}
	return h.pid
}

// entry writes into one of the host's logs: a stamp in the host's zone, what
// stands between it and the text, and the text.
func (h *host) entry(file, layout, head, format string, args ...any) {
	b := h.w.now.In(h.Zone).AppendFormat(h.w.buf[:0], layout)
	b = append(b, head...)
	b = fmt.Appendf(b, format, args...)
	b = append(b, '\n')
	h.w.buf = b
	h.w.lines = append(h.w.lines, Line{Gateway: h.Name, File: file, Time: h.w.now, Text: string(b)})
}

// syslog writes a line as the host's syslog does.
func (h *host) syslog(tag string, pid int, format string, args ...any) {
	layout := "Jan _2 15:04:05 "
	if h.RFC3339 {
		layout = "2006-01-02T15:04:05.000000-07:00 "
	}
	h.entry("mail.log", layout, h.Name+" "+tag+"["+strconv.Itoa(pid)+"]: ", format, args...)
}
