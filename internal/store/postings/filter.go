package postings

import (
	"context"
	"slices"
)

// filter says of hashes whether they were ever added. It errs to the side of
// yes, about twice in a hundred times, and takes 12 to 16 bits for each.
//
// It is a list of Bloom filters, each with room for four times as many hashes
// as the one before, so that it needs no idea of how many will come. All bits
// of a hash lie in one block, which is one line of the processor's cache.
type filter struct{ layers []layer }

type layer struct {
	blocks [][8]uint64
	room   int // hashes that may still be added
}

const (
	firstLayer = 1 << 14 // hashes
	perBlock   = 40      // hashes in a block of 512 bits
	probes     = 6       // bits for each
)

func (f *filter) add(h uint64) {
	if n := len(f.layers); n == 0 || f.layers[n-1].room == 0 {
		room := firstLayer << (2 * n)
		f.layers = append(f.layers, layer{blocks: make([][8]uint64, room/perBlock+1), room: room})
	}
	l := &f.layers[len(f.layers)-1]
	l.room--
	block, bits := l.place(h)
	for range probes {
		block[bits>>6&7] |= 1 << (bits & 63)
		bits >>= 9
	}
}

func (f *filter) has(h uint64) bool {
next:
	for i := len(f.layers) - 1; i >= 0; i-- {
		block, bits := f.layers[i].place(h)
		for range probes {
			if block[bits>>6&7]>>(bits&63)&1 == 0 {
				continue next
			}
			bits >>= 9
		}
		return true
	}
	return false
}

// place returns the block of a hash, and the places of its bits, nine bits
// for each.
func (l *layer) place(h uint64) (block *[8]uint64, bits uint64) {
	h *= 0x9E3779B97F4A7C15
	n := h >> 32 * uint64(len(l.blocks)) >> 32
	return &l.blocks[n], h * 0xD6E8FEB86659FD93 >> 8
}

// filterAdd notes terms that are about to be written.
func (x *Index) filterAdd(k kind, keys []keyed) {
	i := slices.Index(lookupKinds[:], k)
	x.fmu.Lock()
	defer x.fmu.Unlock()
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
	h := hashTerm(lookupKinds[k], value) & payloadMask
	x.fmu.RLock()
	f := x.filters[k]
	if f != nil {
		defer x.fmu.RUnlock()
		return f.has(h), nil
	}
	x.fmu.RUnlock()
	x.fmu.Lock()
	defer x.fmu.Unlock()
	if x.filters[k] == nil {
		f, err := x.loadFilter(ctx, tx, lookupKinds[k])
		if err != nil {
			return false, err
		}
		x.filters[k] = f
	}
	return x.filters[k].has(h), nil
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
