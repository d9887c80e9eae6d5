// Package rotation_test follows the log of a real Postfix while it is rotated
// in every way that administrators use, and holds what the gateway stored
// against what the next hop took.
package rotation_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"waybill/internal/track"
	"waybill/test/peers/peer"
	"waybill/test/peers/postfix/rig"
	"waybill/test/peers/program"
	"waybill/test/peers/smtprig"
)

const (
	// rotations of an ordinary run, and of one with WAYBILL_TORTURE.
	rotations, rotationsTorture = 10, 50
	// between are the deliveries from one rotation to the next.
	between = 40
	// senders send at the same time, each as fast as it is answered.
	senders = 3
)

// ways are how a log is rotated, in turn. In the last two of five the gateway
// is away: killed before the first, started after the second.
var ways = [3][5]way{
	{rename, copyTruncate, compress, copyTruncate, compress},
	{rename, copyCompress, compress, rename, copyTruncate},
	{copyTruncate, rename, compress, compress, rename},
}

// TestRotation finds every message that the next hop took, each once.
func TestRotation(t *testing.T) {
	if testing.Short() {
		t.Skip("a run takes half a minute")
	}
	if why := peer.Missing(true, append(rig.Programs, "gzip")...); why != "" {
		peer.Skip(t, why)
	}
	n := rotations
	if os.Getenv("WAYBILL_TORTURE") != "" {
		n = rotationsTorture
	}
	scratch, remove, err := program.Scratch("rotation")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := remove(); err != nil {
			t.Error(err)
		}
	})
	ctx, cancel := context.WithTimeout(t.Context(), time.Duration(n)*30*time.Second)
	defer cancel()
	mail, err := rig.Start(ctx, filepath.Join(scratch, "rig"))
	if err != nil {
		t.Fatal(err)
	}
	stop := sync.OnceValue(mail.Stop)
	t.Cleanup(func() { _ = stop() }) // for a test that fails before it
	g := newGateway(t, scratch, mail.Log("a"))
	l := &log{mail: mail, path: mail.Log("a")}
	g.start(t)

	loading, enough := context.WithCancel(ctx)
	sent := make([]error, senders)
	var wg sync.WaitGroup
	for i := range sent {
		wg.Go(func() {
			for loading.Err() == nil && sent[i] == nil {
				sent[i] = mail.Bulk(20)
			}
		})
	}
	rotated := func() error {
		for i := range n {
			if err := delivered(ctx, mail, (i+1)*between); err != nil {
				return err
			}
			if i%5 == 3 {
				g.kill(t)
			}
			if err := l.rotate(ctx, ways[i/5%len(ways)][i%5]); err != nil {
				return fmt.Errorf("rotation %d: %w", i+1, err)
			}
			if i%5 == 4 {
				g.start(t)
			}
		}
		return delivered(ctx, mail, (n+1)*between)
	}()
	enough()
	wg.Wait()
	if err := errors.Join(append(sent, rotated, mail.Settle(ctx))...); err != nil {
		t.Fatal(err)
	}
	if g.cmd == nil {
		g.start(t)
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	taken := mail.Truth.Taken()
	if len(taken) < n*between || len(taken) != len(mail.Truth.Sent) {
		t.Fatalf("the next hop took %d messages of %d", len(taken), len(mail.Truth.Sent))
	}
	g.await(t, ctx, len(taken))
	g.stop(t)
	check(t, g.Search(t), taken, l)
	t.Logf("%d rotations, %d messages", n, len(taken))
}

// delivered waits until the next hop has taken so many messages.
func delivered(ctx context.Context, mail *rig.Rig, n int) error {
	for len(mail.Truth.Taken()) < n {
		if err := smtprig.Pause(ctx, 10*time.Millisecond); err != nil {
			return fmt.Errorf("%d of %d messages delivered: %w", len(mail.Truth.Taken()), n, err)
		}
	}
	return nil
}

// check holds what was found against what was taken.
func check(t *testing.T, found []*track.Message, taken []smtprig.Sunk, l *log) {
	t.Helper()
	byID := map[string][]*track.Message{}
	for _, m := range found {
		byID[m.MessageID] = append(byID[m.MessageID], m)
	}
	for _, s := range taken {
		ms := byID[s.MessageID]
		if len(ms) != 1 {
			t.Errorf("%s is found %d times; its lines are in %v", s.MessageID, len(ms), l.find(t, s.MessageID))
			continue
		}
		m := ms[0]
		if m.Status != track.StatusDelivered || len(m.Recipients) != 1 || m.Recipients[0].Address != s.To[0] {
			t.Errorf("%s is %v to %+v, want delivered to %s; %s is in %v", s.MessageID, m.Status, m.Recipients, s.To[0], m.QueueID, l.find(t, m.QueueID))
		}
	}
	if len(found) != len(taken) {
		t.Errorf("%d messages found, %d were taken", len(found), len(taken))
	}
}
