package oracle

import (
	"bytes"
	"cmp"
	"container/heap"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"
)

// Script says what a simulated site is like. Equal scripts write equal logs.
type Script struct {
	Seed     uint64
	Gateways int  // 1 or 2; the first hands some messages to the second
	Messages int  // that come from outside
	Hours    int  // within which they come
	LongIDs  bool // else short ones, each used again as soon as it is free
	RFC3339  bool // stamps with microseconds and offset, else traditional ones
	Hasty    bool // a short id is free at once, else some minutes after its message has gone
	Burst    int  // lines of a flood of equal lines at most
}

// Log is what a gateway's syslog wrote.
type Log struct {
	Gateway string
	Lines   []string // without newline
	Times   []time.Time
}

// Bytes is the log as a file holds it.
func (l *Log) Bytes() []byte { return join(l.Lines) }

// End is when the last line was written.
func (l *Log) End() time.Time { return l.Times[len(l.Times)-1] }

func join(lines []string) []byte {
	var b bytes.Buffer
	for _, s := range lines {
		b.WriteString(s)
		b.WriteByte('\n')
	}
	return b.Bytes()
}

// epoch is a quarter past ten in the evening, so that short runs cross midnight too.
var epoch = time.Date(2026, 3, 10, 22, 15, 0, 0, time.UTC)

// Simulate runs the site until nothing is left to do or a week has gone by,
// whichever comes first: what is still in a queue then stays there. A gateway
// without a line has no log.
func Simulate(s Script) []*Log {
	w := &world{Script: s, rnd: rand.New(rand.NewPCG(s.Seed, 7)), now: epoch}
	for i := range s.Gateways {
		w.hosts = append(w.hosts, newHost(w, i))
	}
	w.plan()
	for w.due.Len() > 0 {
		t := heap.Pop(&w.due).(task)
		if t.at.Sub(epoch) > 7*24*time.Hour {
			break
		}
		w.now = t.at
		t.do()
	}
	var out []*Log
	for _, h := range w.hosts {
		if len(h.log.Lines) > 0 {
			out = append(out, &h.log)
		}
	}
	return out
}

// world is the state of a simulation.
type world struct {
	Script
	rnd   *rand.Rand
	now   time.Time
	due   tasks
	seq   int
	hosts []*host
	msgid int
}

type task struct {
	at  time.Time
	seq int
	do  func()
}

type tasks []task

func (q tasks) Len() int { return len(q) }
func (q tasks) Less(i, j int) bool {
	return cmp.Or(q[i].at.Compare(q[j].at), cmp.Compare(q[i].seq, q[j].seq)) < 0
}
func (q tasks) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *tasks) Push(x any)   { *q = append(*q, x.(task)) }
func (q *tasks) Pop() any {
	old := *q
	t := old[len(old)-1]
	*q = old[:len(old)-1]
	return t
}

// after does something later than now.
func (w *world) after(d time.Duration, do func()) {
	w.seq++
	heap.Push(&w.due, task{w.now.Add(d), w.seq, do})
}

// steps does one thing after the other with short pauses, so that what several
// processes write is mixed.
func (w *world) steps(all ...func()) {
	if len(all) == 0 {
		return
	}
	w.after(w.pause(), func() {
		all[0]()
		w.steps(all[1:]...)
	})
}

// pause is mostly well below a second.
func (w *world) pause() time.Duration {
	if w.chance(20) {
		return time.Duration(w.rnd.IntN(4_000_000)) * time.Microsecond
	}
	return time.Duration(1+w.rnd.IntN(90_000)) * time.Microsecond
}

// chance is true once in n times.
func (w *world) chance(n int) bool { return w.rnd.IntN(n) == 0 }

func pick[T any](w *world, from ...T) T { return from[w.rnd.IntN(len(from))] }

// host is one gateway with its syslog.
type host struct {
	w    *world
	name string
	ip   string
	log  Log
	busy map[int]bool    // processes that hold a connection
	used map[string]bool // queue ids
	next int             // of the long ids
}

func newHost(w *world, n int) *host {
	name := "mx-" + string(rune('a'+n))
	return &host{w: w, name: name, ip: fmt.Sprintf("192.0.2.%d", 20+n), log: Log{Gateway: name},
		busy: make(map[int]bool), used: make(map[string]bool)}
}

// say writes a line as the host's syslog does.
func (h *host) say(tag string, pid int, format string, args ...any) {
	stamp := h.w.now.Format("Jan _2 15:04:05")
	if h.w.RFC3339 {
		stamp = h.w.now.Format("2006-01-02T15:04:05.000000-07:00")
	}
	h.log.Lines = append(h.log.Lines, fmt.Sprintf("%s %s %s[%d]: ", stamp, h.name, tag, pid)+fmt.Sprintf(format, args...))
	h.log.Times = append(h.log.Times, h.w.now)
}

func (h *host) cleanup(format string, args ...any) {
	h.say("postfix/cleanup", 300+h.w.rnd.IntN(3), format, args...)
}

func (h *host) qmgr(format string, args ...any) { h.say("postfix/qmgr", 200, format, args...) }

// process takes a process that holds no connection.
func (h *host) process(from int) int {
	free := slices.DeleteFunc([]int{from, from + 1, from + 2}, func(p int) bool { return h.busy[p] })
	if len(free) == 0 {
		for p := from + 3; ; p++ {
			if !h.busy[p] {
				free = append(free, p)
				break
			}
		}
	}
	p := pick(h.w, free...)
	h.busy[p] = true
	return p
}

// newID gives a queue id. A short one is an inode number and microseconds, and
// on a small site both are soon the same again.
func (h *host) newID() string {
	if h.w.LongIDs {
		const digits = "0123456789BCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz"
		h.next++
		n := len(digits)
		return fmt.Sprintf("4fXB%c%c%c%c%c%cz%c%c%c", digits[h.next/n%n], digits[h.next%n], digits[h.w.rnd.IntN(n)], digits[h.w.rnd.IntN(n)],
			digits[h.w.rnd.IntN(n)], h.name[3]-31, digits[h.w.rnd.IntN(n)], digits[h.w.rnd.IntN(3)], digits[h.w.rnd.IntN(3)])
	}
	for n := 0; ; n++ {
		id := fmt.Sprintf("%X%d%c", 0xA0B1+h.w.rnd.IntN(2+n/4), 7+n/16, h.name[3]-32)
		if !h.used[id] {
			h.used[id] = true
			return id
		}
	}
}

func (h *host) giveBack(id string) {
	if h.w.Hasty {
		delete(h.used, id)
		return
	}
	h.w.after(time.Duration(6+h.w.rnd.IntN(120))*time.Minute, func() { delete(h.used, id) })
}
