package sqlite

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"waybill/internal/store"
	"waybill/internal/track"
)

// TestDroppedDaysAreNotClaimed: what retention has dropped cannot be searched,
// so that no answer may call itself complete there.
func TestDroppedDaysAreNotClaimed(t *testing.T) {
	day := func(n float64) track.Stamp { return track.Stamp(n * float64(track.Day)) }
	src := func(from, to track.Stamp) store.Source { return store.Source{ID: "a", First: from, Last: to} }
	for _, tc := range []struct {
		name string
		x    store.Source
		gone []int
		want []store.Source
	}{
		{"none of its days", src(day(5.5), day(6.5)), []int{3, 7}, []store.Source{src(day(5.5), day(6.5))}},
		{"its beginning", src(day(5.5), day(6.5)), []int{5}, []store.Source{src(day(6), day(6.5))}},
		{"its end", src(day(5.5), day(6.5)), []int{6}, []store.Source{src(day(5.5), day(6)-1)}},
		{"its middle", src(day(4.5), day(6.5)), []int{5}, []store.Source{src(day(4.5), day(5)-1), src(day(6), day(6.5))}},
		{"all of it", src(day(4.5), day(5.5)), []int{4, 5}, nil},
		{"no time", store.Source{ID: "a"}, []int{4}, []store.Source{{ID: "a"}}},
	} {
		if d := cmp.Diff(tc.want, without(tc.x, tc.gone)); d != "" {
			t.Errorf("%s (-want +got):\n%s", tc.name, d)
		}
	}
}
