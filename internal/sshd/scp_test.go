package sshd

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"time"
)

type memory struct{ *bytes.Reader }

func (memory) Close() error       { return nil }
func (memory) ModTime() time.Time { return time.Unix(1676315971, 0) }
func (memory) Received() error    { return nil }
func (memory) Sent() error        { return nil }

// FuzzSCP has a receiver that answers anything. Only one that said "well" after
// every record, and after the whole file, has received it; what was sent is then
// the exchange of the protocol to the byte, and never more.
func FuzzSCP(f *testing.F) {
	const name = "tracking.@20230213T191631Z_20230213T191931Z.s.gz"
	for _, words := range []string{"\x00\x00\x00", "\x00\x00\x00\x00", "\x00\x00\x01no\n", "\x02", "\x00", "", "\x00\x01" + strings.Repeat("x", 5000), "\x00\x00\x03"} {
		f.Add([]byte(words), []byte("content"), true)
		f.Add([]byte(words), []byte{}, false)
	}
	f.Fuzz(func(t *testing.T, words, content []byte, times bool) {
		whole := "C0644 " + itoa(len(content)) + " " + name + "\n" + string(content) + "\x00"
		answers := 3
		if times {
			whole, answers = "T1676315971 0 1676315971 0\n"+whole, 4
		}
		var out bytes.Buffer
		sink := scpSink{r: bufio.NewReader(bytes.NewReader(words)), w: &out}
		err := sink.send(name, memory{bytes.NewReader(content)}, times)
		well := len(words) >= answers && bytes.Count(words[:answers], []byte{0}) == answers
		if (err == nil) != well {
			t.Fatalf("answers %q: err %v", words, err)
		}
		if err == nil && out.String() != whole || !strings.HasPrefix(whole, out.String()) {
			t.Fatalf("answers %q: sent %q of %q", words, out.String(), whole)
		}
		if err != nil && (len(err.Error()) > maxComplaint*6+100 || strings.ContainsAny(err.Error(), "\n\x1b")) {
			t.Fatalf("answers %q: error %q", words, err)
		}
	})
}

func itoa(n int) string {
	if n < 10 {
		return string(rune('0' + n))
	}
	return itoa(n/10) + string(rune('0'+n%10))
}

// shrunk is a file that ends before its size.
type shrunk struct{ memory }

func (shrunk) Size() int64 { return 100_000 }

func TestSCPShortFile(t *testing.T) {
	var out bytes.Buffer
	sink := scpSink{r: bufio.NewReader(strings.NewReader("\x00\x00\x00\x00")), w: &out}
	err := sink.send("x", shrunk{memory{bytes.NewReader(make([]byte, 10))}}, false)
	var broken *sourceError
	if !errors.As(err, &broken) || !errors.Is(err, io.ErrUnexpectedEOF) || bytes.HasSuffix(out.Bytes(), []byte("\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00")) {
		t.Errorf("err %v, sent %q", err, out.String())
	}
}
