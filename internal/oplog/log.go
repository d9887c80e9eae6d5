package oplog

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"waybill/internal/safefs"
)

// Defaults of Options, which are those of the appliances.
const (
	DefaultSize = 10 << 20
	DefaultKeep = 10
)

// retryAfter is how long a log that cannot be written is left alone.
const retryAfter = time.Second

// Options is what a log is made of.
type Options struct {
	FS  safefs.FS
	Dir string // "pub/cli_logs"; made when it is missing
	// Name is the beginning of the files' names: "cli".
	Name string
	// Version and Serial stand at the head of every file.
	Version, Serial string
	Size            int64 // bytes at which a file is rolled; 0 is DefaultSize
	Keep            int   // how many rolled files are kept; 0 is DefaultKeep
	// Location is the zone of the stamps; nil is time.Local.
	Location *time.Location
	// Now is the clock of every line; nil takes the time of the record.
	Now func() time.Time
}

// Status is how a log is doing.
type Status struct {
	Lines int64 // written
	Lost  int64 // that could not be
	Err   error // what keeps it from being written, nil when nothing does
}

// Log writes one log. It is safe for concurrent use.
type Log struct {
	o Options

	mu      sync.Mutex
	f       safefs.File // nil: not open
	size    int64
	begun   string // stamp of its first line
	offset  int    // seconds east of UTC of its stamps
	closed  bool
	status  Status
	missing int64     // lost since the last line that was written
	retry   time.Time // not before
}

// New returns a log, with its file open where that is possible. Where it is not,
// Status says why, and it is tried again with the lines.
func New(o Options) *Log {
	if o.Size <= 0 {
		o.Size = DefaultSize
	}
	if o.Keep <= 0 {
		o.Keep = DefaultKeep
	}
	if o.Location == nil {
		o.Location = time.Local
	}
	l := &Log{o: o}
	now := l.now()
	if err := l.open(now); err != nil {
		l.fail(now, err)
	}
	return l
}

// Status is how the log is doing.
func (l *Log) Status() Status {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.status
}

// Err is what keeps the log from being written, nil when nothing does.
func (l *Log) Err() error { return l.Status().Err }

// Roll begins a new file now, as "rollovernow" does.
func (l *Log) Roll() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return os.ErrClosed
	}
	now := l.now()
	err := l.open(now)
	if err == nil {
		err = l.roll(now)
	}
	if err != nil {
		l.fail(now, err)
	}
	return err
}

// Close syncs and closes the file. Lines that come later are lost, and counted.
func (l *Log) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	if l.f == nil {
		return nil
	}
	err := l.f.Sync()
	if cerr := l.f.Close(); err == nil {
		err = cerr
	}
	l.f = nil
	if err != nil {
		return fmt.Errorf("close %s: %w", l.current(), err)
	}
	return nil
}

func (l *Log) now() time.Time {
	if l.o.Now != nil {
		return l.o.Now().In(l.o.Location)
	}
	return time.Now().In(l.o.Location)
}

func (l *Log) current() string { return filepath.Join(l.o.Dir, l.o.Name+".current") }

// write writes a line whose text is safe. at is its time, in the log's zone.
func (l *Log) write(at time.Time, level, text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed || l.f == nil && l.status.Err != nil && wait(at, l.retry) {
		l.lose()
		return
	}
	if err := l.line(at, level, text); err != nil {
		l.lose()
		l.fail(at, err)
		return
	}
	l.status.Lines++
	l.status.Err = nil
}

// wait reports whether it is too early to try again. A clock that was set back
// keeps nobody waiting.
func wait(at, retry time.Time) bool {
	return at.Before(retry) && retry.Sub(at) <= retryAfter
}

func (l *Log) lose() {
	l.status.Lost++
	l.missing++
}

// fail notes what went wrong. The file is opened anew for the next attempt: it
// may end in the middle of a line now.
func (l *Log) fail(at time.Time, err error) {
	l.status.Err = fmt.Errorf("write %s: %w", l.current(), err)
	l.retry = at.Add(retryAfter)
	if l.f != nil {
		_ = l.f.Close() // what counts is the error before
		l.f = nil
	}
}

// line writes a line, in a new file when it is time for one.
func (l *Log) line(at time.Time, level, text string) error {
	if err := l.open(at); err != nil {
		return err
	}
	s := format(at, level, text)
	if _, offset := at.Zone(); offset != l.offset || l.size+int64(len(s)) > l.o.Size && l.size > int64(len(l.head(at))) {
		if err := l.roll(at); err != nil {
			return err
		}
	}
	if l.missing > 0 {
		// Not before the disk has taken it is it said.
		if err := l.append(format(at, "Warning", fmt.Sprintf("%d lines could not be written here and are missing: %s", l.missing, reason(l.status.Err)))); err != nil {
			return err
		}
		l.missing = 0
	}
	return l.append(s)
}

func (l *Log) append(s string) error {
	n, err := l.f.Write([]byte(s))
	l.size += int64(n)
	if err == nil && n < len(s) {
		err = io.ErrShortWrite
	}
	return err
}

