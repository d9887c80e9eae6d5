// Command rig makes genuine Sendmail logs and the truth about them. It needs
// root and Sendmail's unpacked tree (test/peers/fetch.sh).
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"waybill/test/peers/sendmail/rig"
)

func main() {
	tree := flag.String("tree", "bin/peers/sendmail", "Sendmail's unpacked tree")
	dir := flag.String("dir", "/srv/rig", "directory to run in")
	level := flag.Int("level", 9, "LogLevel")
	flag.Parse()
	if err := run(*tree, *dir, *level); err != nil {
		fmt.Fprintln(os.Stderr, "rig:", err)
		os.Exit(1)
	}
}

func run(tree, dir string, level int) error {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	r, err := rig.Run(ctx, tree, dir, level)
	f, ferr := os.Create(filepath.Join(dir, "truth.tsv"))
	if ferr != nil {
		return errors.Join(err, ferr)
	}
	fmt.Println(r.Log())
	return errors.Join(err, r.Truth.Write(f), f.Close())
}
