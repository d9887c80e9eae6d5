package maillog

import (
	"hash/maphash"
	"strings"

	"waybill/internal/track"
)

const (
	// maxLives bounds the messages that are followed at the same time.
	maxLives = 1 << 16
	// maxSameID bounds the instances of one host that use one queue id at once.
	maxSameID = 4
	// linger is how long lines that come after the end still belong to the life:
	// daemons write to syslog on their own, a line may be overtaken.
	// The store joins the parts of a life by the same measure.
	linger = track.Straggle
)

// lifeKey names a queue id. Its string is the table's own copy.
type lifeKey struct {
	host uint32
	id   string
}

func (k lifeKey) hash(seed maphash.Seed) uint64 { return maphash.String(seed, k.id) + uint64(k.host) }

// life is one life of a queue id.
type life struct {
	mid        uint64
	id         string      // queue id, the table's own copy
	instance   string      // of the queue, "" until cleanup or qmgr told
	identified bool        // cleanup told the Message-ID
	queued     bool        // qmgr saw it
	discard    bool        // will be thrown away when it is complete
	ended      bool        //
	end        track.Stamp // of the end
	older      *life       // of another instance with the same queue id
}

// ending remembers when an entry may be dropped.
type ending struct {
	entry *entry[lifeKey, life]
	mid   uint64
	at    track.Stamp
}

// lives tells which life of a queue id a line belongs to.
type lives struct {
	tab   *table[lifeKey, life]
	next  func() uint64
	ended []ending // oldest first, from head on
	head  int
}

func newLives(next func() uint64) *lives {
	return &lives{tab: newTable[lifeKey, life](maxLives), next: next}
}

// birth starts a life: the line says that the queue id was given just now. An
// open life of the same id is superseded, unless it is of another instance.
func (ls *lives) birth(host uint32, id, instance string, now track.Stamp) *life {
	e := ls.tab.get(lifeKey{host, id})
	if e == nil {
		return ls.create(host, id, "")
	}
	l := &e.val
	if l.instance != "" && l.instance != instance && !ls.over(l, now) {
		return ls.beside(l, "")
	}
	*l = life{mid: ls.next(), id: e.key.id, older: l.older}
	return l
}

// find returns the life that a line belongs to, or starts one whose beginning
// was not seen. The instance that wrote the line decides between lives of the
// same queue id; sure says that it is the queue's own instance (cleanup and
// qmgr), not merely a hint (the other daemons).
func (ls *lives) find(host uint32, id, instance string, sure bool, now track.Stamp) *life {
	e := ls.tab.get(lifeKey{host, id})
	if e == nil {
		if !sure {
			instance = ""
		}
		return ls.create(host, id, instance)
	}
	l := &e.val
	if l.older != nil || (sure && l.instance != "" && l.instance != instance) {
		if l = ls.choose(l, instance, sure); l == nil {
			return ls.beside(&e.val, instance)
		}
	}
	if ls.over(l, now) {
		*l = life{mid: ls.next(), id: e.key.id, older: l.older}
	}
	if sure && l.instance == "" {
		l.instance = instance
	}
	return l
}

// identify is find for the line of the Message-ID: a life has one at most, so
// that a second one begins a new life. A life that still waits for its own is
// preferred to one that has it. A life that ended without one takes it as a
// straggler: cleanup reads on what a client sent before it left.
func (ls *lives) identify(host uint32, id, instance string, now track.Stamp) *life {
	l := ls.find(host, id, instance, true, now)
	if l.identified || l.ended && l.queued {
		if w := ls.waiting(host, id); w != nil {
			l = w
		} else {
			*l = life{mid: ls.next(), id: l.id, older: l.older}
		}
	}
	l.identified, l.instance = true, instance
	l.supersede(instance)
	return l
}

// waiting returns the latest open life of unknown instance without a
// Message-ID, or nil. Its client spoke to a service whose name is not that of
// the instance.
func (ls *lives) waiting(host uint32, id string) *life {
	e := ls.tab.peek(lifeKey{host, id})
	if e == nil {
		return nil
	}
	for l := &e.val; l != nil; l = l.older {
		if !l.identified && !l.ended && l.instance == "" {
			return l
		}
	}
	return nil
}

// supersede drops older lives of the same instance: it uses an id once.
func (l *life) supersede(instance string) {
	for p := l; p.older != nil; {
		if p.older.instance == instance {
			p.older = p.older.older
		} else {
			p = p.older
		}
	}
}

// peek returns the open life with the given MID, or nil.
func (ls *lives) peek(host uint32, id string, mid uint64) *life {
	e := ls.tab.peek(lifeKey{host, id})
	if e == nil {
		return nil
	}
	for l := &e.val; l != nil; l = l.older {
		if l.mid == mid && !l.ended {
			return l
		}
	}
	return nil
}

// finish ends a life. It is kept for stragglers, then forgotten.
func (ls *lives) finish(host uint32, id string, l *life, now track.Stamp) {
	if l.ended {
		return
	}
	l.ended, l.end = true, now
	if e := ls.tab.peek(lifeKey{host, id}); e != nil && &e.val == l {
		ls.ended = append(ls.ended, ending{e, l.mid, now})
	}
	for ls.head < len(ls.ended) {
		d := ls.ended[ls.head]
		if now.Sub(d.at).Abs() <= linger && len(ls.ended)-ls.head <= maxLives {
			break
		}
		ls.head++
		// The entry may have been dropped and used again for another queue id: the
		// MID tells.
		if v := &d.entry.val; v.mid == d.mid && v.ended && v.older == nil {
			ls.tab.drop(d.entry)
		}
	}
	if ls.head > 1024 && ls.head*2 > len(ls.ended) {
		n := copy(ls.ended, ls.ended[ls.head:])
		ls.ended, ls.head = ls.ended[:n], 0
	}
}

// over reports whether l ended so long ago that a line of now is not its.
func (ls *lives) over(l *life, now track.Stamp) bool {
	return l.ended && now != 0 && now.Sub(l.end) > linger
}

func (ls *lives) create(host uint32, id, instance string) *life {
	id = strings.Clone(id)
	e := ls.tab.put(lifeKey{host, id})
	e.val = life{mid: ls.next(), id: id, instance: instance}
	return &e.val
}

// beside starts a life in front of l, which is of another instance.
func (ls *lives) beside(l *life, instance string) *life {
	old := *l
	*l = life{mid: ls.next(), id: l.id, instance: instance, older: &old}
	n := 1
	for p := l; p.older != nil; p = p.older {
		if n++; n > maxSameID {
			p.older = nil
			break
		}
	}
	return l
}

// choose picks among lives of one queue id: of the instance that wrote the
// line, else of unknown instance, else (when the instance is only a hint) the
// latest.
func (ls *lives) choose(l *life, instance string, sure bool) *life {
	var unknown *life
	for p := l; p != nil; p = p.older {
		if p.instance == instance {
			return p
		}
		if p.instance == "" && unknown == nil {
			unknown = p
		}
	}
	if unknown != nil || sure {
		return unknown
	}
	return l
}
