package store

import (
	"net/netip"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"waybill/internal/track"
)

func str(s string) *string { return &s }

// sample has something in every field.
func sample() *track.Message {
	return &track.Message{
		Gateway: "mx-a", MID: 1041, ICID: 377, QueueID: "4BZk9f0Q2Vz1qz", MessageID: "<A.1@Client.test>", Time: 1000,
		Sender: str("Bulk@XN--bcher-kva.Example"), Subject: "Grüße aus KÖLN", Size: 1240, Direction: "incoming",
		Client:   &track.Client{IP: "192.0.2.7", Name: "mail.src.test", Helo: "HELO.src.test"},
		Auth:     &track.Auth{User: "Ann"},
		TLS:      &track.TLS{Protocol: "TLSv1.3", Cipher: "AES256"},
		Verdicts: []track.EngineVerdict{{Engine: "amavis", Verdict: "clean"}},
		Status:   track.StatusDelivered, Reason: "header check",
		KindBits: 1 << track.MessageHeld, Blind: track.BlindClient,
		Recipients: []track.Rcpt{
			{Address: "1user@ok.test", Original: "list@Sub.ok.test", Status: track.StatusDelivered, Outcome: track.StatusBounced,
				Relay: "mx.ok.test[192.0.2.1]:25", DSN: "2.0.0", Response: "250 Ok: queued as 9A1B2", TLS: &track.TLS{Protocol: "unknown"}},
			{Address: "other@elsewhere.test", Status: track.StatusDeferred, Relay: "none"},
		},
	}
}

func TestMatchTerm(t *testing.T) {
	for _, tc := range []struct {
		name string
		term Term
		want bool
	}{
		{"sender is, without case", Term{Field: FieldSender, Op: OpIs, Text: "bulk@bücher.example"}, true},
		{"sender contains across the domain", Term{Field: FieldSender, Op: OpContains, Text: "k@bü"}, true},
		{"sender domain", Term{Field: FieldSender, Op: OpDomain, Text: "bücher.example"}, true},
		{"a parent is another domain", Term{Field: FieldSender, Op: OpDomain, Text: "example"}, false},
		{"subdomain of a parent", Term{Field: FieldSender, Op: OpSubdomain, Text: "example"}, true},
		{"subdomain holds the domain itself", Term{Field: FieldSender, Op: OpSubdomain, Text: "bücher.example"}, true},
		{"no label ends within a word", Term{Field: FieldSender, Op: OpSubdomain, Text: "cher.example"}, false},
		{"original counts as recipient", Term{Field: FieldRecipient, Op: OpSubdomain, Text: "ok.test"}, true},
		{"recipient begins", Term{Field: FieldRecipient, Op: OpBegins, Text: "other@"}, true},
		{"second recipient contains", Term{Field: FieldRecipient, Op: OpContains, Text: "elsewhere"}, true},
		{"subject without case", Term{Field: FieldSubject, Op: OpContains, Text: "grüße aus köln"}, true},
		{"Message-ID is, with case", Term{Field: FieldMessageID, Op: OpIs, Text: "<A.1@Client.test>"}, true},
		{"Message-ID is not without", Term{Field: FieldMessageID, Op: OpIs, Text: "<a.1@client.test>"}, false},
		{"Message-ID contains without case", Term{Field: FieldMessageID, Op: OpContains, Text: "a.1@client"}, true},
		{"queue id is, with case", Term{Field: FieldQueueID, Op: OpIs, Text: "4bzk9f0q2vz1qz"}, false},
		{"queue id begins without case", Term{Field: FieldQueueID, Op: OpBegins, Text: "4bzk9"}, true},
		{"client network", Term{Field: FieldClient, Op: OpNet, Prefix: netip.MustParsePrefix("192.0.2.0/29")}, true},
		{"client in another", Term{Field: FieldClient, Op: OpNet, Prefix: netip.MustParsePrefix("192.0.2.0/30")}, false},
		{"client mapped", Term{Field: FieldClient, Op: OpIs, Text: "::ffff:192.0.2.7"}, true},
		{"client begins", Term{Field: FieldClient, Op: OpBegins, Text: "192.0."}, true},
		{"host: HELO", Term{Field: FieldHost, Op: OpIs, Text: "helo.src.test"}, true},
		{"host: relay", Term{Field: FieldHost, Op: OpIs, Text: "mx.ok.test"}, true},
		{"host: none is no name", Term{Field: FieldHost, Op: OpIs, Text: "none"}, false},
		{"host in a domain", Term{Field: FieldHost, Op: OpSubdomain, Text: "src.test"}, true},
		{"relay verbatim", Term{Field: FieldRelay, Op: OpIs, Text: "mx.ok.test[192.0.2.1]:25"}, true},
		{"user", Term{Field: FieldUser, Op: OpIs, Text: "ann"}, true},
		{"dsn", Term{Field: FieldDSN, Op: OpBegins, Text: "2."}, true},
		{"response", Term{Field: FieldResponse, Op: OpContains, Text: "9a1b2"}, true},
		{"reason", Term{Field: FieldResponse, Op: OpContains, Text: "header"}, true},
		{"tls of a delivery", Term{Field: FieldTLS, Op: OpIs, Text: "unknown"}, true},
		{"cipher", Term{Field: FieldTLS, Op: OpContains, Text: "256"}, true},
		{"engine", Term{Field: FieldVerdict, Op: OpIs, Text: "amavis"}, true},
		{"outcome, not status", Term{Field: FieldStatus, Op: OpIs, Status: track.StatusDelivered}, false},
		{"outcome", Term{Field: FieldStatus, Op: OpIs, Status: track.StatusBounced}, true},
		{"status where there is no outcome", Term{Field: FieldStatus, Op: OpIs, Status: track.StatusDeferred}, true},
		{"kind", Term{Field: FieldKind, Op: OpIs, Text: "message"}, true},
		{"size above", Term{Field: FieldSize, Op: OpGreater, Num: 1239}, true},
		{"size not above itself", Term{Field: FieldSize, Op: OpGreater, Num: 1240}, false},
		{"size below", Term{Field: FieldSize, Op: OpLess, Num: 1241}, true},
		{"mid", Term{Field: FieldMID, Op: OpIs, Num: 1041}, true},
		{"event", Term{Field: FieldEvent, Kind: track.MessageHeld}, true},
		{"no such event", Term{Field: FieldEvent, Kind: track.MessageSender}, false},
		{"blind", Term{Field: FieldBlind, Blind: track.BlindClient | track.BlindSubject}, true},
		{"not blind", Term{Field: FieldBlind, Blind: track.BlindSubject}, false},
		{"attachment is empty", Term{Field: FieldAttachment, Op: OpEmpty}, true},
		{"user is not empty", Term{Field: FieldUser, Op: OpEmpty}, false},
	} {
		if got := MatchTerm(&tc.term, sample()); got != tc.want {
			t.Errorf("%s: MatchTerm(%+v) = %v", tc.name, tc.term, got)
		}
	}
}

