package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"waybill/cmd/waybill/internal/render"
	"waybill/internal/app"
	"waybill/internal/safetext"
	"waybill/internal/search"
	"waybill/internal/store/sqlite"
)

func (p *program) dbCmd() *cobra.Command {
	var data string
	cmd := &cobra.Command{
		Use:   "db",
		Short: "Look after the store",
		Args:  noArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	p.dataFlag(cmd.PersistentFlags(), &data)
	cmd.AddCommand(&cobra.Command{
		Use:   "info",
		Short: "Say what is in the store, and what it covers",
		Args:  noArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return p.dbInfo(cmd.Context(), data) },
	}, &cobra.Command{
		Use:   "check",
		Short: "Read every file of the store and report damage",
		Long:  "Read every file of the store to its end. The exit code is 6 when one is damaged.",
		Args:  noArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return p.dbCheck(cmd.Context(), data) },
	}, &cobra.Command{
		Use:   "compact",
		Short: "Give unused room in the store back to the disk",
		Args:  noArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return p.dbCompact(cmd.Context(), data) },
	})
	return cmd
}

// fact prints one labelled line.
func (p *program) fact(label, format string, args ...any) {
	fmt.Fprintf(p.out, "  %s %s\n", p.out.Style.Faint(fmt.Sprintf("%-11s", label)), safetext.Of(fmt.Sprintf(format, args...)))
}

func (p *program) dbInfo(ctx context.Context, data string) error {
	db, _, err := p.openReader(ctx, data)
	if err != nil {
		return err
	}
	defer db.Close()
	in, err := db.Info(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintln(p.out, p.out.Style.Bold(safetext.Of(in.Dir).String()))
	p.fact("messages", "%s, and %s", count(int(in.Messages), "message", "messages"), count(int(in.Rejections), "rejection", "rejections"))
	size := bytesText(in.Bytes)
	if n := in.Messages + in.Rejections; n > 0 {
		size += fmt.Sprintf(", %d bytes each with all indexes", in.Bytes/n)
	}
	p.fact("size", "%s", size)
	p.fact("files", "%s, schema %d, %s taken", count(len(in.Days), "day", "days"), in.Schema, count(int(in.Windows), "window", "windows"))
	if in.Dropped > 0 {
		p.fact("dropped", "%s by retention", count(int(in.Dropped), "day", "days"))
	}
	gateways, err := db.Gateways(ctx)
	if err != nil {
		return err
	}
	clock := render.Clock{Zone: time.Local}
	for _, g := range gateways {
		if err := p.gatewayInfo(ctx, db, clock, g.Name, g.Serial); err != nil {
			return err
		}
	}
	return nil
}

func (p *program) gatewayInfo(ctx context.Context, db *app.Reader, clock render.Clock, name, serial string) error {
	sources, err := db.Sources(ctx, name)
	if err != nil {
		return err
	}
	a, err := db.Find(ctx, search.Request{Gateways: []string{name}, Limit: 1, Zone: time.Local})
	if err != nil {
		return err
	}
	fmt.Fprintln(p.out, p.out.Style.Bold("gateway "+safetext.Of(name).String()))
	p.fact("serial", "%s", serial)
	var parsed, ignored, unknown int64
	pieces := make(map[string]bool)
	for _, s := range sources {
		pieces[s.ID] = true
		parsed, ignored, unknown = parsed+s.Parsed, ignored+s.Ignored, unknown+s.Unknown
	}
	p.fact("logs", "%s: %s lines parsed, %s passed over on purpose, %s unknown", count(len(pieces), "piece", "pieces"),
		thousands(parsed), thousands(ignored), thousands(unknown))
	if runs := search.ClaimedRuns(sources); len(runs) > 0 {
		holes := ""
		if n := len(runs) - 1; n > 0 {
			holes = ", with " + count(n, "hole", "holes")
		}
		p.fact("covers", "%s, as its logs claim%s", clock.Span(runs[0].From, runs[len(runs)-1].To), holes)
		for i := 1; i < len(runs); i++ {
			p.fact("", "hole: %s (%s)", clock.Span(runs[i-1].To, runs[i].From), render.Length(runs[i].From.Sub(runs[i-1].To)))
		}
	}
	for _, m := range a.Messages {
		p.fact("newest", "%s (waybill show %s)", clock.Time(m.Time), m.ID)
	}
	return nil
}

func (p *program) dbCheck(ctx context.Context, data string) error {
	db, _, err := p.openReader(ctx, data)
	if err != nil {
		return err
	}
	defer db.Close()
	findings, err := db.Check(ctx)
	if err != nil {
		return err
	}
	for _, f := range findings {
		printFailure(p.err, &failure{what: f.Path + ": " + f.What, fix: f.Advice})
	}
	if len(findings) > 0 {
		return errProblems
	}
	_, err = fmt.Fprintln(p.out, p.out.Style.Good("✓ whole"))
	return err
}

func (p *program) dbCompact(ctx context.Context, data string) error {
	dir, err := p.storeDir(data)
	if err != nil {
		return err
	}
	c, _, err := p.config()
	if err != nil {
		return err
	}
	// Compacting makes no store where there is none.
	db, _, err := p.openReader(ctx, data)
	if err != nil {
		return err
	}
	if err := db.Close(); err != nil {
		return err
	}
	im, err := app.OpenImporter(ctx, dir, c, p.log(), p.now)
	if err != nil {
		return err
	}
	var before, after int64
	err = im.Compact(ctx, func(d sqlite.Compacted) { before, after = before+d.Before, after+d.After })
	if err := errors.Join(err, im.Close()); err != nil {
		return err
	}
	_, err = fmt.Fprintf(p.out, "%s → %s\n", bytesText(before), bytesText(after))
	return err
}

func (p *program) storeDir(data string) (string, error) {
	c, _, err := p.config()
	if err != nil {
		return "", err
	}
	return p.dataDir(data, c)
}

// noStore is the failure of those who look into a directory without a store.
func (p *program) noStore(dir string, err error) error {
	if !errors.Is(err, app.ErrNoStore) {
		return err
	}
	return &failure{code: exitProblem, what: "there is no store in " + dir, why: "no log was imported there yet",
		fix: "waybill import --data " + quoted(dir) + " FILE...", err: err}
}

func bytesText(n int64) string {
	switch {
	case n >= 1e9:
		return fmt.Sprintf("%.1f GB", float64(n)/1e9)
	case n >= 1e6:
		return fmt.Sprintf("%.1f MB", float64(n)/1e6)
	case n >= 1e3:
		return fmt.Sprintf("%.1f kB", float64(n)/1e3)
	}
	return fmt.Sprintf("%d B", n)
}
