package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"waybill/cmd/waybill/internal/render"
	"waybill/internal/app"
	"waybill/internal/safetext"
	"waybill/internal/search"
	"waybill/internal/store"
	"waybill/internal/track"
)

var showOutputs = []string{"text", "json", "ndjson", "yaml"}

func (p *program) showCmd() *cobra.Command {
	var data string
	f := viewFlags{output: "text"}
	cmd := &cobra.Command{
		Use:   "show ID",
		Short: "Tell one message's whole way",
		Long: `Tell what became of one message: in a sentence, recipient by recipient, and line
by line with the place in the log where each stands.

ID is the id that search prints. A queue id or a Message-ID does as well where
it names one message only.`,
		Example: `  waybill show 4BZk9f0Q2Vz1qz
  waybill show '<20261121.1041@example.com>'
  waybill show -o json ID | jq .events`,
		Args: oneArg("one id"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return p.show(cmd.Context(), data, f, args[0])
		},
	}
	p.dataFlag(cmd.Flags(), &data)
	f.add(cmd.Flags(), strings.Join(showOutputs, ", "))
	p.completeWords(cmd, "output", showOutputs)
	p.completeWords(cmd, "time", timeFormats)
	return cmd
}

func (p *program) show(ctx context.Context, data string, f viewFlags, id string) error {
	if f.output == "text" && len(f.fields) > 0 {
		return usage("waybill show -o json --fields ...", "--fields needs -o json, ndjson or yaml")
	}
	v, err := f.resolve(p, showOutputs)
	if err != nil {
		return err
	}
	db, _, err := p.openReader(ctx, data)
	if err != nil {
		return err
	}
	defer db.Close()
	m, err := p.find(ctx, db, v, data, id)
	if err != nil {
		return err
	}
	if m.Events, err = db.Events(ctx, m.ID); err != nil {
		return err
	}
	switch f.output {
	case "json":
		return writeError(render.One(p.out, m, f.fields))
	case "ndjson":
		return writeError(render.Line(p.out, m, f.fields))
	case "yaml":
		return writeError(render.OneYAML(p.out, m, f.fields))
	}
	return writeError(render.Story(p.out, m, search.Sentence(m, v.clock.Zone), v.clock))
}

// find resolves an id, or else a queue id or Message-ID that names one message.
// data is the directory that was named, for commands that go on from there.
func (p *program) find(ctx context.Context, db *app.Reader, v *view, data, id string) (*track.Message, error) {
	m, err := db.Message(ctx, id)
	if err == nil || !errors.Is(err, store.ErrNotFound) {
		return m, err
	}
	const most = 20
	for _, form := range []search.Form{{QueueID: is(id)}, {MessageID: is(id)}} {
		a, err := db.Find(ctx, search.Request{Form: form, Limit: most, Zone: v.clock.Zone})
		if err != nil {
			return nil, err
		}
		switch len(a.Messages) {
		case 0:
			continue
		case 1:
			return db.Message(ctx, a.Messages[0].ID)
		}
		return nil, p.several(a, v, data, id)
	}
	return nil, &failure{code: exitNotFound, what: fmt.Sprintf("no message %s", safetext.Of(id)), why: "no id, queue id or Message-ID is that",
		fix: onData("waybill search", data) + " " + quoted(id), err: store.ErrNotFound}
}

// several lists the messages that an id may mean.
func (p *program) several(a *search.Answer, v *view, data, id string) error {
	list, err := render.NewList(p.err, []string{"time", "outcome", "sender", "recipient", "gateway", "queue_id", "id"}, false, v.clock)
	if err != nil {
		return err
	}
	for _, m := range a.Messages {
		if err := list.Message(m); err != nil {
			return err
		}
	}
	if err := list.End(render.Tail{}); err != nil {
		return err
	}
	return &failure{code: exitUsage, what: fmt.Sprintf("%s names %d messages", safetext.Of(id), len(a.Messages)), why: "they are listed above",
		fix: onData("waybill show", data) + " " + a.Messages[0].ID}
}

// onData is a command for the directory that was named, if one was.
func onData(command, data string) string {
	if data == "" {
		return command
	}
	return command + " --data " + quoted(data)
}

// is makes a value that is compared as a whole, whatever stands in it.
func is(id string) string {
	return `="` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(id) + `"`
}
