package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"waybill/cmd/waybill/internal/render"
	"waybill/internal/app"
	"waybill/internal/config"
	"waybill/internal/search"
	"waybill/internal/track"
)

// queryFlags say what is looked for, and how long.
type queryFlags struct {
	data     string
	from, to string
	gateways []string
	form     search.Form
	timeout  time.Duration
}

func (f *queryFlags) add(fl *pflag.FlagSet) {
	fl.StringVar(&f.from, "from", "", "messages since this `time`")
	fl.StringVar(&f.to, "to", "", "messages before this `time`")
	fl.StringVar(&f.form.Sender, "sender", "", "`address` or part of it, =exact, ^begin, @domain, .domain")
	fl.StringVar(&f.form.Recipient, "recipient", "", "`address`, as for --sender")
	fl.StringVar(&f.form.Subject, "subject", "", "`text` in the subject")
	fl.StringVar(&f.form.MessageID, "message-id", "", "`id` or part of it")
	fl.StringSliceVar(&f.form.Status, "status", nil, "any of these `words`: delivered, bounced, deferred, ...")
	fl.StringSliceVar(&f.gateways, "gateway", nil, "any of these gateways, by `name`")
	fl.DurationVar(&f.timeout, "timeout", 0, "give up after this `duration` with what was found; 0 never")
}

// request is the flags and the query's words as a search.
func (f *queryFlags) request(query string, zone *time.Location) search.Request {
	return search.Request{Text: query, Form: f.form, From: f.from, To: f.to, Gateways: f.gateways, Zone: zone}
}

// deadline ends ctx when the time is up that the flags allow.
func (f *queryFlags) deadline(ctx context.Context) (context.Context, context.CancelFunc) {
	if f.timeout > 0 {
		return context.WithTimeout(ctx, f.timeout)
	}
	return ctx, func() {}
}

// searchFlags are what `waybill search` can be told.
type searchFlags struct {
	queryFlags
	limit  int
	cursor string
	view   viewFlags
}

const searchLong = `Find messages. The words of the query must all match; newest first.

A bare word is looked for in sender, recipient, subject, Message-ID and queue id.
  field:x      contains x            field:=x     is x
  field:^x     begins with x         field:""     is empty
  -term        not                   field:"a b"  keeps the blank
  sender:@example.com                the domain
  sender:.example.com                the domain and those below it
  client:192.0.2.0/24                a network
  size:>1M   status:bounced,expired   event:message.held   kind:rejection

Fields:
  %s

Times of --from and --to are in the zone of --tz: -24h, -7d, now, today, yesterday,
2026-11-20, 2026-11-20T20:15, 2026-11-20T20:15:30+01:00.

Every answer says what it could not see. The exit code does too: 0 found, 1 not
found and the data is complete, 3 not found but it cannot be excluded.`

func (p *program) searchCmd() *cobra.Command {
	f := searchFlags{limit: 50, view: viewFlags{output: "table"}}
	cmd := &cobra.Command{
		Use:   "search [QUERY...]",
		Short: "Find messages, and say what could not be seen",
		Long:  fmt.Sprintf(searchLong, strings.Join(render.Wrap(strings.Join(search.FieldNames(), " ")+".", 78, "  "), "\n")),
		Example: `  waybill search ann@example.com
  waybill search --from yesterday --recipient @example.net --status bounced,deferred
  waybill search sender:.example.com -status:delivered 'subject:"monthly report"'
  waybill search client:192.0.2.0/24 kind:rejection -o csv > rejected.csv
  waybill search --limit 0 -o ndjson | jq -r 'select(.id) | .message_id'`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return p.search(cmd.Context(), f, queryText(args))
		},
	}
	fl := cmd.Flags()
	fl.SortFlags = false
	f.queryFlags.add(fl)
	fl.IntVar(&f.limit, "limit", f.limit, "`number` of messages; 0 is all")
	fl.StringVar(&f.cursor, "cursor", "", "go on behind this `place`, which the page before names")
	p.dataFlag(fl, &f.data)
	f.view.add(fl, "table, wide, json, ndjson, csv or yaml")
	p.completeWords(cmd, "status", statusWords())
	p.completeWords(cmd, "output", searchOutputs)
	p.completeWords(cmd, "time", timeFormats)
	cmd.ValidArgsFunction = completeQuery
	return cmd
}

var searchOutputs = []string{"table", "wide", "json", "ndjson", "csv", "yaml"}

func statusWords() []string {
	var out []string
	for _, s := range track.Statuses() {
		out = append(out, s.String())
	}
	return out
}

