// Command rig makes genuine Postfix logs and the truth about them, for test
// data. It needs root and Debian's packages postfix, openssl and sasl2-bin.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"waybill/test/peers/postfix/rig"
)

func main() {
	dir := flag.String("dir", "/srv/rig", "directory to run in; its name is in the logs")
	flag.Parse()
	if err := run(*dir); err != nil {
		fmt.Fprintln(os.Stderr, "rig:", err)
		os.Exit(1)
	}
}

func run(dir string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	r, err := rig.Run(ctx, dir)
	f, ferr := os.Create(filepath.Join(dir, "truth.tsv"))
	if ferr != nil {
		return ferr
	}
	if werr := r.Truth.Write(f); werr != nil {
		return werr
	}
	if cerr := f.Close(); cerr != nil {
		return cerr
	}
	return err
}
