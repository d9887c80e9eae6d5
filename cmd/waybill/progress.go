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
	if p.bar == nil || p.file != at.File {
		p.end()
		p.file = at.File
		size := at.Size
		if size <= 0 {
			size = -1 // a spinner
		}
		name := safetext.Of(filepath.Base(at.Path)).Short(24).String()
		p.bar = progressbar.NewOptions64(size,
			progressbar.OptionSetWriter(p.out), progressbar.OptionSetDescription(fmt.Sprintf("%d/%d %s", at.File, at.Files, name)),
			progressbar.OptionShowBytes(true), progressbar.OptionSetWidth(24), progressbar.OptionThrottle(100*time.Millisecond),
			progressbar.OptionClearOnFinish(), progressbar.OptionSetPredictTime(true), progressbar.OptionEnableColorCodes(false))
	}
	// The bar only draws: what it cannot draw is no reason to stop an import.
	_ = p.bar.Set64(at.Read)
}

// end wipes the bar away.
func (p *progress) end() {
	if p.bar != nil {
		_ = p.bar.Clear()
		p.bar = nil
	}
}
