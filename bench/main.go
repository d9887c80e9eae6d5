// Command bench measures Waybill beside other programs on the same log, and
// how fast a filled store answers.
//
//	bench                 versus, dialects, first, doctor and store, as `make bench` does
//	bench versus          Waybill, pflogsumm, rg, zcat and lnav on one log
//	bench exim            Waybill, exigrep and eximstats on one log of Exim
//	bench dialects        each dialect's lines a second beside those of Postfix
//	bench first           how long after its start `waybill open` finds something
//	bench doctor          `waybill doctor` on a gigabyte of logs
//	bench live            a gateway and a manager: from a line to its message, and the cost
//	bench pull            10,000 small files, beside a loop of ssh and scp
//	bench collect DATA N  pull and acknowledge N files, for pull
//	bench store           fill a store and search it
//	bench search DATA     search a store that is there
//	bench parse LOG       lines to events only, on one core
//	bench import DATA LOG... import in this process, for profiles
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"runtime/pprof"
)

// options are what the flags say.
type options struct {
	template string
	exim     string
	mega     float64
	messages int
	runs     int
	queries  int
	seconds  int
	files    int
	seed     uint64
	dir      string
	waybill  string
	profile  string
	heap     string
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run() (err error) {
	var o options
	flag.StringVar(&o.template, "template", "testdata/genuine/postfix-a.log.gz", "genuine log that the input is made from")
	flag.StringVar(&o.exim, "exim-template", "testdata/genuine/exim.log.gz", "genuine log of Exim that the input of exim is made from")
	flag.Float64Var(&o.mega, "mb", 200, "size of the log of versus and exim in MB (10^6 bytes)")
	flag.IntVar(&o.messages, "messages", 2_000_000, "messages in the store that is searched")
	flag.IntVar(&o.runs, "runs", 5, "runs of each program")
	flag.IntVar(&o.queries, "queries", 60, "questions of each class")
	flag.IntVar(&o.seconds, "seconds", 120, "seconds for which live loads a gateway")
	flag.IntVar(&o.files, "files", 10_000, "files that pull collects")
	flag.Uint64Var(&o.seed, "seed", 1, "seed of the input")
	flag.StringVar(&o.dir, "dir", "", "directory for the input and the stores (default: a temporary one)")
	flag.StringVar(&o.waybill, "waybill", "", "program to measure (default: built from this tree)")
	flag.StringVar(&o.profile, "cpuprofile", "", "write a CPU profile of parse, import or search")
	flag.StringVar(&o.heap, "heapprofile", "", "write a heap profile of import")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()

	if o.profile != "" {
		f, err := os.Create(o.profile)
		if err != nil {
			return err
		}
		defer f.Close()
		if err := pprof.StartCPUProfile(f); err != nil {
			return err
		}
		defer pprof.StopCPUProfile()
	}
	what := flag.Arg(0)
	switch what {
	case "parse":
		p, err := parseLog(flag.Arg(1))
		if err != nil {
			return err
		}
		fmt.Fprintln(os.Stderr, p)
		return json.NewEncoder(os.Stdout).Encode(p)
	case "search":
		return latency(ctx, flag.Arg(1), o.queries, os.Stdout)
	case "import":
		return importHere(ctx, flag.Arg(1), flag.Args()[min(2, flag.NArg()):], o.heap, os.Stderr)
	case "collect":
		return collect(ctx, flag.Arg(1), flag.Arg(2))
	case "", "versus", "exim", "dialects", "first", "doctor", "live", "pull", "store":
	default:
		return fmt.Errorf("%q is not versus, exim, dialects, first, doctor, live, pull, store, search, parse or import", what)
	}
	if o.dir == "" {
		if o.dir, err = os.MkdirTemp("", "waybill-bench-"); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, os.RemoveAll(o.dir)) }()
	}
	if err := os.MkdirAll(o.dir, 0o755); err != nil {
		return err
	}
	if o.waybill == "" {
		o.waybill = filepath.Join(o.dir, "waybill")
		if out, err := exec.CommandContext(ctx, "go", "build", "-o", o.waybill, "waybill/cmd/waybill").CombinedOutput(); err != nil {
			return fmt.Errorf("build waybill: %w: %s", err, out)
		}
	}
	fmt.Printf("%d cores, %s.\n\n", runtime.NumCPU(), runtime.Version())
	switch what {
	case "exim":
		return versusExim(ctx, o, os.Stdout)
	case "live":
		return live(ctx, o, os.Stdout)
	case "pull":
		return pull(ctx, o, os.Stdout)
	}
	if what == "" || what == "versus" {
		if err := versus(ctx, o, os.Stdout); err != nil {
			return err
		}
	}
	if what == "" || what == "dialects" {
		if err := dialects(ctx, o, os.Stdout); err != nil {
			return err
		}
	}
	if what == "" || what == "first" {
		if err := first(ctx, o, os.Stdout); err != nil {
			return err
		}
	}
	if what == "" || what == "doctor" {
		if err := diagnose(ctx, o, os.Stdout); err != nil {
			return err
		}
	}
	if what == "" || what == "store" {
		data, err := fill(ctx, o, os.Stdout)
		if err != nil {
			return err
		}
		return latency(ctx, data, o.queries, os.Stdout)
	}
	return nil
}
