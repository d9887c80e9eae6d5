package search

import (
	"testing"

	"waybill/internal/store"
	"waybill/internal/track"
)

func FuzzCursor(f *testing.F) {
	f.Add(page{hash: 7, at: store.Cursor{Time: 5, Row: "abc"}}.encode())
	f.Add(page{rng: track.Interval{From: 1, To: 1 << 50}, at: store.Cursor{Row: "x"}}.encode())
	f.Add("")
	f.Fuzz(func(t *testing.T, s string) {
		c, err := decodePage(s)
		if err != nil {
			return
		}
		again, err := decodePage(c.encode())
		if err != nil || again != c {
			t.Fatalf("%q is %+v, then %+v, %v", s, c, again, err)
		}
	})
}
