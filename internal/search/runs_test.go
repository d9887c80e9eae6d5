package search

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"waybill/internal/store"
)

func TestClaimedRuns(t *testing.T) {
	const s = 1e6
	for _, tc := range []struct {
		name string
		in   []store.Source
		want []Run
	}{
		{"none", nil, nil},
		{"without a time", []store.Source{{}}, nil},
		{"one line", []store.Source{{First: 10 * s, Last: 10 * s}}, []Run{{From: 10 * s, To: 10*s + 1}}},
		{"apart", []store.Source{{First: 100 * s, Last: 110 * s}, {First: 10 * s, Last: 20 * s}},
			[]Run{{From: 10 * s, To: 20*s + 1}, {From: 100 * s, To: 110*s + 1}}},
		{"five seconds", []store.Source{{First: 10 * s, Last: 20 * s}, {First: 25 * s, Last: 30 * s}}, []Run{{From: 10 * s, To: 30*s + 1}}},
		{"quiet before", []store.Source{{First: 10 * s, Last: 20 * s, Silence: 8 * s}, {First: 28 * s, Last: 30 * s}}, []Run{{From: 10 * s, To: 30*s + 1}}},
		{"quiet after", []store.Source{{First: 10 * s, Last: 20 * s}, {First: 28 * s, Last: 30 * s, Silence: 8 * s}}, []Run{{From: 10 * s, To: 30*s + 1}}},
		{"inside", []store.Source{{First: 10 * s, Last: 90 * s}, {First: 28 * s, Last: 30 * s, Silence: 50 * s}, {First: 99 * s, Last: 100 * s}},
			[]Run{{From: 10 * s, To: 90*s + 1}, {From: 99 * s, To: 100*s + 1}}},
		{"one source in two goes", []store.Source{{ID: "a", From: 100, To: 200, First: 99 * s, Last: 100 * s}, {ID: "a", To: 100, First: 10 * s, Last: 20 * s}},
			[]Run{{From: 10 * s, To: 100*s + 1}}},
		{"two sources", []store.Source{{ID: "b", From: 100, To: 200, First: 99 * s, Last: 100 * s}, {ID: "a", To: 100, First: 10 * s, Last: 20 * s}},
			[]Run{{From: 10 * s, To: 20*s + 1}, {From: 99 * s, To: 100*s + 1}}},
		{"bytes missing", []store.Source{{ID: "a", From: 101, To: 200, First: 99 * s, Last: 100 * s}, {ID: "a", To: 100, First: 10 * s, Last: 20 * s}},
			[]Run{{From: 10 * s, To: 20*s + 1}, {From: 99 * s, To: 100*s + 1}}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, ClaimedRuns(tc.in)); diff != "" {
				t.Error(diff)
			}
		})
	}
}
