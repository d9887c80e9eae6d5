package app

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"waybill/internal/maillog"
	"waybill/internal/source"
	"waybill/internal/track"
)

// Log is a file, or a pipe, with lines of mail servers.
type Log struct {
	Path     string
	Gateway  string         // whose log it is; "" when its lines name no host
	Serial   string         // of the appliance, where the head of its log tells it
	Zone     *time.Location // of stamps that name none
	Dialects []string       // that know some of its first lines
	// Compression is as source.File has it.
	Compression string
	First       track.Stamp // of the first line that has a time, 0 is unknown
	Last        track.Stamp // of the last one, 0 where only reading it all would tell

	// Nameless says that Gateway is made up, for the lines name no host.
	Nameless bool
	// Empty says that there was nothing in the file yet.
	Empty bool

	info  fs.FileInfo // nil for a pipe, and where nothing was read
	pipe  *pipe       // nil for a file
	named bool        // and not found in a directory
}

// Found is what a Finder has found.
type Found struct {
	Logs   []Log
	Passed int // files of directories that hold no lines of a mail server
	// Empty are the files with nothing in them: those that were named, and those
	// of a directory that rotation has left at the place of a log.
	Empty []Log
	Errs  []error // of what could not be looked into, *source.Error each
}

// Finder looks for logs and sees what they are.
type Finder struct {
	Gateway string // whose the logs are; "" for the host that their lines name
	Year    int    // of each file's first line; 0 infers it
	Format  string // a dialect's name, or maillog.Auto
	// Zone tells the zone of the stamps in the logs of a gateway.
	Zone  func(gateway string) (*time.Location, error)
	Stdin io.Reader // what "-" stands for
}

const (
	// peekBytes is how much of a file, as it is stored, is looked at.
	peekBytes = 256 << 10
	// maxEntries bounds what is looked at of a directory.
	maxEntries = 10_000
	// lastBytes is how far from its end the last line of a file is looked for.
	lastBytes = 64 << 10
)

// usualPlaces are the places where mail servers log; each is a pattern.
var usualPlaces = []string{"var/log/mail.log*", "var/log/maillog*", "var/log/exim4/*", "var/log/exim/*"}

// Usual finds logs in the places where mail servers leave them, below root,
// which is "/" but in tests. It also returns the patterns of those places.
func (f *Finder) Usual(root string) (*Found, []string, error) {
	var out Found
	var places []string
	for _, u := range usualPlaces {
		pattern := filepath.Join(root, u)
		places = append(places, pattern)
		paths, err := filepath.Glob(pattern)
		if err != nil {
			return nil, nil, err // the patterns are ours: cannot be
		}
		for _, p := range paths {
			if err := f.candidate(p, &out); err != nil {
				return nil, nil, err
			}
		}
	}
	out.sort()
	return &out, places, f.settle(&out)
}

// Find looks at files and at the files in directories. A file is always taken,
// for whoever names it knows; of a directory those in which a mail server's
// lines are among the first. Logs come newest first. The error is a mistake of
// the caller, such as a zone that does not exist, or that of ctx. A pipe is read
// until ctx ends.
func (f *Finder) Find(ctx context.Context, paths []string) (*Found, error) {
	var out Found
	for _, p := range paths {
		info, err := os.Stat(p)
		switch {
		case err == nil && info.IsDir():
			err = f.dir(p, &out)
		default:
			err = f.named(ctx, p, &out)
		}
		if err != nil {
			return nil, err
		}
	}
	out.sort()
	return &out, f.settle(&out)
}

// settle keeps of the empty files those that belong somewhere, and gives them
// to the gateway whose log they go on with.
func (f *Finder) settle(out *Found) error {
	var kept []Log
	for _, e := range out.Empty {
		i := slices.IndexFunc(out.Logs, func(l Log) bool { return l.pipe == nil && source.SameSet(l.Path, e.Path) })
		if i < 0 && !e.named {
			continue
		}
		e.Empty, e.Gateway = true, f.Gateway
		if i >= 0 {
			e.Gateway, e.Serial = out.Logs[i].Gateway, out.Logs[i].Serial
		}
		var err error
		if e.Zone, err = f.Zone(e.Gateway); err != nil {
			return err
		}
		kept = append(kept, e)
	}
	out.Empty = kept
	return nil
}

