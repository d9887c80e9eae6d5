package oracle

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"waybill/internal/search"
	"waybill/internal/store/sqlite"
)

// of is what cannot be known of any message of a site.
func of(s Script) func(string) Mask { return func(string) Mask { return Mask{Kin: s.Hasty} } }

// site makes a place for logs and a store.
func site(t interface{ Fatal(...any) }, logs []*Log) (dir, data string) {
	dir = tempDir(t)
	for _, l := range logs {
		if err := os.Mkdir(filepath.Join(dir, l.Gateway), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	return dir, filepath.Join(dir, "data")
}

// TestPropertyWhole: a log that is imported in one go says what it says.
func TestPropertyWhole(t *testing.T) {
	check(t, 10, func(t *rapid.T) {
		s := script(t)
		logs := Simulate(s)
		ms, err := Read(logs...)
		if err != nil {
			t.Fatal(err)
		}
		dir, data := site(t, logs)
		defer os.RemoveAll(dir)
		for _, l := range logs {
			all := step{l, []piece{{name: "mail.log", to: len(l.Lines)}}}
			if err := all.play(t.Context(), dir); err != nil {
				t.Fatal(err)
			}
		}
		h, err := look(t.Context(), data)
		if err != nil {
			t.Fatal(err)
		}
		if d := difference(want(ms, of(s)), h.views(of(s))); d != "" {
			t.Fatal(d)
		}
	})
}

// TestPropertyHistory: whatever the history of imports, the store holds the
// same, and what was called by an id is still found by it.
func TestPropertyHistory(t *testing.T) {
	check(t, 20, func(t *rapid.T) {
		s := script(t)
		logs := Simulate(s)
		ms, err := Read(logs...)
		if err != nil {
			t.Fatal(err)
		}
		var hs []history
		masks := make(map[string]Mask)
		for _, l := range logs {
			h := draw(t, l)
			hs = append(hs, h)
			for _, m := range ms {
				if m.Gateway == l.Gateway {
					masks[m.Name] = Mask{Hops: h.loose, Conn: h.loose && m.straddles(h.cuts), Kin: s.Hasty}
				}
			}
		}
		mask := func(name string) Mask { return masks[name] }
		steps := mix(t, hs)
		dir, data := site(t, logs)
		defer os.RemoveAll(dir)
		given := make(map[string]string)
		taken := make(map[*Log][]step)
		var h *held
		for _, s := range steps {
			if err := s.play(t.Context(), dir); err != nil {
				t.Fatal(err)
			}
			if h, err = look(t.Context(), data); err != nil {
				t.Fatal(err)
			}
			taken[s.log] = append(taken[s.log], s)
			if err := checkRuns(t.Context(), data, s.log, taken[s.log]); err != nil {
				t.Fatalf("%v\nafter\n%s", err, tell(taken[s.log]))
			}
			for _, m := range h.messages {
				given[m.ID] = m.Gateway + "/" + m.QueueID
			}
		}
		if d := difference(want(ms, mask), h.views(mask)); d != "" {
			t.Fatalf("%s\nafter\n%s", d, tell(steps))
		}
		db, err := sqlite.Open(t.Context(), data, sqlite.Options{ReadOnly: true, Log: quiet, Now: clock})
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		for id, what := range given {
			if m, err := db.Message(t.Context(), id); err != nil || m.Gateway+"/"+m.QueueID != what {
				t.Fatalf("%s was %s, is %+v, %v, after\n%s", id, what, m, err, tell(steps))
			}
		}
	})
}

// checkRuns compares what a store claims to cover of a gateway with what the
// imported files say of themselves.
func checkRuns(ctx context.Context, data string, l *Log, steps []step) error {
	db, err := sqlite.Open(ctx, data, sqlite.Options{ReadOnly: true, Log: quiet, Now: clock})
	if err != nil {
		return err
	}
	defer db.Close()
	sources, err := db.Sources(ctx, l.Gateway)
	if err != nil {
		return err
	}
	want, err := runsOf(l, steps)
	if err != nil {
		return err
	}
	if got := search.ClaimedRuns(sources); !slices.Equal(got, want) {
		return fmt.Errorf("the store claims %v, the files %v", got, want)
	}
	return nil
}
