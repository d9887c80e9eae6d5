package doctor

import (
	"cmp"
	"slices"
)

// spans are windows in their order, each once.
type spans []span

func bySpan(a, b span) int {
	return cmp.Or(cmp.Compare(a.from, b.from), cmp.Compare(a.len, b.len))
}

// tidy sorts and drops what is there twice.
func (s spans) tidy() spans {
	if !slices.IsSortedFunc(s, bySpan) {
		slices.SortFunc(s, bySpan)
	}
	return slices.Compact(s)
}

// has tells whether a window is there.
func (s spans) has(w span) bool {
	_, ok := slices.BinarySearchFunc(s, w, bySpan)
	return ok
}

// between returns the windows that begin in [from, to).
func (s spans) between(from, to int64) spans {
	lo, _ := slices.BinarySearchFunc(s, from, func(w span, t int64) int { return cmp.Compare(int64(w.from), t) })
	hi, _ := slices.BinarySearchFunc(s, to, func(w span, t int64) int { return cmp.Compare(int64(w.from), t) })
	return s[lo:hi]
}

// shared counts the windows that are in both.
func (s spans) shared(o spans) (n int) {
	if len(o) < len(s) {
		s, o = o, s
	}
	for _, w := range s {
		if o.has(w) {
			n++
		}
	}
	return n
}

// usual is the length of most windows, 180 when there are none.
func (s spans) usual() int64 {
	if len(s) == 0 {
		return 180
	}
	lens := make([]uint32, 0, min(len(s), 1001))
	step := max(1, len(s)/1000)
	for i := 0; i < len(s); i += step {
		lens = append(lens, s[i].len)
	}
	slices.Sort(lens)
	return int64(max(1, lens[len(lens)/2]))
}

// stretches are times, apart from each other and in order.
type stretches []stretch

// joined sorts stretches and joins those that are at most a silence apart.
func (s stretches) joined(silence int64) stretches {
	slices.SortFunc(s, func(a, b stretch) int { return cmp.Compare(a.from, b.from) })
	var out stretches
	for _, x := range s {
		if n := len(out); n > 0 && x.from-out[n-1].to <= silence {
			out[n-1].to = max(out[n-1].to, x.to)
			continue
		}
		out = append(out, x)
	}
	return out
}

// around returns the stretch with t in it.
func (s stretches) around(t int64) (stretch, bool) {
	i, _ := slices.BinarySearchFunc(s, t, func(x stretch, t int64) int { return cmp.Compare(x.to, t) })
	if i < len(s) && s[i].from <= t {
		return s[i], true
	}
	return stretch{}, false
}
