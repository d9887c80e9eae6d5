package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"waybill/cmd/waybill/internal/render"
	"waybill/internal/app"
	"waybill/internal/export"
	"waybill/internal/safetext"
	"waybill/internal/track"
)

// joinFlags are what `waybill join` can be told.
type joinFlags struct {
	collectorFlags
	tokenFile string
	within    time.Duration
}

// Bounds of the time for which an enrolment is open.
const (
	joinDefault = time.Hour
	joinLongest = 7 * 24 * time.Hour
)

func (p *program) joinCmd() *cobra.Command {
	f := joinFlags{within: joinDefault, collectorFlags: collectorFlags{view: viewFlags{output: "text", time: "local"}}}
	cmd := &cobra.Command{
		Use:   "join --token-file FILE",
		Short: "Let a manager enrol at this gateway, with its token",
		Long: `Open the gateway's SSH port for the enrolment of one manager: the one that proves
to know the token that "waybill gateways add" printed there. Both sides prove it,
so each knows the other's key from then on, and nobody in between can take part.
The manager becomes a required collector.

The token serves once, for an hour, and for five tries; a second call replaces
it. It is read from a file, never from the command line, where others could see
it.`,
		Example: `  waybill join --token-file token.txt
  waybill join --token-file token.txt --for 15m && waybill collectors list`,
		Args: noArgs,
		RunE: func(*cobra.Command, []string) error { return p.join(&f) },
	}
	fl := cmd.Flags()
	fl.SortFlags = false
	fl.StringVar(&f.tokenFile, "token-file", "", "`file` with the token that the manager printed")
	fl.DurationVar(&f.within, "for", f.within, "`duration` for which it may be used, at most 168h")
	p.dataFlag(fl, &f.data)
	fl.StringVarP(&f.view.output, "output", "o", f.view.output, "`format`: text, json or yaml")
	f.view.addZone(fl)
	p.completeWords(cmd, "output", collectorOutputs)
	return cmd
}

func (p *program) join(f *joinFlags) error {
	const form = "waybill join --token-file FILE"
	switch {
	case f.tokenFile == "":
		return usage(form, "which token? --token-file is missing")
	case f.within <= 0 || f.within > joinLongest:
		return usage(form+" --for 1h", "--for %s: more than nothing, and at most %s", f.within, joinLongest)
	}
	token, open, err := app.ReadToken(f.tokenFile)
	if err != nil {
		return err
	}
	return p.withCollectors(&f.collectorFlags, true, func(v *view, c *app.Collectors) error {
		expires, err := c.Arm(token, f.within)
		if errors.Is(err, export.ErrToken) {
			return &failure{code: exitUsage, what: f.tokenFile + " holds no token", why: err.Error(),
				fix: "on the manager: waybill gateways add", err: err}
		}
		if err != nil {
			return err
		}
		if open {
			p.hints = append(p.hints, "others can read "+safetext.Of(f.tokenFile).String()+": remove it, it is not needed any more")
		}
		answer := struct {
			Expires time.Time `json:"expires"`
			Tries   int       `json:"tries"`
		}{expires, export.TokenTries}
		switch v.output {
		case "json":
			return writeError(render.Indented(p.out, answer))
		case "yaml":
			return writeError(render.IndentedYAML(p.out, answer))
		}
		_, err = fmt.Fprintf(p.out, "One manager with this token may enrol until %s, in at most %d tries.\n",
			v.clock.Time(track.StampOf(expires)), export.TokenTries)
		if !p.quiet {
			p.hints = append(p.hints, "it is a required collector then: waybill collectors list")
			p.printHints()
		}
		return writeError(err)
	})
}
