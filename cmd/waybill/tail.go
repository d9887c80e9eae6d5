package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"waybill/cmd/waybill/internal/render"
	"waybill/cmd/waybill/internal/term"
	"waybill/internal/app"
	"waybill/internal/safetext"
	"waybill/internal/track"
)

// tailFlags are what `waybill tail` can be told.
type tailFlags struct {
	data   string
	last   int
	output string
	zone   string
	time   string
	logFlags
}

var tailOutputs = []string{"text", "ndjson"}

func (p *program) tailCmd() *cobra.Command {
	f := tailFlags{last: 10, output: "text", time: "local"}
	cmd := &cobra.Command{
		Use:   "tail [FILE|-]... [QUERY...]",
		Short: "Follow messages as they move",
		Long: `Print a line for each step of a message as it happens: received, deferred,
delivered, bounced and so on, until Ctrl-C.

An argument that is a file, a directory or - is a log to follow, through
rotation; nothing of it is kept. Without one the store of the data directory is
watched, into which another waybill writes. The other arguments are a query as
for search: kind:rejection shows what was refused.`,
		Example: `  waybill tail /var/log/mail.log
  waybill tail recipient:@example.net
  waybill tail /var/log/mail.log status:deferred,bounced
  ssh mx-a tail -n +1 -F /var/log/mail.log | waybill tail --gateway mx-a - -o ndjson`,
		RunE: func(cmd *cobra.Command, args []string) error { return p.tail(cmd.Context(), f, args) },
	}
	fl := cmd.Flags()
	fl.SortFlags = false
	fl.IntVarP(&f.last, "lines", "n", f.last, "begin with the steps of the last `number` of messages")
	fl.StringVarP(&f.output, "output", "o", f.output, "`format`: "+strings.Join(tailOutputs, ", "))
	fl.StringVar(&f.zone, "tz", "", "time `zone`, such as Europe/Amsterdam or UTC; default: this host's")
	fl.StringVar(&f.time, "time", f.time, "`form` of times: local or rfc3339")
	p.dataFlag(fl, &f.data)
	f.logFlags.add(p, cmd)
	p.completeWords(cmd, "output", tailOutputs)
	p.completeWords(cmd, "time", []string{"local", "rfc3339"})
	return cmd
}

// watchEvery is how often the store is asked whether there is anything new.
const watchEvery = 250 * time.Millisecond

func (p *program) tail(ctx context.Context, f tailFlags, args []string) error {
	v, err := viewFlags{output: f.output, zone: f.zone, time: f.time}.resolve(p, tailOutputs)
	if err != nil {
		return err
	}
	if f.last < 0 {
		return usage("waybill tail -n 0", "--lines %d: a number of messages", f.last)
	}
	if err := f.check(); err != nil {
		return err
	}
	var logs, words []string
	for _, a := range args {
		if isLog(a) && f.data == "" {
			logs = append(logs, a)
		} else {
			words = append(words, a)
		}
	}
	t := tailing{p: p, f: f, v: v, query: queryText(words)}
	if len(logs) > 0 {
		err = t.logs(ctx, logs)
	} else {
		err = t.store(ctx)
	}
	if ctx.Err() != nil || errors.Is(err, syscall.EPIPE) {
		return nil // it is how it ends
	}
	return err
}

// isLog tells a log from a word of a query. What begins as a path does is one,
// so that a mistake in it is told.
func isLog(arg string) bool {
	if arg == "-" || strings.HasPrefix(arg, "/") || strings.HasPrefix(arg, "./") || strings.HasPrefix(arg, "../") {
		return true
	}
	_, err := os.Stat(arg)
	return err == nil
}

// tailing is one run of `waybill tail`.
type tailing struct {
	p     *program
	f     tailFlags
	v     *view
	query string
}

// store watches the store of the data directory.
func (t *tailing) store(ctx context.Context) error {
	db, _, err := t.p.openReader(ctx, t.f.data)
	var f *failure
	if errors.As(err, &f) && t.f.data == "" {
		f.fix += ", or to follow a log: waybill tail FILE"
		if t.query != "" {
			f.why += "; there is no file " + t.query + " either"
		}
	}
	if err != nil {
		return err
	}
	defer db.Close()
	return t.watch(ctx, db, nil)
}

