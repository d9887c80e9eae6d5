package sqlite

import (
	"context"
	"database/sql"
	"encoding/binary"
	"fmt"
	"strings"
	"sync"

	"github.com/cespare/xxhash/v2"

	"waybill/internal/store/sqlite/record"
)

const (
	maxDictTexts = 1 << 17 // entries of a day's dictionary
	maxDictBytes = 4 << 20 // bytes of all of them
	maxDictText  = 400     // bytes of one
	maxDictRun   = 1 << 15 // bytes of a run, about
	sightings    = 1 << 16 // strings remembered as seen once
)

// readDict is a day's dictionary as readers see it. It only grows; decode reads
// on when a record has a number that is not known yet.
type readDict struct {
	mu sync.RWMutex
	// texts is guarded by mu; what is in it never changes.
	texts []string
}

// Lookup returns the string behind a number.
func (d *readDict) Lookup(n uint32) (string, bool) {
	d.mu.RLock()
	texts := d.texts
	d.mu.RUnlock()
	if int(n) < len(texts) {
		return texts[n], true
	}
	return "", false
}

// refresh reads the entries that were added. The transaction q must be the one
// that the record was read in, or a later one.
func (d *readDict) refresh(ctx context.Context, q queryer) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	texts, err := loadDict(ctx, q, d.texts)
	if err == nil {
		d.texts = texts
	}
	return err
}

// decode reads a record. q is the transaction that it was read in.
func (d *day) decode(ctx context.Context, q queryer, doc []byte, row int64, parts bool) (*record.Record, error) {
	k := rowKey{d.n, row}
	rec, err := record.Decode(doc, baseOf(k), d.dict, parts)
	if err != nil { // rarely: it may use a string that is new
		if err := d.dict.refresh(ctx, q); err != nil {
			return nil, err
		}
		rec, err = record.Decode(doc, baseOf(k), d.dict, parts)
	}
	if err != nil {
		return nil, fmt.Errorf("read message %s: %w", publicID(k), err)
	}
	return rec, nil
}

// queryer is what reading needs of a database, connection or transaction.
type queryer interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// The dictionary is kept as runs: a row holds the strings from its number on,
// each behind its length.

// loadDict returns texts with the entries behind its end added.
func loadDict(ctx context.Context, q queryer, texts []string) ([]string, error) {
	rows, err := q.QueryContext(ctx, "SELECT id, s FROM dict WHERE id >= ? ORDER BY id", len(texts))
	if err != nil {
		return nil, fmt.Errorf("read dictionary: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var id int
		var run string
		if err := rows.Scan(&id, &run); err != nil {
			return nil, fmt.Errorf("read dictionary: %w", err)
		}
		if id != len(texts) {
			return nil, fmt.Errorf("read dictionary: entry %d is missing", len(texts))
		}
		if texts, err = appendRun(texts, run); err != nil {
			return nil, err
		}
	}
	return texts, rows.Err()
}

func appendRun(texts []string, run string) ([]string, error) {
	for len(run) > 0 {
		n, size := uint64(run[0]), 1
		if n >= 0x80 {
			if n, size = binary.Uvarint([]byte(run[:min(len(run), binary.MaxVarintLen64)])); size <= 0 {
				return nil, fmt.Errorf("read dictionary: %w", record.ErrDamaged)
			}
		}
		if n > uint64(len(run)-size) {
			return nil, fmt.Errorf("read dictionary: %w", record.ErrDamaged)
		}
		end := size + int(n)
		texts, run = append(texts, run[size:end]), run[end:]
	}
	return texts, nil
}

// writeDict is a day's dictionary as its writer sees it, with entries that are
// not in the file yet. A string gets a number when it is met for the second
// time: most local parts and ids come once.
type writeDict struct {
	byText map[string]uint32
	texts  []string
	bytes  int
	saved  int // entries that are in the file
	seen   []uint64
}

func newWriteDict(texts []string) *writeDict {
	d := &writeDict{byText: make(map[string]uint32, len(texts)), texts: texts, saved: len(texts), seen: make([]uint64, sightings)}
	for i, s := range texts {
		d.byText[s] = uint32(i)
		d.bytes += len(s)
	}
	return d
}

// Lookup returns the string behind a number.
func (d *writeDict) Lookup(n uint32) (string, bool) {
	if int(n) >= len(d.texts) {
		return "", false
	}
	return d.texts[n], true
}

// force returns the number of s, which gets one whatever the bounds are: for
// the few strings that have no other form.
func (d *writeDict) force(s string) uint32 {
	n, ok := d.byText[s]
	if !ok {
		n = d.add(s)
	}
	return n
}

// Intern returns the number of s, and gives it one if that pays.
func (d *writeDict) Intern(s string, must bool) (uint32, bool) {
	if n, ok := d.byText[s]; ok {
		return n, true
	}
	if len(s) > maxDictText || len(d.texts) >= maxDictTexts || d.bytes+len(s) > maxDictBytes {
		return 0, false
	}
	if !must {
		h := xxhash.Sum64String(s)
		if at := &d.seen[h%sightings]; *at != h {
			*at = h
			return 0, false
		}
	}
	return d.add(s), true
}

// InternBytes is Intern of a string that is worth a number at first sight.
func (d *writeDict) InternBytes(b []byte) (uint32, bool) {
	if n, ok := d.byText[string(b)]; ok { // no copy is made
		return n, true
	}
	return d.Intern(string(b), true)
}

// InternSeen is Intern of a string that is worth a number the second time.
func (d *writeDict) InternSeen(b []byte) (uint32, bool) {
	if n, ok := d.byText[string(b)]; ok { // no copy is made
		return n, true
	}
	return d.Intern(string(b), false)
}

func (d *writeDict) add(s string) uint32 {
	n := uint32(len(d.texts))
	s = strings.Clone(s) // else it would hold the whole log line
	d.texts = append(d.texts, s)
	d.byText[s] = n
	d.bytes += len(s)
	return n
}

// save writes the new entries.
func (d *writeDict) save(ctx context.Context, tx *sql.Tx) error {
	if d.saved == len(d.texts) {
		return nil
	}
	var run []byte
	for from, i := d.saved, d.saved; i < len(d.texts); i++ {
		run = binary.AppendUvarint(run, uint64(len(d.texts[i])))
		run = append(run, d.texts[i]...)
		if i+1 < len(d.texts) && len(run) < maxDictRun {
			continue
		}
		if _, err := tx.ExecContext(ctx, "INSERT INTO dict(id, s) VALUES(?, ?)", from, run); err != nil {
			return fmt.Errorf("write dictionary: %w", err)
		}
		from, run = i+1, run[:0]
	}
	d.saved = len(d.texts)
	return nil
}
