package doctor

import (
	"cmp"
	"html"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"time"
)

// page is a row of an availability page: an interval that is missing, or the
// range of a gateway's data.
type page struct {
	file    string
	line    int64
	text    string
	gateway string
	from    int64 // seconds of UTC, whole minutes
	to      int64
	whole   bool // the range that there is data of, not one that is missing
}

// pageStamp is "14 Feb 2023 08:01 (GMT +01:00)". The minute is cut, not rounded.
var pageStamp = regexp.MustCompile(`\b(\d{1,2} [A-Z][a-z]{2} \d{4} \d{1,2}:\d{2})(?::\d{2})?\s*\((?:GMT|UTC)\s*([+-]\d{2}:?\d{2})?\)`)

// pageReader gathers what may be a saved page: rows of text, or HTML.
type pageReader struct {
	found []page
	row   strings.Builder // of HTML, whose rows may stand on several lines
	line1 int64           // where the row begins
	html  bool
}

// maxRow bounds a row of HTML.
const maxRow = 64 << 10

// line takes a line and tells whether it belongs to a page.
func (p *pageReader) line(s string, n int64) bool {
	if !p.html && strings.HasPrefix(s, "<") && strings.Contains(s, ">") {
		p.html, p.line1 = true, n
	}
	if !p.html {
		return p.cells(s, n) || pageHead(s)
	}
	for s != "" {
		text, rest, tag := strings.Cut(s, "<")
		if p.row.Len() < maxRow {
			p.row.WriteString(html.UnescapeString(text))
		}
		if !tag {
			break
		}
		var name string
		name, s, _ = strings.Cut(rest, ">")
		name, _, _ = strings.Cut(strings.ToLower(name), " ")
		switch name {
		case "tr", "/tr", "/table":
			p.cells(p.row.String(), p.line1)
			p.row.Reset()
			p.line1 = n
		case "td", "/td", "th", "/th", "br", "br/":
			p.row.WriteByte('\t')
		}
	}
	p.row.WriteByte(' ')
	return true
}

// pageHead tells the head of a table as it is copied from a page.
func pageHead(s string) bool {
	s = strings.ToLower(s)
	return strings.Contains(s, "description") && strings.Contains(s, "from") || strings.Contains(s, "data range") ||
		strings.Contains(s, "missing data interval") || strings.Contains(s, "security appliance") || strings.HasPrefix(s, "overall")
}

// cells reads the row of a gateway: an address, and from when to when.
func (p *pageReader) cells(s string, n int64) bool {
	at := pageStamp.FindAllStringSubmatchIndex(s, 3)
	if len(at) != 2 || len(p.found) >= maxPageRows {
		return false
	}
	head := s[:at[0][0]]
	gateway := ""
	for _, word := range strings.FieldsFunc(head, func(r rune) bool { return r == '\t' || r == ' ' || r == '(' || r == ')' || r == ',' || r == '|' }) {
		if _, err := netip.ParseAddr(word); err == nil {
			gateway = word
			break
		}
	}
	from, ok1 := pageTime(s, at[0])
	to, ok2 := pageTime(s, at[1])
	if !ok1 || !ok2 || to < from {
		return false
	}
	overall := strings.HasPrefix(strings.ToLower(strings.TrimSpace(head)), "overall")
	if gateway == "" && !overall {
		return false
	}
	first := strings.Fields(head)
	status := len(first) > 1 && first[0] != gateway // a range has a status in front of the address
	p.found = append(p.found, page{line: n, text: strings.Join(strings.Fields(s), " "), gateway: gateway, from: from, to: to, whole: overall || status})
	return true
}

// maxPageRows bounds what is read of a page.
const maxPageRows = 1_000_000

func pageTime(s string, at []int) (int64, bool) {
	zone := "+00:00"
	if at[4] >= 0 {
		if zone = s[at[4]:at[5]]; len(zone) == 5 {
			zone = zone[:3] + ":" + zone[3:]
		}
	}
	t, err := time.Parse("2 Jan 2006 15:04 -07:00", s[at[2]:at[3]]+" "+zone)
	return t.Unix(), err == nil
}

// rows returns what was found in a file.
func (p *pageReader) rows(file string) []page {
	if p.row.Len() > 0 {
		p.cells(p.row.String(), p.line1)
	}
	for i := range p.found {
		p.found[i].file = file
	}
	slices.SortStableFunc(p.found, func(a, b page) int { return cmp.Compare(a.line, b.line) })
	return p.found
}
