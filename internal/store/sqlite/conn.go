package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"

	"golang.org/x/sys/unix"
	driver "modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"waybill/internal/store"
)

// pageSize is the size of a database page; the index fills pages of this size.
const pageSize = 8192

// dsn names a database file with the settings of each connection to it.
func dsn(path string, params ...string) string {
	// SQLite reads %XX, ? and # in the path itself.
	p := strings.NewReplacer("%", "%25", "?", "%3f", "#", "%23").Replace(path)
	return "file:" + p + "?" + strings.Join(params, "&")
}

func pragma(s string) string { return "_pragma=" + url.QueryEscape(s) }

// openWriter opens the one writing connection of a file and brings its schema
// up to date. A file that is not there yet is made under another name first,
// so that no reader ever sees half of a schema.
func openWriter(ctx context.Context, path string, magic int, steps []migration, more ...string) (*sql.DB, error) {
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		if err := create(ctx, path, magic, steps, more...); err != nil {
			return nil, err
		}
	} else if err != nil {
		return nil, err
	}
	params := append([]string{"mode=rw", "_txlock=immediate", pragma("busy_timeout(10000)"), pragma("journal_mode(wal)"),
		pragma("synchronous(full)"), pragma("cache_size(-8192)"), pragma("wal_autocheckpoint(4000)"), pragma("temp_store(memory)")}, more...)
	db, err := sql.Open("sqlite", dsn(path, params...))
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	db.SetMaxOpenConns(1)
	if err := migrate(ctx, db, path, magic, steps); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

func create(ctx context.Context, path string, magic int, steps []migration, more ...string) error {
	tmp := filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+".new")
	for _, end := range []string{"", "-wal", "-shm", "-journal"} {
		if err := os.Remove(tmp + end); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("remove what an earlier start left behind: %w", err)
		}
	}
	params := append([]string{pragma(fmt.Sprintf("page_size(%d)", pageSize)), pragma("journal_mode(wal)"), pragma("synchronous(full)")}, more...)
	db, err := sql.Open("sqlite", dsn(tmp, params...))
	if err != nil {
		return fmt.Errorf("create %s: %w", path, err)
	}
	db.SetMaxOpenConns(1)
	if err := errors.Join(migrate(ctx, db, path, magic, steps), db.Close()); err != nil {
		return err
	}
	// On a full disk closing leaves the schema in the log, and says nothing: the
	// file without it would be damaged for good.
	if fi, err := os.Stat(tmp + "-wal"); err == nil && fi.Size() > 0 {
		return fmt.Errorf("create %s: %w", path, syscall.ENOSPC)
	}
	if err := os.Chmod(tmp, 0o640); err != nil {
		return fmt.Errorf("create %s: %w", path, err)
	}
	if err := os.Rename(tmp, path); err != nil {
		return fmt.Errorf("create %s: %w", path, err)
	}
	return syncDir(filepath.Dir(path))
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("sync directory: %w", err)
	}
	if err := errors.Join(d.Sync(), d.Close()); err != nil {
		return fmt.Errorf("sync directory: %w", err)
	}
	return nil
}

// openReader opens connections that only read. Beside a writer they see its
// commits; where nobody may write to the directory and nobody has left a log
// behind, the file is taken as it is.
func openReader(ctx context.Context, path string, magic, known int) (*sql.DB, error) {
	params := []string{"mode=ro", pragma("busy_timeout(10000)"), pragma("cache_size(-2048)"), pragma("query_only(1)")}
	db, err := readOnly(ctx, path, magic, known, params)
	if err == nil || !isCode(err, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY) {
		return db, err
	}
	if fi, serr := os.Stat(path + "-wal"); serr == nil && fi.Size() > 0 {
		return nil, err
	}
	return readOnly(ctx, path, magic, known, append(params, "immutable=1"))
}

// errOldSchema is met by readers only: a writer brings the file up to date.
var errOldSchema = errors.New("the file has the schema of an older release; any command that writes, such as waybill import, brings it up to date")

