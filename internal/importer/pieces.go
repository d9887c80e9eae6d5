package importer

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"waybill/internal/maillog"
	"waybill/internal/source"
	"waybill/internal/store"
	"waybill/internal/track"
)

// join makes whole pieces of the parts that the store has. Where a part is
// missing (its window was set aside) the piece ends: what is behind the hole
// is read again.
func join(parts []store.Source) []store.Source {
	parts = slices.Clone(parts)
	slices.SortStableFunc(parts, func(a, b store.Source) int {
		return cmp.Or(cmp.Compare(a.ID, b.ID), cmp.Compare(a.From, b.From))
	})
	var out []store.Source
	for i := range parts {
		p := parts[i]
		if n := len(out); n > 0 && out[n-1].ID == p.ID {
			if out[n-1].To == p.From {
				out[n-1] = extend(out[n-1], p)
			}
			continue
		}
		if p.From == 0 {
			out = append(out, p)
		}
	}
	return out
}

// extend returns the piece with the part that follows it.
func extend(piece, part store.Source) store.Source {
	p := part
	p.From = piece.From
	if piece.First != 0 && (p.First == 0 || piece.First < p.First) {
		p.First = piece.First
	}
	p.Last = max(p.Last, piece.Last)
	p.Silence = max(p.Silence, piece.Silence)
	p.Marks = slices.Concat(piece.Marks, part.Marks)
	p.Parsed += piece.Parsed
	p.Ignored += piece.Ignored
	p.Unknown += piece.Unknown
	return p
}

// learn notes a part that was cut.
func (im *Importer) learn(part store.Source) {
	if at := im.find(part.ID); at >= 0 {
		im.pieces[at] = extend(im.pieces[at], part)
	} else {
		im.pieces = append(im.pieces, part)
	}
}

// whole is the piece to which a part belongs, with the part.
func (im *Importer) whole(part store.Source) store.Source {
	if at := im.find(part.ID); at >= 0 {
		return extend(im.pieces[at], part)
	}
	return part
}

// remember makes the piece known that was read, for the files that follow.
func (im *Importer) remember(c *cutter) {
	im.marks[c.part.ID] = c.marks()
	im.parser = c.parser
	if at := im.find(c.part.ID); at >= 0 {
		im.last = im.pieces[at]
	}
}

// known are the pieces as the matcher wants them.
func (im *Importer) known() ([]source.Known, error) {
	out := make([]source.Known, 0, len(im.pieces))
	for i := range im.pieces {
		p := &im.pieces[i]
		m, ok := im.marks[p.ID]
		if !ok {
			var err error
			if m, err = source.DecodeMarks(p.Marks); err != nil {
				return nil, fmt.Errorf("what was imported of %s: %w", p.Name, err)
			}
			im.marks[p.ID] = m
		}
		out = append(out, source.Known{ID: p.ID, Marks: m})
	}
	return out, nil
}

// find returns the index of a known piece, -1 if there is none.
func (im *Importer) find(id string) int {
	return slices.IndexFunc(im.pieces, func(s store.Source) bool { return s.ID == id })
}

func (im *Importer) taken(id string) bool { return im.find(id) >= 0 || im.void[id] }

// isVoid reports whether nothing of a known piece was understood, and nothing
// of its file later either.
func (im *Importer) isVoid(id string) bool {
	p := &im.pieces[im.find(id)]
	return p.Parsed == 0 && !slices.ContainsFunc(im.pieces, func(o store.Source) bool { return o.Name == p.Name && o.Parsed > 0 })
}

// forgetVoid leaves out the pieces that gave nothing. Their names stay taken.
func (im *Importer) forgetVoid() {
	im.void = make(map[string]bool)
	im.pieces = slices.DeleteFunc(im.pieces, func(p store.Source) bool {
		if p.Parsed == 0 {
			im.void[p.ID] = true
		}
		return p.Parsed == 0
	})
}

func (im *Importer) nameOf(id string) string {
	if at := im.find(id); at >= 0 {
		return im.pieces[at].Name
	}
	return ""
}

// grown returns the piece that goes on with line number, nil when the line
// does not follow its last one.
func (im *Importer) grown(id string, number int64) *store.Source {
	if at := im.find(id); id != "" && at >= 0 && im.pieces[at].Lines+1 == number {
		return &im.pieces[at]
	}
	return nil
}

// successor returns the known piece with which the log goes on after p, nil
// when there is none.
func (im *Importer) successor(p *store.Source) *store.Source {
	var next *store.Source
	for i := range im.pieces {
		k := &im.pieces[i]
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

// begins is when a piece begins if it goes on where k ends.
func (im *Importer) begins(first opening, k *store.Source, fileTime time.Time) track.Stamp {
	return im.behind(k.State, first, fileTime)
}

// behind is when a log begins if it goes on where state was taken.
func (im *Importer) behind(state []byte, first opening, fileTime time.Time) track.Stamp {
	if first.line == "" {
		return first.at
	}
	return maillog.TimeBehind(state, first.line, im.headerOptions(fileTime))
}

// parserFor returns the parser for a piece that begins with first: the one that
// has read the piece before it in this import, one that goes on from the state
// at the end of the piece before it, in an earlier import or in the logs Before,
// or a new one.
func (im *Importer) parserFor(first opening, fileTime time.Time, before []source.Item) (*maillog.Parser, error) {
	overlaps := len(before) > 0 && before[len(before)-1].Known == im.last.ID
	if im.parser != nil && (overlaps || follows(&im.last, im.begins(first, &im.last, fileTime))) {
		return im.parser, nil
	}
	p, err := im.newParser(fileTime)
	if err != nil || im.Year != 0 {
		return p, err
	}
	// What stands before is nearer than any piece that only fits by its time.
	if state := im.prime(im.Before, first, fileTime); state != nil {
		if err := p.Resume(state); err != nil {
			im.Log.Warn("Reading on without the connections that were open", "path", im.Before[0], "err", err)
		}
		return p, nil
	}
	if k, joins := im.before(first, fileTime); joins {
		im.resume(p, k)
	} else if k != nil {
		if err := p.ResumeLasting(k.State); err != nil {
			im.Log.Warn("Reading on without what the log told before", "path", k.Name, "err", err)
		}
	}
	return p, nil
}

// widest is how far the time of a line can be from what it is taken for while
// its zone is not known.
const widest = 16 * time.Hour

// before returns the latest piece behind which the one that begins with first
// can be, nil when there is none, and whether it goes on where that ends.
func (im *Importer) before(first opening, fileTime time.Time) (k *store.Source, joins bool) {
	var order []*store.Source
	for i := range im.pieces {
		if k := &im.pieces[i]; k.Last != 0 && first.at != 0 && k.Last <= first.at.Add(widest) {
			order = append(order, k)
		}
	}
	slices.SortFunc(order, func(a, b *store.Source) int {
		return cmp.Or(cmp.Compare(b.Last, a.Last), cmp.Compare(a.ID, b.ID))
	})
	var latest *store.Source
	for _, k := range order {
		at := im.begins(first, k, fileTime)
		switch {
		case follows(k, at):
			return k, true
		case latest == nil && at != 0 && at >= k.Last.Add(-joint):
			latest = k
			if first.line != "" {
				return latest, false // looking into states takes time
			}
		}
	}
	return latest, false
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
