package genlog

import (
	"math/rand/v2"
	"strconv"
	"strings"
	"time"
)

// maker gives the variables of one copy their values.
type maker struct {
	seed  uint64
	pcg   *rand.PCG
	rnd   *rand.Rand // over pcg
	copy  int64
	shift time.Duration // from the template's times to the copy's
	when  time.Time     // start of the copy
}

// make draws from numbers that depend on the seed, the copy and the value's
// name alone, so that two logs of one fleet agree.
func (m *maker) make(v value) string {
	m.pcg.Seed(m.seed+uint64(m.copy)<<32, v.name)
	switch v.kind {
	case stamp:
		return m.when.Add(time.Duration(v.num)).Format("Jan _2 15:04:05")
	case pid:
		return strconv.FormatInt(1000+(v.num+m.copy*1777)%4_000_000, 10)
	case queueID:
		return m.queueID(v.text)
	case messageID:
		return m.messageID(v.text)
	case address:
		return m.address(v.text)
	case subject:
		return m.subject()
	case client:
		return m.client()
	}
	return v.text
}

// Postfix writes a short id as five hex digits of the microsecond and the
// inode in hex, a long one as seconds and microseconds in base 52, a "z" and
// the inode in base 51 (the file src/global/mail_queue.h describes both).
const base52 = "0123456789BCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz"

// queueID moves an id to the copy's time. Both parts are moved by the same
// amount in the whole copy, so that ids which differ go on to differ; inodes
// come round again after some copies, and with them, rarely, a whole id.
func (m *maker) queueID(id string) string {
	if usec, err := strconv.ParseInt(id[:5], 16, 64); err == nil && usec < 1e6 {
		if inode, err := strconv.ParseInt(id[5:], 16, 64); err == nil {
			usec = (usec + m.copy*271_829) % 1e6
			inode += m.copy % 7 * 4099
			return strings.ToUpper(pad(strconv.FormatInt(usec, 16), 5) + strconv.FormatInt(inode, 16))
		}
	}
	if len(id) > 11 && id[10] == 'z' {
		sec, usec := decode52(id[:6]), decode52(id[6:10])
		sec += int64(m.shift / time.Second)
		usec = (usec + m.copy*271_829) % 1e6
		return pad(encode52(sec), 6) + pad(encode52(usec), 4) + id[10:]
	}
	return id
}

func decode52(s string) (n int64) {
	for i := range len(s) {
		n = n*52 + int64(max(0, strings.IndexByte(base52, s[i])))
	}
	return n
}

func encode52(n int64) string {
	var b [12]byte
	i := len(b)
	for ; n > 0; n /= 52 {
		i--
		b[i] = base52[n%52]
	}
	return string(b[i:])
}

func pad(s string, n int) string {
	if len(s) < n {
		return strings.Repeat("0", n-len(s)) + s
	}
	return s
}

// messageID replaces the digits of an id. One that Postfix made itself
// consists of the time and the queue id, and does so in the copy.
func (m *maker) messageID(id string) string {
	local, domain, _ := strings.Cut(id, "@")
	if date, qid, ok := strings.Cut(local, "."); ok && len(date) == 14 && len(qid) >= 8 {
		if at, err := time.Parse("20060102150405", date); err == nil {
			return at.Add(m.shift).Format("20060102150405") + "." + m.queueID(qid) + "@" + domain
		}
	}
	b := []byte(local)
	for i, c := range b {
		if c >= '0' && c <= '9' || c >= 'a' && c <= 'f' {
			b[i] = "0123456789abcdef"[m.rnd.IntN(16)]
		}
	}
	return string(b) + "@" + domain
}

// address draws an address. The domain's first label stays in front because
// the log's text (a refusal, a relay) goes with it. Few people get most of the
// mail: the square of a uniform number prefers the front of the lists.
func (m *maker) address(a string) string {
	_, domain, _ := strings.Cut(a, "@")
	if strings.HasSuffix(domain, ".example.test") {
		return a // the host's own addresses: postmaster, double-bounce
	}
	kind, _, _ := strings.Cut(domain, ".")
	n := skewed(m.rnd, 1500)
	return word(m.rnd, given) + "." + word(m.rnd, family) + strconv.Itoa(m.rnd.IntN(90)) +
		"@" + family[n%len(family)] + strconv.Itoa(n/len(family)) + "." + kind + ".test"
}

func (m *maker) subject() string {
	n := 2 + m.rnd.IntN(6)
	words := make([]string, n)
	for i := range words {
		words[i] = word(m.rnd, topic)
	}
	if m.rnd.IntN(3) == 0 {
		words = append(words, strconv.Itoa(m.rnd.IntN(1_000_000)))
	}
	return strings.Join(words, " ")
}

// client draws a host in the network for benchmarks (RFC 2544).
func (m *maker) client() string {
	n := skewed(m.rnd, 1<<17)
	ip := "198." + strconv.Itoa(18+n>>16) + "." + strconv.Itoa(n>>8&255) + "." + strconv.Itoa(n&255)
	if n%5 == 0 {
		return "unknown[" + ip + "]"
	}
	return "mail" + strconv.Itoa(n%7) + "." + family[n%len(family)] + strconv.Itoa(n/len(family)%90) + ".example[" + ip + "]"
}

func word(r *rand.Rand, list []string) string { return list[skewed(r, len(list))] }

func skewed(r *rand.Rand, n int) int {
	f := r.Float64()
	return int(f * f * float64(n))
}