func TestMatchEmpty(t *testing.T) {
	null, unknown := &track.Message{Sender: str("")}, &track.Message{}
	empty := Term{Field: FieldSender, Op: OpEmpty}
	if !MatchTerm(&empty, null) || !MatchTerm(&empty, unknown) {
		t.Error("the null sender and an unknown one are both empty")
	}
	is := Term{Field: FieldSender, Op: OpIs}
	if !MatchTerm(&is, null) || MatchTerm(&is, unknown) {
		t.Error("only the null sender is the empty address")
	}
	size := Term{Field: FieldSize, Op: OpLess, Num: 10}
	if MatchTerm(&size, unknown) {
		t.Error("an unknown size is not small")
	}
}

func TestMatch(t *testing.T) {
	m := sample()
	held := Cond{Any: []Term{{Field: FieldEvent, Kind: track.MessageAbort}, {Field: FieldEvent, Kind: track.MessageHeld}}}
	ann := Cond{Any: []Term{{Field: FieldUser, Op: OpIs, Text: "ann"}}}
	for _, tc := range []struct {
		name string
		q    Query
		want bool
	}{
		{"nothing asked", Query{}, true},
		{"any of two", Query{All: []Cond{held, ann}}, true},
		{"not", Query{All: []Cond{held, {Not: true, Any: ann.Any}}}, false},
		{"in range", Query{Range: track.Interval{From: 1000, To: 1001}}, true},
		{"the end is outside", Query{Range: track.Interval{To: 1000}}, false},
		{"gateway", Query{Gateways: []string{"mx-b", "mx-a"}}, true},
		{"other gateway", Query{Gateways: []string{"mx-b"}}, false},
	} {
		if got := Match(&tc.q, m); got != tc.want {
			t.Errorf("%s: Match = %v", tc.name, got)
		}
	}
	m.Kind = "rejection"
	if Match(&Query{}, m) || !Match(&Query{Rejections: true}, m) {
		t.Error("rejections are for those who ask")
	}
}

// TestFoldsOnTheWay compares the comparisons, which fold while they go, with
// folding first.
func TestFoldsOnTheWay(t *testing.T) {
	alphabet := []rune("aAbB-@.xXnN ÄäßẞİıΣςé\u0301\x00")
	text := rapid.StringOfN(rapid.SampledFrom(alphabet), 0, 12, -1)
	rapid.Check(t, func(rt *rapid.T) {
		f := rapid.SampledFrom([]Field{FieldSender, FieldSubject, FieldHost}).Draw(rt, "field")
		s, part := text.Draw(rt, "s"), FoldText(f, text.Draw(rt, "part"))
		folded := FoldText(f, s)
		if again := FoldText(f, folded); again != folded {
			rt.Fatalf("folding %q twice gives %q, then %q", s, folded, again)
		}
		if got, want := containsFold(f, s, part), strings.Contains(folded, part); got != want {
			rt.Errorf("containsFold(%q, %q) = %v", s, part, got)
		}
		if got, want := hasPrefixFold(f, s, part), strings.HasPrefix(folded, part); got != want {
			rt.Errorf("hasPrefixFold(%q, %q) = %v", s, part, got)
		}
		if got, want := equalFold(f, s, part), folded == part; got != want {
			rt.Errorf("equalFold(%q, %q) = %v", s, part, got)
		}
	})
}

func TestMatchDoesNotAllocate(t *testing.T) {
	m := sample()
	m.Sender = str("Bulk@Example.test")
	q := &Query{All: []Cond{
		{Any: []Term{{Field: FieldSender, Op: OpContains, Text: "example"}}},
		{Any: []Term{{Field: FieldRecipient, Op: OpContains, Text: "elsewhere"}}},
		{Any: []Term{{Field: FieldStatus, Op: OpIs, Status: track.StatusBounced}}},
	}}
	if n := testing.AllocsPerRun(100, func() { Match(q, m) }); n > 0 {
		t.Errorf("Match allocates %v times", n)
	}
}

func BenchmarkMatch(b *testing.B) {
	m := sample()
	q := &Query{All: []Cond{{Any: []Term{{Field: FieldRecipient, Op: OpContains, Text: "nowhere"}}}}}
	b.ReportAllocs()
	for b.Loop() {
		Match(q, m)
	}
}
