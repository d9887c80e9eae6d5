package maillog

import (
	"strconv"
	"strings"
)

// rejections counts equal refusals, so that each has a key which its copy in
// another log has, too.
type rejections struct {
	now, before moment
	// last is by process the refusal that it told last, for syslog that gets both
	// logs.
	last *table[procKey, string]
	buf  [48]byte
}

// moment is a second, or less where stamps tell it, with what was refused in it.
type moment struct {
	Stamp string            `json:"stamp"`
	Told  map[uint64]uint32 `json:"told,omitempty"`
}

const (
	// maxTold bounds the different refusals of a moment that are counted.
	maxTold = 4096
	// maxTellers bounds the processes whose last refusal is known.
	maxTellers = 1024
)

// stamp is what stands in front of the line's text, as the log has it.
func (c *cursor) stamp() string {
	if strings.HasSuffix(c.raw, c.h.Text) {
		return c.raw[:len(c.raw)-len(c.h.Text)]
	}
	return ""
}

// key names a refusal: by its stamp as it was written, process and text, and
// how many like it came before.
func (r *rejections) key(stamp string, pid uint32, text string) string {
	stamp = strings.TrimSpace(stamp)
	h := fnv(fnv(fnvBasis, stamp), text) + uint64(pid)
	m := &r.now
	if m.Stamp != stamp {
		switch {
		case r.before.Stamp == stamp: // processes overtake one another
			m = &r.before
		default:
			told := r.before.Told
			clear(told)
			r.before = r.now
			r.now = moment{Stamp: strings.Clone(stamp), Told: told}
		}
	}
	if m.Told == nil {
		m.Told = make(map[uint64]uint32)
	}
	n := m.Told[h]
	if n > 0 || len(m.Told) < maxTold {
		m.Told[h] = n + 1
	}
	b := append(r.buf[:0], '!')
	b = strconv.AppendUint(b, h, 36)
	if n > 0 {
		b = append(b, '.')
		b = strconv.AppendUint(b, uint64(n), 10)
	}
	return string(b)
}

// fnvBasis starts the hash FNV-1a.
const fnvBasis = 14695981039346656037

func fnv(h uint64, s string) uint64 {
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * 1099511628211
	}
	return (h ^ 0xff) * 1099511628211
}

// again reports whether a refusal is the second copy of one. Exim gives those
// of both logs to syslog one behind the other, unless syslog_duplication is
// off. A client that is refused the same thing twice in one process is told
// once then: what such a log says of the two is the same.
func (e *exim) again(c *cursor, s string) bool {
	if c.h.Tag == "" || c.h.PID == 0 {
		return false
	}
	r := &e.seen
	if r.last == nil {
		r.last = newTable[procKey, string](maxTellers)
	}
	entry := r.last.get(c.proc())
	if entry == nil {
		entry = r.last.put(c.proc())
	}
	if entry.val == s {
		entry.val = ""
		return true
	}
	entry.val = strings.Clone(s)
	return false
}
