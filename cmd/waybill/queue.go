package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"waybill/cmd/waybill/internal/render"
	"waybill/internal/app"
	"waybill/internal/mailqueue"
	"waybill/internal/reconcile"
	"waybill/internal/safetext"
	"waybill/internal/search"
)

// queueFlags are what `waybill queue` can be told.
type queueFlags struct {
	data    string
	gateway string
	mta     string
	file    string
	at      string
	grace   time.Duration
	limit   int
	view    viewFlags
}

var queueOutputs = []string{"table", "json", "yaml"}

func (p *program) queueCmd() *cobra.Command {
	f := queueFlags{mta: "auto", grace: time.Minute, limit: 50, view: viewFlags{output: "table", time: "local"}}
	cmd := &cobra.Command{
		Use:   "queue",
		Short: "Compare the mail queue with what the log says is open",
		Long: `List the queue of this host's mail server and compare it with the log: what is in
the queue and not in the log, what is open by the log and not in the queue, and
whether senders and sizes agree where both have a message.

What began or ended within --grace of the listing is no disagreement, nor is what
lies where the store has no log: import the log just before.

The exit code is 0 when the two agree, 6 when they do not, 3 when there is no
disagreement but some messages cannot be told, 4 when no queue could be listed.`,
		Example: `  waybill import /var/log/mail.log && sudo waybill queue
  ssh mx-a postqueue -j | waybill queue --gateway mx-a --from-file -
  waybill queue --gateway mx-b --mta exim --from-file bp.txt --at 2026-11-20T12:00
  waybill queue -o json | jq '.messages[] | select(.verdict == "not_in_log")'`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return p.queue(cmd.Context(), f) },
	}
	fl := cmd.Flags()
	fl.SortFlags = false
	fl.StringVar(&f.gateway, "gateway", "", "`name` of the gateway whose queue it is; default: this host, or the only one in the store")
	fl.StringVar(&f.mta, "mta", f.mta, "mail `server`: "+strings.Join(mtaWords(), ", "))
	fl.StringVar(&f.file, "from-file", "", "read a saved listing from this `file`, - is standard input, instead of running a command")
	fl.StringVar(&f.at, "at", "", "`time` at which the saved listing was made; default: that of the file")
	fl.DurationVar(&f.grace, "grace", f.grace, "`duration` before the listing in which messages are taken as moving")
	fl.IntVar(&f.limit, "limit", f.limit, "`number` of messages of each kind to show; 0 is all")
	p.dataFlag(fl, &f.data)
	fl.StringVarP(&f.view.output, "output", "o", f.view.output, "`format`: "+strings.Join(queueOutputs, ", "))
	f.view.addZone(fl)
	p.completeWords(cmd, "mta", mtaWords())
	p.completeWords(cmd, "output", queueOutputs)
	return cmd
}

func mtaWords() []string {
	out := []string{"auto"}
	for _, f := range mailqueue.Forms() {
		out = append(out, string(f))
	}
	return out
}

func (p *program) queue(ctx context.Context, f queueFlags) error {
	v, err := f.view.resolve(p, queueOutputs)
	if err != nil {
		return err
	}
	switch {
	case !slices.Contains(mtaWords(), f.mta):
		return usage("", "--mta %s: there are %s", f.mta, strings.Join(mtaWords(), ", "))
	case f.grace < 0:
		return usage("waybill queue --grace 1m", "--grace %s: a duration that is not negative", f.grace)
	case f.limit < 0:
		return usage("waybill queue --limit 0", "--limit %d: a number of messages, or 0 for all", f.limit)
	case f.at != "" && f.file == "":
		return usage("waybill queue --from-file FILE --at TIME", "--at is for a listing from a file")
	}
	db, _, err := p.openReader(ctx, f.data)
	if err != nil {
		return err
	}
	defer db.Close()
	gateway, err := p.queueGateway(ctx, db, f.gateway)
	if err != nil {
		return err
	}
	l, err := p.listing(ctx, f, v.clock)
	if err != nil {
		return err
	}
	r, err := db.Reconcile(ctx, gateway, l.queue, l.at, f.grace)
	if err != nil {
		return err
	}
	r.Source = l.source
	if err := p.printQueue(v, r, f.limit); err != nil {
		return writeError(err)
	}
	switch {
	case r.Disagree > 0:
		return errProblems
	case r.Unsure > 0:
		return errBlind
	}
	return nil
}

