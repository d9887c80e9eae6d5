package maillog

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"waybill/internal/track"
)

// TestCut: a log of Sendmail or OpenSMTPD that is cut anywhere, and anywhere
// again, gives the same messages when the parts are read one after the other.
// Read in the other order every message is there with what its own lines say;
// only what the lines of its sessions say is lost where these stand in the other
// part.
func TestCut(t *testing.T) {
	numbers := cmpopts.IgnoreFields(track.Message{}, "MID", "ICID")
	lost := cmp.Options{numbers, cmpopts.IgnoreFields(track.Message{}, "Client", "Auth", "TLS", "KindBits"),
		cmpopts.IgnoreFields(track.Rcpt{}, "RelayPort", "TLS")}
	for _, name := range []string{"sendmail", "opensmtpd"} {
		paths, err := filepath.Glob("testdata/" + name + "/*.log")
		if err != nil || len(paths) == 0 {
			t.Fatalf("no cases of %s: %v", name, err)
		}
		for _, path := range paths {
			t.Run(name+"/"+filepath.Base(path), func(t *testing.T) {
				b, err := os.ReadFile(path)
				if err != nil {
					t.Fatal(err)
				}
				lines := strings.Split(strings.TrimSuffix(string(b), "\n"), "\n")
				fresh := func(state []byte) *Parser {
					p, err := New(caseOptions)
					if err != nil {
						t.Fatal(err)
					}
					if err := p.Resume(state); err != nil {
						t.Fatal(err)
					}
					return p
				}
				whole := joined(t, readPart(fresh(nil), lines, 0))
				for cut := 1; cut < len(lines); cut++ {
					again := cut + (len(lines)-cut)/2
					a := fresh(nil)
					first := readPart(a, lines[:cut], 0)
					b := fresh(a.State())
					second := readPart(b, lines[cut:again], cut)
					third := readPart(fresh(b.State()), lines[again:], again)
					if d := cmp.Diff(whole, joined(t, first, second, third), numbers); d != "" {
						t.Fatalf("cut behind lines %d and %d (-whole +parts):\n%s", cut, again, d)
					}
					if strings.HasSuffix(path, "30-pieces.log") {
						continue // the cut lies within one line
					}
					late := readPart(fresh(nil), lines[cut:], cut)
					if d := cmp.Diff(whole, joined(t, late, first), lost); d != "" {
						t.Fatalf("cut behind line %d, the second part first (-whole +parts):\n%s", cut, d)
					}
				}
			})
		}
	}
}
