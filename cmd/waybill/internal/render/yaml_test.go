package render

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"
)

func TestYAML(t *testing.T) {
	in := `{"id":"a1","n":7,"list":[],"who":{"a":"no","b":"x: y # z","c":""},"rows":[{"x":1,"y":["p","q"]},{"x":2.5,"y":null}],"esc":"a\u001b[31mb\u202ec\ud83d\ude00"}`
	want := `id: a1
"n": 7
list: []
who:
  a: "no"
  b: "x: y # z"
  c: ""
rows:
  - x: 1
    "y":
      - p
      - q
  - x: 2.5
    "y": null
esc: "a\u001b[31mb\u202ec😀"
`
	var b strings.Builder
	if err := writeYAML(&b, []byte(in), 0); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, b.String()); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
}

// FuzzYAMLString checks that every string comes back from a YAML reader.
func FuzzYAMLString(f *testing.F) {
	for _, s := range []string{"", "no", "~", "- a", "a: b", "#", "\x00\x1b", "\U000e0001", "1e5", "0x1f", "=", "\u2028", "null", "<>", "a\tb\n"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		s = strings.ToValidUTF8(s, "?")
		raw, err := json.Marshal(map[string]any{"k": []string{s}})
		if err != nil {
			t.Skip()
		}
		var b strings.Builder
		if err := writeYAML(&b, raw, 0); err != nil {
			t.Fatal(err)
		}
		var got map[string][]any
		if err := yaml.Unmarshal([]byte(b.String()), &got); err != nil {
			t.Fatalf("%q: %v", b.String(), err)
		}
		if v, ok := got["k"][0].(string); !ok || v != s {
			t.Fatalf("%q came back as %#v in\n%s", s, got["k"][0], b.String())
		}
	})
}
