package search

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"waybill/internal/store"
)

func TestParse(t *testing.T) {
	const (
		contains = store.OpContains
		is       = store.OpIs
		begins   = store.OpBegins
		empty    = store.OpEmpty
	)
	for _, tc := range []struct {
		name, in string
		want     []Term
		text     string // canonical, "" when it is in
	}{
		{"nothing", "", nil, ""},
		{"blanks", " \t\n", nil, ""},
		{"word", "bob", []Term{{Op: contains, Value: "bob"}}, ""},
		{"words", "bob  ann", []Term{{Op: contains, Value: "bob"}, {Op: contains, Value: "ann"}}, "bob ann"},
		{"not", "-bob", []Term{{Not: true, Op: contains, Value: "bob"}}, ""},
		{"minus is text", `"-bob"`, []Term{{Op: contains, Value: "-bob"}}, ""},
		{"quoted word", `"a b"`, []Term{{Op: contains, Value: "a b"}}, ""},
		{"not quoted", `-"a b"`, []Term{{Not: true, Op: contains, Value: "a b"}}, ""},
		{"needless quotes", `"ab"`, []Term{{Op: contains, Value: "ab"}}, "ab"},
		{"escapes", `"a\"b\\c"`, []Term{{Op: contains, Value: `a"b\c`}}, `a"b\c`},
		{"backslash is text", `DOMAIN\bob`, []Term{{Op: contains, Value: `DOMAIN\bob`}}, ""},
		{"quote inside", `a"b`, []Term{{Op: contains, Value: `a"b`}}, ""},
		{"colon in quotes", `"sender:x"`, []Term{{Op: contains, Value: "sender:x"}}, ""},
		{"IPv4 is text", "192.0.2.7", []Term{{Op: contains, Value: "192.0.2.7"}}, ""},
		{"CIDR is text", "192.0.2.0/24", []Term{{Op: contains, Value: "192.0.2.0/24"}}, ""},
		{"IPv6 is text", "2001:db8::1", []Term{{Op: contains, Value: "2001:db8::1"}}, ""},
		{"IPv6 of letters is text", "fe80::1", []Term{{Op: contains, Value: "fe80::1"}}, ""},
		{"Message-ID is text", "<a:b@c.example>", []Term{{Op: contains, Value: "<a:b@c.example>"}}, ""},
		{"URL is text", "https://example.com/", []Term{{Op: contains, Value: "https://example.com/"}}, ""},
		{"contains", "subject:offer", []Term{{Field: "subject", Op: contains, Value: "offer"}}, ""},
		{"is", "subject:=offer", []Term{{Field: "subject", Op: is, Value: "offer"}}, ""},
		{"begins", "subject:^offer", []Term{{Field: "subject", Op: begins, Value: "offer"}}, ""},
		{"empty", `subject:""`, []Term{{Field: "subject", Op: empty}}, ""},
		{"is empty", `subject:=""`, []Term{{Field: "subject", Op: empty}}, `subject:""`},
		{"is nothing", `subject:=`, []Term{{Field: "subject", Op: empty}}, `subject:""`},
		{"is quoted", `subject:="a b"`, []Term{{Field: "subject", Op: is, Value: "a b"}}, ""},
		{"quoted operator is text", `subject:"=a"`, []Term{{Field: "subject", Op: contains, Value: "=a"}}, ""},
		{"is with operator", `subject:==a`, []Term{{Field: "subject", Op: is, Value: "=a"}}, ""},
		{"is with quote", `subject:="\"a\""`, []Term{{Field: "subject", Op: is, Value: `"a"`}}, ""},
		{"colon in value", "subject:Re:", []Term{{Field: "subject", Op: contains, Value: "Re:"}}, ""},
		{"case of field", "Subject:x", []Term{{Field: "subject", Op: contains, Value: "x"}}, "subject:x"},
		{"alias", "from:a to:b rcpt:c msgid:d qid:e ip:192.0.2.1", []Term{
			{Field: "sender", Op: contains, Value: "a"}, {Field: "recipient", Op: contains, Value: "b"},
			{Field: "recipient", Op: contains, Value: "c"}, {Field: "message-id", Op: contains, Value: "d"},
			{Field: "queue-id", Op: contains, Value: "e"}, {Field: "client", Op: is, Value: "192.0.2.1"}},
			"sender:a recipient:b recipient:c message-id:d queue-id:e client:192.0.2.1"},
		{"underscore", "message_id:x", []Term{{Field: "message-id", Op: contains, Value: "x"}}, "message-id:x"},
		{"domain", "sender:@example.com", []Term{{Field: "sender", Op: store.OpDomain, Value: "example.com"}}, ""},
		{"subdomain", "-sender:.example.com", []Term{{Not: true, Field: "sender", Op: store.OpSubdomain, Value: "example.com"}}, ""},
		{"domain in quotes is text", `sender:"@example.com"`, []Term{{Field: "sender", Op: contains, Value: "@example.com"}}, ""},
		{"null sender", "sender:<>", []Term{{Field: "sender", Op: empty}}, `sender:""`},
		{"brackets", "sender:=<ann@example.com>", []Term{{Field: "sender", Op: is, Value: "ann@example.com"}}, "sender:=ann@example.com"},
		{"subject keeps @", "subject:@example.com", []Term{{Field: "subject", Op: contains, Value: "@example.com"}}, ""},
		{"Message-ID", "message-id:<a@b>", []Term{{Field: "message-id", Op: contains, Value: "<a@b>"}}, ""},
		{"network", "client:192.0.2.77/24", []Term{{Field: "client", Op: store.OpNet, Value: "192.0.2.0/24"}}, "client:192.0.2.0/24"},
		{"IPv6 network", "client:2001:DB8::/32", []Term{{Field: "client", Op: store.OpNet, Value: "2001:db8::/32"}}, "client:2001:db8::/32"},
		{"IPv6", "client:2001:DB8:0::1", []Term{{Field: "client", Op: is, Value: "2001:db8::1"}}, "client:2001:db8::1"},
		{"mapped", "client:::ffff:192.0.2.1", []Term{{Field: "client", Op: is, Value: "192.0.2.1"}}, "client:192.0.2.1"},
		{"part of IP", "client:192.0.2.", []Term{{Field: "client", Op: contains, Value: "192.0.2."}}, ""},
		{"beginning of IP", "client:^192.0", []Term{{Field: "client", Op: begins, Value: "192.0"}}, ""},
		{"no client", `client:""`, []Term{{Field: "client", Op: empty}}, ""},
		{"number", "mid:1041", []Term{{Field: "mid", Op: is, Value: "1041"}}, ""},
		{"size", "size:>1M size:<10k size:1000", []Term{{Field: "size", Op: is, Value: ">1M"},
			{Field: "size", Op: is, Value: "<10k"}, {Field: "size", Op: is, Value: "1000"}}, ""},
		{"statuses", "status:Deferred,bounced", []Term{{Field: "status", Op: is, Value: "deferred,bounced"}}, "status:deferred,bounced"},
		{"short event", "event:held", []Term{{Field: "event", Op: is, Value: "message.held"}}, "event:message.held"},
		{"long event", "event:recipient.delivery", []Term{{Field: "event", Op: is, Value: "recipient.delivery"}}, ""},
		{"kind", "kind:rejection", []Term{{Field: "kind", Op: is, Value: "rejection"}}, ""},
		{"times", `after:-24h before:"2026-11-20 20:15:30"`, []Term{{Field: "after", Op: is, Value: "-24h"},
			{Field: "before", Op: is, Value: "2026-11-20 20:15:30"}}, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			q, err := Parse(tc.in)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, q.Terms, cmpopts.IgnoreUnexported(Term{})); diff != "" {
				t.Errorf("Parse(%q): %s", tc.in, diff)
			}
			want := tc.text
			if want == "" {
				want = strings.TrimSpace(tc.in)
			}
			if got := q.String(); got != want {
				t.Errorf("text is %q, want %q", got, want)
			}
		})
	}
}

