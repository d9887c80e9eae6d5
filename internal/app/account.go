package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"time"

	"waybill/internal/coverage"
	"waybill/internal/health"
	"waybill/internal/safefs"
	"waybill/internal/store/sqlite"
	"waybill/internal/track"
	"waybill/internal/trackerd"
)

// facts is where a data directory keeps what explains gaps.
func facts(root safefs.FS, db *sqlite.DB) (trackerd.Files, error) {
	f := trackerd.Files{FS: root, Queue: incomingDir, Quarantine: quarantineDir, Windows: db.Windows}
	_, err := root.Stat(smadJournal)
	switch {
	case err == nil:
		f.Journal, f.Inbox = smadJournal, pulledDir
	case !errors.Is(err, fs.ErrNotExist):
		return f, fmt.Errorf("look for the journals of collecting: %w", err)
	}
	return f, nil
}

// accountEvery is how often the accounts of all gateways are drawn up.
const accountEvery = 15 * time.Second

// accounts keeps the account of each gateway, as it was a moment ago: to draw
// them up reads the ledger and the journals around what is missing.
type accounts struct {
	role *Role

	mu   sync.Mutex
	last []health.Account
}

// Run draws the accounts up until ctx ends.
func (a *accounts) Run(ctx context.Context) error {
	tick := time.NewTicker(accountEvery)
	defer tick.Stop()
	for {
		all, err := a.draw(ctx)
		if err != nil && ctx.Err() == nil {
			return fmt.Errorf("draw up the account: %w", err)
		}
		if err == nil {
			a.mu.Lock()
			a.last = all
			a.mu.Unlock()
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

func (a *accounts) draw(ctx context.Context) ([]health.Account, error) {
	gateways, err := a.role.db.Gateways(ctx)
	if err != nil {
		return nil, err
	}
	files, err := facts(a.role.root, a.role.db)
	if err != nil {
		return nil, err
	}
	var out []health.Account
	for _, g := range gateways {
		ledger, err := a.role.db.Ledger(ctx, g.Name)
		if err != nil {
			return nil, err
		}
		if len(ledger.Runs) == 0 {
			continue // imported: a log has no windows to account for
		}
		proof := coverage.Prove(g.Name, ledger, track.StampOf(a.role.o.Now()))
		known, err := files.Facts(ctx, g.Name, proof.Extent, proof.Gaps)
		if err != nil {
			return nil, err
		}
		proof = coverage.Explain(proof, known)
		acc := proof.Account()
		out = append(out, health.Account{Gateway: acc.Gateway, Written: uint64(acc.Written), Sealed: uint64(acc.Sealed), Pulled: uint64(acc.Pulled),
			Stored: uint64(acc.Stored), Accounted: uint64(acc.Accounted), Unexplained: uint64(acc.Unexplained)})
	}
	return out, nil
}

func (a *accounts) get() []health.Account {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.last
}
