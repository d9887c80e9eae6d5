package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"waybill/cmd/waybill/internal/render"
	"waybill/internal/app"
	"waybill/internal/smad"
)

var gatewayOutputs = []string{"table", "json", "yaml"}

// gatewaysFlags are those of all commands about gateways.
type gatewaysFlags struct {
	data string
	view viewFlags
}

func (p *program) gatewaysCmd() *cobra.Command {
	f := &gatewaysFlags{view: viewFlags{output: "table", time: "local"}}
	cmd := &cobra.Command{
		Use:   "gateways",
		Short: "Which gateways a manager collects from",
		Long: `The list of gateways from which this manager collects tracking files. A running
manager notices a change within a second; none need run.`,
		Example: `  waybill gateways add mx-a 192.0.2.64:2222
  waybill gateways add mx-b 192.0.2.65 --mode legacy --host-key SHA256:...
  waybill gateways list
  waybill gateways test mx-a`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	fl := cmd.PersistentFlags()
	fl.SortFlags = false
	p.dataFlag(fl, &f.data)
	fl.StringVarP(&f.view.output, "output", "o", f.view.output, "`format`: "+strings.Join(gatewayOutputs, ", "))
	f.view.addZone(fl)
	p.completeWords(cmd, "output", gatewayOutputs)
	cmd.AddCommand(p.gatewaysListCmd(f), p.gatewaysShowCmd(f), p.gatewaysAddCmd(f), p.gatewaysPauseCmd(f), p.gatewaysResumeCmd(f), p.gatewaysRemoveCmd(f), p.gatewaysTestCmd(f))
	return cmd
}

// with opens the list for one command.
func (f *gatewaysFlags) with(p *program, makeDir bool, do func(*app.Gateways, *view) error) error {
	v, err := f.view.resolve(p, gatewayOutputs)
	if err != nil {
		return err
	}
	c, _, err := p.config()
	if err != nil {
		return err
	}
	dir, err := p.dataDir(f.data, c)
	if err != nil {
		return err
	}
	g, err := app.OpenGateways(dir, p.now, makeDir)
	if err != nil {
		if errors.Is(err, os.ErrNotExist) {
			return &failure{code: exitProblem, what: "there is no data directory " + dir, why: "no gateway was ever added here",
				fix: "waybill gateways add NAME ADDRESS, or name another one with --data", err: err}
		}
		return err
	}
	err = do(g, v)
	if cerr := g.Close(); err == nil {
		err = cerr
	}
	var invalid *smad.InvalidError
	if errors.As(err, &invalid) {
		return &failure{code: exitUsage, what: err.Error(), fix: "waybill gateways add --help", err: err}
	}
	return err
}

// encode writes v where an output for programs is asked for, else calls text.
func (p *program) encode(v *view, value any, text func() error) error {
	switch v.output {
	case "json":
		return writeError(render.Indented(p.out, value))
	case "yaml":
		return writeError(render.IndentedYAML(p.out, value))
	}
	return writeError(text())
}

func (p *program) gatewaysListCmd(f *gatewaysFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List the gateways and how they do",
		Long:  "List the gateways and how they do. The exit code is 6 when one is held or fails.",
		Args:  noArgs,
		RunE: func(*cobra.Command, []string) error {
			return f.with(p, false, func(g *app.Gateways, v *view) error {
				list, err := g.List()
				if err != nil {
					return err
				}
				err = p.encode(v, map[string]any{"gateways": list}, func() error {
					if len(list) == 0 {
						p.hints = append(p.hints, "there is none yet: waybill gateways add NAME ADDRESS")
						p.printHints()
						return nil
					}
					return render.Gateways(p.out, list, v.clock)
				})
				for _, one := range list {
					if err == nil && one.Running && one.Status != nil && one.Status.Error != nil {
						return errProblems
					}
				}
				return err
			})
		},
	}
}

func (p *program) gatewaysShowCmd(f *gatewaysFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "show NAME",
		Short: "Say all that is known of one gateway, and the key that it must know",
		Args:  oneArg("the name of a gateway"),
		RunE: func(_ *cobra.Command, args []string) error {
			return f.with(p, false, func(g *app.Gateways, v *view) error {
				info, err := g.Show(args[0])
				if err != nil {
					return err
				}
				line, _, err := g.Key()
				if err != nil {
					return err
				}
				return p.encode(v, map[string]any{"gateway": info, "key": line}, func() error { return render.Gateway(p.out, &info, line, v.clock) })
			})
		},
	}
}

