package genlog

import (
	"bytes"
	"compress/gzip"
	"io"
	"os"
	"strings"
	"testing"
	"time"
)

func genuine(t *testing.T, name string) []byte {
	t.Helper()
	f, err := os.Open("../../testdata/genuine/" + name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func write(t *testing.T, log []byte, o Options) string {
	t.Helper()
	tpl, err := Parse(log, 2026)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	made, err := tpl.Write(&out, o)
	if err != nil {
		t.Fatal(err)
	}
	if made.Bytes != int64(out.Len()) {
		t.Fatalf("wrote %d bytes, says %d", out.Len(), made.Bytes)
	}
	return out.String()
}

// ids counts the lines of each queue id: the shape of a log.
func ids(log string) map[string]int {
	n := map[string]int{}
	for line := range strings.Lines(log) {
		_, rest, _ := strings.Cut(line, "]: ")
		if id, _, ok := strings.Cut(rest, ": "); ok && len(id) > 8 && !strings.Contains(id, " ") {
			n[id]++
		}
	}
	return n
}

func TestCopiesAreFresh(t *testing.T) {
	log := genuine(t, "postfix-a.log.gz")
	one := write(t, log, Options{Max: 1, Seed: 1})
	two := write(t, log, Options{Max: 2, Seed: 1})
	if !strings.HasPrefix(two, one) {
		t.Fatal("the same seed makes another log")
	}
	second := two[len(one):]
	a, b := ids(one), ids(second)
	if len(a) != len(ids(string(log))) {
		t.Errorf("%d queue ids in a copy, %d in the template", len(a), len(ids(string(log))))
	}
	common := 0
	for id := range b {
		if a[id] > 0 {
			common++
		}
	}
	if common > len(a)/100 {
		t.Errorf("%d of %d queue ids come again in the second copy", common, len(a))
	}
	if strings.Count(one, "\n") != strings.Count(string(log), "\n") {
		t.Error("a copy has another number of lines")
	}
}

func TestTwoHostsAgree(t *testing.T) {
	start := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	a := write(t, genuine(t, "postfix-a.log.gz"), Options{Max: 1, Seed: 5, Start: start})
	b := ids(write(t, genuine(t, "postfix-b.log.gz"), Options{Max: 1, Seed: 5, Start: start}))
	named, known := 0, 0
	for line := range strings.Lines(a) {
		if _, rest, ok := strings.Cut(line, ":10035, "); ok {
			if _, id, ok := strings.Cut(rest, "queued as "); ok {
				named++
				known += min(1, b[id[:wordEnd(id, 0)]])
			}
		}
	}
	if named < 100 || known < named {
		t.Errorf("the next hop's log has %d of the %d queue ids that it gave", known, named)
	}
}
