package postings

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func TestBitsRoundTrip(t *testing.T) {
	type item struct {
		v uint64
		k uint // order of the code, or 64 plus the number of bits
	}
	rapid.Check(t, func(rt *rapid.T) {
		var w bitWriter
		w.reset()
		var items []item
		length := 0
		for range rapid.IntRange(0, 200).Draw(rt, "n") {
			n := uint(rapid.IntRange(1, 56).Draw(rt, "bits"))
			it := item{rapid.Uint64Range(0, 1<<n-1).Draw(rt, "v"), uint(rapid.IntRange(0, 45).Draw(rt, "k"))}
			if rapid.Bool().Draw(rt, "plain") {
				it.k = 64 + n
				w.put(it.v, n)
				length += int(n)
			} else {
				w.golomb(it.v, it.k)
				length += golombLen(it.v, it.k)
			}
			items = append(items, it)
		}
		if w.len() != length {
			rt.Fatalf("%d bits, want %d", w.len(), length)
		}
		r := bitReader{buf: w.finish()}
		for i, it := range items {
			var got uint64
			if it.k >= 64 {
				got = r.get(it.k - 64)
			} else {
				got = r.golomb(it.k)
			}
			if got != it.v {
				rt.Fatalf("item %d: got %d, want %+v", i, got, it)
			}
		}
		if r.pos != length {
			rt.Fatalf("read %d bits of %d", r.pos, length)
		}
	})
}

// drawList draws lists of all shapes: scattered, dense, in runs.
func drawList(rt *rapid.T, bound int) []uint32 {
	set := newBitset(bound)
	for range rapid.IntRange(1, 60).Draw(rt, "parts") {
		at := rapid.IntRange(0, bound-1).Draw(rt, "at")
		set.fill(at, min(bound, at+rapid.SampledFrom([]int{1, 1, 2, 50, 400}).Draw(rt, "run")))
	}
	return numbers(set)
}

func numbers(b bitset) (out []uint32) {
	for i := range b.each {
		out = append(out, uint32(i))
	}
	return out
}

func TestListRoundTrip(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		bound := rapid.SampledFrom([]int{1, 2, 100, 5000, maxMessages, 1 << 20}).Draw(rt, "bound")
		var w bitWriter
		w.reset()
		var lists [][]uint32
		for range rapid.IntRange(1, 8).Draw(rt, "lists") {
			l := drawList(rt, bound)
			lists = append(lists, l)
			putList(&w, l, bound)
		}
		buf := w.finish()
		r := bitReader{buf: buf}
		for i, want := range lists {
			var l listRef
			l.read(&r, bound)
			if got := l.appendTo(nil); !slices.Equal(got, want) {
				rt.Fatalf("list %d: got %v, want %v", i, got, want)
			}
			set := newBitset(bound)
			l.addTo(set)
			if got := numbers(set); !slices.Equal(got, want) {
				rt.Fatalf("list %d as a set: got %v, want %v", i, got, want)
			}
			skip := bitReader{buf: buf}
			if skipLists(&skip, i+1, bound); skip.pos != r.pos {
				rt.Fatalf("skipping %d lists leads to %d, not %d", i+1, skip.pos, r.pos)
			}
		}
	})
}

// FuzzDamaged reads lists and ids from damaged pages: any answer will do, as
// long as there is one.
func FuzzDamaged(f *testing.F) {
	var w bitWriter
	w.reset()
	putList(&w, []uint32{1, 5, 9, 70}, 100)
	f.Add(w.finish(), 100)
	f.Fuzz(func(t *testing.T, data []byte, bound int) {
		if bound < 1 || bound > 1<<12 {
			return
		}
		r := bitReader{buf: data}
		set := newBitset(bound)
		for r.pos >= 0 && r.pos < len(data)*8 {
			var l listRef
			l.read(&r, bound)
			l.addTo(set)
			l.appendTo(nil)
		}
		skipLists(&bitReader{buf: data}, 1000, bound)
		if c := idChunk(data); len(c) > 2 && c.check(c.len()) {
			for i := range c.blocks() {
				c.block(i, nil)
			}
		}
		decodeDir(data)
	})
}