func TestParseErrors(t *testing.T) {
	for _, tc := range []struct{ name, in, msg, caret string }{
		{"unknown field", "a sendr:x", `unknown field "sendr" at position 3: did you mean "sender"?`, "a sendr:x\n  ^~~~~"},
		{"far from any field", "Re: x", `unknown field "Re" at position 1: put it in quotes`, "Re: x\n^~"},
		{"no value", "subject: x", "subject: has no value at position 1", "subject: x\n^~~~~~~~"},
		{"begins with nothing", "subject:^", "every text begins with nothing at position 9", "subject:^\n        ^"},
		{"unknown status", "status:delivred", `"delivred" is no value of status at position 8: did you mean "delivered"? It is one of queued held`, ""},
		{"mixed", "status:mixed", "a message is mixed when its recipients differ", ""},
		{"empty status", `status:""`, "status: is never empty", ""},
		{"number", "mid:12x", `"12x" is not a number at position 5`, ""},
		{"negative", "mid:-1", `"-1" is not a number`, ""},
		{"size", "size:>1T", `"1T" is not a size at position 6: sizes are`, ""},
		{"huge size", "size:99999999999G", "is not a size", ""},
		{"network", "client:192.0.2.0/33", `"192.0.2.0/33" is not a network at position 8`, ""},
		{"address", "client:192.0.2.300", `"192.0.2.300" is not an IP address`, ""},
		{"name", "client:mail.example.com", "host: searches names", ""},
		{"begins with a network", "client:^192.0.2.0/24", "is not a network", ""},
		{"operator", "status:^d", "status: cannot be compared with ^", ""},
		{"quote", `a "b c`, "a quote is not closed at position 3", "a \"b c\n  ^~~~"},
		{"backslash", `"b\`, "a quote is not closed", ""},
		{"behind quote", `"b"c`, "text follows the closing quote at position 4", ""},
		{"minus", "a - b", "nothing follows the minus sign at position 3", "a - b\n  ^"},
		{"empty word", `""`, "an empty text", ""},
		{"time", "after:tomorow", `"tomorow" is not a time at position 7: times are`, ""},
		{"not a time", "-after:today", "a time cannot be excluded", ""},
		{"UTF-8", "a\xffb", "text is not valid UTF-8 at position 2", "a?b\n ^"},
		{"long", strings.Repeat("a", MaxQuery+1), "longer than 4096 bytes", ""},
		{"terms", strings.Repeat("a ", MaxTerms+1), "more than 64 terms", ""},
		{"position counts characters", "äöü foo:x", "at position 5", "äöü foo:x\n    ^~~"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := Parse(tc.in)
			var fault *SyntaxError
			if !errors.As(err, &fault) || !errors.Is(err, ErrUsage) {
				t.Fatalf("Parse(%q) = %v", tc.in, err)
			}
			if !strings.Contains(err.Error(), tc.msg) {
				t.Errorf("error is %q, want %q in it", err, tc.msg)
			}
			if got := fault.Caret(); tc.caret != "" && got != tc.caret {
				t.Errorf("caret is\n%s\nwant\n%s", got, tc.caret)
			}
		})
	}
}

func TestCaretOfLongInput(t *testing.T) {
	_, err := Parse(strings.Repeat("word ", 50) + "bad:x " + strings.Repeat("more ", 50))
	var fault *SyntaxError
	if !errors.As(err, &fault) {
		t.Fatal(err)
	}
	lines := strings.Split(fault.Caret(), "\n")
	if at := strings.Index(lines[1], "^"); lines[0][at:at+3] != "bad" || len(lines[0]) > 2*caretWidth {
		t.Errorf("caret is\n%s", fault.Caret())
	}
}

func FuzzQuery(f *testing.F) {
	for _, s := range []string{
		"", "bob -ann", `subject:"a b" sender:@example.com`, "size:>1M client:192.0.2.0/24", `"a\"b" sender:<>`,
		"status:deferred,bounced event:held", "after:-24h before:2026-11-20T20", "-sender:=x subject:^y", `subject:""`,
		"sender:.example.com recipient:=<a@b>", "message-id:<a@b> id:x", "client:^10. mid:7", "foo:bar", `sender:"@x"`, "::1 fe80::/10",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		q, err := Parse(s)
		if err != nil {
			var fault *SyntaxError
			if !errors.As(err, &fault) {
				t.Fatalf("%v is no SyntaxError", err)
			}
			_, _ = fault.Caret(), fault.Error()
			return
		}
		text := q.String()
		again, err := Parse(text)
		if err != nil && len(text) <= MaxQuery {
			t.Fatalf("%q became %q: %v", s, text, err)
		}
		if err == nil && !slices.EqualFunc(q.Terms, again.Terms, Term.same) {
			t.Fatalf("%q became %q: %v, %v", s, text, q.Terms, again.Terms)
		}
		for _, term := range q.Terms {
			term.condition()
		}
		form, err := q.Form().Query()
		if err != nil && len(text) <= MaxQuery/2 {
			t.Fatalf("form of %q: %v", text, err)
		}
		if err == nil && !sameTerms(q, form) {
			t.Fatalf("form of %q is %+v, read as %q", text, q.Form(), form)
		}
	})
}

// sameTerms compares two queries as sets of conditions; events are ORed and so
// count as one.
func sameTerms(a, b Query) bool {
	key := func(q Query) []string {
		var out, events []string
		for _, t := range q.Terms {
			if t.Field == FieldEvent && !t.Not {
				events = append(events, strings.Split(t.Value, ",")...)
				continue
			}
			out = append(out, t.String())
		}
		slices.Sort(events)
		out = append(out, strings.Join(slices.Compact(events), ","))
		slices.Sort(out)
		return out
	}
	return slices.Equal(key(a), key(b))
}
