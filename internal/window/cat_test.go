package window

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"

	"waybill/internal/safefs/crashfs"
	"waybill/internal/track"
)

func TestCat(t *testing.T) {
	f := crashfs.New()
	w := must(Create(f, ".", liveHeader()))
	w.AddSource(fullSource())
	for _, e := range []track.Event{
		{Time: 1e6, Kind: track.MessageRemoved, Host: "mx-a", Tag: "postfix/qmgr", PID: 12, QueueID: "4BZk", MID: 3, Line: 7, Offset: 99,
			Text: "postfix/qmgr[12]: 4BZk: removed", Attrs: []track.Attr{{Key: track.Sender, Value: ""}, {Key: 200, Value: "x"}}},
		{Kind: 250, Uncertain: true, Text: "evil \x1b[2J\u202e\n"},
	} {
		if err := w.Append(&e); err != nil {
			t.Fatal(err)
		}
	}
	sealed := must(w.Seal(true))

	var text bytes.Buffer
	r := must(Open(f, sealed.Path))
	defer r.Close()
	if err := Cat(&text, r, Text); err != nil {
		t.Fatal(err)
	}
	want := "1970-01-01T00:00:01Z  message.removed      0:7 mx-a postfix/qmgr[12]: 4BZk: removed\n" +
		"? unknown              0:0  " + `evil \x1b[2J\u202e\n` + "\n"
	mustEqual(t, "text", text.String(), want)

	var nd bytes.Buffer
	r = must(Open(f, sealed.Path))
	defer r.Close()
	if err := Cat(&nd, r, NDJSON); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(nd.String(), "\n"), "\n")
	if len(lines) != 5 {
		t.Fatalf("%d lines:\n%s", len(lines), nd.String())
	}
	for i, want := range []string{`"header":{`, `"attrs":[["sender",""],["key200","x"]]`, `"kind":"kind250"`, `"sources":[{"id":"id"`, `"identity":"5F0C/1/7"`} {
		if !strings.Contains(lines[i], want) || !json.Valid([]byte(lines[i])) {
			t.Errorf("line %d has no %s: %s", i, want, lines[i])
		}
	}
	if strings.ContainsAny(nd.String(), "\x1b\u202e") {
		t.Error("controls in NDJSON")
	}
}

func TestCatPrintsUpToTheDamage(t *testing.T) {
	whole := sample(t, false)
	f := writeFile(t, whole[:len(whole)-1])
	r := must(Open(f, "f"))
	defer r.Close()
	var out bytes.Buffer
	err := Cat(&out, r, Text)
	var d *DamagedError
	if !errors.As(err, &d) || strings.Count(out.String(), "\n") != 24 {
		t.Errorf("%d lines, %v", strings.Count(out.String(), "\n"), err)
	}
	r = must(Open(writeFile(t, whole), "f"))
	defer r.Close()
	if err := Cat(full{}, r, NDJSON); !errors.Is(err, io.ErrShortWrite) {
		t.Errorf("full disk: %v", err)
	}
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, io.ErrShortWrite }
