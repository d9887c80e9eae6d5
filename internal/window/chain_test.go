package window

import (
	"testing"

	"waybill/internal/safefs"
)

func TestFollow(t *testing.T) {
	chained := func(serial string, epoch, seq uint64, digest, previous byte) Chained {
		prev := [32]byte{previous}
		return Chained{Header{Serial: serial, Epoch: epoch, Sequence: seq, Previous: prev[:]}, [32]byte{digest}}
	}
	a := chained("S", 1, 7, 70, 60)
	imported := a
	imported.Header.Imported = true
	for _, tc := range []struct {
		name    string
		b       Chained
		want    Link
		missing uint64
	}{
		{"next", chained("S", 1, 8, 80, 70), LinkNext, 0},
		{"next, of another content", chained("S", 1, 8, 80, 71), LinkAltered, 0},
		{"two lost", chained("S", 1, 10, 80, 70), LinkMissing, 2},
		{"again", a, LinkSame, 0},
		{"again, altered", chained("S", 1, 7, 71, 60), LinkConflict, 0},
		{"older", chained("S", 1, 3, 30, 20), LinkBefore, 0},
		{"new epoch", chained("S", 2, 1, 10, 0), LinkEpoch, 0},
		{"other gateway", chained("T", 1, 8, 80, 70), LinkOther, 0},
		{"imported", imported, LinkOther, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got, n := Follow(a, tc.b); got != tc.want || n != tc.missing {
				t.Errorf("Follow = %v, %d; want %v, %d", got, n, tc.want, tc.missing)
			}
		})
	}
}

// TestChainOfFiles seals windows one after the other, as a gateway does.
func TestChainOfFiles(t *testing.T) {
	dir := t.TempDir()
	var last Chained
	for i := range uint64(4) {
		h := liveHeader()
		h.Sequence = i
		if i > 0 {
			h.Previous = last.Digest[:]
		}
		sealed := must(must(Create(safefs.OS(), dir, h)).Seal(i%2 == 1))
		report := must(Verify(safefs.OS(), sealed.Path))
		now := Chained{report.Header, report.Digest}
		if i > 0 {
			if got, _ := Follow(last, now); got != LinkNext {
				t.Errorf("window %d: %v", i, got)
			}
		}
		last = now
	}
}
