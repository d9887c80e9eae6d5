package app

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"waybill/internal/mailqueue"
	"waybill/internal/reconcile"
	"waybill/internal/search"
	"waybill/internal/store"
	"waybill/internal/track"
)

// queueCommand lists the queue of a mail server.
type queueCommand struct {
	form mailqueue.Form // of the server; mailq may belong to any
	args []string
}

// queueCommands are tried in this order. What answers to mailq differs from
// host to host, so it comes last and its form is recognised.
func queueCommands() []queueCommand {
	return []queueCommand{
		{mailqueue.Postfix, []string{"postqueue", "-j"}},
		{mailqueue.Exim, []string{"exim4", "-bp"}},
		{mailqueue.Exim, []string{"exim", "-bp"}},
		{mailqueue.OpenSMTPD, []string{"smtpctl", "show", "queue"}},
		{mailqueue.Sendmail, []string{"mailq"}},
	}
}

// QueueAttempt is a command that was run to list the queue and failed.
type QueueAttempt struct {
	Command string
	Why     string // what it said, else its error
}

// NoQueueError says that no queue could be listed.
type NoQueueError struct {
	Tried []QueueAttempt // of the programs that are there
	Names []string       // of all that were looked for
}

func (e *NoQueueError) Error() string {
	if len(e.Tried) == 0 {
		return "no mail server's command is here: looked for " + strings.Join(e.Names, ", ")
	}
	var out []string
	for _, t := range e.Tried {
		out = append(out, t.Command+": "+t.Why)
	}
	return strings.Join(out, "; ")
}

// Bounds of a command: what it may take, and say.
const (
	listTime       = time.Minute
	listOutput     = 1 << 30
	complaintBytes = 4 << 10
)

// systemDirs are where mail servers' commands are, also for those who do not
// have them in their PATH.
func systemDirs() []string { return []string{"/usr/sbin", "/usr/local/sbin", "/sbin"} }

// ListQueue lists the queue of this host's mail server, or of the one that form
// names. It returns the command that did. A *NoQueueError tells why none could.
func ListQueue(ctx context.Context, form mailqueue.Form, o mailqueue.Options) (*mailqueue.Queue, string, error) {
	failed := &NoQueueError{}
	for _, c := range queueCommands() {
		if form != mailqueue.Auto && c.form != form {
			continue
		}
		failed.Names = append(failed.Names, c.args[0])
		path, ok := find(c.args[0])
		if !ok {
			continue
		}
		q, err := c.run(ctx, path, o)
		command := strings.Join(c.args, " ")
		if err == nil && c.args[0] == "mailq" && q.Form == mailqueue.Sendmail {
			err = c.besides(ctx, path, q, o)
		}
		if err == nil && (form == mailqueue.Auto || q.Form == form || q.Form == mailqueue.Auto) {
			return q, command, nil
		}
		if ctx.Err() != nil {
			return nil, "", ctx.Err()
		}
		why := ""
		if err != nil {
			why = err.Error()
		} else {
			why = "the listing is that of " + string(q.Form)
		}
		failed.Tried = append(failed.Tried, QueueAttempt{command, why})
	}
	return nil, "", failed
}

// find looks a command up where it can be run.
func find(name string) (string, bool) {
	if path, err := exec.LookPath(name); err == nil {
		return path, true
	}
	for _, dir := range systemDirs() {
		if path, err := exec.LookPath(filepath.Join(dir, name)); err == nil {
			return path, true
		}
	}
	return "", false
}

// run runs the command and reads what it lists while it does.
func (c queueCommand) run(ctx context.Context, path string, o mailqueue.Options) (*mailqueue.Queue, error) {
	o.Zone = time.UTC // which the command is told to write
	ctx, cancel := context.WithTimeout(ctx, listTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, c.args[1:]...)
	cmd.Env = append(cmd.Environ(), "LC_ALL=C", "TZ=UTC")
	cmd.WaitDelay = time.Second
	said := &complaint{max: complaintBytes}
	cmd.Stderr = said
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	form := c.form
	if c.args[0] == "mailq" {
		form = mailqueue.Auto
	}
	counted := &counting{r: io.LimitReader(out, listOutput)}
	q, readErr := mailqueue.Read(counted, form, o)
	_, _ = io.Copy(io.Discard, out) // lest it waits for us; how it ends is what counts
	if err := cmd.Wait(); err != nil {
		if text := said.text(); text != "" {
			return nil, errors.New(text)
		}
		return nil, err
	}
	if errors.Is(readErr, mailqueue.ErrForm) && counted.n == 0 {
		return &mailqueue.Queue{}, nil // mailq of a server that says nothing of an empty queue
	}
	return q, readErr
}

// besides adds what Sendmail lists only when asked for it: its submission
// program's queue, and messages in quarantine. Not every host has them; the
// listing says what could not be added.
func (c queueCommand) besides(ctx context.Context, path string, q *mailqueue.Queue, o mailqueue.Options) error {
	for _, option := range []string{"-Ac", "-qQ"} {
		more, err := queueCommand{c.form, []string{c.args[0], option}}.run(ctx, path, o)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil:
			q.Cut = "mailq " + option + ": " + err.Error()
		default:
			q.Add(more)
		}
	}
	return nil
}

// counting counts what is read.
type counting struct {
	r io.Reader
	n int64
}

func (c *counting) Read(b []byte) (int, error) {
	n, err := c.r.Read(b)
	c.n += int64(n)
	return n, err
}

// complaint keeps the beginning of what a command says of its failure.
type complaint struct {
	buf bytes.Buffer
	max int
}

func (t *complaint) Write(b []byte) (int, error) {
	t.buf.Write(b[:min(len(b), t.max-t.buf.Len())])
	return len(b), nil
}

func (t *complaint) text() string { return strings.Join(strings.Fields(t.buf.String()), " ") }

// Reconcile compares a mail queue with the log of a gateway.
func (r *Reader) Reconcile(ctx context.Context, gateway string, q *mailqueue.Queue, at time.Time, grace time.Duration) (*reconcile.Report, error) {
	claims, err := r.db.Claims(ctx)
	if err != nil {
		return nil, fmt.Errorf("look up what the log covers: %w", err)
	}
	var own []store.Source
	for _, c := range claims {
		if c.Gateway == gateway {
			own = append(own, c)
		}
	}
	return reconcile.Compare(ctx, r.db, reconcile.Input{Gateway: gateway, Queue: q, At: track.StampOf(at), Grace: grace, Log: search.ClaimedRuns(own)})
}
