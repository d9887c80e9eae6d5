package qlogd

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"waybill/internal/safefs/crashfs"
)

// TestWhatWasPushedIsTakenAtTheEnd pushes lines and ends the gateway before it
// looks again: they cannot be read again, so they are taken now.
func TestWhatWasPushedIsTakenAtTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fsys := crashfs.New()
		q := NewQueue("pipe", 0)
		s, err := New(Options{FS: fsys, Dir: "q/mx-a", Window: 5 * time.Second, Gateway: testGW, Serial: "1", Sources: []Source{{Origin: q}}})
		must(err)
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- s.Run(ctx) }()
		time.Sleep(7*time.Second + PollEvery/2)
		synctest.Wait()
		at := time.Now().UTC()
		const lines = 3*turnLines + 1
		for range lines {
			q.Push(at.Format(time.RFC3339) + " mx-a postfix/qmgr[12]: 4BZk9f0Q2Vz1qz: from=<ann@src.test>, size=1240, nrcpt=1 (queue active)")
		}
		stop()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		w := &world{t: t, fs: fsys}
		all := w.windows("q/mx-a")
		chain(t, all)
		taken := int64(0)
		for _, w := range all {
			for _, src := range w.sources {
				taken = max(taken, src.Lines)
			}
		}
		if taken != lines {
			t.Errorf("%d lines of %d are in windows", taken, lines)
		}
	})
}
