package importer

import (
	"context"
	"fmt"
	"time"

	"waybill/internal/maillog"
	"waybill/internal/source"
)

// Live takes the lines of logs that are being written, as they come. What it
// has taken is searchable when Cut returns. It is not safe for concurrent use.
type Live struct {
	im   *Importer
	dir  string
	open *Piece // whose window is open, nil for none
	rep  FileReport
}

// Live prepares for lines to come. The Importer is used for that alone.
func (im *Importer) Live() (*Live, error) {
	dir, err := im.prepare()
	if err != nil {
		return nil, err
	}
	return &Live{im: im, dir: dir}, nil
}

// Piece is a piece of log that is being written.
type Piece struct{ r reading }

// none are the lines of a piece that nobody has read before.
type none struct{}

func (none) Next() (source.Line, bool) { return source.Line{}, false }

// Begin begins a piece. path names it, modTime is when it was last written,
// and before is the piece that it continues, nil when that is not known.
func (l *Live) Begin(path string, modTime time.Time, before *Piece) *Piece {
	p := &Piece{r: reading{im: l.im, dir: l.dir, rep: &l.rep, path: path, modTime: modTime, matcher: source.NewMatcher(none{}, nil)}}
	if before != nil && before.r.cut != nil {
		p.r.parser = l.successor(before.r.cut.parser, modTime)
	}
	return p
}

// successor returns a parser that goes on where another is now. That one may
// go on as well: a rotated file can still get lines.
func (l *Live) successor(before *maillog.Parser, modTime time.Time) *maillog.Parser {
	p, err := l.im.newParser(modTime)
	if err == nil {
		err = p.Resume(before.State())
	}
	if err != nil {
		l.im.Log.Warn("Reading on without the connections that were open", "path", l.dir, "err", err)
		return nil
	}
	return p
}

// CatchUp reads what stands in a piece by now, some or all of which may have
// been taken before. It comes before the first Line.
func (l *Live) CatchUp(ctx context.Context, p *Piece, lines interface{ Next() (source.Line, bool) }) error {
	known, err := l.im.known()
	if err != nil {
		return err
	}
	p.r.matcher = source.NewMatcher(lines, known)
	for n := 0; ; n++ {
		if n%checkEvery == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		item, ok := p.r.matcher.Next()
		if !ok {
			return nil
		}
		if err := l.take(ctx, p, item); err != nil {
			return err
		}
	}
}

// Line takes the next line of a piece, which nobody has taken before.
func (l *Live) Line(ctx context.Context, p *Piece, line source.Line) error {
	p.r.matcher.Extend(line.Text)
	return l.take(ctx, p, source.Item{Line: line})
}

func (l *Live) take(ctx context.Context, p *Piece, item source.Item) error {
	if item.Known == "" {
		if l.open != p {
			if err := l.Cut(ctx); err != nil {
				return err
			}
			l.open = p
		}
		if p.r.first.at == 0 && p.r.cut == nil {
			p.r.first = l.im.openingOf(item.Text, p.r.modTime)
		}
	}
	if err := p.r.line(ctx, item); err != nil {
		return fmt.Errorf("take a line of %s: %w", p.r.path, err)
	}
	return nil
}

// Open reports whether there are lines that are not searchable yet.
func (l *Live) Open() bool { return l.open != nil && l.open.r.cut != nil && l.open.r.cut.w != nil }

// Cut makes searchable what was taken.
func (l *Live) Cut(ctx context.Context) error {
	if !l.Open() {
		return nil
	}
	p := l.open
	l.open = nil
	return p.r.cut.cut(ctx)
}

// End says that no line of a piece will come any more.
func (l *Live) End(ctx context.Context, p *Piece) error {
	if err := l.Cut(ctx); err != nil {
		return err
	}
	return p.r.end(ctx)
}

// Close removes what was not made searchable: the lines are still in the log.
func (l *Live) Close() {
	if l.Open() {
		l.open.r.cut.abort()
	}
	l.open = nil
}
