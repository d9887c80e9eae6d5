package smad

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"sort"
	"strings"
	"sync"
	"time"

	"waybill/internal/safefs"
	"waybill/internal/window"
)

// Kind is what a record of the journal tells.
type Kind string

// Kinds of records.
const (
	Connected    Kind = "connected"
	Disconnected Kind = "disconnected"
	// Listed names a file that is seen for the first time. Without a file it says
	// that a listing was read; there is one a minute.
	Listed       Kind = "listed"
	Vanished     Kind = "vanished"
	Pulled       Kind = "pulled"
	Damaged      Kind = "damaged"
	Quarantined  Kind = "quarantined"
	Acknowledged Kind = "acknowledged"
	Failed       Kind = "failed"
)

// Record is a line of smad/journal/GATEWAY/DAY.ndjson.
type Record struct {
	Time   time.Time `json:"time"`
	Event  Kind      `json:"event"`
	File   string    `json:"file,omitempty"`
	Reason string    `json:"reason,omitempty"` // from outside in part: not fit to be shown as it is
	Size   int64     `json:"size,omitempty"`   // of the file
	Digest string    `json:"digest,omitempty"` // SHA-256 of the uncompressed content
	// Remote is who is spoken of: the address of the gateway, or the collector
	// that took a file.
	Remote string `json:"remote,omitempty"`
	// Files is the length of a listing.
	Files *int `json:"files,omitempty"`
	// Again marks a record that repeats an earlier one at the beginning of a file,
	// because what it tells of goes on.
	Again bool `json:"again,omitempty"`
	// Evidence is what the gateway's own journal says of a file that vanished.
	Evidence []json.RawMessage `json:"evidence,omitempty"`
}

// fileState is what is known of a file that is not done with.
type fileState struct {
	last    Record // Listed, Pulled or Quarantined
	damaged int    // times it was pulled in vain
}

// journal is the journal of one gateway and what follows from it: the files
// that are not done with. It is safe for concurrent use.
type journal struct {
	fs  safefs.FS
	dir string
	now func() time.Time

	mu     sync.Mutex
	file   safefs.File
	day    string
	number int  // of the file within the day
	torn   bool // the last line may lack its end
	fresh  bool // what is open was not repeated in it yet
	broken bool // the file must not be written to again
	files  map[string]*fileState
	newest time.Time // end of the newest window that was pulled
}

const (
	journalDay = "20060102"
	// journalKept is how long files of the journal stay: longer than anybody asks
	// of a year ago.
	journalKept = 400 * 24 * time.Hour
	journalExt  = ".ndjson"
	maxEntry    = 1 << 20
)

// openJournal reads what is there and goes on in the file of today. Files of
// earlier days may be removed at any time: each file begins with what was open.
func openJournal(fsys safefs.FS, dir string, now func() time.Time) (*journal, error) {
	j := &journal{fs: fsys, dir: dir, now: now, files: make(map[string]*fileState)}
	if err := fsys.MkdirAll(dir); err != nil {
		return nil, fmt.Errorf("open the journal: %w", err)
	}
	names, err := j.names()
	if err != nil {
		return nil, fmt.Errorf("open the journal: %w", err)
	}
	for _, name := range lastDays(names, 2) {
		if err := j.replay(name); err != nil {
			return nil, fmt.Errorf("read the journal: %w", err)
		}
	}
	if len(names) > 0 {
		j.day, j.number, _ = parseJournalName(names[len(names)-1])
	}
	if err := j.thin(); err != nil {
		return nil, fmt.Errorf("clean the journal: %w", err)
	}
	// What was read may not be durable, and the kernel does not tell again that a
	// sync failed: what counts is repeated and synced before anything is built
	// upon it.
	if err := j.append(true); err != nil {
		return nil, err
	}
	return j, nil
}

