package genuine

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"testing"
)

// identity is a store's content in the terms that may not depend on how the
// log was cut: gateway, queue id, first time, recipients, statuses, relations.
func identity(ms []message) []string {
	byID := map[string]string{}
	for _, m := range ms {
		byID[m.ID] = m.Gateway + "/" + m.QueueID + "@" + m.Time
	}
	var out []string
	for _, m := range ms {
		var b strings.Builder
		fmt.Fprintf(&b, "%s %s %s", byID[m.ID], m.Kind, m.Status)
		var rs []string
		for _, r := range m.Recipients {
			s := fmt.Sprintf(" %s<%s>%s=%s/%s", r.Address, r.Original, r.Route, r.Status, r.Outcome)
			if r.Next != nil {
				s += ">" + byID[r.Next.ID]
			}
			rs = append(rs, s)
		}
		sort.Strings(rs)
		b.WriteString(strings.Join(rs, ""))
		if m.Parent != nil {
			fmt.Fprintf(&b, " parent %s %s", m.Parent.Relation, byID[m.Parent.ID])
		}
		var cs []string
		for _, c := range m.Children {
			cs = append(cs, " child "+c.Relation+" "+byID[c.ID])
		}
		sort.Strings(cs)
		b.WriteString(strings.Join(cs, ""))
		out = append(out, b.String())
	}
	sort.Strings(out)
	return out
}

func same(t *testing.T, what string, want, got []string) {
	t.Helper()
	w, g := map[string]int{}, map[string]int{}
	for _, s := range want {
		w[s]++
	}
	for _, s := range got {
		g[s]++
	}
	n := 0
	for s, k := range w {
		if g[s] != k {
			if n++; n < 8 {
				t.Errorf("%s: %d instead of %d times: %s", what, g[s], k, s)
			}
		}
	}
	for s, k := range g {
		if w[s] == 0 {
			if n++; n < 16 {
				t.Errorf("%s: %d times too often: %s", what, k, s)
			}
		}
	}
	if n > 0 {
		t.Errorf("%s: %d differences", what, n)
	}
}

// both returns everything in the store, rejections included.
func both(t *testing.T, data string) []string {
	return append(identity(all(t, data)), identity(all(t, data, "kind:rejection"))...)
}

// TestPieces imports the same log whole, again, grown, and in pieces of every
// sort: the store must hold the same messages each time.
func TestPieces(t *testing.T) {
	log := unzip(t, genuineFile(t, "postfix-a.log.gz"))
	lines := bytes.SplitAfter(log, []byte("\n"))
	lines = lines[:len(lines)-1]
	ref := t.TempDir()
	whole := filepath.Join(t.TempDir(), "mail.log")
	write(t, whole, log)
	run(t, 0, "import", "--data", ref, "--gateway", "mx-a", whole)
	want := both(t, ref)
	if len(want) < 2000 {
		t.Fatalf("only %d messages", len(want))
	}
	imp := func(t *testing.T, data string, files ...string) {
		t.Helper()
		run(t, 0, append([]string{"import", "--data", data, "--gateway", "mx-a"}, files...)...)
	}

	t.Run("again", func(t *testing.T) {
		imp(t, ref, whole)
		same(t, "again", want, both(t, ref))
		z := filepath.Join(t.TempDir(), "renamed.gz")
		writeGzip(t, z, log)
		imp(t, ref, z)
		same(t, "again, renamed and compressed", want, both(t, ref))
	})
	for seed := range uint64(3) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		t.Run(fmt.Sprint("grown", seed), func(t *testing.T) {
			data, path := t.TempDir(), filepath.Join(t.TempDir(), "mail.log")
			cut := rnd.IntN(len(log))
			write(t, path, log[:cut])
			run(t, 0, "import", "--data", data, "--gateway", "mx-a", path)
			ids := all(t, data)
			write(t, path, log)
			imp(t, data, path)
			same(t, fmt.Sprint("grown at byte ", cut), want, both(t, data))
			for i := 0; i < len(ids); i += 1 + len(ids)/20 {
				run(t, 0, "show", "--data", data, "-o", "json", ids[i].ID)
			}
		})
		t.Run(fmt.Sprint("rotated", seed), func(t *testing.T) {
			data, dir := t.TempDir(), t.TempDir()
			overlap := 0
			if seed > 0 {
				overlap = 100
			}
			var files []string
			for from := 0; from < len(lines); {
				to := min(len(lines), from+2000+rnd.IntN(4000))
				piece := bytes.Join(lines[max(0, from-overlap):to], nil)
				path := filepath.Join(dir, fmt.Sprintf("piece-%d", from))
				if rnd.IntN(2) == 0 {
					writeGzip(t, path, piece)
				} else {
					write(t, path, piece)
				}
				files = append(files, path)
				from = to
			}
			rnd.Shuffle(len(files), func(i, j int) { files[i], files[j] = files[j], files[i] })
			var given []message
			for _, f := range files {
				imp(t, data, f)
				if given == nil {
					given = all(t, data)
				}
			}
			same(t, fmt.Sprint("pieces ", files), want, both(t, data))
			for i := 0; i < len(given); i += 1 + len(given)/20 {
				out := run(t, 0, "show", "--data", data, "-o", "json", given[i].ID)
				if !bytes.Contains(out, []byte(`"`+given[i].QueueID+`"`)) {
					t.Errorf("%s resolves to another message than %s", given[i].ID, given[i].QueueID)
				}
			}
			imp(t, data, whole)
			same(t, "pieces, then the whole", want, both(t, data))
		})
	}
}

func write(t *testing.T, path string, b []byte) {
	t.Helper()
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

func writeGzip(t *testing.T, path string, b []byte) {
	t.Helper()
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	if _, err := z.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	write(t, path, out.Bytes())
}
