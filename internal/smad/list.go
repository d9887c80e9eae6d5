package smad

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"sort"
	"strings"

	"waybill/internal/safetext"
	"waybill/internal/window"
)

// Bounds of a listing.
const (
	maxListing = 64 << 20
	maxNames   = 500_000
	maxLine    = 4 << 10
	maxOdd     = 5 // names that are shown of those that were passed over
)

// Listing is what a gateway has for us.
type Listing struct {
	Names []string // tracking files, oldest interval first, each once
	// Odd counts what is not the name of a tracking file. It is never asked for.
	Odd      int
	OddNames []safetext.Text // some of them
}

// parseList reads the output of ls -AF. Names with a dot in front are files in
// the making; what is no plain file, by the mark of -F, is odd.
func parseList(in io.Reader) (*Listing, error) {
	l := &Listing{}
	limited := &io.LimitedReader{R: in, N: maxListing}
	s := bufio.NewScanner(limited)
	s.Buffer(make([]byte, 0, maxLine), maxLine)
	seen := make(map[string]bool)
	for s.Scan() {
		line := string(bytes.TrimSuffix(s.Bytes(), []byte("\r")))
		if line == "" || strings.HasPrefix(line, ".") {
			continue
		}
		name := strings.TrimSuffix(line, "*") // a file that somebody made executable
		if _, err := window.ParseName(name); err != nil {
			l.Odd++
			if len(l.OddNames) < maxOdd {
				l.OddNames = append(l.OddNames, safetext.Of(line).Short(80))
			}
			continue
		}
		if seen[name] {
			continue
		}
		if len(l.Names) >= maxNames {
			return nil, fmt.Errorf("%w: a listing of more than %d files", ErrProtocol, maxNames)
		}
		seen[name] = true
		l.Names = append(l.Names, name)
	}
	if err := s.Err(); errors.Is(err, bufio.ErrTooLong) {
		return nil, fmt.Errorf("%w: a listing with an endless name", ErrProtocol)
	} else if err != nil {
		return nil, err
	}
	if limited.N <= 0 {
		return nil, fmt.Errorf("%w: a listing of more than %d bytes", ErrProtocol, maxListing)
	}
	sort.Strings(l.Names) // by time: the names are of one form
	return l, nil
}
