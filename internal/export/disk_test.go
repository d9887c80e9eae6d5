package export

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"sync"
	"testing"
	"time"

	"waybill/internal/safefs"
)

// onDisk are the options of an export on a real file system.
func onDisk(t testing.TB) Options {
	t.Helper()
	root, err := safefs.OpenRoot(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { root.Close() })
	return Options{FS: root, Files: "pub/export/tracking", State: "export", SegmentSize: 20_000}
}

// TestTogether lets four collectors, each with several channels, take the same
// files at once, while windows are sealed and removed: each gets all of them,
// once.
func TestTogether(t *testing.T) {
	const files, channels = 60, 4
	o := onDisk(t)
	keeper, err := OpenKeeper(o)
	if err != nil {
		t.Fatal(err)
	}
	defer keeper.Close()
	a, err := OpenAdmin(o)
	if err != nil {
		t.Fatal(err)
	}
	for n := range 4 {
		if _, err := a.Add(key(fmt.Sprint(n)), nil, Required, fmt.Sprintf("mgr-%d", n)); err != nil {
			t.Fatal(err)
		}
	}
	front, err := OpenFront(o)
	if err != nil {
		t.Fatal(err)
	}
	defer front.Close()
	ctx, stop := context.WithTimeout(t.Context(), 2*time.Minute)
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- keeper.Run(ctx) }()

	var all sync.WaitGroup
	for n := range 4 {
		v, err := front.Enter(key(fmt.Sprint(n)), netip.AddrFrom4([4]byte{192, 0, 2, byte(n)}), "")
		if err != nil {
			t.Fatal(err)
		}
		var mu sync.Mutex
		have := map[string]bool{}
		for range channels {
			all.Go(func() {
				for ctx.Err() == nil {
					entries, err := v.List()
					if err != nil {
						t.Error(err)
						return
					}
					for _, e := range entries {
						// Channels of one collector may come in each other's way.
						if err := take(v, e.Name); err != nil && !errors.Is(err, fs.ErrNotExist) {
							t.Error(err)
							return
						}
						mu.Lock()
						have[e.Name] = true
						mu.Unlock()
					}
					mu.Lock()
					done := len(have) == files
					mu.Unlock()
					if done {
						return
					}
				}
				t.Errorf("collector %d has %d files", n, len(have))
			})
		}
	}
	for n := range files {
		if err := errors.Join(putFile(o.FS, o.Files, n), keeper.Sealed(sealed(n))); err != nil {
			t.Fatal(err)
		}
	}
	all.Wait()
	stop()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	if err := keeper.Keep(); err != nil {
		t.Fatal(err)
	}
	if s := keeper.Status(); s.Files != 0 || s.Expired != 0 {
		t.Errorf("%+v", s)
	}
}

// BenchmarkTake is what a file costs the gateway, of many that wait: opened,
// received, acknowledged, each durable.
func BenchmarkTake(b *testing.B) {
	o := onDisk(b)
	o.SegmentSize = 0
	a, err := OpenAdmin(o)
	if err != nil {
		b.Fatal(err)
	}
	if _, err := a.Add(key("a"), nil, Required, "mgr-a"); err != nil {
		b.Fatal(err)
	}
	if err := o.FS.MkdirAll(o.Files); err != nil {
		b.Fatal(err)
	}
	for n := range b.N {
		f, err := o.FS.Create(o.Files + "/" + fileName(n))
		if err == nil {
			_, err = f.Write([]byte(fileContent(n)))
		}
		if err != nil {
			b.Fatal(err)
		}
		f.Close()
	}
	front, err := OpenFront(o)
	if err != nil {
		b.Fatal(err)
	}
	defer front.Close()
	v, err := front.Enter(key("a"), addrA, "")
	if err != nil {
		b.Fatal(err)
	}
	b.ResetTimer()
	entries, err := v.List()
	if err != nil || len(entries) != b.N {
		b.Fatal(len(entries), err)
	}
	for _, e := range entries {
		if err := take(v, e.Name); err != nil {
			b.Fatal(err)
		}
	}
}
