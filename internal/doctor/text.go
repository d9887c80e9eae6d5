package doctor

import (
	"runtime"
	"strings"

	"golang.org/x/sync/errgroup"

	"waybill/internal/source"
)

// maxText bounds what is shown of a line.
const maxText = 400

// Fill reads the files again that the evidence is in and puts in what the lines
// say. open opens a file by its name in the report.
func (r *Report) Fill(open func(name string) (*source.File, error)) error {
	want := make(map[string]map[int64][]*string)
	for i := range r.Findings {
		for k := range r.Findings[i].Evidence {
			e := &r.Findings[i].Evidence[k]
			if want[e.File] == nil {
				want[e.File] = make(map[int64][]*string)
			}
			want[e.File][e.Line] = append(want[e.File][e.Line], &e.Text)
		}
	}
	var group errgroup.Group
	group.SetLimit(runtime.GOMAXPROCS(0))
	for name, lines := range want {
		group.Go(func() error { return fill(name, lines, open) })
	}
	return group.Wait()
}

func fill(name string, want map[int64][]*string, open func(string) (*source.File, error)) error {
	f, err := open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	lines := f.Lines()
	for len(want) > 0 {
		l, ok := lines.Next()
		if !ok {
			if l, ok = lines.Rest(); !ok || want[l.Number] == nil {
				return lines.Err()
			}
		}
		to, ok := want[l.Number]
		if !ok {
			continue
		}
		delete(want, l.Number)
		text := strings.ReplaceAll(l.Text[:min(len(l.Text), maxText)], "\t", "  ") // of a page
		text = strings.Clone(text)
		for _, t := range to {
			*t = text
		}
	}
	return nil
}