func readOnly(ctx context.Context, path string, magic, known int, params []string) (*sql.DB, error) {
	db, err := sql.Open("sqlite", dsn(path, params...))
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	// No bound on open ones: a reader may hold one of a day while it waits for
	// one of another day.
	db.SetMaxIdleConns(4)
	version, err := versionOf(ctx, db, path, magic, known)
	if err == nil && version < known {
		err = fmt.Errorf("%s: %w", path, errOldSchema)
	}
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

// isCode reports whether err is an SQLite error of one of the primary codes.
func isCode(err error, codes ...int) bool {
	var e *driver.Error
	if !errors.As(err, &e) {
		return false
	}
	for _, c := range codes {
		if e.Code()&0xff == c {
			return true
		}
	}
	return false
}

// explain makes errors of the disk plain: what happened, and that nothing is
// lost by it.
func explain(err error, path string) error {
	var full *FullError
	if err == nil || errors.As(err, &full) {
		return err
	}
	if isCode(err, sqlite3.SQLITE_FULL) || errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) ||
		isCode(err, sqlite3.SQLITE_IOERR) && noRoom(filepath.Dir(path)) {
		return &FullError{Path: path, Err: err}
	}
	return err
}

// noRoom reports whether a file system is as good as full: the engine calls it
// an I/O error when there is no room for the index of its log.
func noRoom(dir string) bool {
	var st unix.Statfs_t
	return unix.Statfs(dir, &st) == nil && st.Bavail*uint64(st.Bsize) < 64<<10
}

// unavailable marks errors for which no window is to blame.
func unavailable(err error) error {
	var full *FullError
	var errno syscall.Errno
	if errors.As(err, &full) || errors.As(err, &errno) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) ||
		isCode(err, sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_READONLY,
			sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_PROTOCOL, sqlite3.SQLITE_PERM) {
		return &unavailableError{err}
	}
	return err
}

// unavailableError is store.ErrUnavailable in the words of its cause.
type unavailableError struct{ err error }

func (e *unavailableError) Error() string   { return e.err.Error() }
func (e *unavailableError) Unwrap() []error { return []error{store.ErrUnavailable, e.err} }

// FullError is returned when there is no room for a transaction. The store is
// as it was before; the windows are taken again when there is room.
type FullError struct {
	Path string
	Err  error
}

func (e *FullError) Error() string { return fmt.Sprintf("no room to write %s: %v", e.Path, e.Err) }
func (e *FullError) Unwrap() error { return e.Err }

// Hint is what an operator can do.
func (e *FullError) Hint() string {
	return fmt.Sprintf("make room on the file system of %s (df -h %s shows it) and run the command again: nothing was lost and nothing is taken twice",
		filepath.Dir(e.Path), filepath.Dir(e.Path))
}

// guarded runs f in a transaction in which several goroutines may write. When
// the engine runs out of room it may roll the transaction back by itself, and
// what another goroutine writes after that would be a transaction of its own.
// So nothing is committed here but at the end of f.
func guarded(ctx context.Context, db *sql.DB, f func(tx *sql.Tx) error) error {
	conn, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close() // goes back to the pool
	var open atomic.Bool
	hook := func(h driver.CommitHookFn) error {
		return conn.Raw(func(c any) error {
			r, ok := c.(driver.HookRegisterer)
			if !ok {
				return errors.New("the database driver has no commit hook")
			}
			r.RegisterCommitHook(h)
			return nil
		})
	}
	if err := hook(func() int32 {
		if open.Load() {
			return 0
		}
		return 1
	}); err != nil {
		return err
	}
	defer func() { _ = hook(nil) }() // the connection is gone if this fails
	tx, err := conn.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	returned := false
	defer func() {
		if !returned { // a panic: the connection cannot be closed in a transaction
			_ = rollback(tx)
		}
	}()
	err = f(tx)
	returned = true
	if err != nil {
		return errors.Join(err, rollback(tx))
	}
	open.Store(true)
	return tx.Commit()
}
