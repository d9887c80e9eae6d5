package postings

import (
	"context"
	"fmt"
	"slices"
)

// Key names an exact look-up that needs no query.
type Key uint8

// Keys. Values are compared with case and found by hash: a row that is found
// must be looked at, in rare cases its value is another.
const (
	KeyQueueID   Key = iota // Message.QueueID
	KeyNext                 // NextID of a recipient
	KeyLink                 // QueueID of a link
	KeyMessageID            // Message.MessageID
	filterCount
)

var lookupKinds = [filterCount]kind{kindQueueID, kindNext, kindLink, kindMessageID}

// Lookup returns the rows with a value, newest first.
func (x *Index) Lookup(ctx context.Context, tx Tx, k Key, value string) ([]int64, error) {
	return x.lookup(ctx, tx, hashTerm(lookupKinds[k], value))
}

// LookupMID returns the rows with a MID, newest first.
func (x *Index) LookupMID(ctx context.Context, tx Tx, mid uint64) ([]int64, error) {
	if mid == 0 || mid > payloadMask {
		return nil, nil
	}
	return x.lookup(ctx, tx, term(kindMID, mid))
}

func (x *Index) lookup(ctx context.Context, tx Tx, t uint64) ([]int64, error) {
	snap, err := x.snapshot(ctx, tx)
	if err != nil {
		return nil, err
	}
	r := x.newReader(ctx, tx)
	defer r.close()
	var out []int64
	var ords []uint32
	var room [blockIDs]int64
	for _, s := range snap.segs {
		l, ok, err := r.find(s.segmentFile, t)
		if err != nil {
			return nil, err
		}
		if !ok {
			continue
		}
		ords = l.appendTo(ords[:0])
		for _, o := range ords {
			if s.dead != nil && s.dead.has(int(o)) {
				continue
			}
			if int(o) >= s.n {
				return nil, fmt.Errorf("%w: a list of segment %d", errDamaged, s.seg)
			}
			ids, err := r.block(s.segmentFile, int(o)/blockIDs, room[:0])
			if err != nil {
				return nil, err
			}
			out = append(out, ids[o%blockIDs])
		}
	}
	slices.SortFunc(out, func(a, b int64) int {
		if a > b {
			return -1
		}
		return 1
	})
	return out, nil
}

// Kill takes rows out of the index, because they are gone or will be added
// again. It returns how many of them were there. Only rows of segments count:
// what a Builder holds is not yet there.
func (x *Index) Kill(ctx context.Context, tx Tx, rows []int64) (int, error) {
	if len(rows) == 0 {
		return 0, nil
	}
	snap, err := x.snapshot(ctx, tx)
	if err != nil {
		return 0, err
	}
	rows = slices.Clone(rows)
	slices.Sort(rows)
	r := x.newReader(ctx, tx)
	defer r.close()
	killed, ver := 0, int64(0)
	for _, s := range snap.segs {
		dead, n, err := s.kill(&r, rows)
		if err != nil {
			return 0, err
		}
		if n == 0 {
			continue
		}
		if ver == 0 {
			if ver, err = x.nextGen(ctx, tx); err != nil {
				return 0, err
			}
		}
		changed := segment{segmentFile: s.segmentFile, dead: dead, nDead: s.nDead + n}
		if err := changed.saveDead(ctx, tx, ver); err != nil {
			return 0, fmt.Errorf("mark dead rows: %w", err)
		}
		killed += n
	}
	return killed, nil
}

// kill returns the dead ordinals of s with those of rows, and how many are new.
func (s *segment) kill(r *reader, rows []int64) (dead bitset, n int, err error) {
	lo, _ := slices.BinarySearch(rows, s.first)
	for _, id := range rows[lo:] {
		if id > s.last {
			break
		}
		ord, found, err := r.ordinal(s.segmentFile, id)
		if err != nil {
			return nil, 0, err
		}
		if !found || s.dead != nil && s.dead.has(ord) || dead != nil && dead.has(ord) {
			continue
		}
		if dead == nil {
			dead = newBitset(s.n)
			copy(dead, s.dead)
		}
		dead.set(ord)
		n++
	}
	return dead, n, nil
}
