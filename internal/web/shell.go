package web

import (
	"fmt"
	"strings"

	"waybill/internal/safetext"
)

// command is a command line that asks the same as a page, to be pasted into a
// shell.
func (s *site) command(name string, words ...string) string {
	line := []string{"waybill", name}
	if s.DataDir != "" {
		line = append(line, "--data", shellWord(s.DataDir))
	}
	if zone := s.Zone.String(); zone != "Local" && zone != "" {
		line = append(line, "--tz", shellWord(zone))
	}
	if len(words) > 0 {
		line = append(line, "--") // a query may begin with a minus
	}
	for _, w := range words {
		line = append(line, shellWord(w))
	}
	return strings.Join(line, " ")
}

// shellWord is a word as a shell reads it back. What an eye cannot see, or a
// terminal might obey while it is pasted, is written as escapes, which bash,
// ksh, zsh and busybox know.
func shellWord(w string) string {
	if safetext.Of(w).String() != w {
		return escapedWord(w)
	}
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("_-./:@%+,=", r)
	}
	if w != "" && w[0] != '=' && strings.IndexFunc(w, func(r rune) bool { return !plain(r) }) < 0 {
		return w
	}
	return "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
}

func escapedWord(w string) string {
	var b strings.Builder
	b.WriteString("$'")
	for _, r := range w {
		c := string(r)
		switch {
		case r == '\'' || r == '\\':
			b.WriteString(`\` + c)
		case safetext.Of(c).String() == c:
			b.WriteString(c)
		default:
			for i := range len(c) {
				fmt.Fprintf(&b, `\%03o`, c[i])
			}
		}
	}
	b.WriteString("'")
	return b.String()
}