func TestRowIDsRoundTrip(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		ids := []int64{rapid.Int64Range(0, 1<<50).Draw(rt, "first")}
		for range rapid.IntRange(0, 300).Draw(rt, "n") {
			step := rapid.SampledFrom([]int64{1, 1, 40 << splitIDs, 41<<splitIDs + 1, 1<<splitIDs - 3, 1 << 45}).Draw(rt, "step")
			ids = append(ids, ids[len(ids)-1]+step)
		}
		var w bitWriter
		c := idChunk(encodeIDs(&w, ids))
		if !c.check(len(ids)) {
			rt.Fatal("the chunk is not sound")
		}
		var got []int64
		for i := range c.blocks() {
			got = c.block(i, got)
		}
		if !slices.Equal(got, ids) {
			rt.Fatalf("got %v, want %v", got, ids)
		}
	})
}

func TestDirRoundTrip(t *testing.T) {
	pages := []pageRef{{first: term(kindStatus, 4), count: 3}, {first: term(kindQueueID, 9), count: 700}, {first: term(kindQueueID, 1<<39), count: 1, rank: 700}}
	firsts := []int64{-5, 17, 1 << 60}
	blob := encodeDir(pages, firsts)
	gotPages, gotFirsts, err := decodeDir(blob)
	if err != nil || !slices.Equal(gotPages, pages) || !slices.Equal(gotFirsts, firsts) {
		t.Errorf("decodeDir = %v, %v, %v", gotPages, gotFirsts, err)
	}
	for n := range blob {
		if _, _, err := decodeDir(blob[:n]); err == nil {
			t.Errorf("decodeDir takes the first %d bytes of %d", n, len(blob))
		}
	}
}

func TestFilter(t *testing.T) {
	var f filter
	const n = 200_000
	for i := range uint64(n) {
		f.add(cutHash(kindQueueID, i*0x9E3779B97F4A7C15+1))
	}
	size := 0
	for _, l := range f.layers {
		size += len(l.blocks) * 512
	}
	wrong := 0
	for i := range uint64(n) {
		if !f.has(cutHash(kindQueueID, i*0x9E3779B97F4A7C15+1)) {
			t.Fatalf("hash %d was added and is not there", i)
		}
		if f.has(cutHash(kindQueueID, (i+n)*0x9E3779B97F4A7C15+1)) {
			wrong++
		}
	}
	if rate := float64(wrong) / n; rate > 0.03 {
		t.Errorf("%.3f of the hashes that were not added are said to be there, at %d bits each", rate, size/n)
	}
}

func TestCacheForgetsTheOldest(t *testing.T) {
	x, other := new(Index), new(Index)
	c := NewCache(20 * (pageCost + 100))
	page := make([]byte, 100)
	for i := range int64(15) {
		c.put(pageKey{x, i}, page)
		if _, ok := c.get(pageKey{x, 0}); !ok {
			t.Fatalf("page 0 was asked for all the time and is gone after %d", i)
		}
	}
	c.put(pageKey{other, 1}, page)
	c.Forget(x)
	if _, ok := c.get(pageKey{x, 14}); ok {
		t.Error("pages of a forgotten index are there")
	}
	if _, ok := c.get(pageKey{other, 1}); !ok {
		t.Error("pages of another index are gone")
	}
}

func BenchmarkFilter(b *testing.B) {
	var f filter
	for i := range uint64(2_000_000) {
		f.add(cutHash(kindQueueID, i*0x9E3779B97F4A7C15))
	}
	i := uint64(0)
	for b.Loop() {
		f.has(cutHash(kindQueueID, i*0x9E3779B97F4A7C15+12345))
		i++
	}
}
