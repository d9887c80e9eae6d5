package supervise

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

var errBad = errors.New("bad")

// block is a service that does nothing well.
func block(ctx context.Context) error {
	<-ctx.Done()
	return nil
}

func TestStopsInReverse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var g Group
		var order []string
		for _, name := range []string{"a", "b", "c"} {
			g.Add(name, 0, Func(func(ctx context.Context) error {
				<-ctx.Done()
				time.Sleep(time.Second) // its work to the end
				order = append(order, name)
				return nil
			}))
		}
		ctx, stop := context.WithCancel(t.Context())
		time.AfterFunc(time.Minute, stop)
		start := time.Now()
		if err := g.Run(ctx); err != nil {
			t.Error(err)
		}
		if !slices.Equal(order, []string{"c", "b", "a"}) {
			t.Errorf("stopped in the order %v", order)
		}
		if d := time.Since(start); d != time.Minute+3*time.Second {
			t.Errorf("took %v: each must have ended before the next is stopped", d)
		}
		for _, s := range g.Status() {
			if s.State != Stopped || s.Err != nil {
				t.Errorf("%s is %v, %v", s.Name, s.State, s.Err)
			}
		}
	})
}

func TestRestartsWithGrowingPauses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		g := Group{Log: slog.New(slog.NewTextHandler(&log, nil))}
		start := time.Now()
		var starts []time.Duration
		g.Add("s", 10*time.Second, Func(func(context.Context) error {
			starts = append(starts, time.Since(start))
			if len(starts) == 7 { // well for longer than its period
				time.Sleep(11 * time.Second)
			}
			return errBad
		}))
		ctx, stop := context.WithTimeout(t.Context(), 59*time.Second)
		defer stop()
		go func() {
			time.Sleep(6 * time.Second)
			s := g.Status()[0]
			if s.State != Waiting || s.Failures != 3 || !errors.Is(s.Err, errBad) || s.Next.Sub(start) != 7*time.Second {
				t.Errorf("status %+v", s)
			}
		}()
		if err := g.Run(ctx); err != nil {
			t.Error(err)
		}
		want := []time.Duration{0, 1, 3, 7, 15, 25, 35, 47, 49, 53}
		for i := range want {
			want[i] *= time.Second
		}
		if !slices.Equal(starts, want) {
			t.Errorf("started at %v, want %v", starts, want)
		}
		if n := strings.Count(log.String(), "Service failed"); n != 1 {
			t.Errorf("the same failure was logged %d times:\n%s", n, log.String())
		}
	})
}

func TestFatalEndsAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var g Group
		g.Add("well", 0, Func(block))
		g.Add("ill", 0, Func(func(context.Context) error {
			time.Sleep(time.Second)
			return fmt.Errorf("doing it: %w", Fatal(errBad))
		}))
		err := g.Run(t.Context())
		if !errors.Is(err, errBad) || err.Error() != "ill: doing it: bad" {
			t.Errorf("Run = %v", err)
		}
		if s := g.Status(); s[0].State != Stopped || s[1].State != Failed {
			t.Errorf("status %v, %v", s[0].State, s[1].State)
		}
	})
}

func TestPanicIsFatal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var g Group
		g.Add("ill", 0, Func(func(context.Context) error { panic("at the disco") }))
		if err := g.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "at the disco") {
			t.Errorf("Run = %v", err)
		}
	})
}

func TestHoldWaitsForAnOperator(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var g Group
		starts := 0
		g.Add("s", 0, Func(func(ctx context.Context) error {
			if starts++; starts == 1 {
				return Hold(errBad)
			}
			return block(ctx)
		}))
		ctx, stop := context.WithTimeout(t.Context(), 2*time.Hour)
		defer stop()
		go func() {
			time.Sleep(time.Hour)
			if s := g.Status()[0]; s.State != Held || starts != 1 {
				t.Errorf("after an hour: %v, %d starts", s.State, starts)
			}
			if !g.Resume("s") || g.Resume("t") {
				t.Error("Resume found the wrong service")
			}
			synctest.Wait()
			if s := g.Status()[0]; s.State != Running || starts != 2 {
				t.Errorf("resumed: %v, %d starts", s.State, starts)
			}
		}()
		if err := g.Run(ctx); err != nil {
			t.Error(err)
		}
	})
}

func TestReturnWithoutBeingAskedIsAFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var g Group
		starts := 0
		g.Add("s", 0, Func(func(context.Context) error {
			starts++
			return nil
		}))
		ctx, stop := context.WithTimeout(t.Context(), 2*time.Second)
		defer stop()
		if err := g.Run(ctx); err != nil || starts != 2 || !errors.Is(g.Status()[0].Err, errReturned) {
			t.Errorf("%d starts, %v, %+v", starts, err, g.Status()[0])
		}
	})
}

func TestStopIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := Group{StopWithin: 5 * time.Second}
		release := make(chan struct{})
		g.Add("first", 0, Func(block))
		g.Add("deaf", 0, Func(func(context.Context) error {
			<-release
			return nil
		}))
		g.Add("last", 0, Func(block))
		ctx, stop := context.WithCancel(t.Context())
		stop()
		start := time.Now()
		err := g.Run(ctx)
		if err == nil || err.Error() != "deaf: did not stop within 5s" || time.Since(start) != 5*time.Second {
			t.Errorf("after %v: %v", time.Since(start), err)
		}
		close(release)
		synctest.Wait()
		if s := g.Status(); s[0].State != Stopped {
			t.Errorf("the first is %v", s[0].State)
		}
	})
}

func TestErrorsOfNothing(t *testing.T) {
	if Fatal(nil) != nil || Hold(nil) != nil {
		t.Error("no error became one")
	}
	if err := Hold(errBad); !errors.Is(err, errBad) || isFatal(err) {
		t.Error("Hold hides its error")
	}
}
