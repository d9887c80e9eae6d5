package window

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"waybill/internal/track"
)

// ErrName is returned for what is not the name of a tracking file.
var ErrName = errors.New("not the name of a tracking file")

const (
	namePrefix = "tracking.@"
	nameTime   = "20060102T150405Z"
	nameExt    = ".s"
	gzipExt    = ".gz"
)

// Name is the name of a tracking file: the interval that it covers, in whole
// seconds, and whether it is compressed.
type Name struct {
	From, To   time.Time // UTC
	Compressed bool
}

// NameOf returns the name for an interval; parts of a second go outwards.
func NameOf(iv track.Interval, compressed bool) Name {
	// Not Stamp.Time: an unknown time gives the beginning of 1970, not of year 1.
	from := time.UnixMicro(int64(iv.From)).UTC().Truncate(time.Second)
	to := time.UnixMicro(int64(iv.To)).UTC()
	if t := to.Truncate(time.Second); t.Before(to) {
		to = t.Add(time.Second)
	}
	if !to.After(from) {
		to = from.Add(time.Second)
	}
	return Name{from, to, compressed}
}

// ParseName reads a name, strictly: ParseName(n.String()) is n, and nothing
// else is accepted.
func ParseName(s string) (Name, error) {
	n := Name{Compressed: strings.HasSuffix(s, gzipExt)}
	rest, ok := strings.CutPrefix(strings.TrimSuffix(s, gzipExt), namePrefix)
	if ok {
		rest, ok = strings.CutSuffix(rest, nameExt)
	}
	from, to, sep := strings.Cut(rest, "_")
	if !ok || !sep {
		return Name{}, fmt.Errorf("%q: %w", s, ErrName)
	}
	var err1, err2 error
	n.From, err1 = time.Parse(nameTime, from)
	n.To, err2 = time.Parse(nameTime, to)
	// What time.Parse lets pass in another spelling does not come back the same.
	if err1 != nil || err2 != nil || !n.To.After(n.From) || n.String() != s {
		return Name{}, fmt.Errorf("%q: %w", s, ErrName)
	}
	return n, nil
}

// String is the file name.
func (n Name) String() string {
	s := namePrefix + n.From.UTC().Format(nameTime) + "_" + n.To.UTC().Format(nameTime) + nameExt
	if n.Compressed {
		s += gzipExt
	}
	return s
}

// Interval is the span that the name tells.
func (n Name) Interval() track.Interval {
	return track.Interval{From: track.StampOf(n.From), To: track.StampOf(n.To)}
}

// shift moves the name by whole seconds: a name never repeats.
func (n Name) shift(seconds int) Name {
	d := time.Duration(seconds) * time.Second
	n.From, n.To = n.From.Add(d), n.To.Add(d)
	return n
}
