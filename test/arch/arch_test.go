// Package arch holds the rules of the house that a compiler does not check: who
// may import whom, and how long a file may be. DESIGN and ARCHITECTURE.md tell
// why; here is what fails the build.
package arch

import (
	"bytes"
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const (
	module = "waybill/"
	root   = "../.."
)

// layers: a package may import those of lower layers, never its neighbours and
// never those above. What stands below a package (store/sqlite) has its layer,
// and may import it.
var layers = [][]string{
	{"internal/track", "internal/safefs", "internal/safetext", "internal/supervise", "internal/simulate", "internal/testkit"},
	{"internal/window", "internal/maillog", "internal/source", "internal/mailqueue", "internal/oplog"},
	{"internal/export", "internal/coverage", "internal/store"},
	{"internal/importer", "internal/qlogd", "internal/sshd", "internal/smad", "internal/trackerd", "internal/logsub",
		"internal/search", "internal/reconcile", "internal/doctor", "internal/alert"},
	{"internal/api", "internal/web"},
	{"internal/config"},
	{"internal/app"},
	{"cmd/waybill"},
}

// outside stand beside the layers: they may import anything, and nothing of the
// layers imports them.
var outside = []string{"bench", "docs", "test"}

// configUsers is the package, with cmd, that may know the configuration:
// below, whoever builds it hands over values.
const configUsers = "internal/app"

type pkg struct {
	ImportPath   string
	Imports      []string
	TestImports  []string
	XTestImports []string
}

func packages(t *testing.T) []pkg {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Imports,TestImports,XTestImports", "./...")
	cmd.Dir = root
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, stderr.String())
	}
	var list []pkg
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p pkg
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return list
		} else if err != nil {
			t.Fatal(err)
		}
		list = append(list, p)
	}
}

// place finds the layer of a package and the entry of the table that it is, or
// stands below; -1 when there is none.
func place(name string) (int, string) {
	for n, layer := range layers {
		for _, entry := range layer {
			if name == entry || strings.HasPrefix(name, entry+"/") {
				return n, entry
			}
		}
	}
	return -1, ""
}

func isOutside(name string) bool {
	for _, o := range outside {
		if name == o || strings.HasPrefix(name, o+"/") {
			return true
		}
	}
	return false
}

// violation says why one package may not import another, "" when it may.
func violation(from, to string) string {
	if isOutside(from) {
		return ""
	}
	if isOutside(to) {
		return "bench and test stand outside"
	}
	a, mine := place(from)
	b, theirs := place(to)
	switch {
	case a < 0:
		return from + " has no layer: give it one in test/arch"
	case b < 0:
		return to + " has no layer: give it one in test/arch"
	case mine == theirs && from == mine && mine != "cmd/waybill":
		return "a package does not know what stands below it"
	case mine == theirs:
		return ""
	case a == b:
		return "neighbours do not know each other: let the consumer declare an interface"
	case a < b:
		return "a lower layer does not know a higher one"
	case theirs == "internal/config" && mine != configUsers && mine != "cmd/waybill":
		return "the configuration is handed over as values"
	}
	return ""
}

func TestLayers(t *testing.T) {
	for _, p := range packages(t) {
		from := strings.TrimPrefix(p.ImportPath, module)
		if a, _ := place(from); a < 0 && !isOutside(from) {
			t.Errorf("%s has no layer: give it one in test/arch", from)
		}
		for _, imp := range p.Imports {
			if to, ok := strings.CutPrefix(imp, module); ok {
				if why := violation(from, to); why != "" {
					t.Errorf("%s imports %s: %s", from, to, why)
				}
			}
		}
	}
}

