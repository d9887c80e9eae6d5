package oracle

import (
	"flag"
	"os"
	"strconv"
	"testing"

	"pgregory.net/rapid"
)

// check runs a property a few times: each run simulates, imports and reads a
// whole site. WAYBILL_TORTURE runs it a hundred times as often, -rapid.checks
// as often as it says.
func check(t *testing.T, few int, property func(*rapid.T)) {
	const name = "rapid.checks"
	if os.Getenv("WAYBILL_TORTURE") != "" {
		few *= 100
	}
	if f := flag.Lookup(name); f.Value.String() == f.DefValue {
		if err := flag.Set(name, strconv.Itoa(few)); err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := flag.Set(name, f.DefValue); err != nil {
				t.Error(err)
			}
		}()
	}
	rapid.Check(t, property)
}