// TakeEmpty counts empty files among the logs, for who waits for what will be
// written to them.
func (out *Found) TakeEmpty() {
	out.Logs = append(out.Logs, out.Empty...)
	out.Empty = nil
}

// sort puts the newest log first, and a file that was found twice once.
func (out *Found) sort() {
	seen := make(map[string]bool)
	out.Logs = slices.DeleteFunc(out.Logs, func(l Log) bool {
		p := filepath.Clean(l.Path)
		defer func() { seen[p] = true }()
		return seen[p]
	})
	slices.SortStableFunc(out.Logs, func(a, b Log) int {
		return cmp.Or(cmp.Compare(b.First, a.First), source.ByAge(b.Path, a.Path))
	})
}

// NameBySerial gives the logs of an appliance that name no host to its serial
// number. Of the files that an appliance has rotated each says it, but not of
// those that were cut otherwise: they belong to the appliance that says it when
// there is but one.
func (out *Found) NameBySerial() {
	var serials []string
	for i := range out.Logs {
		if s := out.Logs[i].Serial; s != "" && !slices.Contains(serials, s) {
			serials = append(serials, s)
		}
	}
	for i := range out.Logs {
		l := &out.Logs[i]
		if l.Gateway != "" {
			continue
		}
		if l.Serial == "" && len(serials) == 1 && slices.Equal(l.Dialects, []string{"esa"}) {
			l.Serial = serials[0]
		}
		if l.Serial != "" {
			l.Gateway, l.Nameless = l.Serial, true
		}
	}
}

func (f *Finder) dir(dir string, out *Found) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		out.Errs = append(out.Errs, source.Unreadable(dir, err))
		return nil
	}
	for _, e := range entries[:min(len(entries), maxEntries)] {
		if strings.HasPrefix(e.Name(), ".") {
			continue
		}
		if err := f.candidate(filepath.Join(dir, e.Name()), out); err != nil {
			return err
		}
	}
	return nil
}

// candidate takes a file of a directory when it holds lines of a mail server.
func (f *Finder) candidate(p string, out *Found) error {
	info, err := os.Stat(p)
	if err != nil || !info.Mode().IsRegular() {
		return nil // a directory, or a link to nowhere
	}
	if info.Size() == 0 {
		out.Empty = append(out.Empty, Log{Path: p})
		return nil
	}
	l, err := f.look(p, info)
	switch {
	case err == nil && len(l.Dialects) > 0:
		out.Logs = append(out.Logs, *l)
	case errors.Is(err, fs.ErrPermission):
		out.Errs = append(out.Errs, err)
	case err == nil || unreadable(err):
		out.Passed++
	default:
		return err
	}
	return nil
}

// named takes a file that was named.
func (f *Finder) named(ctx context.Context, p string, out *Found) error {
	l, err := f.open(ctx, p)
	switch {
	case err == nil:
		out.Logs = append(out.Logs, *l)
	case errors.Is(err, source.ErrEmpty) && regular(p):
		out.Empty = append(out.Empty, Log{Path: p, named: true})
	case unreadable(err):
		out.Errs = append(out.Errs, err)
	default:
		return err
	}
	return nil
}

func regular(p string) bool {
	info, err := os.Stat(p)
	return err == nil && info.Mode().IsRegular()
}

func unreadable(err error) bool {
	var bad *source.Error
	return errors.As(err, &bad)
}

func (f *Finder) open(ctx context.Context, p string) (*Log, error) {
	if p == "-" {
		return f.pipe(ctx, p, f.Stdin)
	}
	info, err := os.Stat(p)
	if err != nil || info.Mode()&(fs.ModeNamedPipe|fs.ModeCharDevice) == 0 {
		return f.look(p, info)
	}
	r, err := os.Open(p)
	if err != nil {
		return nil, source.Unreadable(p, err)
	}
	return f.pipe(ctx, p, r)
}

