// Package window defines the tracking file: the only thing that gateways and
// managers ever exchange, and the way by which imported logs reach the store.
//
// A tracking file holds the events recorded in one half-open interval. Its name
// carries the interval, so a directory listing is enough to say what is present
// and, by subtraction, what is missing:
//
//	tracking.@20230213T191631Z_20230213T191931Z.s.gz
//
// The life of a file is one-way:
//
//	Create ─▶ Writer ──Seal──▶ file ──Open──▶ Reader
//
// Until Seal the data lives under a dot-name that no listing shows. Flush makes
// what was written so far durable together with the source positions that
// belong to it; after a crash [Recover] keeps exactly that and tells from where
// to read on, so that nothing is lost or doubled. After Seal has returned nil
// the file never changes again and may be read, copied or removed by anyone.
//
// A [Reader] takes nothing on trust: each frame has its checksum, the whole its
// digest. A file without a valid trailer is damaged, never empty.
//
// The format is described in docs/format.md. The package knows nothing of mail
// logs, SSH or databases.
package window
