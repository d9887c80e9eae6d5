package config

import (
	"errors"
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite the .faults and .shown files")

func env(pairs ...string) Env {
	return func(name string) (string, bool) {
		for i := 0; i < len(pairs); i += 2 {
			if pairs[i] == name {
				return pairs[i+1], true
			}
		}
		return "", false
	}
}

// TestGood reads each testdata/*.good and compares what is in force with the
// .shown beside it.
func TestGood(t *testing.T) {
	each(t, "*.good", func(t *testing.T, path, text string) {
		c, err := Parse(filepath.Base(path), text, env())
		if err != nil {
			t.Fatal(err)
		}
		var b strings.Builder
		if err := c.Write(&b); err != nil {
			t.Fatal(err)
		}
		golden(t, strings.TrimSuffix(path, ".good")+".shown", b.String())

		again, err := Parse("shown", b.String(), env())
		if err != nil {
			t.Fatalf("what show prints cannot be read: %v", err)
		}
		again.origins, c.origins = nil, nil
		var x, y strings.Builder
		_ = again.Write(&x)
		_ = c.Write(&y)
		if d := cmp.Diff(y.String(), x.String()); d != "" {
			t.Errorf("what show prints means something else:\n%s", d)
		}
	})
}

// TestBad reads each testdata/*.bad, named after its mistake, and compares all
// its faults with the .faults beside it.
func TestBad(t *testing.T) {
	each(t, "*.bad", func(t *testing.T, path, text string) {
		_, err := Parse(filepath.Base(path), text, env())
		var faults Faults
		if !errors.As(err, &faults) {
			t.Fatalf("Parse = %v; want Faults", err)
		}
		golden(t, strings.TrimSuffix(path, ".bad")+".faults", err.Error()+"\n")
	})
}

func each(t *testing.T, glob string, run func(t *testing.T, path, text string)) {
	paths, err := filepath.Glob(filepath.Join("testdata", glob))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no %s: %v", glob, err)
	}
	for _, path := range paths {
		t.Run(filepath.Base(path), func(t *testing.T) {
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			run(t, path, string(b))
		})
	}
}

func golden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), got); d != "" {
		t.Errorf("%s (-want +got):\n%s", path, d)
	}
}

func TestEnvironmentWins(t *testing.T) {
	c, err := Parse("waybill.yaml", "data: /a\nown: {domains: [example.com]}\n",
		env("WAYBILL_DATA", "/b", "WAYBILL_RETENTION", "36h", "WAYBILL_OWN_DOMAINS", "example.net, .example.org"))
	if err != nil {
		t.Fatal(err)
	}
	if c.Data != "/b" || c.Origin("data") != "WAYBILL_DATA" {
		t.Errorf("data = %q from %q", c.Data, c.Origin("data"))
	}
	if got := c.Manager.Store.SQLite.Retention; got != 36*time.Hour {
		t.Errorf("retention = %v", got)
	}
	if d := cmp.Diff([]string{"example.net", ".example.org"}, c.Own.Domains); d != "" {
		t.Error(d)
	}
}

func TestFaultsOfFileAndEnvironmentTogether(t *testing.T) {
	_, err := Parse("waybill.yaml", "dta: /a\n", env("WAYBILL_RETENTION", "soon"))
	var faults Faults
	if !errors.As(err, &faults) || len(faults) != 2 {
		t.Fatalf("faults = %v", err)
	}
}

func TestLoadMissingFile(t *testing.T) {
	if _, err := Load(filepath.Join(t.TempDir(), "none.yaml"), env()); !errors.Is(err, os.ErrNotExist) {
		t.Fatalf("err = %v", err)
	}
}

func TestFind(t *testing.T) {
	dir := t.TempDir()
	if got, err := Find(env("WAYBILL_CONFIG", "/x.yaml", "HOME", dir)); got != "/x.yaml" || err != nil {
		t.Errorf("Find = %q, %v", got, err)
	}
	own := filepath.Join(dir, ".config", "waybill", "config.yaml")
	if err := os.MkdirAll(filepath.Dir(own), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(own, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if got, err := Find(env("HOME", dir)); got != own || err != nil {
		t.Errorf("Find = %q, %v", got, err)
	}
}

func TestTemplateIsGood(t *testing.T) {
	c, err := Parse("template", Template, env())
	if err != nil {
		t.Fatal(err)
	}
	if c.Data != "/var/lib/waybill" {
		t.Errorf("data = %q", c.Data)
	}
}

func TestDurations(t *testing.T) {
	for _, tc := range []struct {
		in   string
		want time.Duration
		bad  bool
	}{
		{in: "0"}, {in: "90d", want: 90 * 24 * time.Hour}, {in: "2w", want: 14 * 24 * time.Hour},
		{in: "1w1d1h", want: (8*24 + 1) * time.Hour}, {in: "36h", want: 36 * time.Hour},
		{in: "", bad: true}, {in: "d", bad: true}, {in: "1d2w", bad: true}, {in: "-1h", bad: true}, {in: "1d-1h", bad: true}, {in: "90", bad: true},
	} {
		got, err := ParseDuration(tc.in)
		if (err != nil) != tc.bad || got != tc.want {
			t.Errorf("ParseDuration(%q) = %v, %v", tc.in, got, err)
		}
		if err == nil {
			if again, err := ParseDuration(FormatDuration(got)); again != got || err != nil {
				t.Errorf("round trip of %q: %v, %v", tc.in, again, err)
			}
		}
	}
}

func FuzzParse(f *testing.F) {
	paths, _ := filepath.Glob("testdata/*.*d")
	for _, p := range paths {
		if b, err := os.ReadFile(p); err == nil {
			f.Add(string(b))
		}
	}
	f.Fuzz(func(t *testing.T, text string) {
		c, err := Parse("fuzz", text, env())
		if err != nil {
			return
		}
		var b strings.Builder
		if err := c.Write(&b); err != nil {
			t.Fatal(err)
		}
		if _, err := Parse("shown", b.String(), env()); err != nil {
			t.Fatalf("show prints what cannot be read:\n%s\n%v", b.String(), err)
		}
	})
}

// runuser and setpriv leave HOME as it was.
func TestFindPassesOverAnothersHome(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("root may enter every home")
	}
	home := filepath.Join(t.TempDir(), "home")
	if err := os.Mkdir(home, 0); err != nil {
		t.Fatal(err)
	}
	if got, err := Find(env("HOME", home)); strings.HasPrefix(got, home) || err != nil {
		t.Fatalf("Find = %q, %v", got, err)
	}
	// One's own that is shut is a mistake to be told.
	if err := os.Chmod(home, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(home, ".config"), 0); err != nil {
		t.Fatal(err)
	}
	if got, err := Find(env("HOME", home)); !errors.Is(err, fs.ErrPermission) {
		t.Fatalf("Find = %q, %v", got, err)
	}
}
