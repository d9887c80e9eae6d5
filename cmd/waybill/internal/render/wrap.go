package render

import (
	"strings"

	"waybill/internal/safetext"
)

// Wrap breaks a text at blanks into lines of at most limit columns, all but the
// first with an indent; 0 is no limit. A word that is longer has a line of its
// own, so that it can still be copied.
func Wrap(text string, limit int, indent string) []string {
	var out []string
	line := ""
	for word := range strings.FieldsSeq(safetext.Of(text).String()) {
		if line != "" && limit > 0 && safetext.Width(line)+1+safetext.Width(word) > limit {
			out = append(out, line)
			line = indent + word
			continue
		}
		if line != "" {
			line += " "
		}
		line += word
	}
	return append(out, line)
}
