package main

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"waybill/cmd/waybill/internal/render"
	"waybill/internal/app"
	"waybill/internal/export"
	"waybill/internal/safetext"
)

// collectorFlags are what `waybill collectors` can be told.
type collectorFlags struct {
	data string
	key  string
	from []string
	role string
	name string
	view viewFlags
}

var (
	collectorOutputs = []string{"text", "json", "yaml"}
	collectorRoles   = []string{string(export.Required), string(export.Observer)}
)

func (p *program) collectorsCmd() *cobra.Command {
	f := collectorFlags{role: string(export.Required), view: viewFlags{output: "text", time: "local"}}
	cmd := &cobra.Command{
		Use:   "collectors",
		Short: "Say who may collect tracking files from this gateway",
		Long: `A collector is a manager as a gateway sees it: an SSH key, and the address that it
comes from. Each has a view of its own: what one removes is hidden from it alone.
The bytes go when every required collector has acknowledged them and the hold
time has passed.

The roles: required collectors keep files until they have them; observers never
do. A known key that comes from a new address is pending: it may collect in a view
of its own, keeps nothing, and is alerted, until it is approved or removed. A
required collector that was silent for seven days is stale: alerted, and files
are no longer kept for it.

Managers that run Waybill enrol themselves: see waybill help join. The services
notice changes within a second.`,
		Example: `  waybill collectors add --key mgr-a.pub --name mgr-a
  waybill collectors add --key SHA256:qW4e... --from 192.0.2.81 --name mgr-b
  waybill collectors list
  waybill collectors approve mgr-a@192.0.2.92
  waybill collectors remove mgr-b`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	fl := cmd.PersistentFlags()
	fl.SortFlags = false
	p.dataFlag(fl, &f.data)
	fl.StringVarP(&f.view.output, "output", "o", f.view.output, "`format`: "+strings.Join(collectorOutputs, ", "))
	f.view.addZone(fl)
	cmd.AddCommand(p.collectorsListCmd(&f), p.collectorsAddCmd(&f), p.collectorsApproveCmd(&f), p.collectorsRemoveCmd(&f))
	return cmd
}

func (p *program) collectorsListCmd(f *collectorFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List all collectors",
		Args:  noArgs,
		RunE: func(*cobra.Command, []string) error {
			return p.withCollectors(f, false, func(v *view, c *app.Collectors) error {
				return p.printCollectors(v, c, c.List())
			})
		},
	}
}

func (p *program) collectorsAddCmd(f *collectorFlags) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "add --key FILE|SHA256:... --name NAME",
		Short: "Let a key collect",
		Long: `Register a collector by its public key, or the fingerprint of it. With --from its
key may come from those addresses alone, and is refused from any other. Without,
it is at home where it comes from first; from elsewhere it is pending and alerted.

Two collectors may have the same key where --from tells them apart.`,
		Example: `  waybill collectors add --key mgr-a.pub --name mgr-a
  waybill collectors add --key mgr-b.pub --from 192.0.2.81,2001:db8::81 --name mgr-b
  waybill collectors add --key SHA256:qW4e... --role observer --name watcher`,
		Args: noArgs,
		RunE: func(*cobra.Command, []string) error { return p.addCollector(f) },
	}
	fl := cmd.Flags()
	fl.SortFlags = false
	fl.StringVar(&f.key, "key", "", "`file` with the public key, or its fingerprint, SHA256:...")
	fl.StringVar(&f.name, "name", "", "`name` of the collector")
	fl.StringSliceVar(&f.from, "from", nil, "`addresses` that it may come from, and no other; default: where it comes from first")
	p.roleFlag(cmd, f)
	return cmd
}

func (p *program) roleFlag(cmd *cobra.Command, f *collectorFlags) {
	cmd.Flags().StringVar(&f.role, "role", f.role, "`role`: "+strings.Join(collectorRoles, " or "))
	p.completeWords(cmd, "role", collectorRoles)
}

func (p *program) collectorsApproveCmd(f *collectorFlags) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "approve NAME|ID",
		Short:   "Make a pending collector one that counts, or change a role",
		Example: "  waybill collectors approve mgr-a@192.0.2.92\n  waybill collectors approve --role observer mgr-b",
		Args:    oneArg("the name or the id of a collector"),
		RunE: func(_ *cobra.Command, args []string) error {
			if err := f.checkRole(); err != nil {
				return err
			}
			return p.changeCollector(f, func(c *app.Collectors) (export.Collector, error) { return c.Approve(args[0], export.Role(f.role)) })
		},
	}
	p.roleFlag(cmd, f)
	return cmd
}

func (p *program) collectorsRemoveCmd(f *collectorFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "remove NAME|ID",
		Short: "Take a collector away, with what it received and acknowledged",
		Long: `Take a collector away. Its key is refused from then on, unless another collector
has the same one, and no file is kept for it any more. What it collected stays
where it is.`,
		Example: "  waybill collectors remove mgr-b",
		Args:    oneArg("the name or the id of a collector"),
		RunE: func(_ *cobra.Command, args []string) error {
			return p.withCollectors(f, false, func(v *view, c *app.Collectors) error {
				gone, err := c.Remove(args[0])
				if err != nil {
					return p.collectorProblem(err)
				}
				if v.output != "text" {
					return p.printCollectors(v, c, []export.Collector{gone})
				}
				_, err = fmt.Fprintln(p.out, safetext.Of(gone.Name+" is removed"))
				return writeError(err)
			})
		},
	}
}

