package journal

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"waybill/internal/source"
	"waybill/internal/source/inlet"
)

// What keeps the journal from being read.
var (
	// ErrMissing: there is no journalctl.
	ErrMissing = errors.New("journalctl is not installed")
	// ErrNone: there are no files of the journal.
	ErrNone = errors.New("there is no journal")
	// ErrDenied: it shows this user nothing, or nothing but his own.
	ErrDenied = errors.New("permission denied")
	// ErrCursor: it does not take the cursor for one.
	ErrCursor = errors.New("the position is not one of the journal")
	// ErrEnded: journalctl ended by itself.
	ErrEnded = errors.New("journalctl ended")
)

// DefaultBuffer bounds the bytes that wait to be polled.
const DefaultBuffer = 8 << 20

// Options says what to read. Without units, identifiers and facilities it is
// facility mail. Values of one kind are alternatives; an entry must match every
// kind that is named.
type Options struct {
	Units       []string // "postfix@-.service", or a pattern: "postfix@*"
	Identifiers []string // the tag of syslog: "postfix/smtpd"
	Facilities  []string // of syslog: "mail"
	// Directory has the files of another journal than the machine's; "" is the
	// machine's.
	Directory string
	// Machine is the id of the machine whose entries are read; "" is this one's,
	// and with a directory everybody's. A journal may hold those of others, which
	// were sent to it.
	Machine string
	// After is the cursor of the last entry that was taken; "" begins at Since.
	After string
	// Since is where to begin without a cursor; zero is the oldest entry.
	Since   time.Time
	Buffer  int    // bytes; 0 is DefaultBuffer
	Command string // "" is "journalctl"
	Now     func() time.Time
	// Log takes what journalctl says beside its entries; nil is none.
	Log *slog.Logger
}

// Entry is one line of the journal.
type Entry struct {
	Line   string
	Cursor string // of the position behind it
	Host   string // that wrote it
	// At is when the journal received it, Written what its line says: both UTC.
	At, Written time.Time
}

func (e *Entry) size() int { return len(e.Line) + len(e.Cursor) + len(e.Host) }

// Status is how a reader is doing.
type Status struct {
	Entries int64 // taken into the buffer
	Empty   int64 // without a message
	TooLong int64 // cut at MaxLine
	// CursorLost is set when the entry of the cursor was no longer there: what was
	// between it and the oldest that is left is lost. Lost is the time between, as
	// far as is known.
	CursorLost         bool
	LostFrom, LostTo   time.Time
	Running            bool
	Since              time.Time // from when on journalctl runs
	LastHeard          time.Time // when the last entry came, by our clock
	LastEntry          time.Time // when the journal received it
	Waiting, WaitBytes int
	Err                error // why the last run ended, nil when it was asked to
}

// Reader reads a journal. Run may be called again when it has failed: it goes on
// where it was. Poll has one caller.
type Reader struct {
	o     Options
	queue *inlet.Queue[Entry]

	mu     sync.Mutex
	after  string // cursor of the last entry in the buffer
	status Status
}

