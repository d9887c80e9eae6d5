package importer

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"path"
	"slices"
	"strings"
	"time"

	"waybill/internal/maillog"
	"waybill/internal/safefs"
	"waybill/internal/source"
	"waybill/internal/store"
	"waybill/internal/track"
	"waybill/internal/window"
)

// Taker takes sealed windows over, in the order in which they were made. The
// names are paths below the importer's FS. It may return before the window is
// in the store; an error ends the import.
type Taker interface {
	Take(ctx context.Context, file string) error
}

// Importer reads logs of one gateway. It is used for one import.
type Importer struct {
	FS       safefs.FS // of the data directory
	Queue    string    // incoming queue below FS; windows go to a directory of the gateway in it
	Gateway  string
	Serial   string
	Known    []store.Source // of the gateway: what earlier imports have taken
	Location *time.Location // zone of stamps that name none
	Year     int            // of the first line, 0 infers it
	Format   string         // a dialect's name, or maillog.Auto
	// Again reads pieces anew of which no line became an event: an earlier release
	// did not know their dialect, or another Format was asked for. Nothing of them
	// is in the store.
	Again    bool
	Software string // name and version, for the window's header
	Taker    Taker
	Progress func(Progress) // may be nil
	Log      *slog.Logger
	// CutBytes is how much text of lines a window holds at most; 0 stands for
	// a size that keeps memory low and the number of windows small.
	CutBytes int64
	// FirstBytes, if not 0, is that of the first window; each next one may hold
	// twice as much, up to CutBytes. It makes the first lines searchable soon.
	FirstBytes int64
	// Before are the paths of the logs that go before the first one and will be
	// imported later, the nearest first. Their ends tell which connections are open.
	Before []string
	// Open opens a log; nil is source.Open.
	Open func(path string) (*source.File, error)

	pieces []store.Source          // known by now, whole
	void   map[string]bool         // IDs of pieces that are read again
	marks  map[string]source.Marks // of the pieces, by ID
	parser *maillog.Parser         // of the file read before
	last   store.Source            // the piece that it read
	mid    uint64
	icid   uint64
	lines  int64
	cuts   int // windows so far
	file   int
	files  int
}

const defaultCutBytes = 16 << 20

// Import reads files in the order of their first lines. A file that cannot be
// read does not stop the others: its error is in the report. The error that
// Import returns is one that ends everything: the disk, the store, ctx.
func (im *Importer) Import(ctx context.Context, paths []string) (*Report, error) {
	dir, err := im.prepare()
	if err != nil {
		return nil, err
	}
	rep := &Report{}
	ordered := im.order(paths)
	im.files = len(ordered)
	for i, p := range ordered {
		im.file = i + 1
		fr := FileReport{Path: p.path}
		if p.err != nil {
			fr.Err = p.err
		} else {
			r := reading{im: im, dir: dir, first: p.opening, rep: &fr}
			if fr.Err = r.run(ctx, p.path); fr.Err != nil && !isFileError(fr.Err) {
				return rep, fr.Err
			}
		}
		rep.Files = append(rep.Files, fr)
	}
	return rep, nil
}

// prepare makes ready for reading and returns the directory of the queue.
func (im *Importer) prepare() (string, error) {
	if _, err := maillog.New(maillog.Options{Format: im.Format}); err != nil {
		return "", err
	}
	dir := path.Join(im.Queue, im.Gateway)
	if err := im.FS.MkdirAll(dir); err != nil {
		return "", fmt.Errorf("make the incoming queue: %w", err)
	}
	if err := im.clean(dir); err != nil {
		return "", err
	}
	im.pieces = join(im.Known)
	im.numbers()
	if im.Again {
		im.forgetVoid()
	}
	im.marks = make(map[string]source.Marks)
	return dir, nil
}

func (im *Importer) open(path string) (*source.File, error) {
	if im.Open != nil {
		return im.Open(path)
	}
	return source.Open(path)
}

// limit is how much text the next window may hold.
func (im *Importer) limit() int64 {
	limit := im.CutBytes
	if limit == 0 {
		limit = defaultCutBytes
	}
	if first := im.FirstBytes; first > 0 {
		limit = min(limit, first<<min(im.cuts, 20))
	}
	return limit
}

