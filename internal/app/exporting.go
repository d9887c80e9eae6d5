package app

import (
	"iter"
	"log/slog"
	"net/netip"
	"time"

	"waybill/internal/config"
	"waybill/internal/export"
	"waybill/internal/safefs"
	"waybill/internal/sshd"
)

// exportOptions are the same for every process that works on the export.
func exportOptions(root safefs.FS, c *config.Export, log *slog.Logger, now func() time.Time) export.Options {
	return export.Options{FS: root, Files: exportDir, State: exportState, Hold: c.Hold, StaleAfter: c.Stale, Quota: c.Quota,
		Exclusive: c.Exclusive, AllowUnread: c.AllowUnread, Now: now, Log: log}
}

// front is the export as the SSH server asks for it.
type front struct{ *export.Front }

func (f front) Enter(fingerprint string, from netip.Addr, instance string) (sshd.Visit, error) {
	v, err := f.Front.Enter(fingerprint, from, instance)
	if err != nil {
		return nil, err
	}
	return visit{v}, nil
}

type visit struct{ *export.Visit }

func (v visit) Collector() sshd.Collector {
	c := v.Visit.Collector()
	return sshd.Collector{ID: c.ID, Name: c.Name, Role: string(c.Role)}
}

func (v visit) List() ([]sshd.Entry, error) {
	entries, err := v.Visit.List()
	if err != nil {
		return nil, err
	}
	out := make([]sshd.Entry, len(entries))
	for i, e := range entries {
		out[i] = sshd.Entry(e)
	}
	return out, nil
}

func (v visit) Open(name string) (sshd.Handout, error) {
	h, err := v.Visit.Open(name)
	if err != nil {
		return nil, err
	}
	return h, nil
}

func (v visit) Evidence(from, to time.Time) iter.Seq2[any, error] {
	return func(yield func(any, error) bool) {
		for e, err := range v.Visit.Evidence(from, to) {
			if !yield(e, err) {
				return
			}
		}
	}
}
