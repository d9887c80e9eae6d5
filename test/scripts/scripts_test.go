// Package scripts drives the built program as its users do. Each
// testdata/*.txtar is a script of package testscript: commands, the files that
// they need, and what they must print. Beside the usual commands there are
//
//	code N PROGRAM ARGS...   run a program that must end with this exit code
//	save FILE PROGRAM ARGS.. run a program that must succeed, its stdout to FILE
//	genuine NAME FILE        a bundled genuine log, uncompressed
//	lines FILE FROM TO OUT   lines FROM to TO (1 is the first, 0 for TO is the last)
//	cut FILE N A B           the first N bytes to A, the rest to B
//	make OUT TEXT...         TEXT with the escapes of Go; x*N repeats x
//	messages N               the last stdout is ndjson: N messages and the coverage
//	same A B                 two ndjson answers hold the same messages, ids aside
//	harmless                 nothing in the last stdout and stderr drives a terminal
//
// and the conditions [root], [tmpfs] (small disks may be mounted) and
// [peer:NAME], for a program of somebody else.
package scripts

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// program is the binary under test.
var program string

func run(m *testing.M) (int, error) {
	dir, err := os.MkdirTemp("", "waybill-scripts-")
	if err != nil {
		return 1, err
	}
	defer os.RemoveAll(dir)
	// Others must be able to run it: see the command nobody.
	if err := os.Chmod(dir, 0o755); err != nil {
		return 1, err
	}
	program = filepath.Join(dir, "waybill")
	build := exec.Command("go", "build", "-o", program, "waybill/cmd/waybill")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return 1, fmt.Errorf("build the program: %w\n%s", err, out)
	}
	return m.Run(), nil
}

func TestScripts(t *testing.T) {
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Setup: func(env *testscript.Env) error {
			env.Setenv("TZ", "UTC")
			env.Setenv("NO_COLOR", "")
			env.Setenv("TREE", root)
			env.Setenv("DATA", filepath.Join(env.WorkDir, "data"))
			env.Setenv("XDG_CONFIG_HOME", filepath.Join(env.WorkDir, "config"))
			env.Setenv("PATH", filepath.Dir(program)+string(os.PathListSeparator)+env.Getenv("PATH"))
			// Scripts that become somebody else must get here.
			return errors.Join(os.Chmod(env.WorkDir, 0o755), os.Chmod(filepath.Dir(env.WorkDir), 0o755))
		},
		Cmds: commands(),
		Condition: func(cond string) (bool, error) {
			if cond == "root" {
				return os.Geteuid() == 0, nil
			}
			if cond == "tmpfs" {
				return canMount(), nil
			}
			if name, ok := strings.CutPrefix(cond, "peer:"); ok {
				return peer(name)
			}
			return false, fmt.Errorf("no condition %q", cond)
		},
	})
}

// peer reports whether a program is there. Where peers are required a missing
// one is an error; else the script says that it is skipped.
func peer(name string) (bool, error) {
	_, err := exec.LookPath(name)
	if err != nil && os.Getenv("WAYBILL_REQUIRE_PEERS") != "" {
		return false, fmt.Errorf("%s is missing, and peers are required", name)
	}
	return err == nil, nil
}

// canMount reports whether a file system can be mounted where nobody else sees
// it; containers often may not, whoever runs in them.
func canMount() bool {
	return exec.Command("unshare", "--mount", "mount", "-t", "tmpfs", "-o", "size=64k", "none", os.TempDir()).Run() == nil
}
