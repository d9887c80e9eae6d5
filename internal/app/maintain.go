package app

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"

	_ "modernc.org/sqlite" // the driver, for looking at the files one by one

	"waybill/internal/store/sqlite"
)

// StoreFile is one database file of a store.
type StoreFile struct {
	Path  string
	Bytes int64 // with what the engine keeps beside it
}

// StoreFiles lists the database files below a data directory, by name.
func StoreFiles(data string) ([]StoreFile, error) {
	paths, err := filepath.Glob(filepath.Join(sqlite.Dir(data), "*.sqlite"))
	if err != nil {
		return nil, fmt.Errorf("list the store: %w", err)
	}
	if len(paths) == 0 {
		return nil, fmt.Errorf("%w in %s", ErrNoStore, data)
	}
	slices.Sort(paths)
	out := make([]StoreFile, len(paths))
	for i, p := range paths {
		out[i].Path = p
		for _, beside := range []string{"", "-wal"} {
			info, err := os.Stat(p + beside)
			switch {
			case err == nil:
				out[i].Bytes += info.Size()
			case !errors.Is(err, fs.ErrNotExist):
				return nil, fmt.Errorf("list the store: %w", err)
			}
		}
	}
	return out, nil
}

// CheckFile lets the engine read a database file to its end and returns what
// it finds wrong.
func CheckFile(ctx context.Context, path string) (faults []string, err error) {
	db, err := openFile(path, "ro")
	if err != nil {
		return nil, err
	}
	defer db.Close()
	rows, err := db.QueryContext(ctx, "PRAGMA integrity_check(20)")
	if err != nil {
		return []string{err.Error()}, ctx.Err()
	}
	defer rows.Close()
	for rows.Next() {
		var text string
		if err := rows.Scan(&text); err != nil {
			return nil, fmt.Errorf("check %s: %w", path, err)
		}
		if text != "ok" {
			faults = append(faults, text)
		}
	}
	if err := rows.Err(); err != nil {
		faults = append(faults, err.Error())
	}
	return faults, ctx.Err()
}

// Compact gives room that deleted and rewritten rows left in the database
// files back to the disk. It needs the room of the largest file beside them.
func (im *Importer) Compact(ctx context.Context, data string, each func(before, after StoreFile)) error {
	files, err := StoreFiles(data)
	if err != nil {
		return err
	}
	for _, f := range files {
		if err := compactFile(ctx, f.Path); err != nil {
			return err
		}
		info, err := os.Stat(f.Path)
		if err != nil {
			return fmt.Errorf("compact: %w", err)
		}
		each(f, StoreFile{Path: f.Path, Bytes: info.Size()})
	}
	return nil
}

func compactFile(ctx context.Context, path string) error {
	db, err := openFile(path, "rw")
	if err != nil {
		return err
	}
	_, err = db.ExecContext(ctx, "VACUUM")
	if err == nil {
		// What the write-ahead log holds is brought home, so that the file is all.
		_, err = db.ExecContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)")
	}
	if err := errors.Join(err, db.Close()); err != nil {
		return fmt.Errorf("compact %s: %w", path, err)
	}
	return nil
}

func openFile(path, mode string) (*sql.DB, error) {
	db, err := sql.Open("sqlite", "file:"+(&url.URL{Path: path}).EscapedPath()+"?mode="+mode)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	db.SetMaxOpenConns(1)
	return db, nil
}
