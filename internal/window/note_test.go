package window

import (
	"errors"
	"math/rand/v2"
	"testing"

	"waybill/internal/safefs/crashfs"
)

// TestNotes: notes survive with what they were committed with, and readers do
// not see them.
func TestNotes(t *testing.T) {
	for stop := 1; ; stop++ {
		fsys := crashfs.New()
		fsys.StopAt(stop)
		flushed, events := "", 0
		err := func() error {
			w, err := Create(fsys, ".", liveHeader())
			if err != nil {
				return err
			}
			w.AddSource(Source{ID: "s1", Gateway: "mx-a"})
			for _, v := range []string{"one", "two", "three"} {
				e := genuine(t, 1)[0]
				e.Source = 0
				if err := w.Append(&e); err != nil {
					return err
				}
				w.SetNote("at", []byte(v))
				w.SetNote("with "+v, nil)
				if err := w.Flush(); err != nil {
					return err
				}
				flushed, events = v, events+1
			}
			if _, err := w.Finish(); err != nil {
				return err
			}
			_, err = w.Seal(false)
			return err
		}()
		if err == nil {
			break // the power held until the end
		}
		after := fsys.Crash(rand.New(rand.NewPCG(uint64(stop), 1)))
		names, err := OpenWindows(after, ".")
		if err != nil {
			t.Fatal(err)
		}
		if len(names) == 0 {
			if flushed != "" && flushed != "three" {
				t.Fatalf("stop %d: the window is gone", stop)
			}
			continue
		}
		w, err := Recover(after, ".", names[0])
		if errors.Is(err, ErrNothing) && flushed == "" {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		got := string(w.Notes()["at"])
		want := map[uint64]string{0: "", 1: "one", 2: "two", 3: "three"}[w.Events()]
		if got != want || int(w.Events()) < events {
			t.Fatalf("stop %d: %d events and the note %q", stop, w.Events(), got)
		}
		if !w.Sealed() {
			w.SetNote("at", []byte("again"))
		}
		digest, err := w.Finish()
		if err != nil {
			t.Fatal(err)
		}
		sealed, err := w.Seal(true)
		if err != nil || sealed.Digest != digest {
			t.Fatalf("sealed %x, finished %x, %v", sealed.Digest, digest, err)
		}
		if _, err := Verify(after, sealed.Path); err != nil {
			t.Fatal(err)
		}
	}
}
