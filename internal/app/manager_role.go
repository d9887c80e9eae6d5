package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"waybill/internal/health"
	"waybill/internal/safefs"
	"waybill/internal/smad"
	"waybill/internal/supervise"
	"waybill/internal/web"
)

// managerRole are the services that collect and answer.
type managerRole struct {
	smad   *smad.Service
	server *Server
	gate   *web.Gate
	reader *Reader
}

// linkFile holds the link that lets one browser in, for its owner's eyes.
const linkFile = "link"

// newestAfter is the age of waiting files from which on the newest come first.
const newestAfter = 30 * time.Minute

func (r *Role) openManager() error {
	c := &r.o.Config.Manager
	registry := smad.Registry{FS: r.root, Now: r.o.Now}
	for _, k := range c.Gateways {
		if k.Address == "" {
			continue
		}
		g := smad.Gateway{Name: k.Name, Address: k.Address, User: k.User, HostKey: k.HostKey, Directory: strings.TrimSuffix(k.Directory, "/")}
		if err := registry.Ensure(g); err != nil {
			return fmt.Errorf("gateway %s of the configuration: %w", k.Name, err)
		}
	}
	switch {
	case r.gateway == nil:
	case r.gateway.keeper != nil:
		if err := r.enrolSelf(&registry); err != nil {
			return err
		}
	default:
		if err := r.leaveSelf(&registry); err != nil {
			return err
		}
	}
	log := r.operLog(smadLogs, "smad", r.serial)
	s, err := smad.New(smad.Options{FS: r.root, Name: r.o.Host, Poll: c.Poll, MaxConnections: c.Connections, BytesPerSecond: c.Bandwidth,
		NewestAfter: newestAfter, Now: r.o.Now, Ops: slog.New(log.Handler(nil)), Log: r.o.Log})
	if err != nil {
		return fmt.Errorf("collect: %w", err)
	}
	r.manager.smad = s
	r.group.Add("smad", 0, s)
	return nil
}

// openPages makes the pages and takes their port.
func (r *Role) openPages(ctx context.Context) error {
	m := &managerRole{}
	r.manager = m
	var err error
	if m.reader, err = OpenReader(ctx, r.o.Data, r.o.Log, r.o.Now); err != nil {
		return err
	}
	r.closers = append(r.closers, m.reader.Close)
	data := r.o.Data
	site, err := web.New(web.Options{Data: m.reader, Zone: time.Local, Now: r.o.Now, Log: r.o.Log, DataDir: data,
		Health: func() ([]health.Report, error) { return Health(data) }})
	if err != nil {
		return fmt.Errorf("make the pages: %w", err)
	}
	m.gate = web.NewGate(site, web.GateOptions{Reopen: "waybill link"})
	if m.server, err = NewServerAt(ctx, r.o.Config.Manager.Listen, http.Handler(m.gate), r.o.Log); err != nil {
		return err
	}
	r.group.Add("pages", 0, supervise.Func(r.servePages))
	return nil
}

// servePages answers until ctx ends, and keeps a link ready for the next person.
func (r *Role) servePages(ctx context.Context) error {
	m := r.manager
	m.server.Start()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		if !m.gate.Waiting() {
			if err := r.writeLink(m.server.URL(m.gate.Link())); err != nil {
				return errors.Join(err, m.server.Stop())
			}
		}
		select {
		case <-ctx.Done():
			return errors.Join(m.server.Stop(), r.root.Remove(filepath.Join(statusDir, linkFile)))
		case err := <-m.server.Failed():
			return supervise.Fatal(fmt.Errorf("serve pages: %w", err))
		case <-tick.C:
		}
	}
}

func (r *Role) writeLink(url string) error {
	if err := r.root.MkdirAll(statusDir); err != nil {
		return fmt.Errorf("write the link: %w", err)
	}
	if err := safefs.Replace(r.root, statusDir, linkFile, func(w io.Writer) error {
		_, err := io.WriteString(w, url+"\n")
		return err
	}); err != nil {
		return fmt.Errorf("write the link: %w", err)
	}
	return nil
}

// ErrNoPages is returned when no manager of a data directory has pages.
var ErrNoPages = errors.New("no manager runs")

// Link returns the link that lets one browser in.
func Link(data string) (string, error) {
	b, err := os.ReadFile(filepath.Join(data, statusDir, linkFile))
	if errors.Is(err, os.ErrNotExist) {
		return "", ErrNoPages
	}
	if err != nil {
		return "", fmt.Errorf("read the link: %w", err)
	}
	return strings.TrimSpace(string(b)), nil
}

// NotLocalError says that pages were to be served to other hosts.
type NotLocalError struct{ Addr string }

func (e *NotLocalError) Error() string {
	return "the pages do not listen on " + e.Addr + ": they are plain HTTP, for this machine alone"
}

// Hint says how to go on.
func (e *NotLocalError) Hint() string {
	return `listen: "127.0.0.1:8025", and from elsewhere ssh -L 8025:127.0.0.1:8025 HOST`
}

// NewServerAt is NewServer for an address, which is one of this machine's own.
func NewServerAt(ctx context.Context, addr string, handler http.Handler, log *slog.Logger) (*Server, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", addr, err)
	}
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return nil, &NotLocalError{Addr: addr}
	}
	n, err := strconv.Atoi(port)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", addr, err)
	}
	s, err := newServer(ctx, host, n, handler, log)
	var taken *PortTakenError
	if errors.As(err, &taken) {
		taken.Key = "manager.listen"
	}
	return s, err
}

// publishGateways says what is known of each gateway, for waybill gateways.
func (r *Role) publishGateways() error {
	st := r.manager.smad.Status()
	return PublishManager(r.root, ManagerStatus{Time: r.o.Now(), Smad: &st})
}

func (r *Role) managerReport() health.Report {
	rep := health.Report{Process: "manager", Version: r.o.Software, PID: os.Getpid(), Started: r.started, Pages: r.manager.server.URL("/")}
	rep.Steps = append(rep.Steps, smadSteps(r.manager.smad.Status(), r.o.Now())...)
	rep.Steps = append(rep.Steps, parserSteps(r.parser.service.Status(), r.o.Now())...)
	rep.Accounts = r.parser.accounts.get()
	if !r.o.Gateway {
		rep.Steps = append(rep.Steps, serviceSteps(r.group.Status())...)
	}
	return rep
}
