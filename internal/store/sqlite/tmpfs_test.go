package sqlite

import (
	"errors"
	"os"
	"os/exec"
	"testing"

	"waybill/internal/store"
	"waybill/internal/store/storetest"
)

// TestSmallDisk fills a file system of its own, where the room for the log and
// its index can end as well as that of a database.
func TestSmallDisk(t *testing.T) {
	dir := t.TempDir()
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size=1900k", "tmpfs", dir).CombinedOutput(); err != nil {
		t.Skipf("no small file system can be mounted here: %v: %s", err, out)
	}
	t.Cleanup(func() {
		if out, err := exec.Command("umount", dir).CombinedOutput(); err != nil {
			t.Errorf("umount: %v: %s", err, out)
		}
	})
	ballast := dir + "/ballast"
	if err := os.WriteFile(ballast, make([]byte, 600<<10), 0o600); err != nil {
		t.Fatal(err)
	}
	s := openTest(t, dir, Options{})
	ws := storetest.Corpus(600)
	o := storetest.NewOracle()
	taken := 0
	for ; taken < len(ws); taken++ {
		b := &store.Batch{Windows: ws[taken : taken+1]}
		if _, err := s.Ingest(t.Context(), b); err != nil {
			var full *FullError
			if !errors.As(err, &full) || full.Hint() == "" {
				t.Errorf("%v is not a FullError", err)
			}
			break
		}
		o.Take(b)
	}
	if taken == 0 || taken == len(ws) {
		t.Fatalf("%d of %d windows fitted", taken, len(ws))
	}
	storetest.Holds(t, s, o)
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	b := &store.Batch{Windows: ws[taken : taken+1]}
	if _, err := s.Ingest(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	o.Take(b)
	storetest.Same(t, s, o)
	sound(t, s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}
