package postings

import (
	"slices"
	"unicode/utf8"

	"waybill/internal/store"
)

// texts are the folded texts of one field, owner after owner; an owner is a
// message or, in a space, a value. Their trigrams are made when a segment is
// written, a field at a time: the tables that sort them stay in the caches of
// the processor that way.
type texts struct {
	buf    []byte
	texts  []text
	owners []uint32 // len(texts) behind each owner
}

type text struct {
	end uint32 // in buf
	cut bool   // its end was cut off
}

func (t *texts) reset() { t.buf, t.texts, t.owners = t.buf[:0], t.texts[:0], t.owners[:0] }

func (t *texts) end() { t.owners = append(t.owners, uint32(len(t.texts))) }

// add takes a folded text and reports whether it was too long.
func (t *texts) add(s []byte) (cut bool) {
	if len(s) > maxText {
		s, cut = s[:maxText], true
	}
	t.buf = append(t.buf, s...)
	t.texts = append(t.texts, text{uint32(len(t.buf)), cut})
	return cut
}

// foldTo appends the folded form of s to buf, as store.FoldText has it.
func foldTo(buf []byte, f store.Field, s string) []byte {
	at := len(buf)
	buf = append(buf, s...)
	plain := f == store.FieldSender || f == store.FieldRecipient
	hyphen := false
	for i, c := range buf[at:] {
		switch {
		case c >= utf8.RuneSelf || c == 0:
			return append(buf[:at], store.FoldText(f, s)...)
		case 'A' <= c && c <= 'Z':
			buf[at+i] = c + 'a' - 'A'
		case c == '-' && plain:
			if hyphen { // perhaps a domain that starts with xn--
				return append(buf[:at], store.FoldText(f, s)...)
			}
			hyphen = true
			continue
		}
		hyphen = false
	}
	return buf
}

// each calls f with the new number of each owner and each of its texts. order,
// if not nil, lists the owners in their new order.
func (t *texts) each(order []uint32, f func(n int, s []byte, cut bool)) {
	for n := range t.owners {
		owner := n
		if order != nil {
			owner = int(order[n])
		}
		i := uint32(0)
		if owner > 0 {
			i = t.owners[owner-1]
		}
		for ; i < t.owners[owner]; i++ {
			begin := uint32(0)
			if i > 0 {
				begin = t.texts[i-1].end
			}
			f(n, t.buf[begin:t.texts[i].end], t.texts[i].cut)
		}
	}
}

// gramOrder is the order of the code for trigrams: most are neighbours.
const gramOrder = 1

// emitTexts writes the lists of all trigrams.
func (sc *scratch) emitTexts(sw *segmentWriter, t *texts, order []uint32, k kind, bound int) {
	if len(t.buf) == 0 {
		return
	}
	sw.kind(gramOrder, bound)
	if len(t.buf) < 1024 || bound > 1<<16 {
		sc.emitFew(sw, t, order, k)
		return
	}
	at := t.firsts()
	begin := at
	total := int(at[256])
	sc.grams = slices.Grow(sc.grams[:0], total)[:total]
	largest := 0
	for a := range 256 {
		largest = max(largest, int(begin[a+1]-begin[a]))
	}
	sc.spare = slices.Grow(sc.spare[:0], largest)[:largest]
	grams := sc.grams
	t.each(order, func(n int, s []byte, cut bool) {
		if len(s) == 0 {
			return
		}
		v := uint32(n)
		var x, y byte = 0, s[0]
		for _, z := range s[1:] {
			grams[at[x]] = uint32(y)<<24 | uint32(z)<<16 | v
			at[x]++
			x, y = y, z
		}
		if !cut {
			grams[at[x]] = uint32(y)<<24 | v
			at[x]++
			grams[at[y]] = v
			at[y]++
		}
	})
	for a := range 256 {
		part := grams[begin[a]:begin[a+1]]
		sortGrams(part, sc.spare)
		sc.emitGrams(sw, term(k, uint64(a)<<16), part)
	}
}

// firsts returns for each byte where the trigrams that begin with it start,
// when they are in order, and behind these their number.
//
// Each byte of a text begins a trigram, with NULs for what lies behind the
// end, and a NUL stands in front of the first. So every place where a text of
// one or two bytes occurs is a trigram that begins with it. A text that was
// cut has no end.
func (t *texts) firsts() (at [257]uint32) {
	for _, c := range t.buf {
		at[int(c)+1]++
	}
	begin := uint32(0)
	for _, x := range t.texts {
		if x.end > begin {
			at[1]++
		}
		if x.cut {
			at[int(t.buf[x.end-1])+1]--
			at[int(t.buf[x.end-2])+1]--
		}
		begin = x.end
	}
	for i := 1; i < len(at); i++ {
		at[i] += at[i-1]
	}
	return at
}

// emitGrams writes the lists of sorted trigrams of one first byte.
func (sc *scratch) emitGrams(sw *segmentWriter, base uint64, part []uint32) {
	for i := 0; i < len(part); {
		g := part[i] >> 16
		sc.lists = append(sc.lists[:0], part[i]&0xFFFF)
		last := part[i]
		for i++; i < len(part) && part[i]>>16 == g; i++ {
			if v := part[i]; v != last {
				sc.lists = append(sc.lists, v&0xFFFF)
				last = v
			}
		}
		sw.add(base|uint64(g), sc.lists)
	}
}

// sortGrams sorts by the upper 16 bits. The lower ones are in order already.
func sortGrams(part, spare []uint32) {
	if len(part) < 128 {
		slices.Sort(part)
		return
	}
	var low, high [257]uint32
	for _, v := range part {
		low[v>>16&255+1]++
		high[v>>24+1]++
	}
	for i := 1; i < 257; i++ {
		low[i] += low[i-1]
		high[i] += high[i-1]
	}
	spare = spare[:len(part)]
	for _, v := range part {
		p := &low[v>>16&255]
		spare[*p] = v
		*p++
	}
	for _, v := range spare {
		p := &high[v>>24]
		part[*p] = v
		*p++
	}
}

// emitFew is for small segments, and for spaces of more values than fit into
// 16 bits.
func (sc *scratch) emitFew(sw *segmentWriter, t *texts, order []uint32, k kind) {
	sc.wide = sc.wide[:0]
	t.each(order, func(n int, s []byte, cut bool) {
		if len(s) == 0 {
			return
		}
		p := append(append(sc.padded[:0], 0), s...)
		if !cut {
			p = append(p, 0, 0)
		}
		sc.padded = p
		for i := range p[2:] {
			sc.wide = append(sc.wide, uint64(tri(p[i], p[i+1], p[i+2]))<<32|uint64(n))
		}
	})
	slices.Sort(sc.wide)
	for i := 0; i < len(sc.wide); {
		g := sc.wide[i] >> 32
		sc.lists = sc.lists[:0]
		for ; i < len(sc.wide) && sc.wide[i]>>32 == g; i++ {
			if i == 0 || sc.wide[i] != sc.wide[i-1] {
				sc.lists = append(sc.lists, uint32(sc.wide[i]))
			}
		}
		sw.add(term(k, g), sc.lists)
	}
}
