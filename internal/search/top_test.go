package search

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// TestTopExact: up to the bound everything is exact, and sums up.
func TestTopExact(t *testing.T) {
	c := newCounter(10, strings.Clone)
	for i, n := range []int{5, 1, 9, 5} {
		for range n {
			c.add(string(rune('d'-i)), 10)
		}
	}
	got := c.top(3, strings.Compare)
	want := Top[string]{Total: 20, Distinct: 4, Others: 1, Items: []Item[string]{{"b", 9, 90, false}, {"a", 5, 50, false}, {"d", 5, 50, false}}}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

// TestTopFlooded: who sends from a million addresses neither makes the counter
// grow nor pushes out who really sends much.
func TestTopFlooded(t *testing.T) {
	const limit, floods = 1000, 300_000
	c := newCounter(limit, strings.Clone)
	r := rand.New(rand.NewPCG(1, 2))
	true1, true2 := 0, 0
	for i := range floods {
		c.add(fmt.Sprintf("%d@flood.example", i), 1)
		switch r.IntN(20) {
		case 0:
			c.add("ann@example.com", 1)
			true1++
		case 1, 2:
			c.add("bob@example.com", 1)
			true2++
		}
	}
	if len(c.index) > limit || len(c.queue) > limit {
		t.Fatalf("%d values are kept, more than %d", len(c.index), limit)
	}
	got := c.top(10, strings.Compare)
	if !got.AtLeast || len(got.Items) < 2 || got.Items[0].Value != "bob@example.com" || got.Items[1].Value != "ann@example.com" {
		t.Fatalf("got %+v", got)
	}
	for i, n := range []int{true2, true1} {
		if have := got.Items[i].Count; have > n || have < n-c.total/limit {
			t.Errorf("%s: %d, in truth %d", got.Items[i].Value, have, n)
		}
	}
	if len(got.Items) > 2 {
		t.Errorf("values that are there by chance: %v", got.Items[2:])
	}
}

// TestTopProperty compares any history with a plain count: nothing is said to
// have come more often than it did, nothing common is lost, the sum is right.
func TestTopProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limit := rapid.IntRange(1, 8).Draw(t, "limit")
		values := rapid.SliceOf(rapid.IntRange(0, 15)).Draw(t, "values")
		c, plain := newCounter(limit, func(v int) int { return v }), map[int]int{}
		for _, v := range values {
			c.add(v, 1)
			plain[v]++
		}
		got := c.top(limit, func(a, b int) int { return a - b })
		sum := got.Others
		for _, i := range got.Items {
			sum += i.Count
			if i.Count > plain[i.Value] || !i.AtLeast && i.Count != plain[i.Value] {
				t.Errorf("%d: counted %+v, in truth %d", i.Value, i, plain[i.Value])
			}
			if i.Bytes > int64(plain[i.Value]) {
				t.Errorf("%d: %d bytes, in truth %d", i.Value, i.Bytes, plain[i.Value])
			}
		}
		if sum != len(values) || got.Total != len(values) || got.Others < 0 {
			t.Errorf("sums up to %d of %d, others %d", sum, len(values), got.Others)
		}
		if got.AtLeast != (len(plain) > limit) || !got.AtLeast && got.Distinct != len(plain) {
			t.Errorf("distinct %d %v, in truth %d", got.Distinct, got.AtLeast, len(plain))
		}
		for v, n := range plain {
			if n > len(values)/limit && c.index[v] == nil {
				t.Errorf("%d came %d times of %d and is lost", v, n, len(values))
			}
		}
	})
}
