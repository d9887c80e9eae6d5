package maillog

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"waybill/internal/track"
)

// hostile draws text that a stranger may choose: much of it looks like what
// Exim writes around it.
func hostile(t *rapid.T, name, without string) string {
	words := []string{"x", " ", `"`, `\`, ") [203.0.113.66]", "(", "<", ">", "> ", ": ", "H=evil.example [203.0.113.66]", " P=esmtpsa", " A=plain:root", " S=1",
		" id=fake@example.net", ` T="fake"`, ` T="`, " from <eve@example.net>", " for victim@example.org", " R=1xUrph-0002vq-0Q", " rejected RCPT <", " rejected after DATA: x",
		" C=\"250 ok id=1xUrph-0002vq-0Q\"", " QT=9s", " defer (-1): ", "=> ", "ü", "1xUrph-0002vq-0Q <= "}
	words = slices.DeleteFunc(words, func(w string) bool { return strings.ContainsAny(w, without) && without != "" })
	return strings.Join(rapid.SliceOfN(rapid.SampledFrom(words), 0, 6).Draw(t, name), "")
}

// quotedAddress draws an address whose local part may be quoted and hold
// anything.
func quotedAddress(t *rapid.T, name string) string {
	if rapid.Bool().Draw(t, name+" plain") {
		return rapid.SampledFrom([]string{"ann@example.com", "bob+x@example.org", "ü@example.net"}).Draw(t, name)
	}
	local := strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(hostile(t, name, ""))
	return `"` + local + `"@example.com`
}

// escaped is what Exim makes of a string that it puts in quotes.
func escaped(s string) string { return strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) }

// only reads one line and returns its events.
func only(t interface {
	Helper()
	Fatalf(string, ...any)
}, line string) []track.Event {
	t.Helper()
	p, err := New(caseOptions)
	if err != nil {
		t.Fatalf("%v", err)
	}
	var out []track.Event
	p.Line(line, 1, 0, func(e *track.Event) {
		c := *e
		c.Attrs = slices.Clone(e.Attrs)
		out = append(out, c)
	})
	return out
}

// TestEximArrivalLike: whatever the sender of a message puts into its address,
// Message-ID, subject and recipients, or its HELO where that is not checked,
// the line says what Exim meant.
func TestEximArrivalLike(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		sender, subject := quotedAddress(t, "sender"), hostile(t, "subject", "")
		helo := rapid.SampledFrom([]string{"", "vm", "[192.0.2.7]"}).Draw(t, "helo")
		if rapid.Bool().Draw(t, "junk helo") {
			helo = "a" + hostile(t, "junk", "") + "b"
		}
		id := quotedAddress(t, "id")
		to := []string{quotedAddress(t, "to 1"), quotedAddress(t, "to 2")}
		// A HELO with quotes in it, next to strings with quotes of others, has more
		// than one reading where the subject is not logged to tell them apart.
		withSubject := rapid.Bool().Draw(t, "with subject") || strings.Contains(helo, `"`)
		var b strings.Builder
		fmt.Fprintf(&b, "2026-11-21 20:37:12 1xUrpg-0002vn-2z <= %s H=mail.example.com ", sender)
		if helo != "" {
			fmt.Fprintf(&b, "(%s) ", helo)
		}
		fmt.Fprintf(&b, "[192.0.2.7]:2525 P=esmtp S=700 id=%s", id)
		if withSubject {
			fmt.Fprintf(&b, ` T="%s"`, escaped(subject))
		}
		if rapid.Bool().Draw(t, "with sender") {
			fmt.Fprintf(&b, " from <%s>", sender)
		}
		fmt.Fprintf(&b, " for %s", strings.Join(to, " "))
		events := only(t, b.String())
		if len(events) != 3 {
			t.Fatalf("%d events of %s", len(events), b.String())
		}
		e := &events[0]
		want := map[track.Key]string{track.Sender: sender, track.ClientIP: "192.0.2.7", track.ClientPort: "2525", track.Helo: helo,
			track.Protocol: "esmtp", track.Size: "700", track.MessageIDHdr: "<" + id + ">", track.User: "", track.RcptCount: strconv.Itoa(len(to))}
		if withSubject {
			want[track.Subject] = subject
		}
		for k, v := range want {
			if got := e.Value(k); got != v {
				t.Errorf("%s is %q, want %q in %s", keyNames[k], got, v, b.String())
			}
		}
		for i := range to {
			if got := events[1+i].Value(track.Recipient); got != to[i] {
				t.Errorf("recipient %q, want %q in %s", got, to[i], b.String())
			}
		}
	})
}

