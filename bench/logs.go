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
	"strings"
	"time"

	"waybill/bench/genlog"
)

// templateYear is when the genuine log was written.
const templateYear = 2026

// makeLog writes a log of about the given size.
func makeLog(path, template string, bytes int64, seed uint64) (genlog.Made, error) {
	f, err := os.Open(template)
	if err != nil {
		return genlog.Made{}, err
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		return genlog.Made{}, fmt.Errorf("%s: %w", template, err)
	}
	b, err := io.ReadAll(z)
	if err != nil {
		return genlog.Made{}, fmt.Errorf("%s: %w", template, err)
	}
	t, err := genlog.Parse(b, templateYear)
	if err != nil {
		return genlog.Made{}, err
	}
	w, err := os.Create(path)
	if err != nil {
		return genlog.Made{}, err
	}
	made, err := t.Write(w, genlog.Options{Bytes: bytes, Step: 20 * time.Minute, Seed: seed,
		Start: time.Date(templateYear, 9, 1, 0, 0, 0, 0, time.UTC)})
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
