package smtprig

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
)

// Sent is what the driver offered to a service, and what it was told.
type Sent struct {
	Class    string
	Instance string // of the MTA, where a rig has several
	Service  string // name of the service
	Sender   string
	To       []string // all recipients offered
	// MessageID is as the message had it, "" when it had none.
	MessageID string
	QueueID   string // from the reply, "" when it named none
	Result    string // accepted, refused, aborted
	Code      int    // of the reply that decided
	Refusals  int    // replies that refused something: the connection, a command, the message
	// Expect is the outcome of each recipient in the end.
	Expect map[string]string
}

// Sunk is one transaction that a sink took, or may have taken.
type Sunk struct {
	Sink      string
	Port      int
	Sender    string
	To        []string
	MessageID string
	TLS       string
	Result    string // accepted; uncertain: the sink took it and dropped the connection
}

// Did is an action of the driver on a message in a queue.
type Did struct {
	Action    string // hold, release, requeue, delete
	Instance  string
	QueueID   string
	MessageID string
}

// Truth is what happened, told by those who did it.
type Truth struct {
	Sent []Sent
	Sunk []Sunk
	Did  []Did

	mu sync.Mutex // while a run writes it
}

// AddSent, AddSunk and AddDid add to the truth; they may be called side by side.
func (t *Truth) AddSent(s Sent) { t.mu.Lock(); t.Sent = append(t.Sent, s); t.mu.Unlock() }
func (t *Truth) AddSunk(s Sunk) { t.mu.Lock(); t.Sunk = append(t.Sunk, s); t.mu.Unlock() }
func (t *Truth) AddDid(d Did)   { t.mu.Lock(); t.Did = append(t.Did, d); t.mu.Unlock() }

// Taken is what the sinks took so far.
func (t *Truth) Taken() []Sunk {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.Sunk)
}

// Write writes the truth as tab separated lines; the first column tells the
// kind of line.
func (t *Truth) Write(w io.Writer) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	b := bufio.NewWriter(w)
	fmt.Fprintln(b, "#sent\tclass\tinstance\tservice\tsender\trecipients\tmessage-id\tqueue-id\tresult\tcode\texpected outcome of each recipient\trefusals")
	fmt.Fprintln(b, "#sink\tname\tport\tsender\trecipients\tmessage-id\ttls\tresult")
	fmt.Fprintln(b, "#did\taction\tinstance\tqueue-id\tmessage-id")
	for _, s := range t.Sent {
		var expect []string
		for to, status := range s.Expect {
			expect = append(expect, to+"="+status)
		}
		slices.Sort(expect)
		fmt.Fprintf(b, "sent\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%d\t%s\t%d\n", s.Class, s.Instance, s.Service, s.Sender,
			strings.Join(s.To, ","), s.MessageID, s.QueueID, s.Result, s.Code, strings.Join(expect, ","), s.Refusals)
	}
	for _, s := range t.Sunk {
		fmt.Fprintf(b, "sink\t%s\t%d\t%s\t%s\t%s\t%s\t%s\n", s.Sink, s.Port, s.Sender, strings.Join(s.To, ","), s.MessageID, s.TLS, s.Result)
	}
	for _, d := range t.Did {
		fmt.Fprintf(b, "did\t%s\t%s\t%s\t%s\n", d.Action, d.Instance, d.QueueID, d.MessageID)
	}
	return b.Flush()
}