// New returns a reader that has read nothing yet.
func New(o Options) *Reader {
	if o.Buffer <= 0 {
		o.Buffer = DefaultBuffer
	}
	if len(o.Units)+len(o.Identifiers)+len(o.Facilities) == 0 {
		o.Facilities = []string{"mail"}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return &Reader{o: o, queue: inlet.NewQueue(o.Buffer, (*Entry).size), after: o.After}
}

// Wake has something when there is something to poll.
func (r *Reader) Wake() <-chan struct{} { return r.queue.Wake() }

// Poll gives the entries that have come to take, in order, and does not wait for
// any. When take fails, its error is returned, and that entry is the first of
// the next Poll.
func (r *Reader) Poll(take func(Entry) error) error { return r.queue.Poll(take) }

// Status is how the reader is doing.
func (r *Reader) Status() Status {
	items, bytes := r.queue.Len()
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.status
	s.Waiting, s.WaitBytes = items, bytes
	return s
}

// args are those of journalctl.
func (r *Reader) args() []string {
	// Without --merge, --follow passes over all that was written before the machine
	// was last started.
	args := []string{"--output=export", "--output-fields=" + strings.Join(fields, ","), "--follow", "--no-tail", "--merge", "--all", "--no-pager"}
	if r.o.Directory != "" {
		args = append(args, "--directory="+r.o.Directory)
	} else {
		args = append(args, "--system")
	}
	for _, u := range r.o.Units {
		args = append(args, "--unit="+u)
	}
	for _, i := range r.o.Identifiers {
		args = append(args, "--identifier="+i)
	}
	if len(r.o.Facilities) > 0 {
		args = append(args, "--facility="+strings.Join(r.o.Facilities, ","))
	}
	switch {
	case r.after != "":
		// Not --after-cursor: where the entry is gone, that passes over another one.
		args = append(args, "--cursor="+r.after)
	case !r.o.Since.IsZero():
		args = append(args, "--since=@"+strconv.FormatInt(r.o.Since.Unix(), 10))
	}
	if m := r.machine(); m != "" {
		args = append(args, "_MACHINE_ID="+m)
	}
	return args
}

// machine is the id of the machine whose entries are read, "" for all.
func (r *Reader) machine() string {
	if r.o.Machine != "" || r.o.Directory != "" {
		return r.o.Machine
	}
	b, err := os.ReadFile("/etc/machine-id")
	if err != nil {
		return "" // a system without one has no journal either
	}
	return strings.TrimSpace(string(b))
}

// stopTime is how long journalctl may take to end.
const stopTime = 5 * time.Second

// Run reads until ctx ends and then returns nil. Any other error is why the
// journal cannot be read, with what mends it.
func (r *Reader) Run(ctx context.Context) error {
	err := r.run(ctx)
	if ctx.Err() != nil {
		err = nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.status.Running, r.status.Err = false, err
	return err
}

func (r *Reader) run(asked context.Context) error {
	if r.o.Command == "" && r.none() {
		return r.fail(ErrNone, "")
	}
	ctx, cancel := context.WithCancel(asked)
	defer cancel()
	r.mu.Lock()
	after := r.after
	c := exec.CommandContext(ctx, cmp.Or(r.o.Command, "journalctl"), r.args()...)
	r.mu.Unlock()
	c.Cancel = func() error { return c.Process.Signal(os.Interrupt) }
	c.WaitDelay = stopTime
	c.Env = append(os.Environ(), "LC_ALL=C", "SYSTEMD_COLORS=0", "SYSTEMD_PAGER=")
	out, err := c.StdoutPipe()
	if err != nil {
		return r.fail(err, "")
	}
	complaint, err := c.StderrPipe()
	if err != nil {
		return r.fail(err, "")
	}
	if err := c.Start(); err != nil {
		if errors.Is(err, exec.ErrNotFound) || errors.Is(err, os.ErrNotExist) {
			err = ErrMissing
		}
		return r.fail(err, "")
	}
	r.mu.Lock()
	r.status.Running, r.status.Since = true, r.o.Now()
	r.mu.Unlock()
	said := make(chan said, 1)
	go func() { said <- r.listen(complaint, cancel) }()
	rerr := r.read(ctx, out, after)
	cancel()
	words := <-said
	werr := c.Wait()
	switch {
	case words.denied:
		return r.fail(ErrDenied, words.text)
	case words.cursor:
		return r.fail(ErrCursor, words.text)
	case rerr != nil && !errors.Is(rerr, io.EOF) && !errors.Is(rerr, os.ErrClosed) && !errors.Is(rerr, context.Canceled):
		return r.fail(rerr, words.text)
	case werr != nil && asked.Err() == nil:
		return r.fail(fmt.Errorf("%w: %w", ErrEnded, werr), words.text)
	}
	return r.fail(ErrEnded, words.text)
}

// none reports whether there is no file of a journal, for which journalctl would
// wait in silence. What may not be listed is not none.
func (r *Reader) none() bool {
	roots := []string{"/var/log/journal", "/run/log/journal"}
	if r.o.Directory != "" {
		roots = []string{r.o.Directory}
	}
	for _, root := range roots {
		for _, dir := range append(subdirs(root), root) {
			list, err := os.ReadDir(dir)
			if err != nil && !errors.Is(err, os.ErrNotExist) {
				return false
			}
			for _, e := range list {
				if strings.HasSuffix(e.Name(), ".journal") {
					return false
				}
			}
		}
	}
	return true
}

func subdirs(root string) (dirs []string) {
	list, _ := os.ReadDir(root) // none reads it again
	for _, e := range list {
		if e.IsDir() {
			dirs = append(dirs, filepath.Join(root, e.Name()))
		}
	}
	return dirs
}

// said is what journalctl said beside its entries.
type said struct {
	text           string
	denied, cursor bool
}

// listen reads it. Without permission journalctl goes on as if the journal had
// nothing for us, so it is ended.
func (r *Reader) listen(in io.Reader, stop func()) (s said) {
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 64<<10)
	for n := 0; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		switch {
		case strings.Contains(line, "insufficient permissions"), strings.Contains(line, "not seeing messages from other users"), strings.Contains(line, "Permission denied"):
			s.denied = true
			stop()
		case strings.Contains(line, "seek to cursor"):
			s.cursor = true
		}
		if line != "" && n < 20 {
			s.text = strings.TrimLeft(s.text+"; "+line, "; ")
			r.o.Log.Info("journalctl said", "text", line)
		}
	}
	_, _ = io.Copy(io.Discard, in) // of a line without end
	return s
}