func (p *program) search(ctx context.Context, f searchFlags, query string) error {
	view, err := f.view.resolve(p, searchOutputs)
	if err != nil {
		return err
	}
	if f.limit < 0 {
		return usage("waybill search --limit 0", "--limit %d: a number of messages, or 0 for all", f.limit)
	}
	db, _, err := p.openReader(ctx, f.data)
	if err != nil {
		return err
	}
	defer db.Close()

	ctx, cancel := f.deadline(ctx)
	defer cancel()
	request := f.request(query, view.clock.Zone)
	request.Limit, request.Cursor = f.limit, f.cursor
	request.Relations = view.output != "table" || len(view.fields) > 0 // the usual table shows none
	stream, err := db.Search(ctx, request)
	if err != nil {
		return err
	}
	answer, err := p.print(ctx, stream, view)
	if err != nil {
		return err
	}
	return verdict(answer.Verdict())
}

// verdict is what a search amounts to, as the error that has its exit code.
func verdict(v search.Verdict) error {
	switch v {
	case search.NotFound:
		return errNotFound
	case search.CannotTell:
		return errBlind
	}
	return nil
}

// headRows is how many messages are held back to learn the answer before the
// first is printed. Beyond them the answer comes last.
const headRows = 1000

// print writes the answer in the asked form. Where the form puts the answer
// before the messages, as many as headRows of them wait for it.
func (p *program) print(ctx context.Context, stream *search.Stream, v *view) (*search.Answer, error) {
	w := bufio.NewWriterSize(p.out.Writer, 64<<10)
	out := *p.out
	out.Writer = w
	var (
		head   []*track.Message
		writer render.Writer
		err    error
	)
	begin := func(answer *search.Answer) error {
		if writer, err = v.writer(&out, p.err, answer); err != nil {
			return err
		}
		for _, m := range head {
			if err := writer.Message(m); err != nil {
				return err
			}
		}
		head = nil
		return nil
	}
	for m, err := range stream.Messages(ctx) {
		if err != nil {
			return nil, errors.Join(err, w.Flush())
		}
		switch {
		case writer == nil && v.answerFirst() && len(head) < headRows:
			head = append(head, m)
			continue
		case writer == nil:
			if err := begin(nil); err != nil {
				return nil, err
			}
		}
		if err := writer.Message(m); err != nil {
			return nil, writeError(err)
		}
	}
	answer, err := stream.Answer(ctx)
	if err != nil {
		return nil, errors.Join(err, w.Flush())
	}
	early := writer == nil
	if early {
		if err := begin(answer); err != nil {
			return nil, err
		}
	}
	if err := writer.End(render.Tail{Next: answer.Next, Coverage: answer.Coverage, Explanation: explanation(answer)}); err != nil {
		return nil, writeError(err)
	}
	if err := v.finish(&out, p, answer, early); err != nil {
		return nil, writeError(err)
	}
	if err := w.Flush(); err != nil {
		return nil, writeError(err)
	}
	p.printHints()
	return answer, nil
}

// printHints tells how to go on, on stderr and behind the answer.
func (p *program) printHints() {
	for _, h := range p.hints {
		fmt.Fprintln(p.err, p.err.Style.Faint(h))
	}
}

// explanation is nil, not a typed nil, where there is none.
func explanation(a *search.Answer) any {
	if a.Why == nil {
		return nil
	}
	return a.Why
}

func writeError(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("write the answer: %w", err)
}

// openReader opens the data directory for reading.
func (p *program) openReader(ctx context.Context, data string) (*app.Reader, *config.Config, error) {
	c, _, err := p.config()
	if err != nil {
		return nil, nil, err
	}
	dir, err := p.dataDir(data, c)
	if err != nil {
		return nil, nil, err
	}
	db, err := app.OpenReader(ctx, dir, p.log(), p.now)
	if err != nil {
		return nil, nil, p.noStore(dir, err)
	}
	return db, c, nil
}

// completeQuery offers the names of fields.
func completeQuery(_ *cobra.Command, _ []string, toComplete string) ([]string, cobra.ShellCompDirective) {
	var out []string
	for _, f := range search.FieldNames() {
		if strings.HasPrefix(f, toComplete) {
			out = append(out, f+":")
		}
	}
	return slices.Compact(out), cobra.ShellCompDirectiveNoSpace | cobra.ShellCompDirectiveNoFileComp
}

func (p *program) completeWords(cmd *cobra.Command, flag string, words []string) {
	// The only error is a flag that does not exist, which the tests would show.
	_ = cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp))
}
