package rig

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"waybill/test/peers/smtprig"
)

// drive offers all classes of messages. Independent ones go at the same time,
// as they do on a real host, so that their lines mix.
func (r *Rig) drive(ctx context.Context) error {
	if err := r.waitUp(ctx); err != nil {
		return err
	}
	parts := []func(context.Context) error{
		r.plain, r.bulk, r.queue, r.abort, r.postscreen, r.probes, r.local, r.sasl, r.pickup, r.tlsReuse,
	}
	errs := make([]error, len(parts))
	var wg sync.WaitGroup
	for i, do := range parts {
		wg.Go(func() { errs[i] = do(ctx) })
	}
	wg.Wait()
	return errors.Join(errs...)
}

// waitUp waits until every service greets.
func (r *Rig) waitUp(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	for _, service := range []string{"edge", "b", "c"} {
		for {
			s, err := smtprig.Dial("", r.Ports[service])
			if err == nil {
				if _, _, err = s.Text.ReadResponse(220); err == nil {
					s.Quit()
					break
				}
			}
			if err := pause(ctx, 100*time.Millisecond); err != nil {
				return fmt.Errorf("%s does not answer: %w", service, err)
			}
		}
	}
	return nil
}

// pause waits, or less when ctx ends.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
