package app

import (
	"log/slog"

	"waybill/internal/smad"
	"waybill/internal/trackerd"
)

// parsing is the way from the incoming queues to the store, on a manager and on
// a gateway in local mode.
type parsing struct {
	service  *trackerd.Service
	accounts *accounts
}

// Directories of the incoming queues.
const incomingDir = "tracking/incoming_queue"

func (r *Role) openParser() error {
	log := r.operLog(trackerLogs, "trackerd", r.serial)
	o := trackerd.Options{FS: r.root, Queue: incomingDir, Quarantine: quarantineDir, Data: r.o.Data, Store: r.db, Queues: 1,
		Now: r.o.Now, Oper: slog.New(log.Handler(nil)), Log: r.o.Log}
	if r.o.Manager {
		o.Accept = (&owners{registry: smad.Registry{FS: r.root, Now: r.o.Now}, now: r.o.Now}).accept
		o.Inbox, o.Queues = pulledDir, r.o.Config.Manager.Queues
		if err := r.root.MkdirAll(pulledDir); err != nil {
			return err
		}
	}
	r.parser = &parsing{service: trackerd.NewService(o), accounts: &accounts{role: r}}
	r.group.Add("trackerd", 0, r.parser.service)
	r.group.Add("account", 0, r.parser.accounts)
	return nil
}
