package maillog

import "strings"

const (
	maxSamples = 5   // kept of a kind of line
	maxSample  = 300 // bytes kept of a line
)

// Stats say what became of the lines of a source. Every line is counted once:
// Lines is the sum of Blank, Headerless, Foreign and the three counts of each
// dialect.
type Stats struct {
	Lines      int64
	Blank      int64          // nothing in them
	Headerless int64          // no header of a known form
	Foreign    int64          // of programs that no dialect knows
	Dialects   []DialectStats // in the order in which dialects are asked

	Cut      int64 // of Lines: longer than 64 KiB, the rest was not read
	Repaired int64 // of Lines: invalid UTF-8 was replaced

	HeaderlessSamples []string
	Programs          []string // some of the foreign programs
}

// DialectStats are the counts of one dialect.
type DialectStats struct {
	Name    string
	Parsed  int64    // became events
	Ignored int64    // understood and passed over on purpose
	Unknown int64    // not understood
	Samples []string // some of the unknown lines, each of a different form
}

// counters are the Stats as they grow.
type counters struct {
	lines, blank, headerless, foreign, cut, repaired int64

	dialects          []dialectCounters
	headerlessSamples samples
	programs          samples
}

type dialectCounters struct {
	name    string
	became  [3]int64 // by outcome
	samples samples
}

func (s *counters) init(ds []dialect) {
	for _, d := range ds {
		s.dialects = append(s.dialects, dialectCounters{name: d.name()})
	}
}

func (s *counters) count(dialect int, became outcome, text string) {
	d := &s.dialects[dialect]
	d.became[became]++
	if became == notKnown {
		d.samples.add(text)
	}
}

// samples keeps the first few lines whose form differs.
type samples struct {
	text  []string
	forms []string
}

func (s *samples) add(text string) {
	if len(s.text) >= maxSamples {
		return
	}
	if len(text) > maxSample {
		text = strings.ToValidUTF8(text[:maxSample], "")
	}
	f := form(text)
	for _, g := range s.forms {
		if f == g {
			return
		}
	}
	s.text = append(s.text, strings.Clone(text))
	s.forms = append(s.forms, f)
}

// form is text without what differs between lines that say the same: numbers
// and all words that hold a digit.
func form(text string) string {
	words := strings.Fields(text)
	for i, w := range words {
		if strings.ContainsAny(w, "0123456789@<") {
			words[i] = "0"
		}
	}
	return strings.Join(words[:min(len(words), 8)], " ")
}

// Stats returns the counts so far.
func (p *Parser) Stats() Stats {
	c := &p.stats
	s := Stats{
		Lines: c.lines, Blank: c.blank, Headerless: c.headerless, Foreign: c.foreign,
		Cut: c.cut, Repaired: c.repaired,
		HeaderlessSamples: append([]string(nil), c.headerlessSamples.text...),
		Programs:          append([]string(nil), c.programs.text...),
	}
	for i := range c.dialects {
		d := &c.dialects[i]
		s.Dialects = append(s.Dialects, DialectStats{
			Name: d.name, Parsed: d.became[parsed], Ignored: d.became[ignored], Unknown: d.became[notKnown],
			Samples: append([]string(nil), d.samples.text...),
		})
	}
	return s
}