// clean removes the windows that an import left open when it was interrupted:
// nothing of them is in the store, so that their lines are read again.
func (im *Importer) clean(dir string) error {
	open, err := window.OpenWindows(im.FS, dir)
	if err != nil {
		return fmt.Errorf("look for interrupted imports: %w", err)
	}
	for _, name := range open {
		// A gateway's live window may lie there, too: it is not ours to remove.
		if r, err := window.Open(im.FS, path.Join(dir, name)); err == nil {
			live := !r.Header().Imported
			if err := r.Close(); err != nil {
				return fmt.Errorf("look for interrupted imports: %w", err)
			}
			if live {
				continue
			}
		}
		if err := im.FS.Remove(path.Join(dir, name)); err != nil {
			return fmt.Errorf("remove an interrupted import: %w", err)
		}
		im.Log.Info("Removed what an interrupted import had not finished", "path", path.Join(dir, name))
	}
	return nil
}

// numbers sets where the numbers of lives and connections begin: behind all
// that earlier imports can have given out: a line names two messages at
// most, and one connection.
func (im *Importer) numbers() {
	for i := range im.pieces {
		im.mid += 2 * uint64(im.pieces[i].Lines)
	}
	im.icid = im.mid
}

func (im *Importer) nextMID() uint64  { im.mid++; return im.mid }
func (im *Importer) nextICID() uint64 { im.icid++; return im.icid }

// candidate is a file that is to be read.
type candidate struct {
	path string
	opening
	err error
}

// opening is how a file begins.
type opening struct {
	at track.Stamp // time of its first line, 0 when unknown
	// wall is the first stamp as it stands there, of an appliance whose zone is told
	// at the head of its logs only; 0 for others.
	wall track.Stamp
	line string // that line, when the file has no such head: the file before it may
}

// order sorts files by the time of their first line, so that what a log says
// of a connection is known when its end comes in the next file.
func (im *Importer) order(paths []string) []candidate {
	out := make([]candidate, 0, len(paths))
	for _, p := range paths {
		c := candidate{path: p}
		if p != "-" {
			c.opening, c.err = im.peek(p)
		}
		out = append(out, c)
	}
	// Appliances' logs with and without a head compare by what their clocks showed.
	byWall := !slices.ContainsFunc(out, func(c candidate) bool { return c.at != 0 && c.wall == 0 })
	slices.SortStableFunc(out, func(a, b candidate) int {
		if byWall {
			return cmp.Or(cmp.Compare(a.wall, b.wall), source.ByAge(a.path, b.path))
		}
		return cmp.Or(cmp.Compare(a.at, b.at), source.ByAge(a.path, b.path))
	})
	return out
}

// peekLines is how far into a file the first stamp is looked for.
const peekLines = 100

// peek looks at the beginning of a file.
func (im *Importer) peek(p string) (opening, error) {
	f, err := im.open(p)
	if err != nil {
		return opening{}, err
	}
	defer f.Close()
	h := im.headers(f.ModTime)
	var out maillog.Header
	lines := f.Lines()
	var head opening
	for range peekLines {
		line, ok := lines.Next()
		if !ok {
			break
		}
		switch {
		case !h.Parse(line.Text, &out) || out.Time == 0:
		case out.Head:
			head = opening{at: out.Time, wall: out.Wall} // the next lines say in which zone that is
		case out.Wall == 0 || head.at != 0 || out.Stated:
			return opening{at: out.Time, wall: out.Wall}, nil
		default:
			return opening{at: out.Time, wall: out.Wall, line: strings.Clone(line.Text)}, nil
		}
	}
	return head, nil // nothing where nothing was found: reading it will tell what is wrong.
}

// openingOf is how a log begins whose first line is known.
func (im *Importer) openingOf(line string, fileTime time.Time) opening {
	var out maillog.Header
	if !im.headers(fileTime).Parse(line, &out) {
		return opening{}
	}
	if out.Wall == 0 || out.Stated {
		return opening{at: out.Time, wall: out.Wall}
	}
	return opening{at: out.Time, wall: out.Wall, line: strings.Clone(line)}
}

func (im *Importer) headerOptions(fileTime time.Time) maillog.HeaderOptions {
	return maillog.HeaderOptions{Location: im.Location, Year: im.Year, FileTime: fileTime}
}

func (im *Importer) headers(fileTime time.Time) *maillog.Headers {
	return maillog.NewHeaders(im.headerOptions(fileTime))
}
