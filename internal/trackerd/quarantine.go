package trackerd

import (
	"bufio"
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"sort"
	"strconv"
	"strings"
	"time"

	"waybill/internal/coverage"
	"waybill/internal/safefs"
	"waybill/internal/safetext"
	"waybill/internal/store"
	"waybill/internal/window"
)

// reasonExt ends the name of the file that tells why the one beside it is in
// quarantine: a line for people, then "key: value" lines.
const reasonExt = ".reason"

// maxReason bounds what is read of such a file, and maxListed how many files in
// quarantine are told of one gateway.
const (
	maxReason = 64 << 10
	maxListed = 10_000
)

// reason is what stands in it.
type reason struct {
	text     string
	cause    coverage.Cause
	identity string
	got      string // digests in hex
	stored   string
	at       time.Time
}

func reasonOf(err error, at time.Time) *reason {
	r := &reason{text: oneLine(err.Error()), cause: coverage.Damaged, at: at.UTC()}
	var conflict *store.ConflictError
	if errors.As(err, &conflict) {
		r.identity, r.got, r.stored = conflict.Identity, hex.EncodeToString(conflict.Got), hex.EncodeToString(conflict.Stored)
	}
	if errors.Is(err, store.ErrConflict) {
		r.cause = coverage.Conflict
	}
	return r
}

func (r *reason) write(w io.Writer) error {
	b := bufio.NewWriter(w)
	fmt.Fprintf(b, "%s\ncause: %s\ntime: %s\n", r.text, r.cause, r.at.Format(time.RFC3339))
	for _, l := range [][2]string{{"identity", r.identity}, {"digest", r.got}, {"digest in the store", r.stored}} {
		if l[1] != "" {
			fmt.Fprintf(b, "%s: %s\n", l[0], oneLine(l[1]))
		}
	}
	return b.Flush()
}

// oneLine makes a text from outside one line that may be shown.
func oneLine(s string) string { return safetext.Of(s).Short(4000).String() }

// quarantine moves a file out of the way, with the reason in a file beside it.
// Nothing that is in quarantine already is replaced.
func (p *Parser) quarantine(dir, name string, why error) error {
	if errors.Is(why, context.Canceled) || errors.Is(why, context.DeadlineExceeded) {
		return why
	}
	gateway := path.Base(dir)
	to := path.Join(p.Quarantine, gateway)
	from := path.Join(dir, name)
	fail := func(err error) error { return fmt.Errorf("quarantine %s: %w", name, err) }
	if err := p.FS.MkdirAll(to); err != nil {
		return fail(err)
	}
	r := reasonOf(why, p.now())
	as, same, err := p.place(from, to, name)
	if err != nil {
		return fail(err)
	}
	if !same { // else a crash in the middle of this left it in both places
		if err := safefs.Replace(p.FS, to, as+reasonExt, r.write); err != nil {
			return fail(err)
		}
		if err := safefs.Link(p.FS, from, path.Join(to, as)); err != nil {
			return fail(err)
		}
	}
	if err := p.FS.SyncDir(to); err != nil {
		return fail(err)
	}
	if err := p.FS.Remove(from); err != nil {
		return fail(err)
	}
	if err := p.FS.SyncDir(dir); err != nil {
		return fail(err)
	}
	p.Log.Warn("Tracking file set aside, it cannot be taken", "window", name, "path", to, "err", why)
	var died *PanicError
	if errors.As(why, &died) {
		p.Log.Debug("Where the program failed", "window", name, "stack", string(died.Stack))
	}
	if p.watch != nil {
		p.watch.quarantined(gateway, from, path.Join(to, as), r)
	}
	return nil
}

func (p *Parser) now() time.Time {
	if p.Now == nil {
		return time.Now()
	}
	return p.Now()
}

// place finds a name in quarantine that is free, or the file itself there.
func (p *Parser) place(from, to, name string) (as string, same bool, err error) {
	for n := 0; ; n++ {
		if as = name; n > 0 {
			as = name + "." + strconv.Itoa(n)
		}
		_, err := p.FS.Stat(path.Join(to, as))
		if errors.Is(err, fs.ErrNotExist) {
			return as, false, nil
		}
		if err != nil {
			return "", false, err
		}
		if same, err := sameContent(p.FS, from, path.Join(to, as)); same || err != nil {
			return as, same, err
		}
	}
}

func sameContent(fsys safefs.FS, a, b string) (bool, error) {
	fa, err := fsys.Open(a)
	if err != nil {
		return false, err
	}
	defer fa.Close()
	fb, err := fsys.Open(b)
	if err != nil {
		return false, err
	}
	defer fb.Close()
	ba, bb := make([]byte, 64<<10), make([]byte, 64<<10)
	for {
		na, erra := io.ReadFull(fa, ba)
		nb, errb := io.ReadFull(fb, bb)
		if !bytes.Equal(ba[:na], bb[:nb]) {
			return false, nil
		}
		ended := errors.Is(erra, io.EOF) || errors.Is(erra, io.ErrUnexpectedEOF)
		switch {
		case erra != nil && !ended:
			return false, erra
		case errb != nil && !errors.Is(errb, io.EOF) && !errors.Is(errb, io.ErrUnexpectedEOF):
			return false, errb
		case ended:
			return true, nil
		}
	}
}

// Quarantined lists the tracking files of a gateway that are in quarantine
// below dir, with the reasons that stand beside them, in the order of their
// names; the last ones when there are very many.
func Quarantined(fsys safefs.FS, dir, gateway string) ([]coverage.Quarantined, error) {
	at := path.Join(dir, gateway)
	entries, err := fsys.ReadDir(at)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list the quarantine: %w", err)
	}
	var names []string
	for _, e := range entries {
		if _, ok := windowName(e.Name()); ok && !e.IsDir() {
			names = append(names, e.Name())
		}
	}
	sort.Strings(names)
	names = names[max(0, len(names)-maxListed):]
	out := make([]coverage.Quarantined, 0, len(names))
	for _, name := range names {
		q := coverage.Quarantined{Cause: coverage.Damaged, Path: path.Join(at, name)}
		q.File, _ = windowName(name)
		b, err := readSmall(fsys, q.Path+reasonExt)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("list the quarantine: %w", err)
		}
		parseReason(b, &q)
		out = append(out, q)
	}
	return out, nil
}

// windowName is the name that a file in quarantine had.
func windowName(name string) (string, bool) {
	if _, err := window.ParseName(name); err == nil {
		return name, true
	}
	i := strings.LastIndexByte(name, '.')
	if i < 0 {
		return "", false
	}
	if n, err := strconv.Atoi(name[i+1:]); err != nil || n <= 0 {
		return "", false
	}
	_, err := window.ParseName(name[:i])
	return name[:i], err == nil
}

func readSmall(fsys safefs.FS, name string) ([]byte, error) {
	f, err := fsys.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, maxReason))
}

func parseReason(b []byte, q *coverage.Quarantined) {
	text, rest, _ := strings.Cut(string(b), "\n")
	q.Reason = text
	for line := range strings.Lines(rest) {
		key, value, ok := strings.Cut(strings.TrimSpace(line), ": ")
		if !ok {
			continue
		}
		switch key {
		case "cause":
			if coverage.Cause(value) == coverage.Conflict {
				q.Cause = coverage.Conflict
			}
		case "identity":
			q.Identity = value
		case "digest":
			q.Digest = value
		case "digest in the store":
			q.Stored = value
		case "time":
			q.Time, _ = time.Parse(time.RFC3339, value) // absent when it is not one
		}
	}
}
