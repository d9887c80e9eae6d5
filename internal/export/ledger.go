package export

import (
	"cmp"
	"maps"
	"slices"
)

// maxGraves is how many tombstones are remembered. Older ones are still evidence.
const maxGraves = 10_000

// record is a sealed file.
type record struct {
	number uint64 // order of sealing, which no clock disturbs
	sealed int64
	size   int64
}

// grave is the tombstone of a file.
type grave struct {
	kind   Kind
	at     int64
	reason string
	order  uint64
}

// ledger is the state of the keeper's journal: what was sealed, and why it went.
type ledger struct {
	files  map[string]record
	graves map[string]grave
	stale  map[string]bool // collectors that are said to be stale
	next   uint64          // number of the next file
	buried uint64          // tombstones so far
}

var _ fold = (*ledger)(nil)

func (l *ledger) reset() {
	*l = ledger{files: map[string]record{}, graves: map[string]grave{}, stale: map[string]bool{}}
}

func (l *ledger) apply(e *Event) {
	switch e.Kind {
	case Sealed:
		l.files[e.File] = record{e.Number, micros(e.Time), e.Size}
		l.next = max(l.next, e.Number+1)
	case Removed, Expired:
		l.buried++
		l.graves[e.File] = grave{e.Kind, micros(e.Time), e.Reason, l.buried}
		if len(l.graves) > maxGraves+maxGraves/8 {
			l.thin()
		}
	case Kept:
		delete(l.graves, e.File)
	case Stale:
		l.stale[e.Collector] = true
	case Returned:
		delete(l.stale, e.Collector)
	}
}

// thin drops the oldest tombstones, and what is left of their files: one that is
// there in spite of it is found again by the next scan.
func (l *ledger) thin() {
	list := l.byAge()
	for _, name := range list[:len(list)-maxGraves] {
		delete(l.graves, name)
		delete(l.files, name)
	}
}

func (l *ledger) byAge() []string {
	return slices.SortedFunc(maps.Keys(l.graves), func(a, b string) int {
		return cmp.Compare(l.graves[a].order, l.graves[b].order)
	})
}

func (l *ledger) snapshot(emit func(*Event) error) error {
	files := slices.SortedFunc(maps.Keys(l.files), func(a, b string) int {
		return cmp.Compare(l.files[a].number, l.files[b].number)
	})
	for _, name := range files {
		r := l.files[name]
		if err := emit(&Event{Time: timeOf(r.sealed), Kind: Sealed, File: name, Size: r.size, Number: r.number}); err != nil {
			return err
		}
	}
	for _, name := range l.byAge() {
		g := l.graves[name]
		if err := emit(&Event{Time: timeOf(g.at), Kind: g.kind, File: name, Reason: g.reason}); err != nil {
			return err
		}
	}
	for _, id := range slices.Sorted(maps.Keys(l.stale)) {
		if err := emit(&Event{Kind: Stale, Collector: id}); err != nil {
			return err
		}
	}
	return nil
}

// gone is the tombstone of a file as an error, nil when there is none.
func (l *ledger) gone(name string) error {
	g, ok := l.graves[name]
	if !ok {
		return nil
	}
	return &GoneError{Name: name, Time: timeOf(g.at), Kind: g.kind, Reason: g.reason}
}
