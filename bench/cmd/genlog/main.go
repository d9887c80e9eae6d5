// Command genlog writes a mail log of any size, made from a small genuine one.
package main

import (
	"compress/gzip"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"waybill/bench/genlog"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "genlog:", err)
		os.Exit(1)
	}
}

func run() error {
	from := flag.String("template", "testdata/genuine/postfix-a.log.gz", "genuine Postfix log, plain or gzip")
	year := flag.Int("year", 2026, "year of the template")
	mega := flag.Float64("mb", 200, "size in MB (10^6 bytes); 0: one copy")
	copies := flag.Int("copies", 0, "number of copies instead of a size")
	start := flag.String("start", "", "time of the first line, such as 2026-11-20T00:00:00Z (default: the template's)")
	step := flag.Duration("step", 20*time.Minute, "time from one copy to the next")
	seed := flag.Uint64("seed", 1, "seed; the same seed gives the same log")
	to := flag.String("o", "-", "output file, - for standard output")
	flag.Parse()

	log, err := read(*from)
	if err != nil {
		return err
	}
	t, err := genlog.Parse(log, *year)
	if err != nil {
		return fmt.Errorf("%s: %w", *from, err)
	}
	o := genlog.Options{Bytes: int64(*mega * 1e6), Step: *step, Seed: *seed}
	if *copies > 0 {
		o.Bytes, o.Max = 0, *copies
	}
	if *start != "" {
		if o.Start, err = time.Parse(time.RFC3339, *start); err != nil {
			return err
		}
	}
	w := os.Stdout
	if *to != "-" {
		if w, err = os.Create(*to); err != nil {
			return err
		}
		defer w.Close()
	}
	made, err := t.Write(w, o)
	if err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "%d bytes, %d lines, %d copies, %s to %s\n", made.Bytes, made.Lines, made.Copies,
		made.First.Format(time.RFC3339), made.Last.Format(time.RFC3339))
	return nil
}

func read(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if !strings.HasSuffix(path, ".gz") {
		return io.ReadAll(f)
	}
	z, err := gzip.NewReader(f)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(z)
}
