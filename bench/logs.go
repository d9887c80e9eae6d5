package main

import (
	"bufio"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"waybill/bench/genlog"
)

// templateYear is when the genuine log was written.
const templateYear = 2026

// parse reads a gzipped genuine log as a template.
func parse(template string) (*genlog.Template, error) {
	f, err := os.Open(template)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", template, err)
	}
	b, err := io.ReadAll(z)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", template, err)
	}
	return genlog.Parse(b, templateYear)
}

// layout is how copies of the template follow one another: 72 a day.
func layout(seed uint64) genlog.Options {
	return genlog.Options{Step: 20 * time.Minute, Seed: seed, Start: time.Date(templateYear, 9, 1, 0, 0, 0, 0, time.UTC)}
}

// makeLog writes a log of about the given size.
func makeLog(path, template string, bytes int64, seed uint64) (genlog.Made, error) {
	t, err := parse(template)
	if err != nil {
		return genlog.Made{}, err
	}
	o := layout(seed)
	o.Bytes = bytes
	return write(path, t, o)
}

// makeDays writes logs that were rotated every day, until they hold about the
// given number of messages in all.
func makeDays(dir, template string, messages int, seed uint64) (paths []string, bytes int64, err error) {
	t, err := parse(template)
	if err != nil {
		return nil, 0, err
	}
	const perDay = 72
	copies := (messages + t.Messages() - 1) / t.Messages()
	for at := 0; at < copies; at += perDay {
		o := layout(seed)
		o.From, o.Max = at, min(perDay, copies-at)
		path := filepath.Join(dir, fmt.Sprintf("mail.log-%03d", at/perDay))
		made, err := write(path, t, o)
		if err != nil {
			return nil, 0, err
		}
		paths, bytes = append(paths, path), bytes+made.Bytes
	}
	return paths, bytes, nil
}

func write(path string, t *genlog.Template, o genlog.Options) (genlog.Made, error) {
	w, err := os.Create(path)
	if err != nil {
		return genlog.Made{}, err
	}
	made, err := t.Write(w, o)
	return made, errors.Join(err, w.Close())
}

// compress makes path.gz beside path.
func compress(ctx context.Context, path string) error {
	out, err := exec.CommandContext(ctx, "gzip", "-kf1", path).CombinedOutput()
	if err != nil {
		return fmt.Errorf("gzip: %w: %s", err, out)
	}
	return nil
}

// sampleOf returns a recipient from the middle of a log.
func sampleOf(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return "", err
	}
	if _, err := f.Seek(info.Size()/2, io.SeekStart); err != nil {
		return "", err
	}
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		if _, rest, ok := strings.Cut(lines.Text(), ": to=<"); ok {
			to, _, _ := strings.Cut(rest, ">")
			return to, nil
		}
	}
	return "", errors.Join(errors.New("no recipient in the log"), lines.Err())
}
