package smad

import (
	"context"
	"net"
	"path"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"waybill/internal/safefs/crashfs"
)

// TestBackOff: a gateway that does not answer is asked after one second, then
// less and less often, never more rarely than every one and a half minutes, and
// not in step.
func TestBackOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked []time.Time
		signer := newSigner(t)
		fsys := crashfs.New()
		s, err := New(Options{FS: fsys, Name: "manager-a", Signer: signer, Instance: "test", Dial: func(context.Context, string, string) (net.Conn, error) {
			asked = append(asked, time.Now())
			return nil, syscall.ECONNREFUSED
		}})
		if err != nil {
			t.Fatal(err)
		}
		reg := &Registry{FS: fsys}
		if _, err := reg.Add(Gateway{Name: "mx-a", Address: "192.0.2.64", HostKey: "SHA256:nThbg6kXUpJWGl7E1IGOCspRomTxdCARLviKw6E5SY8"}); err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithTimeout(t.Context(), time.Hour)
		defer stop()
		if err := s.Run(ctx); err != nil {
			t.Fatal(err)
		}
		// With only the fingerprint, each try may ask once for every kind of key; a
		// refused connection ends it at the first.
		if n := len(asked); n < 45 || n > 110 {
			t.Errorf("asked %d times in an hour", n)
		}
		var steps = map[time.Duration]bool{}
		for i := 1; i < len(asked); i++ {
			pause := asked[i].Sub(asked[i-1])
			if pause < 500*time.Millisecond || pause > 90*time.Second+time.Second {
				t.Errorf("pause %d: %v", i, pause)
			}
			steps[pause] = true
		}
		if first := asked[1].Sub(asked[0]); first > 2*time.Second {
			t.Errorf("the first pause is %v", first)
		}
		if len(steps) < len(asked)/2 {
			t.Errorf("no jitter: %d different pauses of %d", len(steps), len(asked)-1)
		}
		recs := journalOf(t, fsys, "mx-a")
		if len(recs) != 1 || recs[0].Event != Failed {
			t.Errorf("the journal tells the same failure %d times: %+v", len(recs), recs)
		}
	})
}

// TestJournalDays: each day has a file, which begins with what is open, so that
// older ones may go.
func TestJournalDays(t *testing.T) {
	fsys := crashfs.New()
	now := day
	clock := func() time.Time { return now }
	dir := path.Join(journalsDir, "mx-a")
	j, err := openJournal(fsys, dir, clock)
	if err != nil {
		t.Fatal(err)
	}
	names := []string{"tracking.@20230213T191631Z_20230213T191931Z.s.gz", "tracking.@20230213T191931Z_20230213T192231Z.s.gz"}
	for _, n := range names {
		if err := j.add(true, Record{Event: Pulled, File: n, Digest: "abc"}); err != nil {
			t.Fatal(err)
		}
	}
	if err := j.add(false, Record{Event: Acknowledged, File: names[0]}); err != nil {
		t.Fatal(err)
	}
	for range 5 {
		now = now.Add(24 * time.Hour)
		if err := j.add(true, Record{Event: Connected}); err != nil {
			t.Fatal(err)
		}
		if j, err = openJournal(fsys, dir, clock); err != nil {
			t.Fatal(err)
		}
	}
	files, err := j.names()
	if err != nil || len(files) != 6 || files[0] != "20230213.ndjson" {
		t.Fatalf("%v, %v", files, err)
	}
	for _, f := range files[:4] {
		if err := fsys.Remove(path.Join(dir, f)); err != nil {
			t.Fatal(err)
		}
	}
	if j, err = openJournal(fsys, dir, clock); err != nil {
		t.Fatal(err)
	}
	if st, ok := j.state(names[1]); !ok || st.last.Event != Pulled || st.last.Digest != "abc" || !st.last.Time.Equal(day) {
		t.Errorf("what is open was forgotten: %+v", st)
	}
	if _, ok := j.state(names[0]); ok {
		t.Error("what was done with came back")
	}
	if j.newestWindow() != endOf(names[1]) {
		t.Errorf("newest %v", j.newestWindow())
	}
}
