package rig

import (
	"context"
	"errors"
	"sync"
)

// drive offers all classes of messages. Independent ones go at the same time,
// as they do on a real host, so that their lines mix.
func (r *Rig) drive(ctx context.Context) error {
	for _, service := range []string{"edge", "b", "c"} {
		if err := r.WaitUp(ctx, service); err != nil {
			return err
		}
	}
	parts := []func(context.Context) error{
		r.plain, func(context.Context) error { return r.Bulk(60) }, r.queue, func(context.Context) error { return r.Abort() }, r.postscreen, r.probes, r.local, r.sasl, r.pickup, r.tlsReuse,
	}
	errs := make([]error, len(parts))
	var wg sync.WaitGroup
	for i, do := range parts {
		wg.Go(func() { errs[i] = do(ctx) })
	}
	wg.Wait()
	return errors.Join(errs...)
}
