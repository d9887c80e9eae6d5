package coverage

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"waybill/internal/store"
	"waybill/internal/track"
)

func src(id string, from, to int64, first, last, silence float64) store.Source {
	sec := func(s float64) track.Stamp { return track.Stamp(s * 1e6) }
	return store.Source{ID: id, Gateway: "g", From: from, To: to, First: sec(first), Last: sec(last), Silence: int64(silence * 1e6)}
}

func run(from, to float64) Run {
	return Run{"g", track.Interval{From: track.Stamp(from * 1e6), To: track.Stamp(to*1e6) + 1}, Claimed}
}

func TestRuns(t *testing.T) {
	for _, tc := range []struct {
		name string
		in   []store.Source
		want []Run
	}{
		{"nothing", nil, nil},
		{"no line had a time", []store.Source{src("a", 0, 9, 0, 0, 0)}, nil},
		{"one", []store.Source{src("a", 0, 9, 10, 20, 1)}, []Run{run(10, 20)}},
		{"five seconds are no gap", []store.Source{src("a", 0, 9, 10, 20, 1), src("b", 0, 9, 25, 30, 1)}, []Run{run(10, 30)}},
		{"six are", []store.Source{src("a", 0, 9, 10, 20, 1), src("b", 0, 9, 26, 30, 1)}, []Run{run(10, 20), run(26, 30)}},
		{"a quiet neighbour explains the silence", []store.Source{src("a", 0, 9, 10, 100, 60), src("b", 0, 9, 160, 170, 1)}, []Run{run(10, 170)}},
		{"what was joined explains more", []store.Source{src("a", 0, 9, 10, 20, 1), src("b", 0, 9, 50, 60, 1), src("c", 0, 9, 80, 200, 40)}, []Run{run(10, 200)}},
		{"one source in two goes", []store.Source{src("a", 9, 18, 1000, 1010, 1), src("a", 0, 9, 10, 20, 1)}, []Run{run(10, 1010)}},
		{"bytes between are missing", []store.Source{src("a", 12, 18, 1000, 1010, 1), src("a", 0, 9, 10, 20, 1)}, []Run{run(10, 20), run(1000, 1010)}},
		{"one inside another", []store.Source{src("a", 0, 9, 10, 100, 1), src("b", 0, 9, 20, 30, 1), src("c", 0, 9, 104, 110, 1)}, []Run{run(10, 110)}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if d := cmp.Diff(tc.want, Runs(tc.in)); d != "" {
				t.Error(d)
			}
		})
	}
}

// TestRunsProperties draws pieces and asks that the order does not matter,
// that every piece is covered, and that what is left apart has to be.
func TestRunsProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) store.Source {
			first := rapid.Float64Range(1, 300).Draw(t, "first")
			from := rapid.Int64Range(0, 5).Draw(t, "from")
			s := src(rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "id"), from, from+rapid.Int64Range(1, 3).Draw(t, "bytes"),
				first, first+rapid.Float64Range(0, 40).Draw(t, "long"), rapid.Float64Range(0, 30).Draw(t, "silence"))
			s.Gateway = rapid.SampledFrom([]string{"g", "h"}).Draw(t, "gateway")
			return s
		}), 0, 8).Draw(t, "sources")
		runs := Runs(slices.Clone(in))
		if d := cmp.Diff(runs, Runs(rapid.Permutation(in).Draw(t, "order"))); d != "" {
			t.Fatalf("the order matters:\n%s", d)
		}
		for _, s := range in {
			if !slices.ContainsFunc(runs, func(r Run) bool {
				return r.Gateway == s.Gateway && r.Interval.Contains(s.First) && r.Interval.Contains(s.Last)
			}) {
				t.Fatalf("%+v is in no run of %+v", s, runs)
			}
		}
		for i := 1; i < len(runs); i++ {
			a, b := runs[i-1], runs[i]
			if a.Gateway == b.Gateway && b.Interval.From-a.Interval.To < joint {
				t.Fatalf("%+v and %+v are one", a, b)
			}
		}
	})
}
