package main

import (
	"fmt"
	"path/filepath"
	"time"

	"github.com/schollz/progressbar/v3"

	"waybill/cmd/waybill/internal/term"
	"waybill/internal/importer"
	"waybill/internal/safetext"
)

// progress shows how far an import is: a bar on a terminal, else a line now
// and then, so that a log of the output stays short.
type progress struct {
	out   *term.Stream
	now   func() time.Time
	bar   *progressbar.ProgressBar
	file  int
	size  int64 // that the bar goes up to, -1 when it is not known
	read  int64
	every time.Duration
	last  time.Time
}

func newProgress(out *term.Stream, now func() time.Time) *progress {
	return &progress{out: out, now: now, every: 10 * time.Second, last: now()}
}

func (p *progress) update(at importer.Progress) {
	if p.out.TTY {
		p.draw(at)
		return
	}
	if t := p.now(); t.Sub(p.last) >= p.every {
		p.last = t
		fmt.Fprintf(p.out, "file %d of %d, %s: %s, %s lines so far\n", at.File, at.Files, safetext.Of(at.Path), share(at), thousands(at.Lines))
	}
}

func share(at importer.Progress) string {
	if at.Size <= 0 {
		return fmt.Sprintf("%d MB", at.Read>>20)
	}
	return fmt.Sprintf("%d %%", min(100, at.Read*100/at.Size))
}

func (p *progress) draw(at importer.Progress) {
	size := at.Size
	if size <= 0 {
		size = -1 // a spinner
	}
	// One bar goes on through all files whose sizes are counted together.
	if p.bar == nil || p.size != size || at.Read < p.read || p.file != at.File && size < 0 {
		p.end()
		p.bar = p.newBar(size, p.describe(at))
		// A bar that is first drawn somewhere in the middle takes that for speed.
		_ = p.bar.RenderBlank()
	} else if p.file != at.File {
		p.bar.Describe(p.describe(at))
	}
	p.file, p.size, p.read = at.File, size, at.Read
	// The bar only draws: what it cannot draw is no reason to stop an import.
	_ = p.bar.Set64(at.Read)
}

// Columns that the parts of a line need: a bar that wraps cannot be wiped away.
const (
	barColumns   = 24
	nameColumns  = 24
	speedColumns = 40 // percentage, speed and times
)

func (p *progress) describe(at importer.Progress) string {
	name := safetext.Of(filepath.Base(at.Path)).Short(min(nameColumns, max(8, p.out.Width-speedColumns-barColumns)))
	return fmt.Sprintf("%d/%d %s", at.File, at.Files, name)
}

func (p *progress) newBar(size int64, description string) *progressbar.ProgressBar {
	room := p.out.Width - safetext.Of(description).Width() - speedColumns
	roomy := room >= 4
	return progressbar.NewOptions64(size,
		progressbar.OptionSetWriter(p.out), progressbar.OptionSetDescription(description),
		progressbar.OptionShowBytes(roomy), progressbar.OptionSetElapsedTime(roomy), progressbar.OptionSetPredictTime(roomy),
		progressbar.OptionSetWidth(min(barColumns, max(4, room))), progressbar.OptionThrottle(100*time.Millisecond),
		progressbar.OptionClearOnFinish(), progressbar.OptionEnableColorCodes(false))
}

// end wipes the bar away.
func (p *progress) end() {
	if p.bar != nil {
		_ = p.bar.Clear()
		p.bar = nil
	}
}
