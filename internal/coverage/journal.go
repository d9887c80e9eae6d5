package coverage

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"sort"
	"strings"
	"time"

	"waybill/internal/safefs"
	"waybill/internal/track"
)

// Record is a line of smad's journal of a gateway.
type Record struct {
	Time     time.Time `json:"time"`
	Event    string    `json:"event"` // connected, disconnected, listed, vanished, pulled, damaged, quarantined, acknowledged, failed
	File     string    `json:"file,omitempty"`
	Reason   string    `json:"reason,omitempty"` // from outside in part
	Digest   string    `json:"digest,omitempty"`
	Remote   string    `json:"remote,omitempty"` // the gateway's address, or the collector that took a file
	Again    bool      `json:"again,omitempty"`  // repeats an earlier record
	Evidence []Export  `json:"evidence,omitempty"`
}

// Export is an event of a gateway's export journal, as smad got it.
type Export struct {
	Time      time.Time `json:"time"`
	Event     string    `json:"event"`
	File      string    `json:"file,omitempty"`
	Name      string    `json:"name,omitempty"` // of the collector
	Address   string    `json:"address,omitempty"`
	Collector string    `json:"collector,omitempty"`
	Reason    string    `json:"reason,omitempty"`
	Had       []Party   `json:"had,omitempty"` // of expired and removed: who had acknowledged
	Missed    []Party   `json:"missed,omitempty"`
	Exclusive bool      `json:"exclusive,omitempty"`
}

// Party is a collector.
type Party struct {
	ID      string `json:"id,omitempty"`
	Name    string `json:"name,omitempty"`
	Address string `json:"address,omitempty"`
}

// who names a collector.
func who(name, address, id string) string {
	switch {
	case name != "" && address != "":
		return name + " (" + address + ")"
	case name != "":
		return name
	case address != "":
		return address
	}
	return id
}

const (
	journalExt = ".ndjson"
	journalDay = "20060102"
	maxEntry   = 1 << 20
	maxRecords = 500_000
	before     = 24 * time.Hour // what is told of the time before, to know how things stood
)

// ReadJournal reads what smad noted of a gateway in a span and on the day before
// it; dir is the journal's directory. An open side of span is as far as
// there is anything. A line that cannot be read was cut by a crash and is passed
// over; of very many records the oldest are left out.
func ReadJournal(fsys safefs.FS, dir string, span track.Interval) ([]Record, error) {
	entries, err := fsys.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the journal: %w", err)
	}
	var names []string
	for _, e := range entries {
		base, ok := strings.CutSuffix(e.Name(), journalExt)
		if !ok || e.IsDir() || len(base) < len(journalDay) {
			continue
		}
		day, err := time.Parse(journalDay, base[:len(journalDay)])
		if err != nil || span.From != 0 && day.Add(2*24*time.Hour).Before(span.From.Time()) ||
			span.To != 0 && day.After(span.To.Time()) {
			continue
		}
		names = append(names, e.Name())
	}
	sort.Slice(names, func(i, j int) bool { // "20230213" before "20230213-0001"
		return strings.TrimSuffix(names[i], journalExt) < strings.TrimSuffix(names[j], journalExt)
	})
	var out []Record
	for _, name := range names {
		if out, err = readJournal(fsys, path.Join(dir, name), span, out); err != nil {
			return nil, fmt.Errorf("read the journal: %w", err)
		}
		if len(out) > maxRecords {
			out = append([]Record(nil), out[len(out)-maxRecords/2:]...)
		}
	}
	return out, nil
}

func readJournal(fsys safefs.FS, name string, span track.Interval, out []Record) ([]Record, error) {
	f, err := fsys.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return out, nil // removed since
	}
	if err != nil {
		return out, err
	}
	defer f.Close()
	r := bufio.NewReaderSize(f, 64<<10)
	for {
		line, err := readLine(r)
		if rec, ok := ParseRecord(line); ok && (span.From == 0 || !rec.Time.Before(span.From.Time().Add(-before))) &&
			(span.To == 0 || rec.Time.Before(span.To.Time())) {
			out = append(out, rec)
		}
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return out, err
		}
	}
}

// ParseRecord reads a line of the journal.
func ParseRecord(line []byte) (Record, bool) {
	var rec Record
	if len(line) == 0 || json.Unmarshal(line, &rec) != nil || rec.Event == "" || rec.Time.IsZero() {
		return Record{}, false
	}
	return rec, true
}

// readLine reads one line; of one that is too long nothing is kept.
func readLine(r *bufio.Reader) ([]byte, error) {
	var line []byte
	long := false
	for {
		part, err := r.ReadSlice('\n')
		if long = long || len(line)+len(part) > maxEntry; !long {
			line = append(line, part...)
		}
		if errors.Is(err, bufio.ErrBufferFull) {
			continue
		}
		if long {
			line = nil
		}
		return bytes.TrimSpace(line), err
	}
}