// read takes entries into the buffer.
func (r *Reader) read(ctx context.Context, in io.Reader, after string) error {
	x := newExportReader(in)
	for first := true; ; first = false {
		e, err := x.next()
		if err != nil {
			return err
		}
		if e.cursor == "" {
			return fmt.Errorf("%w: an entry without a cursor", errFormat)
		}
		if first && after != "" {
			if e.cursor == after {
				continue // this one was taken
			}
			r.lost(after, e)
		}
		line, written, ok := e.line()
		at, _ := micros(e.realtime)
		if ok && !r.queue.Put(ctx, Entry{Line: line, Cursor: e.cursor, Host: e.host, At: at, Written: written}) {
			return ctx.Err()
		}
		r.mu.Lock()
		r.after = e.cursor
		r.status.LastHeard, r.status.LastEntry = r.o.Now(), at
		switch {
		case !ok:
			r.status.Empty++
		default:
			r.status.Entries++
		}
		if e.cut {
			r.status.TooLong++
		}
		r.mu.Unlock()
	}
}

// lost notes that the entry of a cursor is gone, and which is the next.
func (r *Reader) lost(after string, e *entry) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.status.CursorLost = true
	r.status.LostFrom = cursorTime(after)
	r.status.LostTo, _ = micros(e.realtime)
	r.o.Log.Warn("the journal no longer has the entry at which reading ended: what came behind it may be lost",
		"from", r.status.LostFrom, "to", r.status.LostTo)
}

// cursorTime is the time in a cursor, "s=...;i=...;b=...;m=...;t=5a1b...;x=...".
func cursorTime(cursor string) time.Time {
	for part := range strings.SplitSeq(cursor, ";") {
		if s, ok := strings.CutPrefix(part, "t="); ok {
			if n, err := strconv.ParseInt(s, 16, 64); err == nil && n > 0 {
				return time.UnixMicro(n)
			}
		}
	}
	return time.Time{}
}

// fail is an error that says what to do.
func (r *Reader) fail(err error, said string) error {
	e := &source.Error{Op: "read", Path: "the journal of systemd", Err: err, Why: said}
	if r.o.Directory != "" {
		e.Path = "the journal in " + r.o.Directory
	}
	switch {
	case errors.Is(err, ErrMissing):
		e.Hint = "install systemd, or read a file: a source with file: /var/log/mail.log"
	case errors.Is(err, ErrNone) && r.o.Directory == "":
		e.Hint = "run: systemctl status systemd-journald; and see Storage= in /etc/systemd/journald.conf"
	case errors.Is(err, ErrDenied) && r.o.Directory != "":
		e.Hint = "the user " + me() + " must be able to read the directory and the files in it"
	case errors.Is(err, ErrDenied):
		e.Hint = "run: sudo usermod -aG systemd-journal " + me() + ", then restart waybill"
	case errors.Is(err, ErrCursor):
		e.Hint = "the journal was replaced, or the position is another machine's"
	}
	return e
}

// me is the name of the user that we are.
func me() string {
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return strconv.Itoa(os.Geteuid())
}
