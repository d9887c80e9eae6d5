package postings

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"math/bits"
	"slices"
)

// The row ids of a segment, by ordinal, lie in chunks of chunkIDs, and in
// these in blocks of blockIDs, so that finding one id costs no more than
// reading a block.
const (
	chunkIDs  = 2048
	blockIDs  = 64
	blockHead = 10 // bytes for a block in the head of its chunk: first id, place of its bits
	chunkHead = 4
)

// splitIDs is the number of low bits of a row id that count instead of telling
// the time. It matters for size alone: any ids can be written.
const splitIDs = 22

// putIDs stores the row ids, ascending, and returns the first of each chunk.
func (sw *segmentWriter) putIDs(ids []int64) (firsts []int64) {
	for i := 0; i < len(ids); i += chunkIDs {
		chunk := ids[i:min(i+chunkIDs, len(ids))]
		firsts = append(firsts, chunk[0])
		sw.put(sw.seg<<pageShift|chunkBase|int64(i/chunkIDs), encodeIDs(&sw.lists, chunk))
		sw.lists.reset()
	}
	return firsts
}

// encodeIDs writes a chunk: its length, two orders of codes, the heads of its
// blocks, and for each id behind the first of its block two numbers: the
// difference of its upper part to that of the id before, and the difference of
// its lower part less one.
func encodeIDs(w *bitWriter, ids []int64) []byte {
	var upper, lower uint64
	for i, id := range ids[1:] {
		d, l := idStep(ids[i], id)
		upper += d
		lower += min(l, 1<<(splitIDs+1))
	}
	n := uint64(max(len(ids)-1, 1))
	ku := uint(bits.Len64(max(upper/n*11/16, 1)) - 1)
	kl := uint(bits.Len64(max(lower/n*11/16, 1)) - 1)
	head := []byte{byte(len(ids) >> 8), byte(len(ids)), byte(ku), byte(kl)}
	w.reset()
	for i, id := range ids {
		if i%blockIDs == 0 {
			head = binary.BigEndian.AppendUint64(head, uint64(id))
			head = binary.BigEndian.AppendUint16(head, uint16(w.len()/8))
			continue
		}
		d, l := idStep(ids[i-1], id)
		w.golomb(d, ku)
		w.golomb(l, kl)
		if i%blockIDs == blockIDs-1 {
			w.align()
		}
	}
	return append(head, w.finish()...)
}

// idStep returns the two numbers that lead from an id to a higher one.
func idStep(a, b int64) (upper, lower uint64) {
	d := b&(1<<splitIDs-1) - a&(1<<splitIDs-1) - 1
	return uint64(b>>splitIDs - a>>splitIDs), uint64(d<<1 ^ d>>63)
}

// idChunk is a chunk of row ids as it is stored.
type idChunk []byte

func (c idChunk) len() int { return int(binary.BigEndian.Uint16(c)) }

func (c idChunk) blocks() int { return (c.len() + blockIDs - 1) / blockIDs }

// check makes sure that the methods below stay within the chunk.
func (c idChunk) check(want int) bool {
	return len(c) >= chunkHead && c.len() == want && len(c) >= chunkHead+c.blocks()*blockHead
}

func (c idChunk) first(block int) int64 {
	return int64(binary.BigEndian.Uint64(c[chunkHead+block*blockHead:]))
}

// block appends the ids of a block to ids.
func (c idChunk) block(block int, ids []int64) []int64 {
	at := int(binary.BigEndian.Uint16(c[chunkHead+block*blockHead+8:]))
	r := bitReader{buf: c[chunkHead+c.blocks()*blockHead:], pos: at * 8}
	ku, kl := uint(c[2]), uint(c[3])
	id := c.first(block)
	ids = append(ids, id)
	for range min(blockIDs, c.len()-block*blockIDs) - 1 {
		upper, l := int64(r.golomb(ku)), r.golomb(kl)
		d := int64(l>>1) ^ -int64(l&1)
		id = (id>>splitIDs+upper)<<splitIDs + id&(1<<splitIDs-1) + d + 1
		ids = append(ids, id)
	}
	return ids
}

// chunk reads a chunk of row ids.
func (r *reader) chunk(s *segmentFile, n int) (idChunk, error) {
	blob, err := r.page(s.seg<<pageShift | chunkBase | int64(n))
	if err != nil {
		return nil, err
	}
	c := idChunk(blob)
	if !c.check(min(chunkIDs, s.n-n*chunkIDs)) {
		return nil, fmt.Errorf("%w: row ids of segment %d", errDamaged, s.seg)
	}
	return c, nil
}

// block appends to ids the row ids of a block, counted from the segment's first.
func (r *reader) block(s *segmentFile, n int, ids []int64) ([]int64, error) {
	const perChunk = chunkIDs / blockIDs
	c, err := r.chunk(s, n/perChunk)
	if err != nil {
		return nil, err
	}
	return c.block(n%perChunk, ids), nil
}

// ordinal returns the first ordinal whose row id is not below id.
func (r *reader) ordinal(s *segmentFile, id int64) (ord int, found bool, err error) {
	if id <= s.first {
		return 0, id == s.first, nil
	}
	if id > s.last {
		return s.n, false, nil
	}
	n, found := slices.BinarySearch(s.firsts, id)
	if found {
		return n * chunkIDs, true, nil
	}
	n--
	c, err := r.chunk(s, n)
	if err != nil {
		return 0, false, err
	}
	lo, hi := 0, c.blocks() // the last block that does not begin behind id
	for hi-lo > 1 {
		if mid := (lo + hi) / 2; c.first(mid) <= id {
			lo = mid
		} else {
			hi = mid
		}
	}
	var room [blockIDs]int64
	i, found := slices.BinarySearchFunc(c.block(lo, room[:0]), id, cmp.Compare[int64])
	return n*chunkIDs + lo*blockIDs + i, found, nil
}
