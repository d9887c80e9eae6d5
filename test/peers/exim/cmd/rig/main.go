// Command rig makes genuine Exim logs and the truth about them. It needs root
// and Exim's unpacked tree (test/peers/fetch.sh).
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"waybill/test/peers/exim/rig"
)

func main() {
	tree := flag.String("tree", "bin/peers/exim", "Exim's unpacked tree")
	dir := flag.String("dir", "/srv/rig", "directory to run in")
	variant := flag.String("variant", "debian", "how Exim logs: debian, all, rich, syslog")
	flag.Parse()
	if err := run(*tree, *dir, *variant); err != nil {
		fmt.Fprintln(os.Stderr, "rig:", err)
		os.Exit(1)
	}
}

func run(tree, dir, variant string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	for _, v := range rig.Variants {
		if v.Name != variant {
			continue
		}
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
		r, err := rig.Run(ctx, tree, dir, v)
		f, ferr := os.Create(filepath.Join(dir, "truth.tsv"))
		if ferr != nil {
			return errors.Join(err, ferr)
		}
		if err = errors.Join(err, r.Truth.Write(f), f.Close()); err != nil {
			return err
		}
		for _, path := range r.Logs() {
			fmt.Println(path)
		}
		return nil
	}
	return fmt.Errorf("there is no variant %q", variant)
}