// look sees what the first lines of a file are; info is nil when there is none.
func (f *Finder) look(p string, info fs.FileInfo) (*Log, error) {
	file, err := source.Peek(p, peekBytes)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	l := &Log{Path: p, info: info}
	head, err := f.recognise(l, file)
	if err != nil {
		return nil, err
	}
	if l.Compression == "" && info != nil {
		l.Last = max(l.First, f.last(l, head))
	}
	return l, nil
}

// pipe sees what the first lines of a pipe are. They are read again by whoever
// reads the log.
func (f *Finder) pipe(ctx context.Context, p string, r io.Reader) (*Log, error) {
	in := newPipe(ctx, r)
	head, err := in.head(lastBytes)
	if err != nil {
		return nil, err
	}
	l := &Log{Path: p, pipe: in}
	file, err := source.New(p, bytes.NewReader(head), time.Time{})
	if err != nil {
		return nil, err
	}
	defer file.Close()
	_, err = f.recognise(l, file)
	return l, err
}

// recognise reads the first lines of a log, and returns them. What is wrong
// with it further on will be told by who reads it.
func (f *Finder) recognise(l *Log, file *source.File) ([]string, error) {
	l.Compression = file.Compression
	parser, err := maillog.New(maillog.Options{Year: f.Year, FileTime: file.ModTime, Format: f.Format})
	if err != nil {
		return nil, err
	}
	lines := file.Lines()
	var texts []string
	for range peekLines {
		line, ok := lines.Next()
		if !ok {
			break
		}
		texts = append(texts, line.Text)
		parser.Line(line.Text, line.Number, line.Offset, func(*track.Event) {})
	}
	for _, d := range parser.Stats().Dialects {
		if d.Parsed+d.Ignored+d.Unknown > 0 {
			l.Dialects = append(l.Dialects, d.Name)
		}
	}
	first := func(o maillog.HeaderOptions, found func(*maillog.Header) bool) {
		h := maillog.NewHeaders(o)
		var out maillog.Header
		for _, text := range texts {
			if h.Parse(text, &out) && found(&out) {
				return
			}
		}
	}
	o := maillog.HeaderOptions{Year: f.Year, FileTime: file.ModTime}
	if l.Gateway = f.Gateway; l.Gateway == "" {
		first(o, func(h *maillog.Header) bool { l.Gateway = h.Host; return h.Host != "" })
	}
	first(o, func(h *maillog.Header) bool { l.Serial = h.Serial(); return l.Serial != "" })
	// The time depends on the zone, and that on whose log it is. What stands in
	// front of an appliance's zone has a time that it is not yet known of.
	if l.Zone, err = f.Zone(l.Gateway); err != nil {
		return nil, err
	}
	o.Location = l.Zone
	first(o, func(h *maillog.Header) bool { l.First = h.Time; return h.Time != 0 && !h.Head })
	return texts, nil
}

// last is the time of the last line of a file that is not compressed, 0 when
// it cannot be told. Its first lines may tell its zone and its year.
func (f *Finder) last(l *Log, head []string) track.Stamp {
	file, err := os.Open(l.Path)
	if err != nil {
		return 0
	}
	defer file.Close()
	from := max(0, l.info.Size()-lastBytes)
	b := make([]byte, l.info.Size()-from)
	n, err := file.ReadAt(b, from)
	if err != nil && !errors.Is(err, io.EOF) {
		return 0 // who reads the log will tell
	}
	b = b[:n]
	if from > 0 {
		b = b[bytes.IndexByte(b, '\n')+1:]
	}
	h := maillog.NewHeaders(maillog.HeaderOptions{Location: l.Zone, Year: f.Year, FileTime: l.info.ModTime()})
	var out maillog.Header
	for _, text := range head {
		h.Parse(text, &out)
	}
	var last track.Stamp
	for line := range strings.Lines(string(b)) {
		if strings.HasSuffix(line, "\n") && h.Parse(strings.TrimRight(line, "\r\n"), &out) && out.Time != 0 {
			last = out.Time
		}
	}
	return last
}