// logs follows logs, of which a store is made that goes with the program.
func (t *tailing) logs(ctx context.Context, paths []string) (err error) {
	lean()
	outlive()
	c, _, err := t.p.config()
	if err != nil {
		return err
	}
	found, err := t.p.findLogs(ctx, c, &t.f.logFlags, findOptions{temporary: true, growing: true}, paths)
	if err != nil {
		return err
	}
	s, err := app.NewSession(ctx, app.SessionOptions{Config: c, Software: "waybill " + thisBuild().Version, Log: t.p.log(), Now: t.p.now})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Stop()) }()
	o := app.ReadOptions{Year: t.f.year, Format: t.f.format}
	follower, err := s.Follow(o, found.Logs)
	if errors.Is(err, app.ErrNothingToFollow) {
		return usage("waybill tail /var/log/mail.log", "%v", app.ErrNothingToFollow)
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, follower.Close()) }()
	if err := s.Read(ctx, o, app.Files(found.Logs)); err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	followed := make(chan error, 1)
	go func() {
		defer close(followed)
		followed <- follower.Run(ctx)
	}()
	defer func() {
		stop()
		for range followed { // it writes to the store until it has ended
		}
	}()
	return t.watch(ctx, s.Reader, followed)
}

// watch prints changes until ctx ends, or what is followed has: then those
// that are left, and no more.
func (t *tailing) watch(ctx context.Context, db *app.Reader, followed <-chan error) error {
	w := app.NewWatcher(db, t.query)
	changes, err := w.Begin(ctx, t.f.last)
	if err != nil {
		return err
	}
	if err := t.print(changes); err != nil {
		return err
	}
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for ended := false; ; {
		changes, err := w.Poll(ctx)
		if err == nil {
			err = t.print(changes)
		}
		if err != nil || ended || unread(t.p.stdout) {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case err := <-followed:
			if err != nil {
				return fmt.Errorf("follow the logs: %w", err)
			}
			ended = true
		case <-tick.C:
		}
	}
}

// print writes changes, all at once.
func (t *tailing) print(changes []app.Change) error {
	if len(changes) == 0 {
		return nil
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false) // it is no page, and <ids> are to be read
	out := *t.p.out
	for i := range changes {
		if t.f.output == "text" {
			fmt.Fprintln(&b, changeLine(&out, t.v.clock, &changes[i]))
			continue
		}
		if err := enc.Encode(&changes[i]); err != nil {
			return writeError(err)
		}
	}
	text := b.Bytes()
	if t.f.output == "ndjson" {
		text = safetext.JSON(text)
	}
	_, err := out.Write(text)
	return writeError(err)
}

// changeLine is a change for people.
func changeLine(out *term.Stream, clock render.Clock, c *app.Change) string {
	const widestStatus = 13
	word := fmt.Sprintf("%-*s", widestStatus, c.Change)
	switch c.Status {
	case track.StatusDelivered, track.StatusVerified:
		word = out.Style.Good(word)
	case track.StatusBounced, track.StatusExpired, track.StatusRejected, track.StatusUndeliverable, track.StatusDropped:
		word = out.Style.Bad(word)
	case track.StatusDeferred, track.StatusHeld, track.StatusQuarantined:
		word = out.Style.Warn(word)
	}
	who := "?"
	if c.Sender != nil {
		who = "<>"
		if *c.Sender != "" {
			who = *c.Sender
		}
	}
	if c.Recipient != "" {
		who += " → " + c.Recipient
	}
	parts := []string{who}
	for _, s := range []string{attempt(c), c.DSN, c.Response} {
		if s != "" {
			parts = append(parts, s)
		}
	}
	front := fmt.Sprintf("%s  %s %s", clock.Time(c.Time), out.Style.Faint(safetext.Of(c.Gateway).String()), word)
	rest := safetext.Of(fmt.Sprintf("%-15s %s", c.QueueID, strings.Join(parts, "  ")))
	if out.Width > 0 {
		used := len(clock.Time(c.Time)) + 2 + safetext.Of(c.Gateway).Width() + 1 + widestStatus + 1
		rest = rest.Short(max(20, out.Width-used))
	}
	return front + " " + rest.String()
}

// attempt says which attempt it was, from the second on.
func attempt(c *app.Change) string {
	if c.Attempts < 2 {
		return ""
	}
	return fmt.Sprintf("attempt %d", c.Attempts)
}
