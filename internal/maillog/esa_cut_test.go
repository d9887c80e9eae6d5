package maillog

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"waybill/internal/track"
)

// piece is what one reader made of a part of a log: events by message.
type piece map[string][]track.Event

// readPart reads lines from number from on.
func readPart(p *Parser, lines []string, from int) piece {
	out := piece{}
	for i, line := range lines {
		p.Line(line, int64(from+i+1), 0, func(e *track.Event) {
			c := *e
			c.Attrs = slices.Clone(e.Attrs)
			out[e.QueueID] = append(out[e.QueueID], c)
		})
	}
	return out
}

// joined puts together parts as the store does, in whatever order they came.
func joined(t *testing.T, parts ...piece) map[string]track.Message {
	t.Helper()
	out := map[string]track.Message{}
	ids := map[string]bool{}
	for _, p := range parts {
		for id := range p {
			ids[id] = id != ""
		}
	}
	for id := range ids {
		if id == "" {
			continue
		}
		var fs []track.Fragment
		var events [][]track.Event
		for _, p := range parts {
			if len(p[id]) > 0 {
				fs = append(fs, track.DescribeFragment(p[id]))
				events = append(events, p[id])
			}
		}
		lives := track.Chains(fs)
		if len(lives) != 1 {
			t.Fatalf("MID %s has %d lives", id, len(lives))
		}
		var ordered [][]track.Event
		for _, i := range lives[0] {
			ordered = append(ordered, events[i])
		}
		out[id] = track.Fold(track.Merge(ordered))
	}
	return out
}

func esaParser(t testing.TB) *Parser {
	t.Helper()
	p, err := New(caseOptions)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestESACut: a log that is cut anywhere, and anywhere again, gives the same
// messages when the parts are read one after the other. Read in the other order
// every message is there with what its own lines say; only what the lines of
// its connections say is lost where these stand in the other part.
func TestESACut(t *testing.T) {
	paths, err := filepath.Glob("testdata/esa/*.log")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	logs := map[string][]string{"traffic": esaTraffic(12, "", "Mon Jan _2 15:04:05 2006 Info: ")}
	for _, path := range paths {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		logs[filepath.Base(path)] = strings.Split(strings.TrimSuffix(string(b), "\n"), "\n")
	}
	numbers := cmp.FilterPath(func(p cmp.Path) bool { return p.Last().String() == ".MID" }, cmp.Ignore()) // of the Postfix beside it
	lost := cmp.Options{numbers, cmpopts.IgnoreFields(track.Message{}, "Client", "Auth", "TLS", "Verdicts", "KindBits"),
		cmpopts.IgnoreFields(track.Rcpt{}, "Relay", "RelayIP", "RelayPort", "TLS")}
	inherited := cmpopts.IgnoreFields(track.Message{}, "ICID", "Sender", "Subject", "MessageID", "Size", "Direction", "Blind", "Recipients", "Phase")
	for _, name := range slices.Sorted(maps.Keys(logs)) {
		lines := logs[name]
		whole := joined(t, readPart(esaParser(t), lines, 0))
		for cut := 1; cut < len(lines); cut++ {
			where := fmt.Sprintf("%s cut behind line %d", name, cut)
			a := esaParser(t)
			first := readPart(a, lines[:cut], 0)
			b := esaParser(t)
			if err := b.Resume(a.State()); err != nil {
				t.Fatal(err)
			}
			again := cut + (len(lines)-cut)/2
			second := readPart(b, lines[cut:again], cut)
			c := esaParser(t)
			if err := c.Resume(b.State()); err != nil {
				t.Fatal(err)
			}
			third := readPart(c, lines[again:], again)
			if d := cmp.Diff(whole, joined(t, first, second, third), numbers); d != "" {
				t.Fatalf("%s (-whole +parts):\n%s", where, d)
			}
			if name == "17-quotes.log" || name == "65-unknown.log" || sniffed(lines[:cut]) != sniffed(lines[cut:]) {
				continue // the second part alone does not show whose it is
			}
			if strings.Contains(strings.Join(lines[:cut], ""), statedOffset) {
				continue // nor in which zone its stamps are
			}
			late := readPart(esaParser(t), lines[cut:], cut)
			opts := lost
			if s := strings.Join(lines[cut:], "\n"); strings.Contains(s, " rewritten to ") || strings.Contains(s, " was split ") {
				opts = append(slices.Clone(lost), inherited) // the envelope stands in the other part
			}
			if d := cmp.Diff(whole, joined(t, late, first), opts); d != "" {
				t.Fatalf("%s, the second part first (-whole +parts):\n%s", where, d)
			}
		}
	}
}

// sniffed reports whether the first line shows the dialect.
func sniffed(lines []string) bool {
	var h Header
	p := NewHeaders(HeaderOptions{})
	return p.Parse(lines[0], &h) && newESA().sniff(&h)
}
