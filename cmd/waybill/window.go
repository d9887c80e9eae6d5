package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"waybill/internal/safefs"
	"waybill/internal/safetext"
	"waybill/internal/window"
)

func (p *program) windowCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "window",
		Short: "Look into tracking files",
		Long: `A tracking file holds the events of one interval, as gateways hand them to a
manager and import hands them to the store. See docs/format.md.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(p.windowCatCmd(), p.windowVerifyCmd())
	return cmd
}

func files(_ *cobra.Command, args []string) error {
	if len(args) == 0 {
		return usage("", "no tracking file named")
	}
	return nil
}

func (p *program) windowCatCmd() *cobra.Command {
	output := "text"
	cmd := &cobra.Command{
		Use:   "cat FILE...",
		Short: "Print the events of tracking files",
		Long: `Print every event of tracking files, sealed or compressed, one per line.

What is damaged is printed up to the damage; the exit code is then 6.`,
		Example: `  waybill window cat tracking.@20230213T191631Z_20230213T191931Z.s.gz
  waybill window cat -o ndjson FILE | jq -r 'select(.kind == "message.removed") | .queue_id'`,
		Args: files,
		RunE: func(_ *cobra.Command, args []string) error {
			if output != "text" && output != "ndjson" {
				return usage("waybill window cat -o ndjson FILE", "-o %s: there are text and ndjson", output)
			}
			return p.eachWindow(args, func(path string) error { return p.windowCat(path, output) })
		},
	}
	cmd.Flags().StringVarP(&output, "output", "o", output, "`format`: text or ndjson")
	p.completeWords(cmd, "output", []string{"text", "ndjson"})
	return cmd
}

// eachWindow runs do for every file; one that is damaged does not stop the
// others.
func (p *program) eachWindow(paths []string, do func(path string) error) error {
	failed := false
	for _, path := range paths {
		if err := do(path); err != nil {
			if errors.Is(err, context.Canceled) {
				return err
			}
			failed = true
			printFailure(p.err, explain(err))
		}
	}
	if failed {
		return errProblems
	}
	return nil
}

func (p *program) windowCat(path, output string) error {
	r, err := window.Open(safefs.OS(), path)
	if err != nil {
		return err
	}
	defer r.Close()
	format := window.Text
	if output == "ndjson" {
		format = window.NDJSON
	}
	return window.Cat(p.out, r, format)
}

func (p *program) windowVerifyCmd() *cobra.Command {
	return &cobra.Command{
		Use:     "verify FILE...",
		Short:   "Check that tracking files are whole and unaltered",
		Long:    "Read tracking files to their end and check every frame, the digest and the name.",
		Example: `  waybill window verify *.s.gz`,
		Args:    files,
		RunE: func(_ *cobra.Command, args []string) error {
			return p.eachWindow(args, p.windowVerify)
		},
	}
}

func (p *program) windowVerify(path string) error {
	rep, err := window.Verify(safefs.OS(), path)
	if err != nil {
		return err
	}
	fmt.Fprintf(p.out, "%s %s\n", p.out.Style.Good("✓ whole"), safetext.Of(path))
	for _, l := range [][2]string{
		{"identity", rep.Identity},
		{"interval", rep.Header.Interval.From.String() + " → " + rep.Header.Interval.To.String()},
		{"events", fmt.Sprintf("%s, first %s, last %s", thousands(int64(rep.Trailer.Events)), rep.Trailer.First, rep.Trailer.Last)},
		{"sources", fmt.Sprint(len(rep.Sources))},
		{"size", fmt.Sprintf("%s bytes, %s uncompressed", thousands(rep.Size), thousands(rep.Bytes))},
		{"sha256", fmt.Sprintf("%x", rep.Digest)},
		{"written by", rep.Header.Software},
	} {
		fmt.Fprintf(p.out, "  %s %s\n", p.out.Style.Faint(fmt.Sprintf("%-11s", l[0])), safetext.Of(l[1]))
	}
	for _, n := range rep.Notes {
		fmt.Fprintf(p.out, "  %s %s\n", p.out.Style.Warn("▲"), safetext.Of(n))
	}
	return nil
}