// TestLayersTest is the test of the rule: what must fail fails.
func TestLayersTest(t *testing.T) {
	for _, tc := range []struct {
		from, to string
		ok       bool
	}{
		{"internal/window", "internal/track", true},
		{"internal/window", "internal/maillog", false},
		{"internal/window", "internal/store", false},
		{"internal/store/sqlite", "internal/store", true},
		{"internal/store/sqlite", "internal/store/timeline", true},
		{"internal/store", "internal/store/sqlite", false},
		{"internal/trackerd", "internal/importer", false},
		{"internal/search", "internal/store", true},
		{"internal/search", "internal/config", false},
		{"internal/app", "internal/config", true},
		{"internal/app", "internal/search", true},
		{"internal/simulate", "internal/maillog", false},
		{"internal/app", "cmd/waybill", false},
		{"cmd/waybill", "cmd/waybill/internal/term", true},
		{"cmd/waybill", "internal/app", true},
		{"internal/app", "bench/genlog", false},
		{"test/peers", "cmd/waybill", true},
		{"internal/utils", "internal/track", false},
		{"internal/track", "internal/utils", false},
	} {
		if why := violation(tc.from, tc.to); (why == "") != tc.ok {
			t.Errorf("%s imports %s: %q", tc.from, tc.to, why)
		}
	}
}

// TestImports checks what comes from outside of the module.
func TestImports(t *testing.T) {
	for _, p := range packages(t) {
		name := strings.TrimPrefix(p.ImportPath, module)
		for _, list := range [][]string{p.Imports, p.TestImports, p.XTestImports} {
			for _, imp := range list {
				if strings.HasPrefix(imp, "gopkg.in/yaml") {
					t.Errorf("%s imports %s, which is archived: use go.yaml.in/yaml/v3", name, imp)
				}
			}
		}
		for _, imp := range p.Imports {
			// Paths of the standard library have no dot in their first element.
			first, _, _ := strings.Cut(imp, "/")
			if name == "internal/track" && (strings.Contains(first, ".") || strings.HasPrefix(imp, module)) {
				t.Errorf("track imports %s: it knows the standard library only", imp)
			}
			if imp == "log" {
				t.Errorf("%s imports log: a *slog.Logger is handed over", name)
			}
			if imp == "C" {
				t.Errorf("%s needs cgo", name)
			}
		}
	}
}

const maxLines = 1000

func TestFiles(t *testing.T) {
	eachGoFile(t, func(path string, src []byte) {
		if n := bytes.Count(src, []byte("\n")); n > maxLines {
			t.Errorf("%s has %d lines, more than %d: it is two files", path, n, maxLines)
		}
	})
}

// TestCalls looks for calls that have their own place: os.Exit in cmd, and
// time.Sleep in tests only inside a bubble of testing/synctest.
func TestCalls(t *testing.T) {
	eachGoFile(t, func(path string, src []byte) {
		if !bytes.Contains(src, []byte("os.Exit(")) && !bytes.Contains(src, []byte("time.Sleep(")) {
			return
		}
		set := token.NewFileSet()
		file, err := parser.ParseFile(set, path, src, 0)
		if err != nil {
			t.Errorf("%s: %v", path, err)
			return
		}
		test := strings.HasSuffix(path, "_test.go")
		inBubble := bytes.Contains(src, []byte(`"testing/synctest"`))
		ast.Inspect(file, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			sel, ok := call.Fun.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			x, _ := sel.X.(*ast.Ident)
			if x == nil {
				return true
			}
			at := set.Position(call.Pos()).String()
			switch x.Name + "." + sel.Sel.Name {
			case "os.Exit":
				if strings.HasPrefix(path, "internal/") && !test {
					t.Errorf("%s: os.Exit below cmd: return an error", at)
				}
			case "time.Sleep":
				if test && !inBubble && !strings.HasPrefix(path, "test/peers/") {
					t.Errorf("%s: time.Sleep outside of a synctest bubble", at)
				}
			}
			return true
		})
	})
}

// eachGoFile calls f for every Go file of the tree, with its path below the
// root.
func eachGoFile(t *testing.T, f func(path string, src []byte)) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if name := d.Name(); d.IsDir() && path != root && (strings.HasPrefix(name, ".") || name == "testdata") {
			return filepath.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(path, ".go") {
			return nil
		}
		src, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		f(filepath.ToSlash(rel), src)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
