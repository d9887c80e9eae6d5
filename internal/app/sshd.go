package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"strconv"
	"syscall"
	"time"

	"waybill/internal/config"
	"waybill/internal/export"
	"waybill/internal/health"
	"waybill/internal/oplog"
	"waybill/internal/safefs"
	"waybill/internal/sshd"
	"waybill/internal/supervise"
)

// SSHDOptions say what the process of the SSH server works on.
type SSHDOptions struct {
	Data     string
	Gateway  *config.Gateway // with an export
	Name     string          // of the gateway
	Software string          // name and version
	Version  string
	Log      *slog.Logger
	Now      func() time.Time
}

// SSHD is the process that faces collectors: an SSH server over the export,
// alone and confined to it.
type SSHD struct {
	o        SSHDOptions
	root     *safefs.Root
	front    *export.Front
	log      *oplog.Log
	server   *sshd.Server
	confined sshd.Confinement
	started  time.Time
}

// NewSSHD opens everything; the export's directories are there, because the
// gateway made them. It listens to nobody yet.
func NewSSHD(o SSHDOptions) (*SSHD, error) {
	s := &SSHD{o: o, started: o.Now()}
	if err := s.open(); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (s *SSHD) open() (err error) {
	o := s.o
	if s.root, err = safefs.OpenRoot(o.Data); err != nil {
		return fmt.Errorf("open the data directory: %w", err)
	}
	for _, dir := range []string{exportDir, exportState, cliLogs, statusDir} {
		if err := s.root.MkdirAll(dir); err != nil {
			return fmt.Errorf("make a directory: %w", err)
		}
	}
	serial, err := Serial(s.root, o.Name)
	if err != nil {
		return err
	}
	if s.front, err = export.OpenFront(exportOptions(s.root, o.Gateway.Export, o.Log, o.Now)); err != nil {
		return fmt.Errorf("open the export: %w", err)
	}
	key, err := sshd.HostKey(s.root, exportState)
	if err != nil {
		return err
	}
	s.log = oplog.New(oplog.Options{FS: s.root, Dir: cliLogs, Name: "cli", Version: o.Version, Serial: serial})
	s.server = &sshd.Server{Front: front{s.front}, HostKey: key, Addr: o.Gateway.Export.Listen, Ready: s.confine, User: o.Gateway.Export.User,
		Gateway: o.Name, Serial: serial, Version: o.Version, Window: o.Gateway.Window, Explain: explainExport,
		CLILog: slog.New(s.log.Handler(nil)), Log: o.Log, Now: o.Now}
	return nil
}

// explainExport is what a collector may read of an error of the export.
func explainExport(err error) (string, bool) {
	var gone *export.GoneError
	switch {
	case errors.As(err, &gone):
		return gone.Error(), true
	case errors.Is(err, export.ErrNoReceipt), errors.Is(err, export.ErrInstance), errors.Is(err, export.ErrPinned), errors.Is(err, export.ErrTooMany):
		return err.Error(), true
	case errors.Is(err, fs.ErrExist):
		return "it is there already", true
	}
	return "", false
}

// confine takes the process's rights away once it listens.
func (s *SSHD) confine(net.Listener) error {
	c, err := sshd.Confine(sshd.Rights{Root: s.o.Data, Read: []string{exportDir}, Write: []string{exportState, cliLogs, statusDir},
		Required: s.o.Gateway.Export.RequireSandbox})
	s.confined = c
	if err != nil {
		return supervise.Fatal(err)
	}
	s.o.Log.Info(c.String())
	return nil
}

// Run serves collectors until ctx ends.
func (s *SSHD) Run(ctx context.Context) error {
	g := supervise.Group{Log: s.o.Log}
	g.Add("status", 0, &publisher{fs: s.root, file: "sshd.json", report: s.report, now: s.o.Now})
	g.Add("ssh", 0, supervise.Func(func(ctx context.Context) error {
		if err := s.server.Run(ctx); err != nil && ctx.Err() == nil {
			if errors.Is(err, syscall.EADDRINUSE) {
				err = &PortTakenError{Addr: s.o.Gateway.Export.Listen, Key: "gateway.export.listen", Err: syscall.EADDRINUSE}
			}
			return supervise.Fatal(err) // what was given up cannot be had again: a new process
		}
		return nil
	}))
	return g.Run(ctx)
}

// Close gives everything back.
func (s *SSHD) Close() error {
	var errs []error
	if s.front != nil {
		errs = append(errs, s.front.Close())
	}
	if s.log != nil {
		errs = append(errs, s.log.Close())
	}
	if s.root != nil {
		errs = append(errs, s.root.Close())
	}
	return errors.Join(errs...)
}

func (s *SSHD) report() health.Report {
	st := s.server.Status()
	r := health.Report{Process: "sshd", Name: s.o.Name, Version: s.o.Software, PID: os.Getpid(), Started: s.started}
	listen := health.Step{Kind: "ssh", Name: st.Listening, Text: "host key " + st.HostKey + ", " + strconv.Itoa(st.Connections) + " connected, " +
		strconv.FormatUint(st.Commands, 10) + " commands"}
	switch {
	case st.Listening == "":
		listen.Level, listen.Name, listen.Text = health.Problem, s.o.Gateway.Export.Listen, "does not listen"
	case len(s.confined.Missing) > 0:
		listen.Level, listen.Text = health.Warning, listen.Text+"; "+s.confined.String()
	default:
		listen.Level = health.OK
	}
	r.Steps = append(r.Steps, listen)
	refused := uint64(0)
	for _, n := range st.Refused {
		refused += n
	}
	if refused > 0 {
		r.Steps = append(r.Steps, health.Step{Kind: "ssh", Name: "refused", Level: health.OK, Text: strconv.FormatUint(refused, 10) + " refused since the start: " + reasons(st.Refused)})
	}
	if l := s.log.Status(); l.Lost > 0 || l.Err != nil {
		r.Steps = append(r.Steps, logStep(cliLogs, l))
	}
	return r
}
