package smad

import (
	"path"
	"slices"
	"testing"
	"time"

	"waybill/internal/safefs"
	"waybill/internal/safefs/crashfs"
)

// TestJournalDaysThatAreOverGo opens a journal with old days, and lets one day
// pass: what is older than 400 days goes, and never the newest two.
func TestJournalDaysThatAreOverGo(t *testing.T) {
	disk := crashfs.New()
	const dir = "smad/journal/mx-a"
	now := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	day := func(ago int) string { return journalName(now.AddDate(0, 0, -ago).Format(journalDay), 0) }
	if err := disk.MkdirAll(dir); err != nil {
		t.Fatal(err)
	}
	for _, ago := range []int{900, 402, 401, 400, 399, 1} {
		f, err := disk.Create(path.Join(dir, day(ago)))
		if err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	j, err := openJournal(disk, dir, func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	check := func(disk safefs.FS, want ...string) {
		t.Helper()
		names, err := j.names()
		slices.Sort(want)
		if err != nil || !slices.Equal(names, want) {
			t.Errorf("there are %q, %v; want %q", names, err, want)
		}
	}
	check(disk, day(400), day(399), day(1))
	if err := j.add(true, Record{Event: Connected}); err != nil {
		t.Fatal(err)
	}
	first, second, third := day(400), day(399), day(1)
	today := day(0)
	now = now.AddDate(0, 0, 1)
	if err := j.add(true, Record{Event: Connected}); err != nil {
		t.Fatal(err)
	}
	_ = first // over since midnight
	check(disk, second, third, today, day(0))
	if err := j.close(); err != nil {
		t.Fatal(err)
	}
}