// TestEximDeliveryLike: the same of a delivery, whose reply is the next hop's
// to choose.
func TestEximDeliveryLike(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		to, top, reply := quotedAddress(t, "to"), quotedAddress(t, "top"), "250 "+hostile(t, "reply", "")
		var b strings.Builder
		fmt.Fprintf(&b, "2026-11-21 20:37:12 1xUrpg-0002vn-2z => %s", to)
		if !strings.EqualFold(to, top) {
			fmt.Fprintf(&b, " <%s>", top)
		} else {
			top = ""
		}
		fmt.Fprintf(&b, ` F=<%s> R=dnslookup T=remote_smtp H=mx.example.net [198.51.100.9]:25* X=TLS1.3:AES:256 CV=yes C="%s" QT=2s`, quotedAddress(t, "sender"), escaped(reply))
		events := only(t, b.String())
		if len(events) != 1 {
			t.Fatalf("%d events of %s", len(events), b.String())
		}
		for k, v := range map[track.Key]string{track.Recipient: to, track.Original: top, track.Route: "dnslookup", track.RelayIP: "198.51.100.9", track.RelayPort: "25",
			track.Response: reply, track.StatusWord: "delivered", track.Delay: "2", track.TLSCipher: "AES"} {
			if got := events[0].Value(k); got != v {
				t.Errorf("%s is %q, want %q in %s", keyNames[k], got, v, b.String())
			}
		}
	})
}

// TestEximRejectionLike: the same of a recipient that was refused.
func TestEximRejectionLike(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		sender, to := quotedAddress(t, "sender"), quotedAddress(t, "to")
		line := fmt.Sprintf("2026-11-21 20:37:12 H=(vm) [192.0.2.7]:2525 F=<%s> rejected RCPT <%s>: User unknown", sender, to)
		events := only(t, line)
		if len(events) != 1 || events[0].Kind != track.Rejection {
			t.Fatalf("%v of %s", events, line)
		}
		for k, v := range map[track.Key]string{track.Sender: sender, track.Recipient: to, track.ClientIP: "192.0.2.7", track.Response: "User unknown"} {
			if got := events[0].Value(k); got != v {
				t.Errorf("%s is %q, want %q in %s", keyNames[k], got, v, line)
			}
		}
	})
}

// keys returns the keys of the refusals in lines, read in pieces of the same
// parser.
func refusalKeys(t *testing.T, pieces ...[]string) (keys []string) {
	t.Helper()
	p, err := New(caseOptions)
	if err != nil {
		t.Fatal(err)
	}
	for i, lines := range pieces {
		if i > 0 {
			p.NewPiece(caseOptions.FileTime)
		}
		for n, line := range lines {
			p.Line(line, int64(n+1), 0, func(e *track.Event) {
				if e.Kind == track.Rejection || e.Kind == track.ConnAuthFailed {
					keys = append(keys, e.QueueID)
				}
			})
		}
	}
	return keys
}

// TestEximKeys: a refusal has the same key in both logs, also when one parser
// reads them one behind the other; what differs in anything has another.
func TestEximKeys(t *testing.T) {
	const refused = "2026-11-21 20:37:12 [100] H=(vm) [192.0.2.7] F=<ann@example.com> rejected RCPT <bob@example.org>: User unknown"
	const failed = "2026-11-21 20:37:12 [101] plain authenticator failed for (vm) [192.0.2.7]: 535 Incorrect authentication data"
	const other = "2026-11-21 20:37:12 [100] 1xUrpg-0002vn-2z Completed"
	main := []string{refused, other, refused, failed, other}
	reject := []string{refused, refused, failed}
	a, b := refusalKeys(t, main), refusalKeys(t, reject)
	if len(a) != 3 || !slices.Equal(a, b) || a[0] == a[1] || a[1] == a[2] {
		t.Errorf("main log %q, reject log %q", a, b)
	}
	if both := refusalKeys(t, main, reject); !slices.Equal(both, append(slices.Clone(a), b...)) {
		t.Errorf("one behind the other %q", both)
	}
	seen := map[string]string{a[0]: refused}
	for _, line := range []string{strings.Replace(refused, ":12 ", ":13 ", 1), strings.Replace(refused, "[100]", "[102]", 1), strings.Replace(refused, "bob", "eve", 1),
		strings.Replace(refused, ":12 ", ":12.001 ", 1)} {
		k := refusalKeys(t, []string{line})
		if len(k) != 1 || seen[k[0]] != "" {
			t.Errorf("%q has the key %q of %q", line, k, seen[k[0]])
			continue
		}
		seen[k[0]] = line
	}
}

