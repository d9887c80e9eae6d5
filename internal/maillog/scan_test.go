package maillog

import (
	"hash/maphash"
	"slices"
	"strings"
	"testing"
)

func TestCutID(t *testing.T) {
	for _, tc := range []struct {
		in, id string // "": none
	}{
		{"0A1B2C3D4E: removed", "0A1B2C3D4E"},
		{"4jX4WR2JBgz1W6Gn: removed", "4jX4WR2JBgz1W6Gn"},
		{"48rT2v1hQrz1J0N: removed", "48rT2v1hQrz1J0N"},
		{"9BC123F: removed", "9BC123F"},
		{"ABCDEF: an id that is a word", "ABCDEF"},
		{"ED06590130AA1C9D6D862: skipped", "ED06590130AA1C9D6D862"},
		{"NOQUEUE: reject", ""},
		{"warning: x", ""},
		{"12345: too short", ""},
		{"4jX4WR2JBgy1W6Gn: no z where one must stand", ""},
		{"4jX4WR2JBgz: no inode", ""},
		{"0a1b2c3d4e: lower case", ""},
		{"4jX4WR2JBgz1WaGn: a vowel", ""},
		{"0A1B2C3D4E:no blank", ""},
		{"0A1B2C3D4E", ""},
		{strings.Repeat("A", 33) + ": too long", ""},
		{"", ""},
	} {
		id, rest, ok := cutID(tc.in)
		if id != tc.id || ok != (tc.id != "") {
			t.Errorf("cutID(%q) = %q, %v", tc.in, id, ok)
		}
		if ok && tc.id+": "+rest != tc.in {
			t.Errorf("cutID(%q): rest %q", tc.in, rest)
		}
	}
}

func TestParsePeer(t *testing.T) {
	for _, tc := range []struct {
		in   string
		want peer
		rest string
		ok   bool
	}{
		{"a.example[192.0.2.1]", peer{"a.example", "192.0.2.1", ""}, "", true},
		{"a.example[192.0.2.1]:25, x", peer{"a.example", "192.0.2.1", "25"}, ", x", true},
		{"a.example[192.0.2.1]: x", peer{"a.example", "192.0.2.1", ""}, ": x", true},
		{"unknown[unknown]", peer{}, "", true},
		{"[2001:db8::1]:25", peer{"", "2001:db8::1", "25"}, "", true},
		{"a[::ffff:192.0.2.1]", peer{"a", "192.0.2.1", ""}, "", true},
		{"a[private/lmtp]", peer{"a", "", ""}, "", true},
		{"two words[192.0.2.1]", peer{}, "two words[192.0.2.1]", false},
		{"a[192.0.2.1", peer{}, "a[192.0.2.1", false},
		{"none", peer{}, "none", false},
	} {
		p, rest, ok := parsePeer(tc.in)
		if ok != tc.ok || ok && (p != tc.want || rest != tc.rest) {
			t.Errorf("parsePeer(%q) = %+v, %q, %v", tc.in, p, rest, ok)
		}
	}
}

func TestReply(t *testing.T) {
	for _, tc := range []struct{ in, code, dsn, text string }{
		{"550 5.1.1 no", "550", "5.1.1", "no"},
		{"550-5.1.1 no", "550", "5.1.1", "no"},
		{"550 no", "550", "", "no"},
		{"5.7.1 no", "", "5.7.1", "no"},
		{"5.12.345 no", "", "5.12.345", "no"},
		{"5500 no", "", "", "5500 no"},
		{"3.1.1 no", "", "", "3.1.1 no"},
		{"5.1.1x no", "", "", "5.1.1x no"},
		{"250", "250", "", ""},
		{"", "", "", ""},
	} {
		code, dsn, text := reply(tc.in)
		if code != tc.code || dsn != tc.dsn || text != tc.text {
			t.Errorf("reply(%q) = %q, %q, %q", tc.in, code, dsn, text)
		}
	}
}

