package mailqueue

import (
	"strconv"
	"strings"
	"time"
)

// exim reads exim -bp:
//
//	25m  2.9K 0t5C6f-0000c8-00 <alice@example.com>
//	          bob@example.net
//	        D carol@example.net
//
//	 4d  1.2K 1tEabc-000000001Ab-0Cd1 <> *** frozen ***
//	          dave@example.org
//
// An age is of minutes, hours from 90 minutes on, or days from 72 hours on; a
// size has two or three digits.
type exim struct{ o Options }

const eximFrozen = "*** frozen ***"

func (p *exim) line(q *Queue, line string) {
	if strings.TrimSpace(line) == "" {
		return
	}
	if m, ok := eximHead(line, p.o.Now); ok {
		q.add(m)
		return
	}
	m := q.last()
	const indent = "       "
	text, ok := strings.CutPrefix(line, indent)
	if m == nil || !ok || len(text) < 2 {
		q.unknown(line)
		return
	}
	address := strings.TrimSpace(text)
	r := Recipient{Address: address}
	// "D" stands where two blanks are; -bpa has "+D" for addresses that were made
	// from others.
	for _, mark := range []string{"+D ", "D "} {
		if a, ok := strings.CutPrefix(address, mark); ok {
			r.Address, r.Done = strings.TrimSpace(a), true
		}
	}
	m.recipient(r)
}

// eximHead reads the first line of a message.
func eximHead(line string, now time.Time) (Message, bool) {
	f := strings.Fields(line)
	if len(f) < 3 || strings.HasPrefix(line, "     ") {
		return Message{}, false
	}
	var m Message
	age, unit, ok := eximAge(f[0])
	if !ok {
		return m, false
	}
	at := 1
	if !eximID(f[at]) { // the size is left out of an empty message
		if m.Size, m.SizeOff, ok = eximSize(f[at]); !ok {
			return m, false
		}
		at++
	}
	if !eximID(f[at]) {
		return m, false
	}
	m.ID = strings.Clone(f[at])
	if !now.IsZero() {
		m.Since, m.SinceOff = now.Add(-age), unit
	}
	_, rest, _ := strings.Cut(line, m.ID)
	rest = strings.TrimSpace(rest)
	if before, ok := strings.CutSuffix(rest, eximFrozen); ok {
		rest, m.State = strings.TrimSpace(before), "frozen"
	}
	// Behind the address may stand who submitted it: <a@b> (user), or what is wrong
	// with the spool file.
	if end := strings.LastIndexByte(rest, '>'); strings.HasPrefix(rest, "<") && end > 0 {
		m.Sender = sender(rest[:end+1])
	} else if strings.HasPrefix(rest, "***") {
		m.State = bounded(strings.Trim(rest, "* "), maxText)
	}
	return m, true
}

// eximID reports whether s has the form of a message id: 6-6-2 or, from release
// 4.97 on, 6-11-4 characters.
func eximID(s string) bool {
	return isID(s) && (len(s) == 16 && s[6] == '-' && s[13] == '-' || len(s) == 23 && s[6] == '-' && s[18] == '-')
}

// eximAge reads 25m, 3h or 2d, and how exact that is.
func eximAge(s string) (age, unit time.Duration, ok bool) {
	if len(s) < 2 || len(s) > 6 {
		return 0, 0, false
	}
	switch s[len(s)-1] {
	case 'm':
		unit = time.Minute
	case 'h':
		unit = time.Hour
	case 'd':
		unit = 24 * time.Hour
	default:
		return 0, 0, false
	}
	n, err := strconv.ParseUint(s[:len(s)-1], 10, 16)
	return time.Duration(n) * unit, unit, err == nil
}

// eximSize reads 830, 1.2K, 12K, 3.4M or 99M, and how exact that is.
func eximSize(s string) (size, off int64, ok bool) {
	factor := int64(1)
	number := s
	switch {
	case strings.HasSuffix(s, "K"):
		factor, number = 1<<10, s[:len(s)-1]
	case strings.HasSuffix(s, "M"):
		factor, number = 1<<20, s[:len(s)-1]
	}
	if len(number) == 0 || len(number) > 8 || number[0] < '0' || number[0] > '9' {
		return 0, 0, false
	}
	x, err := strconv.ParseFloat(number, 64)
	if err != nil {
		return 0, 0, false
	}
	switch {
	case factor == 1:
		off = 0
	case strings.Contains(number, "."):
		off = factor / 10
	default:
		off = factor
	}
	return int64(x * float64(factor)), off, true
}
