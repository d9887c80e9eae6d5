package operator

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// block is a fenced block of a document.
type block struct {
	at    string // "gateway.md:12"
	kind  string // sh, yaml
	hosts []string
	path  string // of a file
	until bool   // is repeated until it prints what it should
	text  string
	want  string // what it prints, "" when it is not said
}

// blocks reads those of a document that are for a host.
func blocks(path string) ([]block, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var all []block
	var open *block
	said := false // the block before was for a host, and no other came since
	for i, line := range strings.Split(string(text), "\n") {
		info, fence := strings.CutPrefix(line, "```")
		switch {
		case open == nil && fence:
			open = &block{at: fmt.Sprintf("%s:%d", path, i+1)}
			for j, word := range strings.Fields(info) {
				switch {
				case j == 0:
					open.kind = word
				case word == "until":
					open.until = true
				case strings.HasPrefix(word, "/"):
					open.path = word
				default:
					open.hosts = append(open.hosts, word)
				}
			}
		case open != nil && fence:
			switch {
			case len(open.hosts) > 0:
				all, said = append(all, *open), true
			case open.kind == "text" && said:
				all[len(all)-1].want, said = open.text, false
			default:
				said = false
			}
			open = nil
		case open != nil:
			open.text += line + "\n"
		}
	}
	if open != nil {
		return nil, fmt.Errorf("%s: a block that does not end", open.at)
	}
	return all, nil
}

// varies is what is another one each time.
var varies = regexp.MustCompile(`SHA256:\S+|ssh-ed25519 \S+|[A-Z0-9]{26}|[0-9A-F]{12}-[0-9A-F]{8}|[0-9]+|\s+`)

// plain writes a line so that it can be compared.
func plain(line string) string {
	return strings.TrimSpace(varies.ReplaceAllStringFunc(line, func(s string) string {
		switch {
		case strings.TrimSpace(s) == "":
			return " "
		case strings.Trim(s, "0123456789") == "":
			return "0"
		}
		return "~"
	}))
}

// missing is the first line of want that got does not have behind those before
// it, "" when all are there.
func missing(want, got string) string {
	var have []string
	for line := range strings.Lines(got) {
		have = append(have, plain(line))
	}
	for line := range strings.Lines(want) {
		pattern := plain(line)
		if pattern == "" || pattern == "..." {
			continue
		}
		parts := strings.Split(pattern, "...")
		for i := range parts {
			parts[i] = regexp.QuoteMeta(parts[i])
		}
		re := regexp.MustCompile("^" + strings.Join(parts, ".*") + "$")
		at := slices.IndexFunc(have, re.MatchString)
		if at < 0 {
			return strings.TrimRight(line, "\n")
		}
		have = have[at+1:]
	}
	return ""
}

func TestMissing(t *testing.T) {
	const got = "gateway mx-a, 12 lines\n  key SHA256:abc\nthe end\n"
	for _, tc := range []struct{ want, missing string }{
		{"gateway mx-a, 3 lines\n", ""},
		{"gateway mx-b, 3 lines\n", "gateway mx-b, 3 lines"},
		{"key SHA256:xyz\nthe ...\n", ""},
		{"the end\nkey SHA256:xyz\n", "key SHA256:xyz"},
		{"gateway\n", "gateway"},
	} {
		if m := missing(tc.want, got); m != tc.missing {
			t.Errorf("missing(%q) = %q; want %q", tc.want, m, tc.missing)
		}
	}
}
