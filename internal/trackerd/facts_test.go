package trackerd

import (
	"os"
	"slices"
	"testing"
	"time"

	"waybill/internal/coverage"
	"waybill/internal/safefs"
	"waybill/internal/track"
)

// TestFactsExplain goes the whole way: windows are pulled, one is damaged, one
// was taken by somebody else, one waits; the store's chain and what lies in the
// data directory give each its cause, and the account adds up.
func TestFactsExplain(t *testing.T) {
	dir := t.TempDir()
	root, err := safefs.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	db := openStore(t, dir, nil)
	defer db.Close()
	s := serviceOn(root, db, 2)
	w := &chainWriter{fs: root, dir: "log/tracking/mx-a", gateway: "mx-a"}
	var files []string
	for n := range 8 {
		files = append(files, w.seal(t))
		switch n {
		case 2:
			damage(t, root, files[n])
		case 4:
			if err := root.Remove(files[n]); err != nil {
				t.Fatal(err)
			}
		case 6: // comes later
			if err := root.MkdirAll("later"); err != nil {
				t.Fatal(err)
			}
			if err := root.Rename(files[n], "later/file"); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := s.round(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := root.Rename("later/file", files[6]); err != nil {
		t.Fatal(err)
	}
	if err := root.MkdirAll("smad/journal/mx-a"); err != nil {
		t.Fatal(err)
	}
	end := dayBegin.Add(15 * time.Minute).Time() // of the fifth
	day := end.Format("20060102")
	journal := `{"time":"` + end.Add(time.Minute).Format(time.RFC3339) + `","event":"vanished","file":"` + files[4][len(w.dir)+1:] + `","remote":"manager-b"}` + "\n"
	if err := os.WriteFile(dir+"/smad/journal/mx-a/"+day+".ndjson", []byte(journal), 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := db.Ledger(t.Context(), "mx-a")
	if err != nil {
		t.Fatal(err)
	}
	p := coverage.Prove("mx-a", l, 0)
	from := Files{FS: root, Journal: "smad/journal", Inbox: "log/tracking", Queue: "tracking/incoming_queue", Quarantine: "tracking/quarantine", Windows: db.Windows}
	facts, err := from.Facts(t.Context(), "mx-a", p.Extent, p.Gaps)
	if err != nil {
		t.Fatal(err)
	}
	p = coverage.Explain(p, facts)
	var got []coverage.Cause
	for _, g := range p.Gaps {
		got = append(got, g.Cause)
	}
	if !slices.Equal(got, []coverage.Cause{coverage.Damaged, coverage.TakenByOther, coverage.Unknown}) || p.Gaps[1].By != "manager-b" || p.Gaps[2].State != coverage.Late {
		t.Errorf("%+v", p.Gaps)
	}
	want := coverage.Account{Gateway: "mx-a", Written: 8, Sealed: 8, Pulled: 7, Stored: 5, Accounted: 3}
	if a := p.Account(); a.Written != want.Written || a.Sealed != want.Sealed || a.Pulled != want.Pulled || a.Stored != want.Stored || a.Accounted != want.Accounted || a.Unexplained != 0 {
		t.Errorf("account %+v, want %+v", a, want)
	}
	if len(facts.Taken) != 5 || len(facts.Queued) != 1 || len(facts.Journal) != 1 {
		t.Errorf("facts %+v", facts)
	}
	// Nothing is read of the journal when there is nothing to explain.
	if facts, err := from.Facts(t.Context(), "mx-a", track.Interval{}, nil); err != nil || facts.Journal != nil || len(facts.Quarantine) != 1 {
		t.Errorf("%+v, %v", facts, err)
	}
}
