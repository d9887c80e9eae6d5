package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"waybill/cmd/waybill/internal/term"
	"waybill/internal/config"
)

// program is one run: its streams and what the global flags say.
type program struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	env            func(string) (string, bool)
	now            func() time.Time

	out, err *term.Stream // stdout and stderr, once the flags are known
	hints    []string     // how to go on, for behind the answer
	running  bool         // a command has begun: later errors are no mistakes of usage

	hangup chan os.Signal                // the terminal has gone, or: read the configuration again
	reload atomic.Pointer[chan struct{}] // of a service: SIGHUP came; nil for all others

	configPath string
	quiet      bool
	verbose    int
	noColor    bool
	noPager    bool
}

// run executes one command line and returns the exit code.
func (p *program) run(ctx context.Context, args []string) int {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go p.hungUp(ctx, cancel)
	root := p.root()
	root.SetArgs(keepNegations(args))
	if len(args) > 0 && args[0] == cobra.ShellCompRequestCmd {
		plainUsage(root)
	}
	err := root.ExecuteContext(ctx)
	if ctx.Err() != nil && err != nil && !errors.Is(err, errProblems) {
		err = ctx.Err() // whatever broke on the way out, this is why
	}
	var f *failure
	if err != nil && !p.running && !errors.As(err, &f) {
		err = usage("waybill --help", "%s", err)
	}
	switch {
	case err == nil, errors.Is(err, errNotFound), errors.Is(err, errBlind), errors.Is(err, errProblems), errors.Is(err, errDown):
	default:
		p.streams()
		printFailure(p.err, explain(err))
	}
	return exitCode(err)
}

func (p *program) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "waybill",
		Short: "Where is that message, and can I trust the answer?",
		Long: `Waybill reads the logs of mail gateways, follows every message through them and
answers what became of it. Each answer says what it could not see.`,
		Example: `  waybill open /var/log/mail.log*
  waybill import /var/log/mail.log*
  waybill search ann@example.com
  waybill search --from -24h --status bounced,deferred
  waybill show 4BZk9f0Q2Vz1qz`,
		Version:           thisBuild().Version,
		Args:              noCommand,
		SilenceErrors:     true,
		SilenceUsage:      true,
		CompletionOptions: cobra.CompletionOptions{DisableDefaultCmd: true},
		RunE:              func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetIn(p.stdin)
	root.SetOut(p.stdout)
	root.SetErr(p.stderr)
	p.globals(root.PersistentFlags())
	root.PersistentPreRun = func(*cobra.Command, []string) {
		p.running = true
		p.streams()
	}
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usage(cmd.CommandPath()+" --help", "%s", flagWords(cmd, err))
	})
	root.AddCommand(p.gatewayCmd(), p.managerCmd(), p.allInOneCmd(), p.sshdCmd(), p.linkCmd(), p.openCmd(), p.demoCmd(), p.importCmd(), p.searchCmd(), p.showCmd(), p.summaryCmd(), p.queueCmd(), p.statusCmd(), p.tailCmd(), p.doctorCmd(), p.gatewaysCmd(), p.collectorsCmd(), p.joinCmd(), p.windowCmd(), p.dbCmd(), p.configCmd(),
		p.completionCmd(), p.manCmd(), p.versionCmd())
	root.SetUsageTemplate(usageTemplate)
	return root
}

// noCommand refuses what is no command, and guesses what was meant.
func noCommand(root *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	fix := "waybill --help"
	root.SuggestionsMinimumDistance = 2
	if near := root.SuggestionsFor(args[0]); len(near) > 0 {
		fix = "waybill " + near[0]
	} else if _, err := os.Stat(args[0]); err == nil {
		fix = "waybill open " + quoted(args[0])
	}
	return usage(fix, "unknown command %q", args[0])
}

func (p *program) globals(f *pflag.FlagSet) {
	f.StringVarP(&p.configPath, "config", "c", "", "configuration `file` (see: waybill config path)")
	f.BoolVarP(&p.quiet, "quiet", "q", false, "print answers and errors only")
	f.CountVarP(&p.verbose, "verbose", "v", "say more; twice for everything")
	f.BoolVar(&p.noColor, "no-color", false, "no colours (also NO_COLOR, TERM=dumb)")
	f.BoolVar(&p.noPager, "no-pager", false, "accepted; there is no pager")
	f.SortFlags = false
}

func (p *program) streams() {
	p.out = term.NewStream(p.stdout, p.env, p.noColor)
	p.err = term.NewStream(p.stderr, p.env, p.noColor)
}

// log is for what services have to say; answers and progress do not go there.
func (p *program) log() *slog.Logger {
	level := slog.LevelWarn
	switch {
	case p.quiet:
		level = slog.LevelError
	case p.verbose > 1:
		level = slog.LevelDebug
	case p.verbose == 1:
		level = slog.LevelInfo
	}
	return slog.New(slog.NewTextHandler(p.stderr, &slog.HandlerOptions{Level: level}))
}

// config reads the configuration that is in force for this run.
func (p *program) config() (*config.Config, string, error) {
	path := p.configPath
	if path == "" {
		var err error
		if path, err = config.Find(p.env); err != nil {
			return nil, "", &failure{code: exitConfig, what: err.Error(), why: "you are " + whoAmI(), err: err}
		}
	}
	c, err := config.Load(path, p.env)
	var faults config.Faults
	if err != nil && !errors.As(err, &faults) {
		return nil, path, &failure{code: exitConfig, what: err.Error(), fix: "waybill config init " + quoted(path), err: err}
	}
	return c, path, err
}
