package search

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestForm(t *testing.T) {
	for _, tc := range []struct {
		name string
		form Form
		text string
	}{
		{"empty", Form{}, ""},
		{"blank", Form{Sender: "  "}, ""},
		{"sender", Form{Sender: "ann"}, "sender:ann"},
		{"blanks inside", Form{Subject: "an offer for bob"}, `subject:"an offer for bob"`},
		{"is", Form{Sender: "=ann@example.com"}, "sender:=ann@example.com"},
		{"is, with blanks", Form{Subject: "=an offer"}, `subject:="an offer"`},
		{"domain", Form{Recipient: "@example.com"}, "recipient:@example.com"},
		{"literal", Form{Recipient: `"@example.com"`}, `recipient:"@example.com"`},
		{"quote inside", Form{Subject: `say "no"`}, `subject:"say \"no\""`},
		{"null sender", Form{Sender: `""`}, `sender:""`},
		{"network", Form{Client: "192.0.2.0/24"}, "client:192.0.2.0/24"},
		{"lists", Form{Status: []string{"deferred", "bounced"}, Event: []string{"message.held", "message.released"}},
			"status:deferred,bounced event:message.held,message.released"},
		{"range", Form{From: "yesterday", To: "2026-11-20 20:15:30"}, `after:yesterday until:"2026-11-20 20:15:30"`},
		{"rest", Form{Sender: "ann", Text: `-sender:bob "two words" -status:delivered`}, `sender:ann -sender:bob "two words" -status:delivered`},
		{"second of a field", Form{Sender: "ann", Text: "sender:bob"}, "sender:ann sender:bob"},
		{"all", Form{Sender: "a", Recipient: "b", Subject: "c", MessageID: "<d@e>", QueueID: "=f", Client: "192.0.2.1", Host: "g", User: "h", Gateway: "i",
			Direction: "incoming", Relay: "j", DSN: "^5.", Response: "k", TLS: "l", Verdict: "m", Attachment: "n", Hash: "o", Size: ">1M", Kind: "message"},
			"sender:a recipient:b subject:c message-id:<d@e> queue-id:=f client:192.0.2.1 host:g user:h gateway:i direction:incoming relay:j dsn:^5. " +
				"response:k tls:l verdict:m attachment:n hash:o size:>1M kind:message"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			q, err := tc.form.Query()
			if err != nil {
				t.Fatal(err)
			}
			if got := q.String(); got != tc.text {
				t.Errorf("text is %s, want %s", got, tc.text)
			}
			back, err := Parse(tc.text)
			if err != nil {
				t.Fatal(err)
			}
			want := tc.form
			want.Sender = strings.TrimSpace(want.Sender)
			if diff := cmp.Diff(want, back.Form()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestFormErrors(t *testing.T) {
	for _, tc := range []struct {
		form Form
		want string
	}{
		{Form{Size: "big"}, "field size: \"big\" is not a size at position 1"},
		{Form{Client: " 192.0.2.0/99"}, "field client: \"192.0.2.0/99\" is not a network at position 2"},
		{Form{Status: []string{"delivered", "lost"}}, `field status: "lost" is no value of status`},
		{Form{From: "soon"}, `field after: "soon" is not a time`},
		{Form{Text: "foo:bar"}, `query: unknown field "foo"`},
		{Form{Sender: strings.Repeat("a", MaxQuery+1)}, "longer than 4096 bytes"},
	} {
		if _, err := tc.form.Query(); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("error is %v, want %s", err, tc.want)
		}
	}
}

func TestAdd(t *testing.T) {
	q, err := Parse("sender:ann")
	if err != nil {
		t.Fatal(err)
	}
	q = q.Add(FieldRecipient, "Bob Smith@example.com", false).Add(FieldSubject, "", true).Add(FieldSubject, "", true).Add(FieldStatus, "delivered", true)
	if got, want := q.String(), `sender:ann recipient:="Bob Smith@example.com" -subject:"" -status:delivered`; got != want {
		t.Errorf("text is %s, want %s", got, want)
	}
	if back, err := Parse(q.String()); err != nil || !sameTerms(q, back) {
		t.Errorf("read back as %v, %v", back, err)
	}
}

func TestFieldsAndWords(t *testing.T) {
	seen := map[string]bool{}
	for _, s := range fieldTable[1:] {
		for _, name := range append([]string{string(s.name)}, s.aliases...) {
			if seen[name] {
				t.Errorf("%s twice", name)
			}
			seen[name] = true
		}
	}
	for _, name := range strings.Fields("sender recipient subject message-id client host user mid icid dcid queue-id gateway direction status relay " +
		"dsn response tls verdict attachment hash size event kind after before from to rcpt msgid qid id ip") {
		if !seen[name] {
			t.Errorf("no field %s", name)
		}
	}
	for _, f := range FieldNames() {
		for _, w := range Words(Field(f)) {
			if _, err := Parse(f + ":" + w); err != nil {
				t.Error(err)
			}
		}
	}
}
