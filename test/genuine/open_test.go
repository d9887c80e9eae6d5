package genuine

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"sort"
	"testing"
	"time"

	"waybill/internal/app"
	"waybill/internal/config"
	"waybill/internal/importer"
	"waybill/internal/maillog"
)

// everything returns what a store says of each message, but for what depends
// on the order in which its logs came: ids and numbers that the gateway gave.
func everything(t *testing.T, data string) []string {
	t.Helper()
	var out []string
	for _, query := range []string{"", "kind:rejection"} {
		for line := range bytes.Lines(run(t, 0, "search", "--data", data, "-o", "ndjson", "--limit", "0", query)) {
			var m map[string]any
			if err := json.Unmarshal(line, &m); err != nil {
				t.Fatal(err)
			}
			if m["coverage"] != nil {
				continue
			}
			plain(m)
			b, err := json.Marshal(m)
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, string(b))
		}
	}
	sort.Strings(out)
	return out
}

// plain removes ids from a value and from what is in it.
func plain(v any) {
	switch v := v.(type) {
	case map[string]any:
		for _, k := range []string{"id", "serial", "mid", "icid"} {
			delete(v, k)
		}
		for _, x := range v {
			plain(x)
		}
	case []any:
		for _, x := range v {
			plain(x)
		}
		slices.SortStableFunc(v, func(a, b any) int { return bytes.Compare(marshal(a), marshal(b)) })
	}
}

func marshal(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // it came from JSON
	}
	return b
}

// rotated cuts a log into a rotated set, a few of them compressed.
func rotated(t *testing.T, log []byte, pieces int, rnd *rand.Rand) string {
	t.Helper()
	dir := t.TempDir()
	lines := bytes.SplitAfter(log, []byte("\n"))
	cuts := map[int]bool{0: true}
	for len(cuts) < pieces {
		cuts[1+rnd.IntN(len(lines)-2)] = true
	}
	at := slices.Sorted(maps.Keys(cuts))
	for i, from := range at {
		to := len(lines)
		if i+1 < len(at) {
			to = at[i+1]
		}
		path := filepath.Join(dir, "mail.log")
		if n := len(at) - 1 - i; n > 0 {
			path += fmt.Sprint(".", n)
		}
		if piece := bytes.Join(lines[from:to], nil); len(at)-i > 2 {
			writeGzip(t, path+".gz", piece)
		} else {
			write(t, path, piece)
		}
	}
	return dir
}

// TestNewestFirst reads rotated logs as `waybill open` does, the newest first:
// the store must say the same as after an import in the order of time.
func TestNewestFirst(t *testing.T) {
	for _, name := range []string{"postfix-a.log.gz", "postfix-rig.log.gz"} {
		log := unzip(t, genuineFile(t, name))
		for seed := range uint64(3) {
			t.Run(fmt.Sprint(name, seed), func(t *testing.T) {
				dir := rotated(t, log, 2+int(seed)*4, rand.New(rand.NewPCG(seed, 3)))
				inOrder := t.TempDir()
				files, err := filepath.Glob(filepath.Join(dir, "*"))
				if err != nil {
					t.Fatal(err)
				}
				run(t, 0, append([]string{"import", "--data", inOrder}, files...)...)

				opened := t.TempDir()
				read(t, opened, dir)
				want, got := both(t, inOrder), both(t, opened)
				if len(want) < 100 {
					t.Fatalf("only %d messages", len(want))
				}
				same(t, "newest first", want, got)
				same(t, "newest first, all that is known", everything(t, inOrder), everything(t, opened))
			})
		}
	}
}

// read reads the logs in a directory into a store, as `waybill open` does.
func read(t *testing.T, data, dir string) {
	t.Helper()
	quiet := slog.New(slog.DiscardHandler)
	finder := app.Finder{Format: maillog.Auto, Zone: func(string) (*time.Location, error) { return time.UTC, nil }}
	found, err := finder.Find(t.Context(), []string{dir})
	if err != nil || len(found.Errs) > 0 || found.Passed > 0 {
		t.Fatalf("found %+v, %v", found, err)
	}
	s, err := app.NewSession(t.Context(), app.SessionOptions{Data: data, Config: config.Default(), Log: quiet, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	o := app.ReadOptions{Format: maillog.Auto, Each: func(l *app.Log, rep *importer.Report) {
		if rep.Failed() {
			t.Errorf("%s: %+v", l.Path, rep.Files)
		}
	}}
	if err := s.Read(t.Context(), o, found.Logs); err != nil {
		t.Fatal(err)
	}
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
}
