package importer

import (
	"context"
	"errors"
	"slices"
	"time"

	"waybill/internal/maillog"
	"waybill/internal/source"
	"waybill/internal/store"
)

const (
	// contextLines is how many lines that are known already a parser is shown
	// before the first new one: the connections that are open then.
	contextLines = 256
	// joint is the silence between two pieces over which a log is always taken
	// to go on; a longer one must have had its like inside a piece.
	joint = 5 * time.Second
	// checkEvery is after how many lines progress is told and the end is asked for.
	checkEvery = 8192
)

// reading is the import of one file.
type reading struct {
	im    *Importer
	dir   string
	first opening
	rep   *FileReport

	file    *source.File
	path    string
	modTime time.Time
	matcher *source.Matcher
	parser  *maillog.Parser // of the piece before this one, to be used if not nil
	cut     *cutter         // nil until the first new line
	context []source.Item   // the last known lines before a new one
}

// run reads the file. What it returns as *source.Error concerns the file
// alone.
func (r *reading) run(ctx context.Context, p string) (err error) {
	r.file, err = r.im.open(p)
	if err != nil {
		return err
	}
	defer r.file.Close()
	r.path, r.modTime = r.file.Path, r.file.ModTime
	r.rep.Compression = r.file.Compression
	lines := r.file.Lines()
	known, err := r.im.known()
	if err != nil {
		return err
	}
	r.matcher = source.NewMatcher(lines, known)
	defer func() {
		if r.cut != nil {
			r.cut.abort()
		}
	}()
	for n := 0; ; n++ {
		if n%checkEvery == 0 {
			if err := ctx.Err(); err != nil {
				return err
			}
			r.progress(lines)
		}
		item, ok := r.matcher.Next()
		if !ok {
			break
		}
		if err := r.line(ctx, item); err != nil {
			return err
		}
	}
	r.rep.Lines, r.rep.Bytes = lines.Number(), lines.Offset()
	r.rep.Waiting, r.rep.Cut = lines.Waiting(), lines.Cut()
	r.im.lines += lines.Number()
	if err := r.end(ctx); err != nil {
		return err
	}
	return lines.Err()
}

// line takes the next line, new or known.
func (r *reading) line(ctx context.Context, item source.Item) error {
	if item.Known != "" {
		r.rep.Duplicate++
		if r.rep.Known == "" {
			r.rep.Known = r.im.nameOf(item.Known)
			r.rep.Void = r.im.isVoid(item.Known)
		}
		if len(r.context) == contextLines {
			r.context = slices.Delete(r.context, 0, contextLines/2)
		}
		r.context = append(r.context, item)
		if r.cut != nil {
			r.cut.pass(item.Line)
		}
		return nil
	}
	if r.cut == nil {
		if err := r.begin(item); err != nil {
			return err
		}
	}
	r.cut.show(r.context)
	r.context = r.context[:0]
	return r.cut.line(ctx, item.Line)
}

// begin prepares for the first new line: as the next part of a piece that has
// grown, or as a piece of its own.
func (r *reading) begin(item source.Item) error {
	c := &cutter{im: r.im, dir: r.dir, marks: r.matcher.Marks}
	var err error
	if k := r.im.grown(r.matcher.Grown(), item.Number); k != nil {
		c.part = store.Source{ID: k.ID, Gateway: r.im.Gateway, Name: r.path, From: k.To, To: k.To, Lines: k.Lines}
		c.lines, c.last = k.Lines, k.Last
		r.context = nil
		if c.parser, err = r.im.newParser(r.modTime); err != nil {
			return err
		}
		r.im.resume(c.parser, k)
	} else {
		c.part = store.Source{ID: source.PieceID(item.Text, r.im.taken), Gateway: r.im.Gateway, Name: r.path}
		if c.parser = r.parser; c.parser == nil {
			if c.parser, err = r.im.parserFor(r.first, r.modTime, r.context); err != nil {
				return err
			}
		}
		c.parser.NewPiece(r.modTime)
	}
	c.base = c.parser.Stats()
	c.start = c.base
	r.cut = c
	return nil
}

// end seals what is open and remembers the piece for the files that follow.
func (r *reading) end(ctx context.Context) error {
	if r.cut == nil {
		return nil
	}
	c := r.cut
	c.show(r.context) // the piece reaches to its last line, whoever took it
	r.rep.Stats = since(c.start, c.parser.Stats())
	r.rep.First, r.rep.Last = c.first, max(c.last, c.part.Last)
	c.part.Waiting = r.rep.Waiting
	whole := r.im.whole(c.part)
	if next := r.im.successor(&whole); next != nil {
		if err := c.conclude(next); err != nil {
			return err
		}
	}
	if err := c.cut(ctx); err != nil {
		return err
	}
	r.im.remember(c)
	return nil
}

func (r *reading) progress(lines *source.Lines) {
	if r.im.Progress != nil {
		r.im.Progress(Progress{Path: r.file.Path, File: r.im.file, Files: r.im.files,
			Read: r.file.Consumed(), Size: r.file.Size, Lines: r.im.lines + lines.Number()})
	}
}

// isFileError reports whether an error concerns one file only.
func isFileError(err error) bool {
	var bad *source.Error
	return errors.As(err, &bad)
}
