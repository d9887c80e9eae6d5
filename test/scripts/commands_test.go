package scripts

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"unicode"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/testscript"
)

func commands() map[string]func(*testscript.TestScript, bool, []string) {
	return map[string]func(*testscript.TestScript, bool, []string){
		"code":     code,
		"save":     save,
		"genuine":  genuine,
		"lines":    lines,
		"cut":      cut,
		"make":     makeFile,
		"messages": messages,
		"same":     same,
		"harmless": harmless,
	}
}

func want(ts *testscript.TestScript, neg bool, args []string, n int, usage string) {
	if neg || len(args) < n {
		ts.Fatalf("usage: %s", usage)
	}
}

func number(ts *testscript.TestScript, s string) int {
	n, err := strconv.Atoi(s)
	ts.Check(err)
	return n
}

func code(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 2, "code N PROGRAM ARGS...")
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			ts.Fatalf("run %s: %v", args[1], err)
		}
		got = exit.ExitCode()
	}
	if got != number(ts, args[0]) {
		ts.Fatalf("exit code %d, want %s\n%s", got, args[0], ts.ReadFile("stderr"))
	}
}

// save keeps long answers out of the log of the test.
func save(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 2, "save FILE PROGRAM ARGS...")
	path, err := exec.LookPath(args[1])
	if args[1] == "waybill" {
		path, err = program, nil
	}
	ts.Check(err)
	var errs bytes.Buffer
	cmd := exec.Command(path, args[2:]...)
	cmd.Dir = ts.MkAbs(".")
	cmd.Env = append(os.Environ(), "TZ=UTC", "XDG_CONFIG_HOME="+ts.Getenv("XDG_CONFIG_HOME"))
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		ts.Fatalf("%s: %v\n%s", strings.Join(args[1:], " "), err, errs.String())
	}
	write(ts, args[0], out)
}

func genuine(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 2, "genuine NAME FILE")
	f, err := os.Open(filepath.Join(ts.Getenv("TREE"), "testdata", "genuine", args[0]+".log.gz"))
	ts.Check(err)
	defer f.Close()
	z, err := gzip.NewReader(f)
	ts.Check(err)
	content, err := io.ReadAll(z)
	ts.Check(err)
	write(ts, args[1], content)
}

func write(ts *testscript.TestScript, name string, content []byte) {
	ts.Check(os.WriteFile(ts.MkAbs(name), content, 0o644))
}

func lines(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 4, "lines FILE FROM TO OUT")
	all := strings.SplitAfter(ts.ReadFile(args[0]), "\n")
	from, to := number(ts, args[1]), number(ts, args[2])
	if to == 0 || to > len(all) {
		to = len(all)
	}
	write(ts, args[3], []byte(strings.Join(all[from-1:to], "")))
}

func cut(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 4, "cut FILE N A B")
	content, n := ts.ReadFile(args[0]), number(ts, args[1])
	write(ts, args[2], []byte(content[:n]))
	write(ts, args[3], []byte(content[n:]))
}

func makeFile(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 1, "make OUT TEXT...")
	var b bytes.Buffer
	for _, a := range args[1:] {
		times := 1
		if i := strings.LastIndex(a, "*"); i > 0 {
			if n, err := strconv.Atoi(a[i+1:]); err == nil {
				a, times = a[:i], n
			}
		}
		text, err := strconv.Unquote(`"` + strings.ReplaceAll(a, `"`, `\"`) + `"`)
		if err != nil {
			ts.Fatalf("%s: %v", a, err)
		}
		b.WriteString(strings.Repeat(text, times))
	}
	write(ts, args[0], b.Bytes())
}

// answer splits an ndjson answer into its messages and its coverage.
func answer(ts *testscript.TestScript, name string) (rows []map[string]any, coverage map[string]any) {
	dec := json.NewDecoder(strings.NewReader(ts.ReadFile(name)))
	for {
		var v map[string]any
		if err := dec.Decode(&v); err == io.EOF {
			break
		} else if err != nil {
			ts.Fatalf("%s is no ndjson: %v", name, err)
		}
		if coverage != nil {
			ts.Fatalf("%s: something follows the coverage: %v", name, v)
		}
		if c, ok := v["coverage"]; ok {
			coverage = c.(map[string]any)
			continue
		}
		rows = append(rows, v)
	}
	if coverage == nil {
		ts.Fatalf("%s has no coverage", name)
	}
	return rows, coverage
}

func messages(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 1, "messages N")
	rows, _ := answer(ts, "stdout")
	if len(rows) != number(ts, args[0]) {
		ts.Fatalf("%d messages, want %s", len(rows), args[0])
	}
}

// same compares what may not depend on how a log was imported.
func same(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 2, "same A B")
	a, _ := answer(ts, args[0])
	b, _ := answer(ts, args[1])
	x, y := portable(ts, a), portable(ts, b)
	if len(x) != len(y) {
		ts.Logf("%d messages against %d", len(x), len(y))
	}
	if d := cmp.Diff(x, y); d != "" {
		ts.Fatalf("%s and %s differ:\n%.4000s", args[0], args[1], d)
	}
}

// portable writes each message without what an import makes up.
func portable(ts *testscript.TestScript, rows []map[string]any) []string {
	out := make([]string, len(rows))
	for i, r := range rows {
		strip(r)
		text, err := json.Marshal(r)
		ts.Check(err)
		out[i] = string(text)
	}
	sort.Strings(out)
	return out
}

func strip(v any) {
	switch v := v.(type) {
	case map[string]any:
		for _, k := range []string{"id", "serial", "mid", "icid"} {
			delete(v, k)
		}
		for _, w := range v {
			strip(w)
		}
	case []any:
		for _, w := range v {
			strip(w)
		}
	}
}

func harmless(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 0, "harmless")
	for _, name := range []string{"stdout", "stderr"} {
		for i, r := range ts.ReadFile(name) {
			if r != '\n' && (unicode.IsControl(r) || unicode.Is(unicode.Cf, r)) || r == unicode.ReplacementChar && !strings.Contains(ts.ReadFile(name), "\uFFFD") {
				ts.Fatalf("%s has %q at byte %d", name, r, i)
			}
		}
	}
}
