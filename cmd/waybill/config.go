package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"waybill/internal/config"
)

func (p *program) configCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "config",
		Short: "Check, show and make the configuration",
		Long: `Waybill runs without a configuration. What is set comes from a file, then from
WAYBILL_DATA, WAYBILL_OWN_DOMAINS, WAYBILL_OWN_NETWORKS, WAYBILL_RETENTION and
WAYBILL_MAX_SIZE, then from flags; the later wins.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(p.configCheckCmd(), p.configShowCmd(), p.configInitCmd(), p.configPathCmd())
	return cmd
}

func (p *program) configCheckCmd() *cobra.Command {
	return &cobra.Command{
		Use:     "check [FILE]",
		Short:   "Report every mistake of the configuration",
		Example: `  waybill config check /etc/waybill/waybill.yaml`,
		Args:    cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) == 1 {
				p.configPath = args[0]
			}
			_, path, err := p.config()
			if err != nil {
				return err
			}
			if path == "" {
				path = "no file, and the variables"
			}
			_, err = fmt.Fprintf(p.out, "%s: no mistakes\n", path)
			return err
		},
	}
}

func (p *program) configShowCmd() *cobra.Command {
	return &cobra.Command{
		Use:   "show",
		Short: "Print what is in force, and where each value comes from",
		Args:  noArgs,
		RunE: func(*cobra.Command, []string) error {
			c, _, err := p.config()
			if err != nil {
				return err
			}
			return c.Write(p.out)
		},
	}
}

func (p *program) configInitCmd() *cobra.Command {
	return &cobra.Command{
		Use:     "init [FILE]",
		Short:   "Write a configuration to begin with",
		Long:    "Write a file with every key and what it means. One that is there already is left alone.",
		Example: `  sudo waybill config init /etc/waybill/waybill.yaml`,
		Args:    cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			path := config.Paths(p.env)[0]
			if len(args) == 1 {
				path = args[0]
			}
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				return fmt.Errorf("make the directory: %w", err)
			}
			f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
			if errors.Is(err, fs.ErrExist) {
				return &failure{code: exitProblem, what: path + " is there already", why: "it was left as it is", fix: "waybill config check " + quoted(path)}
			}
			if err != nil {
				return fmt.Errorf("write the configuration: %w", err)
			}
			_, err = f.WriteString(config.Template)
			if err := errors.Join(err, f.Close()); err != nil {
				return fmt.Errorf("write the configuration: %w", err)
			}
			_, err = fmt.Fprintln(p.out, path)
			return err
		},
	}
}

func (p *program) configPathCmd() *cobra.Command {
	return &cobra.Command{
		Use:   "path",
		Short: "Print which file is read, and where one is looked for",
		Args:  noArgs,
		RunE: func(*cobra.Command, []string) error {
			found := p.configPath
			if found == "" {
				var err error
				if found, err = config.Find(p.env); err != nil {
					return err
				}
			}
			if found != "" {
				_, err := fmt.Fprintln(p.out, found)
				return err
			}
			fmt.Fprintln(p.err, "there is no configuration; it is looked for in:")
			for _, path := range config.Paths(p.env) {
				fmt.Fprintln(p.err, "  "+path)
			}
			return errNotFound
		},
	}
}
