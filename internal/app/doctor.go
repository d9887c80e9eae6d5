package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"waybill/internal/doctor"
	"waybill/internal/source"
)

// Diagnosis is an examination of logs.
type Diagnosis struct {
	doctor.Options
	Stdin io.Reader // what "-" stands for
}

// Diagnose reads files, and those in directories and below, and finds out which
// windows are missing and why. Errors that concern one file are returned beside
// the report, *source.Error each.
func Diagnose(ctx context.Context, o Diagnosis, paths []string) (*doctor.Report, []error, error) {
	files, bad, err := logFiles(paths)
	if err != nil {
		return nil, nil, err
	}
	piped := ""
	defer func() {
		if piped != "" {
			_ = os.Remove(piped) // it has no name that anybody would miss
		}
	}()
	open := func(path string) (*source.File, error) {
		if path == "-" {
			return source.Open(piped)
		}
		return source.Open(path)
	}
	if slices.Contains(files, "-") {
		if piped, err = keep(o.Stdin); err != nil {
			return nil, nil, err
		}
	}
	d := doctor.New(o.Options)
	readings := make([]*doctor.Reading, len(files))
	unread := make([]error, len(files))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i, path := range files {
		group.Go(func() error {
			f, err := open(path)
			if errors.Is(err, source.ErrEmpty) { // a log that was just rotated
				readings[i] = doctor.Open(path)
				return nil
			}
			if err != nil {
				unread[i] = err
				return nil
			}
			in := doctor.Open(path)
			if err := errors.Join(in.Read(ctx, f), f.Close()); err != nil {
				return err
			}
			readings[i] = in
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, nil, err
	}
	for i, in := range readings {
		if in == nil {
			bad = append(bad, unread[i])
			continue
		}
		d.Add(in)
	}
	r := d.Report()
	return r, bad, r.Fill(open)
}

// keep writes what comes from a pipe into a file: evidence is read twice.
func keep(in io.Reader) (path string, err error) {
	f, err := os.CreateTemp("", "waybill-doctor-")
	if err != nil {
		return "", fmt.Errorf("keep standard input: %w", err)
	}
	_, err = io.Copy(f, in)
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		_ = os.Remove(f.Name())
		return "", fmt.Errorf("keep standard input: %w", err)
	}
	return f.Name(), nil
}

// maxLogFiles bounds the files of directories.
const maxLogFiles = 100_000

// logFiles lists files, and those below directories in the order of their
// names, hidden ones aside.
func logFiles(paths []string) (files []string, bad []error, err error) {
	for _, p := range paths {
		info, serr := os.Stat(p)
		if p == "-" || serr != nil || !info.IsDir() {
			files = append(files, p) // that it cannot be opened is told then
			continue
		}
		err = filepath.WalkDir(p, func(path string, e fs.DirEntry, werr error) error {
			switch {
			case werr != nil:
				bad = append(bad, source.Unreadable(path, werr))
			case path != p && strings.HasPrefix(e.Name(), "."):
				if e.IsDir() {
					return fs.SkipDir
				}
			case e.Type().IsRegular() || e.Type()&fs.ModeSymlink != 0:
				if info, serr := os.Stat(path); serr != nil || !info.Mode().IsRegular() {
					return nil // a link to nowhere, or to a directory
				}
				files = append(files, path)
			}
			if len(files) > maxLogFiles {
				return fmt.Errorf("%s has more than %d files", p, maxLogFiles)
			}
			return nil
		})
		if err != nil {
			return nil, nil, err
		}
	}
	return files, bad, nil
}

// Zoned names a zone for the examination; "" infers it.
func (o *Diagnosis) Zoned(name string) error {
	if name == "" {
		return nil
	}
	zone, err := time.LoadLocation(name)
	o.Zone = zone
	return err
}
