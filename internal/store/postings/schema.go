package postings

import (
	"context"
	"database/sql"
)

// Schema creates the tables of the index in a new day file. A page size of
// 8,192 suits the blobs best.
const Schema = `
CREATE TABLE idx_seg(seg INTEGER PRIMARY KEY, n INTEGER NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL, dir BLOB NOT NULL);
CREATE TABLE idx_page(id INTEGER PRIMARY KEY, page BLOB NOT NULL);
CREATE TABLE idx_dead(seg INTEGER PRIMARY KEY, ver INTEGER NOT NULL, n INTEGER NOT NULL, bits BLOB NOT NULL);
CREATE TABLE idx_gen(one INTEGER PRIMARY KEY CHECK(one = 1), gen INTEGER NOT NULL, next INTEGER NOT NULL);
INSERT INTO idx_gen VALUES(1, 1, 1);
`

// Tx is what the index needs of a transaction: *sql.Tx, *sql.Conn and *sql.DB
// have it.
type Tx interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
	PrepareContext(ctx context.Context, query string) (*sql.Stmt, error)
}

const (
	// pageBytes is the size of a full page: with its row it just fits into one
	// page of the database.
	pageBytes = 8120
	// maxMessages is the number of messages in a full segment.
	maxMessages = 1 << 16
	// pageShift makes the row id of a page from its segment and number.
	pageShift = 24
	// chunkBase is the number of the first page that holds row ids.
	chunkBase = 1 << 23
)
