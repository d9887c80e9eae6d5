package window

import (
	"bufio"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"waybill/internal/safefs"
	"waybill/internal/track"
)

func at(s string) time.Time {
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		panic(err)
	}
	return t.UTC()
}

func stamp(s string) track.Stamp { return track.StampOf(at(s)) }

func liveHeader() Header {
	return Header{Gateway: "mx-a", Serial: "5F0C", Epoch: 1, Sequence: 7, Software: "waybill test",
		Interval: track.Interval{From: stamp("2023-02-13T19:16:31Z"), To: stamp("2023-02-13T19:19:31Z")}}
}

func importedHeader() Header {
	return Header{Gateway: "mx-a", Serial: "5F0C", Imported: true, Fingerprint: "f00d", Software: "waybill test"}
}

// genuine makes events from the bundled log as a dialect would: values are
// parts of the line. It knows no more of Postfix than needed for that.
func genuine(tb testing.TB, limit int) []track.Event {
	tb.Helper()
	f, err := os.Open("../../testdata/genuine/postfix-a.log.gz")
	if err != nil {
		tb.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		tb.Fatal(err)
	}
	var (
		out    []track.Event
		offset int64
		lives  = map[string]uint64{}
		keys   = map[string]track.Key{"from": track.Sender, "to": track.Recipient, "orig_to": track.Original, "size": track.Size,
			"nrcpt": track.RcptCount, "message-id": track.MessageIDHdr, "client": track.ClientName, "relay": track.Relay,
			"delay": track.Delay, "delays": track.Delays, "dsn": track.DSN, "helo": track.Helo, "proto": track.Protocol}
	)
	in := bufio.NewScanner(z)
	for n := int64(1); in.Scan() && len(out) < limit; n++ {
		line := in.Text()
		t, err := time.Parse("2006 Jan _2 15:04:05", "2026 "+line[:15])
		if err != nil {
			tb.Fatal(err)
		}
		host, text, _ := strings.Cut(line[16:], " ")
		e := track.Event{Time: track.StampOf(t), Kind: track.MessageNote, Host: host, Line: n, Offset: offset, Text: text}
		offset += int64(len(line)) + 1
		head, body, _ := strings.Cut(text, ": ")
		tag, pid, _ := strings.Cut(strings.TrimSuffix(head, "]"), "[")
		e.Tag = tag
		p, _ := strconv.ParseUint(pid, 10, 32)
		e.PID = uint32(p)
		if id, rest, ok := strings.Cut(body, ": "); ok && len(id) > 8 && strings.ToUpper(id) == id && !strings.Contains(id, " ") {
			e.QueueID, body = id, rest
			if lives[id] == 0 {
				lives[id] = uint64(len(lives) + 1)
			}
			e.MID, e.ICID = lives[id], lives[id]/2
		}
		for _, part := range strings.FieldsFunc(body, func(r rune) bool { return r == ',' || r == ' ' || r == ';' }) {
			if k, v, ok := strings.Cut(part, "="); ok && keys[k] != 0 {
				e.Attrs = append(e.Attrs, track.Attr{Key: keys[k], Value: strings.Trim(v, "<>")})
			}
		}
		if i := strings.Index(body, "status="); i >= 0 {
			e.Kind = track.RecipientDelivery
			word, resp, _ := strings.Cut(body[i+7:], " ")
			if word == "sent" {
				word = "delivered"
			}
			e.Attrs = append(e.Attrs, track.Attr{Key: track.StatusWord, Value: word},
				track.Attr{Key: track.Response, Value: strings.Trim(resp, "()")})
		}
		if strings.HasSuffix(body, "removed") {
			e.Kind = track.MessageRemoved
		}
		if strings.HasPrefix(body, "connect from") {
			e.Kind = track.ConnOpen
		}
		out = append(out, e)
	}
	return out
}

// odd are events at the borders of the format.
func odd() []track.Event {
	return []track.Event{
		{},
		{Time: -5, Kind: 255, Uncertain: true, PID: 1<<32 - 1, MID: 1<<64 - 1, ICID: 1<<64 - 1, Line: -1, Offset: 1<<63 - 1, Text: "x"},
		{Time: 1<<63 - 1, Line: -1 << 63, Offset: -1 << 63, MID: 1, Host: "h", Tag: "t", Text: "t: x"},
		{Tag: "t", PID: 7, Text: "t[7]: "}, {Tag: "t", PID: 7, Text: "t[07]: x"}, {Tag: "t", PID: 7, Text: "t[7]:x"},
		{Tag: "t", PID: 7, Text: "t: x"}, {Tag: "t", Text: "t[0]: x"}, {Tag: "", Text: ": x"}, {Tag: "t", PID: 4294967295, Text: "t[4294967295]: x"},
		{Tag: "t", PID: 1, Text: "t[4294967297]: x"}, {Tag: "t", PID: 5, Text: "t[5"}, {Tag: "t", PID: 5, Text: "t["},
		{Text: strings.Repeat("long ", 1000), QueueID: "ABC", Attrs: []track.Attr{{Key: track.Sender}, {Key: 255, Value: "not there"},
			{Key: track.Sender, Value: "long long"}, {Key: track.Sender, Value: "not there"}}},
		{Host: "other", Text: "\xff\x00\n", Attrs: []track.Attr{{Key: track.Subject, Value: "\xff\x00\n"}}},
	}
}

var equal = cmp.Options{cmpopts.EquateEmpty()}

func mustEqual(t *testing.T, what string, got, want any) {
	t.Helper()
	if reflect.DeepEqual(got, want) { // cmp is slow where nothing differs
		return
	}
	if d := cmp.Diff(want, got, equal); d != "" {
		t.Fatalf("%s differs (-want +got):\n%s", what, d)
	}
}

// clone keeps an event whose slice will be used again.
func clone(e *track.Event) track.Event {
	c := *e
	c.Attrs = append([]track.Attr(nil), e.Attrs...)
	return c
}

// readAll reads a file to its end.
func readAll(fsys safefs.FS, path string) ([]track.Event, *Reader, error) {
	r, err := Open(fsys, path)
	if err != nil {
		return nil, nil, err
	}
	defer r.Close()
	var (
		out []track.Event
		e   track.Event
	)
	for {
		err := r.Next(&e)
		if errors.Is(err, io.EOF) {
			return out, r, nil
		}
		if err != nil {
			return out, r, err
		}
		out = append(out, clone(&e))
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
