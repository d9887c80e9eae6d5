package sqlite

import (
	"context"
	"database/sql"
	"fmt"

	"waybill/internal/store/postings"
)

// Numbers in PRAGMA application_id, so that file(1) and a curious operator can
// tell our files from others.
const (
	catalogMagic = 0x57424331 // "WBC1"
	dayMagic     = 0x57424431 // "WBD1"
)

// migration brings a file from one schema version to the next. Version n is
// what the first n migrations make; PRAGMA user_version holds it. Migrations
// are only ever added at the end.
type migration func(ctx context.Context, tx *sql.Tx) error

func script(text string) migration {
	return func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, text)
		return err
	}
}

var dayMigrations = []migration{script(`
CREATE TABLE msg(id INTEGER PRIMARY KEY, doc BLOB NOT NULL);
CREATE TABLE blk(id INTEGER PRIMARY KEY, data BLOB NOT NULL);
CREATE TABLE dict(id INTEGER PRIMARY KEY, s BLOB NOT NULL);
CREATE TABLE gateway(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE ledger(identity TEXT PRIMARY KEY, digest BLOB, gateway TEXT NOT NULL, t0 INTEGER NOT NULL, t1 INTEGER NOT NULL, messages INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE moved(id INTEGER PRIMARY KEY, day INTEGER NOT NULL, row INTEGER NOT NULL);
CREATE TABLE loose(h INTEGER NOT NULL, id INTEGER NOT NULL, PRIMARY KEY(h, id)) WITHOUT ROWID;
CREATE TABLE pending(id INTEGER PRIMARY KEY);
CREATE TABLE counter(one INTEGER PRIMARY KEY CHECK(one = 1), seq INTEGER NOT NULL, messages INTEGER NOT NULL, rejections INTEGER NOT NULL);
INSERT INTO counter VALUES(1, 0, 0, 0);
` + postings.Schema)}

var catalogMigrations = []migration{script(`
CREATE TABLE gateway(name TEXT PRIMARY KEY, serial TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE window(identity TEXT PRIMARY KEY, digest BLOB, gateway TEXT NOT NULL, serial TEXT NOT NULL, name TEXT NOT NULL,
	t0 INTEGER NOT NULL, t1 INTEGER NOT NULL, imported INTEGER NOT NULL, events INTEGER NOT NULL, done_at INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX window_time ON window(gateway, t0);
CREATE TABLE source(gateway TEXT NOT NULL, id TEXT NOT NULL, b0 INTEGER NOT NULL, b1 INTEGER NOT NULL, name TEXT NOT NULL, lines INTEGER NOT NULL,
	t0 INTEGER NOT NULL, t1 INTEGER NOT NULL, silence INTEGER NOT NULL, marks BLOB, state BLOB,
	parsed INTEGER NOT NULL, ignored INTEGER NOT NULL, unknown INTEGER NOT NULL, samples TEXT NOT NULL, waiting INTEGER NOT NULL,
	PRIMARY KEY(gateway, id, b0)) WITHOUT ROWID;
CREATE TABLE setting(name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE dropped(day INTEGER PRIMARY KEY, at INTEGER NOT NULL, messages INTEGER NOT NULL, bytes INTEGER NOT NULL);
`), script(`
ALTER TABLE window ADD COLUMN epoch INTEGER NOT NULL DEFAULT 0;
ALTER TABLE window ADD COLUMN sequence INTEGER NOT NULL DEFAULT 0;
ALTER TABLE window ADD COLUMN previous BLOB;
ALTER TABLE window ADD COLUMN watch TEXT NOT NULL DEFAULT '';
ALTER TABLE window ADD COLUMN flawed INTEGER NOT NULL DEFAULT 0;
ALTER TABLE source ADD COLUMN live INTEGER NOT NULL DEFAULT 0;
CREATE INDEX window_flawed ON window(gateway, t0) WHERE flawed <> 0;
CREATE TABLE run(serial TEXT NOT NULL, epoch INTEGER NOT NULL, s0 INTEGER NOT NULL, s1 INTEGER NOT NULL, gateway TEXT NOT NULL,
	t0 INTEGER NOT NULL, t1 INTEGER NOT NULL, last INTEGER NOT NULL, previous BLOB, digest BLOB NOT NULL, events INTEGER NOT NULL,
	PRIMARY KEY(serial, epoch, s0)) WITHOUT ROWID;
`)}

// VersionError is returned for a file that a newer release has written.
type VersionError struct {
	Path      string
	Have, Max int
}

func (e *VersionError) Error() string {
	return fmt.Sprintf("%s has schema version %d; this release knows versions up to %d", e.Path, e.Have, e.Max)
}

// Hint is what an operator can do.
func (e *VersionError) Hint() string {
	return "a newer release of waybill has written this store: use that release or a later one"
}

// versionOf returns the schema version of a file and refuses what is not ours
// or is newer than we are.
func versionOf(ctx context.Context, db *sql.DB, path string, magic, known int) (int, error) {
	var app, version int
	if err := db.QueryRowContext(ctx, "PRAGMA application_id").Scan(&app); err != nil {
		return 0, fmt.Errorf("read %s: %w", path, err)
	}
	if err := db.QueryRowContext(ctx, "PRAGMA user_version").Scan(&version); err != nil {
		return 0, fmt.Errorf("read %s: %w", path, err)
	}
	if app != magic && (app != 0 || version != 0) {
		return 0, fmt.Errorf("%s is a database, but not one of waybill's", path)
	}
	if version > known {
		return 0, &VersionError{Path: path, Have: version, Max: known}
	}
	return version, nil
}

// migrate brings a file to the newest schema, each step in a transaction of
// its own that also counts the version up.
func migrate(ctx context.Context, db *sql.DB, path string, magic int, steps []migration) error {
	version, err := versionOf(ctx, db, path, magic, len(steps))
	if err != nil {
		return err
	}
	for n := version; n < len(steps); n++ {
		tx, err := db.BeginTx(ctx, nil)
		if err != nil {
			return fmt.Errorf("migrate %s: %w", path, err)
		}
		err = steps[n](ctx, tx)
		if err == nil {
			_, err = tx.ExecContext(ctx, fmt.Sprintf("PRAGMA application_id = %d; PRAGMA user_version = %d", magic, n+1))
		}
		if err == nil {
			err = tx.Commit()
		} else {
			_ = tx.Rollback() // the first error tells more
		}
		if err != nil {
			return fmt.Errorf("migrate %s to version %d: %w", path, n+1, err)
		}
	}
	return nil
}
