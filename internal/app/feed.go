package app

import (
	"context"
	"errors"

	"waybill/internal/trackerd"
)

// errFeedFailed stops an importer whose windows nobody takes any more. The
// cause comes from finish.
var errFeedFailed = errors.New("the store does not take windows any more")

// feed lets an importer read on while trackerd ingests what it has sealed: the
// one is busy with lines, the other with the store. What is between them is
// bounded, and a file on disk: when either side ends early nothing is lost.
type feed struct {
	files  chan string
	failed chan struct{} // closed when the ingesting side has given up
	done   chan struct{}
	res    trackerd.Result
	err    error
}

// ahead is how many sealed windows may wait; more would only fill the disk.
const ahead = 4

func startFeed(ctx context.Context, p *trackerd.Parser) *feed {
	f := &feed{files: make(chan string, ahead), failed: make(chan struct{}), done: make(chan struct{})}
	go f.run(ctx, p)
	return f
}

// Take hands a sealed window over. It waits when too many wait already.
func (f *feed) Take(ctx context.Context, file string) error {
	select {
	case f.files <- file:
		return nil
	case <-f.failed:
		return errFeedFailed
	case <-ctx.Done():
		return ctx.Err()
	}
}

// finish waits until all windows are ingested and says what they brought.
func (f *feed) finish() (trackerd.Result, error) {
	close(f.files)
	<-f.done
	return f.res, f.err
}

func (f *feed) run(ctx context.Context, p *trackerd.Parser) {
	defer close(f.done)
	for first := range f.files {
		batch := f.waiting(first)
		res, err := p.Take(ctx, batch...)
		f.res.New += res.New
		f.res.Updated += res.Updated
		f.res.Skipped += res.Skipped
		f.res.Files += res.Files
		f.res.Quarantined += res.Quarantined
		if err != nil {
			f.err = err
			close(f.failed)
			return
		}
	}
}

// waiting takes along all that wait by now: one transaction for several
// windows costs less than several.
func (f *feed) waiting(first string) []string {
	batch := []string{first}
	for {
		select {
		case file, ok := <-f.files:
			if !ok {
				return batch
			}
			batch = append(batch, file)
		default:
			return batch
		}
	}
}