func (f *collectorFlags) checkRole() error {
	if !slices.Contains(collectorRoles, f.role) {
		return usage("", "--role %s: there are %s", f.role, strings.Join(collectorRoles, " and "))
	}
	return nil
}

func (p *program) addCollector(f *collectorFlags) error {
	const form = "waybill collectors add --key mgr-a.pub --name mgr-a"
	if err := f.checkRole(); err != nil {
		return err
	}
	switch {
	case f.key == "":
		return usage(form, "which key? --key is missing")
	case f.name == "":
		return usage(form, "what is it called? --name is missing")
	}
	from, err := addresses(f.from)
	if err != nil {
		return err
	}
	key := f.key
	if !strings.HasPrefix(key, "SHA256:") {
		if key, err = app.KeyFingerprint(f.key); err != nil {
			return p.keyProblem(err)
		}
	}
	return p.changeCollector(f, func(c *app.Collectors) (export.Collector, error) {
		return c.Add(key, from, export.Role(f.role), f.name)
	})
}

func addresses(list []string) ([]netip.Addr, error) {
	var out []netip.Addr
	for _, text := range list {
		a, err := netip.ParseAddr(strings.TrimSpace(text))
		if err != nil {
			return nil, usage("waybill collectors add --from 192.0.2.81,2001:db8::81 ...", "--from %s: not an IP address", text)
		}
		out = append(out, a)
	}
	return out, nil
}

// changeCollector makes a change and shows the collector that it was made to.
func (p *program) changeCollector(f *collectorFlags, change func(*app.Collectors) (export.Collector, error)) error {
	return p.withCollectors(f, true, func(v *view, c *app.Collectors) error {
		changed, err := change(c)
		if err != nil {
			return p.collectorProblem(err)
		}
		return p.printCollectors(v, c, []export.Collector{changed})
	})
}

func (p *program) withCollectors(f *collectorFlags, create bool, fn func(*view, *app.Collectors) error) error {
	v, err := f.view.resolve(p, collectorOutputs)
	if err != nil {
		return err
	}
	dir, err := p.storeDir(f.data)
	if err != nil {
		return err
	}
	c, err := app.OpenCollectors(dir, create, p.now)
	if errors.Is(err, app.ErrNoData) {
		return &failure{code: exitProblem, what: "there is no data directory " + dir, why: "no gateway has run there yet",
			fix: "name the directory of the gateway: --data DIR, or its configuration: -c FILE", err: err}
	}
	if err != nil {
		return err
	}
	return errors.Join(fn(v, c), c.Close())
}

func (p *program) printCollectors(v *view, c *app.Collectors, list []export.Collector) error {
	if list == nil {
		list = []export.Collector{}
	}
	all := struct {
		Collectors []export.Collector `json:"collectors"`
	}{list}
	switch v.output {
	case "json":
		return writeError(render.Indented(p.out, all))
	case "yaml":
		return writeError(render.IndentedYAML(p.out, all))
	}
	if len(list) == 0 {
		_, err := fmt.Fprintln(p.out, "No collectors: nobody may collect from this gateway.")
		p.hints = append(p.hints, "a manager that runs Waybill enrols: waybill join --token-file FILE",
			"for any other: waybill collectors add --key FILE.pub --name NAME")
		p.printHints()
		return writeError(err)
	}
	if err := render.Collectors(p.out, list, v.clock); err != nil {
		return writeError(err)
	}
	for _, one := range list {
		if one.Role == export.PendingRole {
			fmt.Fprintf(p.err, "%s %s\n", p.err.Style.Warn("▲"), safetext.Of(c.Sharing(one)))
		}
	}
	return nil
}

// collectorProblem puts a refused change into words.
func (p *program) collectorProblem(err error) error {
	var none *export.NoCollectorError
	switch {
	case errors.As(err, &none):
		return &failure{code: exitUsage, what: err.Error(), fix: "waybill collectors list", err: err}
	case errors.Is(err, fs.ErrExist):
		return &failure{code: exitUsage, what: "there is such a collector already", why: strings.TrimSuffix(err.Error(), ": "+fs.ErrExist.Error()),
			fix: "waybill collectors list; two collectors of one key are told apart by --from", err: err}
	case errors.Is(err, export.ErrInvalid):
		return &failure{code: exitUsage, what: err.Error(), fix: "waybill collectors add --help", err: err}
	}
	return err
}

func (p *program) keyProblem(err error) error {
	var private *app.PrivateKeyError
	switch {
	case errors.As(err, &private), errors.Is(err, fs.ErrPermission):
		return err
	case errors.Is(err, fs.ErrNotExist):
		return &failure{code: exitUsage, what: err.Error(), fix: "give the file of the public key, or its fingerprint as ssh-keygen -lf FILE.pub prints it: SHA256:...", err: err}
	}
	return &failure{code: exitUsage, what: err.Error(), why: "it is the file that ssh-keygen writes with the ending .pub", fix: "ssh-keygen -lf FILE shows what a file is", err: err}
}
