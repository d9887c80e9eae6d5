package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"waybill/cmd/waybill/internal/term"
	"waybill/internal/importer"
	"waybill/internal/safetext"
)

// A bar that is wider than the terminal leaves what it was wiped from.
func TestProgressFits(t *testing.T) {
	for _, width := range []int{40, 60, 80, 200} {
		var b bytes.Buffer
		p := newProgress(&term.Stream{Writer: &b, TTY: true, Width: width}, time.Now)
		for i := range int64(4) {
			p.update(importer.Progress{Path: "logs/" + strings.Repeat("long-", 10) + "mail.log", File: 1 + int(i)/2, Files: 2, Read: i << 30, Size: 4 << 30})
		}
		p.end()
		for line := range strings.SplitSeq(b.String(), "\r") {
			if w := safetext.Of(line).Width(); w > width {
				t.Errorf("%d columns in a terminal of %d: %q", w, width, line)
			}
		}
		if n := strings.Count(b.String(), "  0% "); n != 1 {
			t.Errorf("a terminal of %d columns: the bar began %d times, want once for both files:\n%q", width, n, b.String())
		}
	}
}