func (p *program) gatewaysAddCmd(f *gatewaysFlags) *cobra.Command {
	var g smad.Gateway
	var mode, order string
	cmd := &cobra.Command{
		Use:   "add NAME ADDRESS",
		Short: "Add a gateway",
		Long: `Add a gateway. Its name becomes that of directories.

A gateway of Waybill is joined with the one-time token that is printed: run
"waybill join --token-file FILE" there, with the token in FILE. Both sides then know
each other's key; neither is taken on trust.

With --mode legacy any SSH server will do that lists, copies and removes files with ls,
scp and rm. Put the key that is printed into its authorized_keys, and give the
fingerprint of its host key with --host-key.`,
		Example: `  waybill gateways add mx-a 192.0.2.64:2222
  waybill gateways add mx-b 192.0.2.65 --mode legacy --host-key SHA256:... --user smaduser --directory /export/tracking`,
		Args: cobra.MatchAll(func(cmd *cobra.Command, args []string) error {
			if len(args) != 2 {
				return usage(cmd.CommandPath()+" mx-a 192.0.2.64:2222", "%s wants a name and an address, got %d arguments", cmd.CommandPath(), len(args))
			}
			return nil
		}),
		RunE: func(_ *cobra.Command, args []string) error {
			g.Name, g.Address, g.Mode, g.Order = args[0], args[1], smad.Mode(mode), smad.Order(order)
			if g.Mode == "auto" {
				g.Mode = smad.Auto
			}
			if g.Order == "oldest" {
				g.Order = smad.OldestFirst
			}
			return f.with(p, true, func(list *app.Gateways, v *view) error { return p.gatewayAdd(list, v, g) })
		},
	}
	fl := cmd.Flags()
	fl.SortFlags = false
	fl.StringVar(&g.User, "user", "", "login `name`; default: "+smad.DefaultUser)
	fl.StringVar(&g.HostKey, "host-key", "", "pin the gateway to this `key`: a fingerprint SHA256:..., or a line of its .pub file")
	fl.StringVar(&mode, "mode", "auto", "how it is spoken to, a `word`: auto, waybill, legacy")
	fl.StringVar(&g.Directory, "directory", "", "`directory` of the files at the gateway; default: "+smad.DefaultDirectory)
	fl.StringVar(&order, "order", "oldest", "which files come first, a `word`: oldest, newest")
	fl.BoolVar(&g.AcceptForeign, "accept-foreign", false, "take files that are not in Waybill's format (legacy only)")
	fl.IntVar(&g.InFlight, "in-flight", 0, "`number` of files that are copied at a time; 0: the manager's")
	fl.Int64Var(&g.BytesPerSecond, "bytes-per-second", 0, "limit of bandwidth, a `number`; 0: the manager's")
	p.completeWords(cmd, "mode", []string{"auto", "waybill", "legacy"})
	p.completeWords(cmd, "order", []string{"oldest", "newest"})
	return cmd
}

func (p *program) gatewayAdd(list *app.Gateways, v *view, g smad.Gateway) error {
	line, fingerprint, err := list.Key()
	if err != nil {
		return err
	}
	added, err := list.Registry().Add(g)
	if err != nil {
		return err
	}
	return p.printToken(v, added, line, fingerprint)
}

// printToken tells what is to be done at the gateway.
func (p *program) printToken(v *view, g smad.Gateway, line, fingerprint string) error {
	value := map[string]any{"gateway": g, "key": line, "key_fingerprint": fingerprint}
	return p.encode(v, value, func() error {
		fmt.Fprintf(p.out, "%s (%s) is in the list.\n", g.Name, g.Address)
		p.fact("our key", "%s", fingerprint)
		switch {
		case g.Token != "":
			p.fact("token", "%s", g.Token)
			p.fact("valid until", "%s", g.Expires.In(v.clock.Zone).Format("2006-01-02 15:04:05 -07:00"))
			p.hints = append(p.hints, "on the gateway, with the token in FILE: waybill join --token-file FILE")
		case g.HostKey == "":
			p.fact("authorized_keys", "%s", line)
			p.hints = append(p.hints, "the gateway's host key is not pinned: waybill gateways test "+g.Name+" shows it")
		default:
			p.fact("host key", "%s", g.Fingerprint())
			p.fact("authorized_keys", "%s", line)
			p.hints = append(p.hints, "when the gateway knows our key: waybill gateways test "+g.Name)
		}
		p.printHints()
		return nil
	})
}

