package search

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// ErrUsage is what every error wraps that the asker can mend by asking
// differently: a fault in the query's text, a time, a cursor.
var ErrUsage = errors.New("usage")

// SyntaxError is a fault in something that was typed.
type SyntaxError struct {
	What  string // what was being read: "query", "--from", "field sender"
	Input string // all of it
	Pos   int    // byte range of the fault in Input
	End   int
	Msg   string // what is wrong
	Hint  string // how to put it right, "" when there is nothing to say
}

// Error is the fault in one line, with its position in characters from 1.
func (e *SyntaxError) Error() string {
	s := fmt.Sprintf("%s: %s at position %d", e.What, e.Msg, utf8.RuneCountInString(e.Input[:e.Pos])+1)
	if e.Hint != "" {
		s += ": " + e.Hint
	}
	return s
}

// Unwrap makes every SyntaxError an ErrUsage.
func (e *SyntaxError) Unwrap() error { return ErrUsage }

// caretWidth is how much of a long input Caret shows.
const caretWidth = 72

// Caret shows the input with the fault marked below it, in two lines without
// an indent. Controls are shown as blanks so that the mark stays in place.
func (e *SyntaxError) Caret() string {
	before := []rune(clean(e.Input[:e.Pos]))
	fault := []rune(clean(e.Input[e.Pos:e.End]))
	after := []rune(clean(e.Input[e.End:]))
	if len(before) > caretWidth/2 {
		before = append([]rune("..."), before[len(before)-caretWidth/2:]...)
	}
	if len(fault) > caretWidth/2 {
		fault, after = fault[:caretWidth/2], []rune("...")
	}
	if len(after) > caretWidth/2 {
		after = append(after[:caretWidth/2:caretWidth/2], []rune("...")...)
	}
	return string(before) + string(fault) + string(after) + "\n" +
		strings.Repeat(" ", len(before)) + "^" + strings.Repeat("~", max(0, len(fault)-1))
}

func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
}

// nearest returns the candidate that a misspelt word most likely means, or "".
func nearest(word string, candidates []string) string {
	word = strings.ToLower(word)
	best, least := "", 1+len(word)/3
	for _, c := range candidates {
		if d := distance(word, c); d <= least && (best == "" || d < least) {
			best, least = c, d
		}
	}
	return best
}

// distance is the number of letters to insert, delete, replace or swap with
// their neighbour to turn a into b. Words longer than any field are far away.
func distance(a, b string) int {
	const longest = 32
	if len(a) > longest || len(b) > longest {
		return longest
	}
	var rows [3][longest + 1]int
	for j := range len(b) + 1 {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		prev2, prev, cur := &rows[(i+1)%3], &rows[(i+2)%3], &rows[i%3]
		cur[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			cur[j] = min(prev[j]+1, cur[j-1]+1, prev[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				cur[j] = min(cur[j], prev2[j-2]+1)
			}
		}
	}
	return rows[len(a)%3][len(b)]
}