// thin removes the files of days that are over for longer than journalKept, but
// those that a start reads: the newest days that have any.
func (j *journal) thin() error {
	names, err := j.names()
	if err != nil {
		return err
	}
	last := j.now().Add(-journalKept).UTC().Format(journalDay)
	old := names[:len(names)-len(lastDays(names, 2))]
	for _, name := range old {
		if name[:len(journalDay)] >= last {
			break
		}
		if err := j.fs.Remove(path.Join(j.dir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// journalName is "20230213.ndjson" for the first file of a day, then
// "20230213-0001.ndjson"; they sort by time.
func journalName(day string, number int) string {
	if number == 0 {
		return day + journalExt
	}
	return fmt.Sprintf("%s-%04d%s", day, number, journalExt)
}

func parseJournalName(name string) (day string, number int, ok bool) {
	base, ok := strings.CutSuffix(name, journalExt)
	if !ok || len(base) < len(journalDay) {
		return "", 0, false
	}
	day = base[:len(journalDay)]
	if rest := base[len(journalDay):]; rest != "" {
		if _, err := fmt.Sscanf(rest, "-%d", &number); err != nil {
			return "", 0, false
		}
	}
	return day, number, journalName(day, number) == name
}

// names lists the journal's files, the oldest first.
func (j *journal) names() ([]string, error) {
	entries, err := j.fs.ReadDir(j.dir)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, e := range entries {
		if _, _, ok := parseJournalName(e.Name()); ok && !e.IsDir() {
			out = append(out, e.Name())
		}
	}
	sort.Slice(out, func(a, b int) bool {
		da, na, _ := parseJournalName(out[a])
		db, nb, _ := parseJournalName(out[b])
		return da < db || da == db && na < nb
	})
	return out, nil
}

// lastDays keeps the files of the last n days that have any.
func lastDays(names []string, n int) []string {
	days := 0
	for i := len(names) - 1; i >= 0; i-- {
		if i == len(names)-1 || names[i][:len(journalDay)] != names[i+1][:len(journalDay)] {
			if days++; days > n {
				return names[i+1:]
			}
		}
	}
	return names
}

// replay takes the records of a file. A line that cannot be read was cut by a
// crash: nothing was built upon it.
func (j *journal) replay(name string) error {
	f, err := j.fs.Open(path.Join(j.dir, name))
	if err != nil {
		return err
	}
	defer f.Close()
	r := bufio.NewReaderSize(f, 64<<10)
	for {
		line, err := readLine(r)
		if len(line) > 0 {
			var rec Record
			if json.Unmarshal(line, &rec) == nil {
				j.take(rec)
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// readLine reads one line; of one that is too long nothing is kept.
func readLine(r *bufio.Reader) ([]byte, error) {
	var line []byte
	for {
		part, err := r.ReadSlice('\n')
		if len(line)+len(part) <= maxEntry {
			line = append(line, part...)
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return bytes.TrimSpace(line), err
		}
	}
}

// take lets a record change what is known. The caller holds mu, or is alone.
func (j *journal) take(rec Record) {
	if rec.File == "" {
		return
	}
	st := j.files[rec.File]
	switch rec.Event {
	case Listed:
		if st == nil {
			j.files[rec.File] = &fileState{last: rec}
		}
	case Pulled, Quarantined:
		if st == nil {
			st = &fileState{}
			j.files[rec.File] = st
		}
		st.last = rec
		if n, err := window.ParseName(rec.File); err == nil && rec.Event == Pulled && n.To.After(j.newest) {
			j.newest = n.To
		}
	case Damaged:
		if st != nil {
			st.damaged++
		}
	case Acknowledged, Vanished:
		delete(j.files, rec.File)
	}
}

// add journals records. With durable they are synced before it returns nil;
// those that nothing is built upon need not be.
func (j *journal) add(durable bool, recs ...Record) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	now := j.now().UTC()
	for i := range recs {
		if recs[i].Time.IsZero() {
			recs[i].Time = now
		}
	}
	if err := j.append(durable, recs...); err != nil {
		return err
	}
	for _, rec := range recs {
		j.take(rec)
	}
	return nil
}

// append writes records to the file of today. The caller holds mu.
func (j *journal) append(durable bool, recs ...Record) error {
	if len(recs) == 0 && len(j.files) == 0 {
		return nil
	}
	day := max(j.now().UTC().Format(journalDay), j.day)
	if j.file == nil || j.broken || day > j.day {
		if err := j.next(day); err != nil {
			return fmt.Errorf("open the journal: %w", err)
		}
	}
	var b bytes.Buffer
	if j.fresh {
		recs = append(j.open(), recs...)
		durable = durable || len(j.files) > 0
	}
	if j.torn {
		b.WriteByte('\n')
	}
	for _, rec := range recs {
		if err := encode(&b, rec); err != nil {
			return err
		}
	}
	if _, err := j.file.Write(b.Bytes()); err != nil {
		j.torn = true
		return fmt.Errorf("write the journal: %w", err)
	}
	j.torn = false
	if durable {
		if err := j.file.Sync(); err != nil {
			j.broken = true // what was lost is told once
			return fmt.Errorf("sync the journal: %w", err)
		}
	}
	j.fresh = false
	return nil
}

func encode(b *bytes.Buffer, rec Record) error {
	raw, err := json.Marshal(rec)
	if err != nil {
		return fmt.Errorf("write the journal: %w", err)
	}
	b.Write(raw)
	b.WriteByte('\n')
	return nil
}

// next opens the file of the given day: the last one that is there, or a new
// one when that must not be written to any more.
func (j *journal) next(day string) error {
	number, flag := 0, os.O_WRONLY|os.O_APPEND
	if day == j.day {
		number = j.number
	}
	if day != j.day || j.broken {
		flag |= os.O_CREATE | os.O_EXCL
	}
	for {
		f, err := j.fs.OpenFile(path.Join(j.dir, journalName(day, number)), flag, 0o640)
		if errors.Is(err, fs.ErrExist) {
			number++
			continue
		}
		if err != nil {
			return err
		}
		if err := j.fs.SyncDir(j.dir); err != nil {
			return errors.Join(err, f.Close())
		}
		if j.file != nil {
			_ = j.file.Close() // what counts of it is repeated in the new one
			if day != j.day {
				_ = j.thin() // the next day, or the next start, tries again
			}
		}
		// A crash may have cut the last line of a file that was there.
		j.file, j.day, j.number, j.fresh, j.broken, j.torn = f, day, number, true, false, flag&os.O_CREATE == 0
		return nil
	}
}

// open are the records of files that are not done with, by name.
func (j *journal) open() []Record {
	var out []Record
	for _, st := range j.files {
		rec := st.last
		rec.Again = true
		out = append(out, rec)
	}
	slices.SortFunc(out, func(a, b Record) int { return strings.Compare(a.File, b.File) })
	return out
}

// state returns what is known of a file.
func (j *journal) state(name string) (fileState, bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	st := j.files[name]
	if st == nil {
		return fileState{}, false
	}
	return *st, true
}

// pending names the files that are not done with.
func (j *journal) pending() []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	out := make([]string, 0, len(j.files))
	for name := range j.files {
		out = append(out, name)
	}
	sort.Strings(out)
	return out
}

func (j *journal) newestWindow() time.Time {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.newest
}

func (j *journal) close() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.file == nil {
		return nil
	}
	err := j.file.Close()
	j.file, j.broken = nil, true
	return err
}