func (p *program) gatewaysPauseCmd(f *gatewaysFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "pause NAME",
		Short: "Stop collecting from a gateway; its files wait there",
		Args:  oneArg("the name of a gateway"),
		RunE: func(_ *cobra.Command, args []string) error {
			return f.with(p, false, func(g *app.Gateways, v *view) error {
				if err := g.Registry().Pause(args[0]); err != nil {
					return err
				}
				return p.printGateway(g, v, args[0], "is paused")
			})
		},
	}
}

// printGateway confirms a change.
func (p *program) printGateway(g *app.Gateways, v *view, name, what string) error {
	info, err := g.Show(name)
	if err != nil {
		return err
	}
	return p.encode(v, map[string]any{"gateway": info}, func() error {
		_, err := fmt.Fprintf(p.out, "%s %s\n", name, what)
		return err
	})
}

func (p *program) gatewaysResumeCmd(f *gatewaysFlags) *cobra.Command {
	var hostKey string
	var token bool
	cmd := &cobra.Command{
		Use:   "resume NAME",
		Short: "Go on with a gateway that is paused or held",
		Long: `Go on with a gateway that is paused, or that is held because its host key has
changed. A changed host key means that the gateway was installed anew, or that
somebody sits between. Compare the fingerprint at the gateway's console first.`,
		Example: `  waybill gateways resume mx-a
  waybill gateways resume mx-a --host-key SHA256:...
  waybill gateways resume mx-a --new-token`,
		Args: oneArg("the name of a gateway"),
		RunE: func(_ *cobra.Command, args []string) error {
			if token && hostKey != "" {
				return usage("waybill gateways resume --help", "--host-key and --new-token exclude each other")
			}
			return f.with(p, false, func(g *app.Gateways, v *view) error {
				if token {
					line, fingerprint, err := g.Key()
					if err != nil {
						return err
					}
					armed, err := g.Registry().Rearm(args[0])
					if err != nil {
						return err
					}
					return p.printToken(v, armed, line, fingerprint)
				}
				if err := g.Registry().Resume(args[0], hostKey); err != nil {
					return err
				}
				return p.printGateway(g, v, args[0], "goes on")
			})
		},
	}
	cmd.Flags().StringVar(&hostKey, "host-key", "", "pin the gateway to this `key` from now on: a fingerprint SHA256:..., or a line of its .pub file")
	cmd.Flags().BoolVar(&token, "new-token", false, "forget the host key: the gateway must be joined again with a new token")
	return cmd
}

func (p *program) gatewaysRemoveCmd(f *gatewaysFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "remove NAME",
		Short: "Take a gateway out of the list; what was collected stays",
		Args:  oneArg("the name of a gateway"),
		RunE: func(_ *cobra.Command, args []string) error {
			return f.with(p, false, func(g *app.Gateways, v *view) error {
				if err := g.Registry().Remove(args[0]); err != nil {
					return err
				}
				return p.encode(v, map[string]any{"removed": args[0]}, func() error {
					p.hints = append(p.hints, "on the gateway, so that it does not keep files for this manager: waybill collectors remove")
					_, err := fmt.Fprintf(p.out, "%s is out of the list\n", args[0])
					p.printHints()
					return err
				})
			})
		},
	}
}

func (p *program) gatewaysTestCmd(f *gatewaysFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "test NAME",
		Short: "Connect to a gateway as the manager would, and time each step",
		Long: `Connect, log in and list, and say how long each step took. Nothing is copied and
nothing is removed. The exit code is 4 when the gateway cannot be reached, 5 when it
does not let us in or shows another host key, 6 when it does not do what it should.`,
		Args: oneArg("the name of a gateway"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.with(p, false, func(g *app.Gateways, v *view) error { return p.gatewayTest(cmd.Context(), g, v, args[0]) })
		},
	}
}

func (p *program) gatewayTest(ctx context.Context, g *app.Gateways, v *view, name string) error {
	probe, err := g.Test(ctx, name)
	if err != nil {
		return err
	}
	if err := p.encode(v, probe, func() error { return render.Probe(p.out, probe) }); err != nil || probe.OK {
		return err
	}
	last := probe.Steps[len(probe.Steps)-1]
	code := exitProblem
	switch last.Cause {
	case smad.CauseAuthentication, smad.CauseHostKey:
		code = exitDenied
	case smad.CauseNetwork, smad.CauseTimeout, smad.CauseRefused:
		code = exitUnreachable
	}
	return &failure{code: code, what: name + " failed at: " + last.Name, why: last.Error, fix: last.Hint}
}
