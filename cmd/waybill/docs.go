package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
)

func (p *program) completionCmd() *cobra.Command {
	shells := []string{"bash", "zsh", "fish", "powershell"}
	return &cobra.Command{
		Use:   "completion bash|zsh|fish|powershell",
		Short: "Print a script that completes command lines",
		Long: `Print a script that lets a shell complete commands, flags and their values.

  bash        waybill completion bash > /etc/bash_completion.d/waybill
  zsh         waybill completion zsh > "${fpath[1]}/_waybill"
  fish        waybill completion fish > ~/.config/fish/completions/waybill.fish
  powershell  waybill completion powershell | Out-String | Invoke-Expression`,
		Example:   `  source <(waybill completion bash)`,
		Args:      oneArg("one of bash, zsh, fish and powershell"),
		ValidArgs: shells,
		RunE: func(cmd *cobra.Command, args []string) error {
			root := cmd.Root()
			switch args[0] {
			case "bash":
				return root.GenBashCompletionV2(p.out, true)
			case "zsh":
				return root.GenZshCompletion(p.out)
			case "fish":
				return root.GenFishCompletion(p.out, true)
			case "powershell":
				return root.GenPowerShellCompletionWithDesc(p.out)
			}
			return usage("waybill completion bash", "no completion for %q: there are bash, zsh, fish and powershell", args[0])
		},
	}
}

func (p *program) manCmd() *cobra.Command {
	return &cobra.Command{
		Use:   "man DIR",
		Short: "Write the manual pages into a directory",
		Long: `Write one manual page per command, in section 1, into a directory that is made
if need be.`,
		Example: `  waybill man /usr/local/share/man/man1
  waybill man man && man ./man/waybill-search.1`,
		Args: oneArg("a directory"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := os.MkdirAll(args[0], 0o755); err != nil {
				return fmt.Errorf("make the directory: %w", err)
			}
			root := cmd.Root()
			root.DisableAutoGenTag = true // the same source gives the same pages
			head := &doc.GenManHeader{Title: "WAYBILL", Section: "1", Source: "Waybill " + thisBuild().Version, Manual: "Waybill manual"}
			if err := doc.GenManTree(root, head, args[0]); err != nil {
				return fmt.Errorf("write the manual: %w", err)
			}
			return nil
		},
	}
}
