package importer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"waybill/internal/maillog"
	"waybill/internal/source"
	"waybill/internal/store"
	"waybill/internal/track"
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
	first track.Stamp // of the file, 0 when unknown
	rep   *FileReport

	file    *source.File
	matcher *source.Matcher
	cut     *cutter       // nil until the first new line
	context []source.Item // the last known lines before a new one

}

// run reads the file. What it returns as *source.Error concerns the file
// alone.
func (r *reading) run(ctx context.Context, p string) (err error) {
	r.file, err = source.Open(p)
	if err != nil {
		return err
	}
	defer r.file.Close()
	r.rep.Compression = r.file.Compression
	lines := r.file.Lines()
	known, err := r.im.pieces()
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
	if at := r.im.grown(r.matcher.Grown(), item.Number); at >= 0 {
		k := &r.im.Known[at]
		c.piece, c.prior = *k, *k
		c.piece.Name = r.file.Path
		r.context = nil
		parser, err := r.im.newParser(r.file.ModTime)
		if err != nil {
			return err
		}
		r.im.resume(parser, k)
		c.parser = parser
	} else {
		id := source.PieceID(item.Text, r.im.taken)
		c.piece = store.Source{ID: id, Gateway: r.im.Gateway, Name: r.file.Path}
		parser, err := r.im.parserFor(r.first, r.file.ModTime, r.context)
		if err != nil {
			return err
		}
		c.parser = parser
		c.parser.NewPiece()
	}
	c.base = c.parser.Stats()
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
	c.piece.Waiting = r.rep.Waiting
	c.tally()
	r.rep.Stats = since(c.base, c.parser.Stats())
	if next := r.im.successor(&c.piece); next != nil {
		if err := c.conclude(next); err != nil {
			return err
		}
	}
	if err := c.cut(ctx); err != nil {
		return err
	}
	r.rep.First, r.rep.Last = c.first, c.piece.Last
	r.im.remember(c)
	return nil
}

func (r *reading) progress(lines *source.Lines) {
	if r.im.Progress != nil {
		r.im.Progress(Progress{Path: r.file.Path, File: r.im.file, Files: r.im.files,
			Read: r.file.Consumed(), Size: r.file.Size, Lines: r.im.lines + lines.Number()})
	}
}

// pieces are the known pieces as the matcher wants them.
func (im *Importer) pieces() ([]source.Known, error) {
	out := make([]source.Known, 0, len(im.Known))
	for i := range im.Known {
		m, ok := im.marks[im.Known[i].ID]
		if !ok {
			var err error
			if m, err = source.DecodeMarks(im.Known[i].Marks); err != nil {
				return nil, fmt.Errorf("what was imported of %s: %w", im.Known[i].Name, err)
			}
			im.marks[im.Known[i].ID] = m
		}
		out = append(out, source.Known{ID: im.Known[i].ID, Marks: m})
	}
	return out, nil
}

// find returns the index of a known piece, -1 if there is none.
func (im *Importer) find(id string) int {
	return slices.IndexFunc(im.Known, func(s store.Source) bool { return s.ID == id })
}

func (im *Importer) taken(id string) bool { return im.find(id) >= 0 }

func (im *Importer) nameOf(id string) string {
	if at := im.find(id); at >= 0 {
		return im.Known[at].Name
	}
	return ""
}

// grown returns the index of the piece that goes on with line number, -1 when
// the line does not follow its last one.
func (im *Importer) grown(id string, number int64) int {
	if id == "" {
		return -1
	}
	if at := im.find(id); at >= 0 && im.Known[at].Lines+1 == number {
		return at
	}
	return -1
}

// remember makes a piece known, as far as it was read.
func (im *Importer) remember(c *cutter) {
	im.marks[c.piece.ID] = c.marks()
	if at := im.find(c.piece.ID); at >= 0 {
		im.Known[at] = c.piece
	} else {
		im.Known = append(im.Known, c.piece)
	}
	im.last, im.parser = c.piece, c.parser
}

// successor returns the known piece with which the log goes on after p, nil
// when there is none.
func (im *Importer) successor(p *store.Source) *store.Source {
	var next *store.Source
	for i := range im.Known {
		k := &im.Known[i]
		if k.ID != p.ID && follows(p, k.First) && (next == nil || k.First < next.First) {
			next = k
		}
	}
	return next
}

// newParser returns a parser that has read nothing.
func (im *Importer) newParser(fileTime time.Time) (*maillog.Parser, error) {
	return maillog.New(maillog.Options{Gateway: im.Gateway, Location: im.Location, Year: im.Year,
		FileTime: fileTime, Format: im.Format, NextMID: im.nextMID, NextICID: im.nextICID})
}

// parserFor returns the parser for a piece that begins at first: the one that
// has read the piece before it in this import, one that goes on from the state
// at the end of the piece before it in an earlier import, or a new one.
func (im *Importer) parserFor(first track.Stamp, fileTime time.Time, before []source.Item) (*maillog.Parser, error) {
	overlaps := len(before) > 0 && before[len(before)-1].Known == im.last.ID
	if im.parser != nil && (overlaps || follows(&im.last, first)) {
		return im.parser, nil
	}
	p, err := im.newParser(fileTime)
	if err != nil || im.Year != 0 {
		return p, err
	}
	best := -1
	for i := range im.Known {
		k := &im.Known[i]
		if follows(k, first) && (best < 0 || k.Last > im.Known[best].Last) {
			best = i
		}
	}
	if best >= 0 {
		im.resume(p, &im.Known[best])
	}
	return p, nil
}

// resume gives the parser the state at the end of a piece. Without it only the
// connections that were open then are unknown.
func (im *Importer) resume(p *maillog.Parser, k *store.Source) {
	if err := p.Resume(k.State); err != nil {
		im.Log.Warn("Reading on without the connections that were open", "path", k.Name, "err", err)
	}
}

// follows reports whether a piece that begins at first goes on where p ended.
// Over a longer silence the connections that were open are not the ones of
// which the next lines speak.
func follows(p *store.Source, first track.Stamp) bool {
	pause := max(joint, time.Duration(p.Silence)*time.Microsecond)
	return p.Last != 0 && first != 0 && first >= p.Last && first.Sub(p.Last) <= pause
}

// isFileError reports whether an error concerns one file only.
func isFileError(err error) bool {
	var bad *source.Error
	return errors.As(err, &bad)
}