// head is what every file begins with.
func (l *Log) head(at time.Time) string {
	_, offset := at.Zone()
	return format(at, "Info", "Begin Logfile") +
		format(at, "Info", safe("Version: "+l.o.Version+" SN: "+l.o.Serial)) +
		format(at, "Info", fmt.Sprintf("Time offset from UTC: %d seconds", offset))
}

// open opens the current file when it is not open.
func (l *Log) open(at time.Time) error {
	if l.f != nil {
		return nil
	}
	if err := l.o.FS.MkdirAll(l.o.Dir); err != nil {
		return err
	}
	if err := safefs.RemoveTemps(l.o.FS, l.o.Dir); err != nil {
		return err
	}
	if _, err := l.o.FS.Stat(l.current()); err != nil {
		return l.begin(at)
	}
	f, err := l.o.FS.OpenFile(l.current(), os.O_RDWR|os.O_APPEND, 0)
	if err != nil {
		return err
	}
	l.f = f
	if l.size, err = mend(f); err != nil {
		return err
	}
	if same, err := l.resume(at); err != nil || same {
		return err
	}
	return l.roll(at)
}

// resume reads the head of the current file and reports whether a file that is
// begun now would have the same.
func (l *Log) resume(at time.Time) (bool, error) {
	want := l.head(at)
	have := make([]byte, len(want))
	n, err := l.f.ReadAt(have, 0)
	if err != nil && err != io.EOF {
		return false, err
	}
	_, l.offset = at.Zone()
	l.begun = ""
	lines := strings.SplitAfter(string(have[:n]), "\n")
	if len(lines[0]) > len(time.ANSIC) {
		if t, err := time.Parse(time.ANSIC, lines[0][:len(time.ANSIC)]); err == nil {
			l.begun = t.Format(nameTime)
		}
	}
	for i, w := range strings.SplitAfter(want, "\n") {
		if i >= len(lines) || len(lines[i]) != len(w) || w != "" && lines[i][len(time.ANSIC):] != w[len(time.ANSIC):] {
			return false, nil
		}
	}
	return l.begun != "", nil
}

// begin makes a new current file.
func (l *Log) begin(at time.Time) error {
	head := l.head(at)
	err := safefs.Publish(l.o.FS, l.o.Dir, filepath.Base(l.current()), func(w io.Writer) error {
		_, err := io.WriteString(w, head)
		return err
	})
	if err != nil {
		return err
	}
	if l.f, err = l.o.FS.OpenFile(l.current(), os.O_RDWR|os.O_APPEND, 0); err != nil {
		l.f = nil
		return err
	}
	l.size, l.begun = int64(len(head)), at.Format(nameTime)
	_, l.offset = at.Zone()
	return nil
}

// roll gives the current file, which is open, its last name and begins another.
func (l *Log) roll(at time.Time) error {
	err := l.f.Sync()
	if cerr := l.f.Close(); err == nil {
		err = cerr
	}
	l.f = nil
	if err != nil {
		return err
	}
	if l.begun == "" {
		l.begun = at.Format(nameTime)
	}
	if err := l.rename(); err != nil {
		return err
	}
	if err := l.begin(at); err != nil {
		return err
	}
	return l.prune()
}

// nameTime is the time in the names of rolled files.
const nameTime = "20060102T150405"

// rename gives the current file its last name. Names go up, whatever the clock
// does, so that the oldest file is the first: a second may have seen several
// files, and an hour in autumn comes twice.
func (l *Log) rename() error {
	begun, err := time.Parse(nameTime, l.begun)
	if err != nil {
		return err
	}
	rolled, err := l.rolled()
	if err != nil {
		return err
	}
	if len(rolled) > 0 {
		newest, _ := l.timeOf(rolled[len(rolled)-1]) // rolled has checked it
		if !begun.After(newest) {
			begun = newest.Add(time.Second)
		}
	}
	name := l.o.Name + ".@" + begun.Format(nameTime) + ".s"
	return l.o.FS.RenameNew(l.current(), filepath.Join(l.o.Dir, name))
}

// prune removes the oldest of the rolled files.
func (l *Log) prune() error {
	rolled, err := l.rolled()
	if err != nil {
		return err
	}
	for _, name := range rolled[:max(len(rolled)-l.o.Keep, 0)] {
		if err := l.o.FS.Remove(filepath.Join(l.o.Dir, name)); err != nil {
			return err
		}
	}
	return nil
}

// rolled lists the rolled files, the oldest first.
func (l *Log) rolled() ([]string, error) {
	list, err := l.o.FS.ReadDir(l.o.Dir)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range list {
		if _, ok := l.timeOf(e.Name()); ok {
			names = append(names, e.Name())
		}
	}
	slices.Sort(names)
	return names, nil
}

// timeOf reads a name that rename gave.
func (l *Log) timeOf(name string) (time.Time, bool) {
	s, prefix := strings.CutPrefix(name, l.o.Name+".@")
	s, suffix := strings.CutSuffix(s, ".s")
	t, err := time.Parse(nameTime, s)
	return t, prefix && suffix && err == nil
}
