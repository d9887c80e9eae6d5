package window

import (
	"bytes"
	"encoding/hex"
	"os"
	"strings"
	"testing"

	"waybill/internal/safefs/crashfs"
	"waybill/internal/track"
)

// formatExample is the file that docs/format.md takes apart.
func formatExample(t *testing.T) []byte {
	t.Helper()
	f := crashfs.New()
	h := Header{Gateway: "mx-a", Serial: "5F0C", Epoch: 1, Sequence: 7, Software: "waybill 0.1", Previous: bytes.Repeat([]byte{0xab}, 32),
		Interval: track.Interval{From: stamp("2023-02-13T19:16:31Z"), To: stamp("2023-02-13T19:19:31Z")}}
	w := must(Create(f, ".", h))
	w.AddSource(Source{ID: "s1", Name: "mail.log", From: 100, To: 300, Lines: 9, Parsed: 2})
	first := "postfix/qmgr[12]: 4BZk: from=<ann@src.test>, size=1240, nrcpt=1 (queue active)"
	second := "postfix/smtp[14]: 4BZk: to=<bob@ok.test>, relay=none, delay=1, dsn=4.4.1, status=deferred (timeout)"
	cut := func(text, part string) string {
		i := strings.Index(text, part)
		return text[i : i+len(part)]
	}
	for _, e := range []track.Event{
		{Time: stamp("2023-02-13T19:16:40Z"), Kind: track.MessageSender, Host: "mx-a", Tag: "postfix/qmgr", PID: 12, QueueID: cut(first, "4BZk"),
			MID: 41, Line: 8, Offset: 100, Text: first, Attrs: []track.Attr{{Key: track.Sender, Value: cut(first, "ann@src.test")},
				{Key: track.Size, Value: cut(first, "1240")}, {Key: track.RcptCount, Value: cut(first, "1 (")[:1]}}},
		{Time: stamp("2023-02-13T19:16:41Z"), Kind: track.RecipientDelivery, Host: "mx-a", Tag: "postfix/smtp", PID: 14, QueueID: cut(second, "4BZk"),
			MID: 41, Line: 9, Offset: 199, Text: second, Attrs: []track.Attr{{Key: track.Recipient, Value: cut(second, "bob@ok.test")},
				{Key: track.DSN, Value: cut(second, "4.4.1")}, {Key: track.StatusWord, Value: cut(second, "deferred")},
				{Key: track.LinkRelation, Value: "next"}}},
	} {
		if err := w.Append(&e); err != nil {
			t.Fatal(err)
		}
	}
	sealed := must(w.Seal(false))
	if sealed.Name.String() != "tracking.@20230213T191631Z_20230213T191931Z.s" {
		t.Fatal(sealed.Name)
	}
	return readFile(t, f, sealed.Path)
}

// TestFormatDocument holds the document to the program: the bytes that it shows
// are those that a writer writes, and it names every key.
func TestFormatDocument(t *testing.T) {
	doc, err := os.ReadFile("../../docs/format.md")
	if err != nil {
		t.Fatal(err)
	}
	var shown []byte
	for line := range strings.Lines(string(doc)) {
		// "000c  57 42 74 31 ...  comment"
		if len(line) < 6 || line[4:6] != "  " {
			continue
		}
		at, err := hex.DecodeString(line[:4])
		if err != nil {
			continue
		}
		digits, _, _ := strings.Cut(strings.TrimRight(line[6:], "\n"), "  ")
		b, err := hex.DecodeString(strings.ReplaceAll(digits, " ", ""))
		if err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		if want := int(at[0])<<8 | int(at[1]); want != len(shown) {
			t.Fatalf("%q stands at %04x", line, len(shown))
		}
		shown = append(shown, b...)
	}
	if want := formatExample(t); !bytes.Equal(shown, want) {
		t.Errorf("docs/format.md shows other bytes; they are\n%s", hex.Dump(want))
	}
	for k := track.Key(1); KeyName(k)[:3] != "key"; k++ {
		if !bytes.Contains(doc, []byte("`"+KeyName(k)+"`")) {
			t.Errorf("docs/format.md does not name the key %s", KeyName(k))
		}
	}
}
