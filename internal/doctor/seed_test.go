package doctor

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"waybill/internal/source"
)

// examine reads files and returns the report, with the texts of its evidence.
func examine(t testing.TB, o Options, paths ...string) *Report {
	t.Helper()
	d := New(o)
	open := func(path string) (*source.File, error) { return source.Open(path) }
	for _, p := range paths {
		f, err := open(p)
		if err != nil {
			t.Fatal(err)
		}
		if err := d.Read(t.Context(), p, f); err != nil {
			t.Fatal(err)
		}
		f.Close()
	}
	r := d.Report()
	if err := r.Fill(open); err != nil {
		t.Fatal(err)
	}
	return r
}

func TestSeed(t *testing.T) {
	paths, err := filepath.Glob("testdata/seed/manager_trackerd_192*")
	if err != nil {
		t.Fatal(err)
	}
	r := examine(t, Options{}, append(paths, "testdata/seed/gateway_cli_192.168.235.64.log")...)
	enc := json.NewEncoder(os.Stdout)
	enc.SetIndent("", " ")
	enc.Encode(r)
}