func TestDeliveryValue(t *testing.T) {
	for _, tc := range []struct{ in, value, rest string }{
		{"<a@b>, relay=x", "<a@b>", "relay=x"},
		{"a@b, relay=x", "a@b", "relay=x"},
		{"<>, relay=x", "<>", "relay=x"},
		{`<"x>, relay=y"@b>, relay=x`, `<"x>, relay=y"@b>`, "relay=x"},
		{`<"x\">, relay=y"@b>, relay=x`, `<"x\">, relay=y"@b>`, "relay=x"},
		{`<"unclosed>, relay=x`, `<"unclosed>`, "relay=x"},
		{"<x>, relay=y@b>, relay=x", "<x>, relay=y@b>", "relay=x"},
		{"<x>, not a key, relay=x", "<x>, not a key, relay=x", ""},
		{"<x", "<x", ""},
		{"x", "x", ""},
		{"", "", ""},
	} {
		value, rest := deliveryValue(tc.in)
		if value != tc.value || rest != tc.rest {
			t.Errorf("deliveryValue(%q) = %q, %q", tc.in, value, rest)
		}
	}
}

// TestTrailerTries: a line full of false beginnings costs no more than a
// bounded number of attempts, and still gives an answer.
func TestTrailerTries(t *testing.T) {
	s := strings.Repeat("x; from=<", 5000) + "a> to=<b> proto=ESMTP helo=<c>"
	head, tr, _ := cutTrailer(s, nil)
	if tr.sender != "a" || tr.recipient != "b" || tr.protocol != "ESMTP" || tr.helo != "c" || !strings.HasSuffix(head, "x") {
		t.Errorf("trailer %+v behind %d bytes", tr, len(head))
	}
}

type numberKey int

func (k numberKey) hash(seed maphash.Seed) uint64 { return maphash.Comparable(seed, k) }

// TestBracketed: what was made once stays what it is.
func TestBracketed(t *testing.T) {
	var c cursor
	var made, want []string
	for n := range 300 {
		s := strings.Repeat(string(rune('a'+n%26)), n*n%2000)
		made, want = append(made, c.bracketed(s)), append(want, "<"+s+">")
	}
	if !slices.Equal(made, want) {
		t.Error("a string changed after it was made")
	}
}

func TestTable(t *testing.T) {
	tab := newTable[numberKey, string](3)
	for i := range numberKey(5) {
		tab.put(i).val = "v"
		tab.get(1) // used all the time, never dropped once it is there
	}
	if tab.get(1) == nil || tab.get(0) != nil || tab.get(4) == nil || tab.len != 3 {
		t.Errorf("table holds %d entries", tab.len)
	}
	tab.drop(tab.get(1))
	if e := tab.put(9); e.val != "" || tab.get(1) != nil {
		t.Errorf("an entry used again holds %q", e.val)
	}
	n := 0
	for e := tab.first; e != nil; e = e.old {
		n++
	}
	if n != tab.len {
		t.Errorf("%d entries in the list, %d in the table", n, tab.len)
	}
}

// TestTableGrows: a table that grew holds what was put there last and not
// dropped, and nothing else.
func TestTableGrows(t *testing.T) {
	const size, many = 1000, 5000
	tab := newTable[numberKey, numberKey](size)
	for i := range numberKey(many) {
		tab.put(i).val = i
		if i%7 == 0 {
			tab.drop(tab.peek(i))
		}
	}
	n := 0
	for i := range numberKey(many) {
		e := tab.peek(i)
		if e == nil {
			continue
		}
		n++
		if e.key != i || e.val != i || i%7 == 0 || i < many-size*7/6-2 {
			t.Errorf("the entry of %d is that of %d and holds %d", i, e.key, e.val)
		}
	}
	if n != size || tab.len != size || len(tab.chains) < size {
		t.Errorf("%d of %d entries found in %d chains, want %d", n, tab.len, len(tab.chains), size)
	}
}
