package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"waybill/internal/health"
	"waybill/internal/safefs"
)

// statusDir is where each process publishes what it says of itself.
const statusDir = "status"

// maxReport bounds a published report: one of thousands of gateways is far
// smaller.
const maxReport = 16 << 20

// publisher publishes a process's report now and then.
type publisher struct {
	fs     safefs.FS
	file   string // "manager.json"
	report func() health.Report
	now    func() time.Time
	also   func() error // publishes what else there is; nil is nothing
	last   atomic.Int64 // when it last published, in seconds
}

// alive reports whether it publishes as often as it should.
func (p *publisher) alive() bool {
	return time.Since(time.Unix(p.last.Load(), 0)) < 10*health.Every
}

// Run publishes until ctx ends, and then once more that it ended.
func (p *publisher) Run(ctx context.Context) error {
	if err := p.fs.MkdirAll(statusDir); err != nil {
		return fmt.Errorf("publish the status: %w", err)
	}
	tick := time.NewTicker(health.Every)
	defer tick.Stop()
	for {
		if err := p.publish(false); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return p.publish(true)
		case <-tick.C:
		}
	}
}

func (p *publisher) publish(stopped bool) error {
	r := p.report()
	r.Written, r.Stopped = p.now(), stopped
	err := safefs.Replace(p.fs, statusDir, p.file, func(w io.Writer) error { return json.NewEncoder(w).Encode(&r) })
	if err != nil {
		return fmt.Errorf("publish the status: %w", err)
	}
	if p.also != nil {
		if err := p.also(); err != nil {
			return err
		}
	}
	p.last.Store(time.Now().Unix())
	return nil
}

// Health reads what the processes of a data directory have said of themselves,
// by name of process. None is no error.
func Health(data string) ([]health.Report, error) {
	root, err := os.OpenRoot(filepath.Join(data, statusDir))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the status: %w", err)
	}
	defer root.Close()
	entries, err := fs.ReadDir(root.FS(), ".")
	if err != nil {
		return nil, fmt.Errorf("read the status: %w", err)
	}
	var out []health.Report
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), ".json") || strings.HasPrefix(e.Name(), ".") {
			continue
		}
		r, err := readReport(root, e.Name())
		if err != nil {
			return nil, fmt.Errorf("read the status: %w", err)
		}
		out = append(out, *r)
	}
	slices.SortFunc(out, func(a, b health.Report) int { return strings.Compare(a.Process, b.Process) })
	return out, nil
}

func readReport(root *os.Root, name string) (*health.Report, error) {
	f, err := root.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxReport))
	if err != nil {
		return nil, err
	}
	var r health.Report
	if err := json.Unmarshal(b, &r); err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Join(root.Name(), name), err)
	}
	return &r, nil
}