func (p *program) printQueue(v *view, r *reconcile.Report, limit int) error {
	w := bufio.NewWriter(p.out.Writer)
	out := *p.out
	out.Writer = w
	err := func() error {
		switch v.output {
		case "json":
			return render.Indented(w, r)
		case "yaml":
			return render.IndentedYAML(w, r)
		}
		return render.Queue(&out, r, v.clock, limit)
	}()
	if err = errors.Join(err, w.Flush()); err != nil {
		return err
	}
	if r.LogTo < r.At.Add(-time.Duration(r.Grace*float64(time.Second))) && r.Unsure > 0 && v.output == "table" && !p.quiet {
		p.hints = append(p.hints, "to tell more, take in the log up to the listing: waybill import --gateway "+quoted(r.Gateway)+" LOG...")
		p.printHints()
	}
	return nil
}

// queueGateway is the gateway whose queue is meant: the named one, that of this
// host's name, or the only one there is.
func (p *program) queueGateway(ctx context.Context, db *app.Reader, name string) (string, error) {
	have, err := db.Gateways(ctx)
	if err != nil {
		return "", err
	}
	var names []string
	for _, g := range have {
		names = append(names, g.Name)
	}
	if name != "" {
		if !slices.Contains(names, name) {
			return "", usage("waybill queue --gateway NAME", "--gateway %s: the store has %s", name, orNone(names))
		}
		return name, nil
	}
	host, err := os.Hostname()
	if err != nil {
		host = "" // then only the store can tell
	}
	short, _, _ := strings.Cut(host, ".")
	for _, n := range names {
		if n == host || n == short {
			return n, nil
		}
	}
	if len(names) == 1 {
		return names[0], nil
	}
	return "", usage("waybill queue --gateway NAME", "which gateway's queue is it? this host is %s, the store has %s", host, orNone(names))
}

func orNone(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}

// listing is a queue and where it is from.
type listing struct {
	queue  *mailqueue.Queue
	at     time.Time
	source string
}

// listing runs what lists the queue, or reads a saved listing.
func (p *program) listing(ctx context.Context, f queueFlags, clock render.Clock) (*listing, error) {
	form := mailqueue.Form(f.mta)
	if f.mta == "auto" {
		form = mailqueue.Auto
	}
	l := &listing{at: p.now(), source: "standard input"}
	if f.file == "" {
		var none *app.NoQueueError
		var err error
		l.queue, l.source, err = app.ListQueue(ctx, form, mailqueue.Options{Now: l.at})
		if errors.As(err, &none) {
			return nil, p.noQueue(none)
		}
		return l, err
	}
	in := p.stdin
	if f.file != "-" {
		file, err := os.Open(f.file)
		if err != nil {
			return nil, unreadQueue(err, "waybill queue --from-file FILE")
		}
		defer file.Close()
		if st, err := file.Stat(); err == nil {
			l.at = st.ModTime()
		}
		in, l.source = file, f.file
	}
	if f.at != "" {
		span, err := search.Clock{Now: p.now(), Zone: clock.Zone}.Span(f.at)
		if err != nil {
			return nil, usage("waybill queue --from-file FILE --at 2026-11-20T12:00", "--at %s: %v", f.at, err)
		}
		l.at = span.From
	}
	var err error
	l.queue, err = mailqueue.Read(in, form, mailqueue.Options{Now: l.at, Zone: clock.Zone})
	if err != nil {
		return nil, unreadQueue(fmt.Errorf("%s: %w", l.source, err), "name the server: --mta "+strings.Join(mtaWords()[1:], "|"))
	}
	return l, nil
}

// unreadQueue is the failure of a listing that cannot be read.
func unreadQueue(err error, fix string) error {
	return &failure{code: exitUnreachable, what: "cannot read the listing of the queue", why: err.Error(), fix: fix, err: err}
}

// noQueue says which commands failed, why, and what may help.
func (p *program) noQueue(e *app.NoQueueError) error {
	f := &failure{code: exitUnreachable, what: "no mail queue could be listed", err: e}
	if len(e.Tried) == 0 {
		f.why = e.Error()
		f.fix = "on the host of the mail server: postqueue -j > queue.txt; then here: waybill queue --gateway NAME --from-file queue.txt"
		return f
	}
	var why []string
	denied := false
	for _, t := range e.Tried {
		why = append(why, t.Command+": "+safetext.Of(t.Why).String())
		low := strings.ToLower(t.Why)
		for _, word := range []string{"permission", "permitted", "privilege", "denied", "root"} {
			denied = denied || strings.Contains(low, word)
		}
	}
	f.why = strings.Join(why, "\n")
	f.fix = "is the mail server set up on this host? else: waybill queue --from-file FILE"
	if denied && os.Geteuid() != 0 {
		f.why += "\nyou are " + whoAmI()
		f.fix = "sudo waybill queue"
	}
	return f
}