// TestEximBounds: an attacker's flood of lines in pieces, of refusals and of
// endless headers does not make the parser grow.
func TestEximBounds(t *testing.T) {
	p, err := New(caseOptions)
	if err != nil {
		t.Fatal(err)
	}
	n := int64(0)
	line := func(format string, args ...any) {
		n++
		p.Line(fmt.Sprintf(format, args...), n, 0, func(e *track.Event) { checkEvent(t, e) })
	}
	for i := range 3000 {
		line("Nov 21 20:37:12 mx exim[%d]: [1/9] 1xUrpg-0002vn-2z <= ann@example.com %s", i+1, strings.Repeat("x", 900))
		line("2026-11-21 20:37:12 H=(vm) [192.0.2.7] rejected MAIL <%d@example.com>", i)
		line("2026-11-21 20:37:12 1xUrpg-%06d-2z == bob@example.org R=x T=y defer (111): Connection refused", i)
	}
	line("2026-11-21 20:37:13 1xUrpg-0002vn-2z H=(vm) [192.0.2.7] rejected after DATA")
	line("  Subject: x")
	for range 3000 {
		line("\t%s", strings.Repeat("y", 900))
	}
	checkStats(t, p.Stats())
	e := p.dialects[slices.IndexFunc(p.dialects, func(d dialect) bool { return d.name() == "exim" })].(*exim)
	if len(e.parts) > maxParts || len(e.seen.now.Told) > maxTold || e.troubles.len > maxTroubles || len(e.entry.Header) > maxEntryHeader {
		t.Errorf("%d parts, %d refusals, %d troubles, a header of %d bytes", len(e.parts), len(e.seen.now.Told), e.troubles.len, len(e.entry.Header))
	}
	if s := p.State(); len(s) > 256<<10 {
		t.Errorf("a state of %d bytes", len(s))
	}
}

// TestEximStateBad: a state that save did not make is refused or harmless.
func TestEximStateBad(t *testing.T) {
	for _, tc := range []struct {
		state string
		good  bool
	}{
		{`{}`, true}, {`x`, false}, {`{"entry":{"id":"x"}}`, false}, {`{"entry":{"id":"1xUrpg-0002vn-2z","header":"x"}}`, true},
		{`{"parts":[{"next":0,"of":9},{"next":2,"of":1}],"last":[{"tag":"exim","pid":1,"text":"x"},{"tag":"exim","pid":1,"text":"y"}]}`, true},
		{`{"now":{"stamp":"x","told":{"1":2}},"troubles":[{"id":"x"},{"id":"x"}]}`, true},
	} {
		p, err := New(caseOptions)
		if err != nil {
			t.Fatal(err)
		}
		e := &exim{}
		if err := e.load(&p.cur, []byte(tc.state)); (err == nil) != tc.good {
			t.Errorf("load(%s): %v", tc.state, err)
		}
	}
}

func TestSeconds(t *testing.T) {
	for in, want := range map[string]string{"0s": "0", "12s": "12", "0.105s": "0.105", "1m2s": "62", "1m2.5s": "62.5", "2h": "7200", "1w1d1h1m1s": "694861", "": "", "s": "", "1": "", "1x": "", "1.s": "", "1.5": ""} {
		if got := seconds(in); got != want {
			t.Errorf("seconds(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestUnquoteSubject(t *testing.T) {
	for in, want := range map[string]string{`plain`: "plain", `\"x\"`: `"x"`, `a\\b`: `a\b`, `a\\n`: `a\n`, `a\n b`: "a b", `\303\274`: "ü", `\377`: "\uFFFD", `\`: `\`, `\9`: "9", `\12`: "12"} {
		if got := unquoteSubject(in); got != want {
			t.Errorf("unquoteSubject(%q) = %q, want %q", in, got, want)
		}
	}
}
