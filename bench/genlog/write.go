package genlog

import (
	"bufio"
	"io"
	"math/rand/v2"
	"time"
)

// Options say how the copies are laid out.
type Options struct {
	Bytes int64         // stop after the line that reaches this size; 0: after Copies
	Max   int           // copies at most; 0: no limit
	From  int           // number of the first copy, to write one log in several pieces
	Start time.Time     // of the first copy; zero: the template's
	Step  time.Duration // from one copy to the next; at least the template's span and a second
	Seed  uint64
}

// Made says what was written.
type Made struct {
	Bytes  int64
	Lines  int64
	Copies int
	First  time.Time
	Last   time.Time
}

// Write writes copies of the template until one of the limits is reached.
func (t *Template) Write(w io.Writer, o Options) (Made, error) {
	step := max(o.Step, t.span+time.Second)
	start := o.Start
	if start.IsZero() {
		start = t.start
	}
	made := Made{First: start.Add(time.Duration(o.From) * step)}
	out := bufio.NewWriterSize(w, 1<<20)
	values := make([]string, len(t.values))
	pcg := rand.NewPCG(0, 0)
	for n := o.From; o.Max == 0 || n < o.From+o.Max; n++ {
		m := maker{
			seed:  o.Seed,
			pcg:   pcg,
			rnd:   rand.New(pcg),
			copy:  int64(n),
			when:  start.Add(time.Duration(n) * step),
			shift: start.Add(time.Duration(n) * step).Sub(t.start),
		}
		for i, v := range t.values {
			values[i] = m.make(v)
		}
		made.Copies++
		made.Last = m.when.Add(t.span)
		for _, line := range t.lines {
			for _, p := range line {
				s := p.text
				if p.kind != literal {
					s = values[p.value]
				}
				made.Bytes += int64(len(s))
				if _, err := out.WriteString(s); err != nil {
					return made, err
				}
			}
			made.Bytes++
			made.Lines++
			if err := out.WriteByte('\n'); err != nil {
				return made, err
			}
		}
		if o.Bytes > 0 && made.Bytes >= o.Bytes {
			break
		}
		if o.Bytes == 0 && o.Max == 0 {
			break
		}
	}
	return made, out.Flush()
}
