package source

import (
	"cmp"
	"path/filepath"
	"slices"
	"strings"
)

// ByAge compares the names of a rotated set, oldest first: dated names by
// date, then numbered ones by number downwards, then the log that is being
// written. Sets of different logs are ordered by name. It is for
// slices.SortFunc.
func ByAge(a, b string) int {
	x, y := rotation(a), rotation(b)
	return cmp.Or(
		cmp.Compare(x.stem, y.stem), cmp.Compare(x.class, y.class),
		cmp.Compare(x.number, y.number), cmp.Compare(x.date, y.date), cmp.Compare(a, b))
}

// Newest returns, of each rotated set among paths, the one that is written to:
// the log itself, else the youngest of those that rotation left.
func Newest(paths []string) []string {
	sorted := slices.SortedFunc(slices.Values(paths), ByAge)
	var out []string
	for i, p := range sorted {
		if i+1 == len(sorted) || rotation(sorted[i+1]).stem != rotation(p).stem {
			out = append(out, p)
		}
	}
	return out
}

// SameSet reports whether two names are those of one log and what rotation left
// of it.
func SameSet(a, b string) bool { return Set(a) == Set(b) }

// Set is the name that a log and what rotation left of it have in common.
func Set(name string) string { return rotation(name).stem }

// age is what a name says of its place in a rotated set.
type age struct {
	stem   string // the name without rotation and compression
	class  int    // dated, numbered or current
	date   string
	number int
}

const (
	dated = iota
	numbered
	current
)

func rotation(path string) age {
	dir, name := filepath.Split(path)
	for _, ext := range []string{".gz", ".bz2", ".xz", ".zst"} {
		name = strings.TrimSuffix(name, ext)
	}
	// Appliances write NAME.current and roll it to NAME.@20230213T201929.s.
	if stem, ok := strings.CutSuffix(name, ".current"); ok {
		return age{stem: dir + stem, class: current}
	}
	if at := strings.LastIndex(name, ".@"); at > 0 && at+2 < len(name) && isDigit(name[at+2]) {
		date := strings.TrimSuffix(name[at+2:], ".s")
		return age{stem: dir + name[:at], date: date, class: dated}
	}
	// The last part that is a number or a date is the rotation: mail.log.2,
	// mail.log-20261121, mail-20261121.log, mail.log.2026-11-21.
	for end := len(name); end > 0; {
		start := end
		for start > 0 && (isDigit(name[start-1]) || name[start-1] == '-' && start > 1 && isDigit(name[start-2]) && start < end) {
			start--
		}
		if start < end && start > 0 && (name[start-1] == '.' || name[start-1] == '-' || name[start-1] == '_') {
			digits := strings.ReplaceAll(name[start:end], "-", "")
			a := age{stem: dir + name[:start-1] + name[end:]}
			switch {
			case len(digits) >= 8:
				a.date, a.class = digits, dated
				return a
			case end == len(name) && len(digits) <= 5:
				for i := range len(digits) {
					a.number = a.number*10 - int(digits[i]-'0')
				}
				a.class = numbered
				return a
			}
		}
		end = min(start, end-1)
	}
	return age{stem: dir + name, class: current}
}

func isDigit(b byte) bool { return b-'0' < 10 }

// Written reports whether a name is that of a log which is written to, and not
// one that rotation gave.
func Written(name string) bool {
	switch filepath.Ext(name) {
	case ".gz", ".bz2", ".xz", ".zst":
		return false
	}
	return rotation(name).class == current
}
