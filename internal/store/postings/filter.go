package postings

import (
	"context"
	"slices"
)

// filter says of hashes whether they were ever added. It errs to the side of
// yes, about once in a hundred times, and takes 10 to 14 bits for each.
//
// It is a list of Bloom filters, each with room for four times as many hashes
// as the one before, so that it needs no idea of how many will come.
type filter struct{ layers []layer }

type layer struct {
	bits []uint64
	room int // hashes that may still be added
}

const firstLayer = 1 << 14

func (f *filter) add(h uint64) {
	if n := len(f.layers); n == 0 || f.layers[n-1].room == 0 {
		room := firstLayer << (2 * n)
		f.layers = append(f.layers, layer{bits: make([]uint64, room*12/64), room: room})
	}
	l := &f.layers[len(f.layers)-1]
	l.room--
	a, b := split(h)
	for i := range uint64(6) {
		n := l.at(a + i*b)
		l.bits[n>>6] |= 1 << (n & 63)
	}
}

func (f *filter) has(h uint64) bool {
	a, b := split(h)
next:
	for i := range f.layers {
		l := &f.layers[i]
		for i := range uint64(6) {
			n := l.at(a + i*b)
			if l.bits[n>>6]>>(n&63)&1 == 0 {
				continue next
			}
		}
		return true
	}
	return false
}

// split makes two independent numbers of a hash of 40 bits.
func split(h uint64) (a, b uint64) {
	h *= 0x9E3779B97F4A7C15
	return h >> 32, h&(1<<32-1) | 1
}

// at is the bit for a number: its low 32 bits scaled to the size of the layer.
func (l *layer) at(v uint64) uint64 { return (v & (1<<32 - 1)) * uint64(len(l.bits)*64) >> 32 }

// filterAdd notes terms that are about to be written.
func (x *Index) filterAdd(k kind, keys []keyed) {
	i := slices.Index(lookupKinds[:], k)
	if i < 0 || x.filters[i] == nil {
		return
	}
	for _, key := range keys {
		x.filters[i].add(key.term & payloadMask)
	}
}

// Has reports whether the index may have a row with the value; false is
// certain. The first call for a key reads all of its terms, later ones no
// page. It is for the writer alone, which must have seen every Flush since.
func (x *Index) Has(ctx context.Context, tx Tx, k Key, value string) (bool, error) {
	if x.filters[k] == nil {
		f, err := x.loadFilter(ctx, tx, lookupKinds[k])
		if err != nil {
			return false, err
		}
		x.filters[k] = f
	}
	return x.filters[k].has(hashTerm(lookupKinds[k], value) & payloadMask), nil
}

func (x *Index) loadFilter(ctx context.Context, tx Tx, k kind) (*filter, error) {
	snap, err := x.snapshot(ctx, tx)
	if err != nil {
		return nil, err
	}
	r := x.newReader(ctx, tx)
	defer r.close()
	f := new(filter)
	for _, s := range snap.segs {
		err := r.scan(s.segmentFile, term(k, 0), term(k, payloadMask), func(t uint64, _ *listRef) { f.add(t & payloadMask) })
		if err != nil {
			return nil, err
		}
	}
	return f, nil
}
