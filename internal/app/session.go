package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"waybill/internal/config"
	"waybill/internal/importer"
	"waybill/internal/source"
	"waybill/internal/web"
)

// SessionOptions say what a session is made of.
type SessionOptions struct {
	// Data is the data directory; "" is one below Temp that goes with the session.
	Data string
	Temp string // "" is the system's directory for temporary files
	// Pages asks for a web server on Port; see NewServer.
	Pages bool
	Port  int
	Zone  *time.Location // of times on the pages

	Config   *config.Config
	Software string // name and version
	Log      *slog.Logger
	Now      func() time.Time
}

// Session is one person looking at logs: they are read into a store while
// searches are answered from it.
type Session struct {
	// Dir is the data directory.
	Dir      string
	Importer *Importer
	Reader   *Reader
	// Server answers with pages; nil when none were asked for.
	Server *Server

	gate *web.Gate
	temp *tempDir
	log  *slog.Logger
	now  func() time.Time
	text atomic.Pointer[string] // how far reading is; nil when it is done
}

// NewSession opens everything. It starts nothing: see Start.
func NewSession(ctx context.Context, o SessionOptions) (*Session, error) {
	s := &Session{Dir: o.Data, log: o.Log, now: o.Now}
	if err := s.open(ctx, o); err != nil {
		return nil, errors.Join(err, s.Stop())
	}
	return s, nil
}

func (s *Session) open(ctx context.Context, o SessionOptions) error {
	if s.Dir == "" {
		base := o.Temp
		if base == "" {
			base = os.TempDir()
		}
		gone, err := sweepTemp(base, o.Now())
		if err != nil {
			s.log.WarnContext(ctx, "Cannot clear up after a process that was killed", "path", base, "err", err)
		}
		for _, dir := range gone {
			s.log.InfoContext(ctx, "Removed what a killed process had left", "path", dir)
		}
		if s.temp, err = newTempDir(base); err != nil {
			return err
		}
		s.Dir = filepath.Join(s.temp.path, "data")
	}
	var err error
	if s.Importer, err = OpenImporter(ctx, s.Dir, o.Config, o.Log, o.Now); err != nil {
		return err
	}
	s.Importer.Software = o.Software
	if s.Reader, err = OpenReader(ctx, s.Dir, o.Log, o.Now); err != nil {
		return err
	}
	if !o.Pages {
		return nil
	}
	site, err := web.New(web.Options{Data: s.Reader, Zone: o.Zone, Now: o.Now, Log: o.Log, Progress: s.progress, DataDir: s.Dir})
	if err != nil {
		return fmt.Errorf("make the pages: %w", err)
	}
	s.gate = web.NewGate(site, web.GateOptions{Reopen: "waybill open"})
	s.Server, err = NewServer(ctx, o.Port, http.Handler(s.gate), o.Log)
	return err
}

// Start begins to serve pages and returns the link that lets one browser in.
func (s *Session) Start() (link string) {
	s.Server.Start()
	return s.Server.URL(s.gate.Link())
}

// Stop ends the session in the reverse order of its making and removes what is
// temporary.
func (s *Session) Stop() error {
	var errs []error
	if s.Server != nil {
		errs = append(errs, s.Server.Stop())
	}
	if s.Reader != nil {
		errs = append(errs, s.Reader.Close())
	}
	if s.Importer != nil {
		errs = append(errs, s.Importer.Close())
	}
	if s.temp != nil {
		errs = append(errs, s.temp.remove())
	}
	return errors.Join(errs...)
}

// progress is what the pages say of the reading.
func (s *Session) progress() (string, bool) {
	if t := s.text.Load(); t != nil {
		return *t, false
	}
	return "", true
}

// ReadOptions say how logs are read.
type ReadOptions struct {
	Year     int    // of each log's first line; 0 infers it
	Format   string // a dialect's name, or maillog.Auto
	Progress func(importer.Progress)
	// Each is told what became of a log.
	Each func(*Log, *importer.Report)
}

// Read reads logs in the order given, one after the other, so that the one
// which stands first is searchable first. What it returns is an error that
// ended everything; what was wrong with a log is in its report.
func (s *Session) Read(ctx context.Context, o ReadOptions, logs []Log) error {
	defer s.text.Store(nil)
	var lines, read, size int64
	for i := range logs {
		if logs[i].info != nil {
			size += logs[i].info.Size()
		}
	}
	for i := range logs {
		l := &logs[i]
		text := fmt.Sprintf("%d of %d files read", i, len(logs))
		s.text.Store(&text)
		im := ImportOptions{Gateway: l.Gateway, Zone: l.Zone, Year: o.Year, Format: o.Format, Soon: i == 0, Before: before(logs, i)}
		if o.Progress != nil {
			im.Progress = func(at importer.Progress) {
				at.File, at.Files, at.Lines = i+1, len(logs), at.Lines+lines
				if at.Size > 0 {
					at.Read, at.Size = read+at.Read, size
				}
				o.Progress(at)
			}
		}
		path := l.Path
		if l.pipe != nil {
			path = "-"
			im.Open = func(string) (*source.File, error) { return source.NewPipe(l.pipe) }
		}
		rep, err := s.Importer.Import(ctx, im, []string{path})
		if rep != nil {
			for j := range rep.Files {
				rep.Files[j].Path = l.Path
				lines += rep.Files[j].Lines
			}
			if o.Each != nil {
				o.Each(l, rep)
			}
		}
		if err == nil {
			err = ctx.Err() // a pipe that was given up looks like a bad file
		}
		if err != nil {
			return err
		}
		if l.info != nil {
			read += l.info.Size()
		}
	}
	return nil
}

// before are the paths of the logs that go before one in time and are read
// after it, as far as their names and their gateway tell.
func before(logs []Log, i int) []string {
	var out []string
	for j := i + 1; j < len(logs); j++ {
		if l := &logs[j]; l.Gateway == logs[i].Gateway && l.info != nil && source.SameSet(l.Path, logs[i].Path) {
			out = append(out, l.Path)
		}
	}
	return out
}

// place is where files may be left that go with the session.
func (s *Session) place() string {
	if s.temp != nil {
		return s.temp.path
	}
	return s.Dir
}
