package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"waybill/cmd/waybill/internal/render"
	"waybill/internal/app"
	"waybill/internal/config"
	"waybill/internal/importer"
	"waybill/internal/maillog"
	"waybill/internal/safetext"
	"waybill/internal/track"
)

// openFlags are what `waybill open` can be told.
type openFlags struct {
	data      string
	port      int
	noBrowser bool
	follow    bool
	zone      string
	logFlags
}

func (p *program) openCmd() *cobra.Command {
	var f openFlags
	cmd := &cobra.Command{
		Use:   "open [FILE|DIR|-]...",
		Short: "Look at logs in the browser",
		Long: `Read logs and show what became of every message on pages in the browser, of this
machine only. The newest log is read first, and what has been read can be
searched at once.

Files may be plain or compressed; of a directory those are taken in which mail
servers have written; - is standard input. Without arguments logs are looked for
where mail servers leave them: /var/log/mail.log*, /var/log/maillog*,
/var/log/exim4 and /var/log/exim.

Nothing stays behind when it ends, unless --data names a directory to keep.
The pages are at 127.0.0.1 and ask for a link that works once. On a server, the
command that brings them to your own machine is printed.`,
		Example: `  waybill open /var/log/mail.log*
  waybill open --follow
  ssh mx-a zcat /var/log/mail.log.1.gz | waybill open -
  waybill open --data ~/incident --no-browser logs/`,
		RunE: func(cmd *cobra.Command, args []string) error {
			portGiven := cmd.Flags().Changed("port")
			return p.open(cmd.Context(), f, portGiven, args)
		},
	}
	fl := cmd.Flags()
	fl.SortFlags = false
	fl.StringVar(&f.data, "data", "", "keep what was read in this `directory`; default: a temporary one")
	fl.IntVar(&f.port, "port", app.DefaultPort, "`port` of 127.0.0.1 for the pages; without this flag the next one if it is taken")
	fl.BoolVar(&f.follow, "follow", false, "keep reading what is written to the logs, through rotation")
	fl.BoolVar(&f.noBrowser, "no-browser", false, "open no browser, only print the link")
	fl.StringVar(&f.zone, "tz", "", "time `zone` of the pages, such as Europe/Amsterdam or UTC; default: this host's")
	f.logFlags.add(p, cmd)
	return cmd
}

func (p *program) open(ctx context.Context, f openFlags, portGiven bool, args []string) (err error) {
	lean()
	outlive()
	if err := f.check(); err != nil {
		return err
	}
	zone := time.Local
	if f.zone != "" {
		if zone, err = time.LoadLocation(f.zone); err != nil {
			return usage("waybill open --tz Europe/Amsterdam", "--tz %s: no such time zone", f.zone)
		}
	}
	if f.port < 0 || f.port > 65535 || f.port == 0 && portGiven {
		return usage("waybill open --port 8025", "--port %d: a number from 1 to 65535", f.port)
	}
	c, _, err := p.config()
	if err != nil {
		return err
	}
	found, err := p.findLogs(ctx, c, &f.logFlags, findOptions{temporary: f.data == "", growing: f.follow}, args)
	if err != nil {
		return err
	}
	o := app.SessionOptions{Pages: true, Zone: zone, Config: c, Software: "waybill " + thisBuild().Version, Log: p.log(), Now: p.now}
	if f.data != "" {
		if o.Data, err = filepath.Abs(f.data); err != nil {
			return err
		}
	}
	if portGiven {
		o.Port = f.port
	}
	s, err := app.NewSession(ctx, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Stop()) }()
	v := opening{p: p, f: f, s: s, found: found, clock: render.Clock{Zone: zone}}
	return v.run(ctx)
}

// findOptions say what logs are found for.
type findOptions struct {
	temporary bool // they are only looked at: what is made up of them is forgotten
	growing   bool // they are followed: an empty one is as good as any
}

// findLogs finds the logs that are meant and says which could not be looked
// at. It fails where there is none.
func (p *program) findLogs(ctx context.Context, c *config.Config, f *logFlags, o findOptions, args []string) (*app.Found, error) {
	finder := &app.Finder{Gateway: f.gateway, Year: f.year, Format: f.format, Stdin: p.stdin,
		Zone: func(gateway string) (*time.Location, error) { return f.zone(c, gateway) }}
	var found *app.Found
	var places []string
	var err error
	if len(args) == 0 {
		found, places, err = finder.Usual("/")
	} else {
		found, err = finder.Find(ctx, args)
	}
	if err != nil {
		return nil, err
	}
	for _, e := range found.Errs {
		printFailure(p.err, explain(e))
	}
	if o.growing {
		found.TakeEmpty()
	}
	switch {
	case len(found.Logs) > 0:
	case len(found.Errs) > 0:
		return nil, errProblems
	case len(found.Empty) > 0:
		return nil, &failure{code: exitProblem, what: "cannot read " + found.Empty[0].Path + ": the file is empty", why: "it was just rotated, or nothing writes to it",
			fix: "waybill open --follow " + quoted(found.Empty[0].Path) + ", to wait for its lines"}
	case len(args) == 0:
		return nil, &failure{code: exitProblem, what: "no log of a mail server where they usually are", why: "looked at " + strings.Join(places, ", "),
			fix: f.command + " FILE|DIR..., or to read the journal: journalctl -o short-iso -t postfix | " + f.command + " -"}
	default:
		return nil, &failure{code: exitProblem, what: "no log of a mail server in " + strings.Join(args, ", "),
			why: passedOver(found.Passed), fix: f.command + " FILE..., to read a file whatever it holds; " + f.command + " DIR/*/ for directories below"}
	}
	return found, f.name(found, o.temporary)
}

func passedOver(n int) string {
	if n == 0 {
		return "there is no file with anything in it"
	}
	return count(n, "file was", "files were") + " passed over: no mail server wrote their first lines"
}

// name gives the logs that name no host to a gateway: an appliance's to its
// serial number, and what is only looked at to this host. What is kept would be
// under a wrong name for ever.
func (f *logFlags) name(found *app.Found, temporary bool) error {
	found.NameBySerial()
	for i := range found.Logs {
		l := &found.Logs[i]
		if l.Gateway == "" && temporary {
			l.Gateway, l.Nameless = "unknown", true
			if host, err := os.Hostname(); err == nil {
				l.Gateway = host
			}
		}
		if l.Gateway == "" {
			return usage(f.command+" --gateway NAME "+quoted(l.Path), "%v", &app.NoHostError{Path: l.Path})
		}
		if _, err := config.ParseGatewayName(l.Gateway); err != nil {
			return usage(f.command+" --gateway NAME "+quoted(l.Path), "the host that %s names does not make a gateway's name: %v", l.Path, err)
		}
	}
	return nil
}

// opening is one run of `waybill open`.
type opening struct {
	p     *program
	f     openFlags
	s     *app.Session
	found *app.Found
	clock render.Clock

	follower *app.Follower // nil when nothing is followed
}

func (v *opening) run(ctx context.Context) (err error) {
	read := v.found.Logs
	o := app.ReadOptions{Year: v.f.year, Format: v.f.format}
	if v.f.follow {
		if v.follower, err = v.s.Follow(o, v.found.Logs); errors.Is(err, app.ErrNothingToFollow) {
			return usage(v.f.command+" --follow /var/log/mail.log", "--follow: %v", app.ErrNothingToFollow)
		}
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, v.follower.Close()) }()
		read = app.Files(read) // a pipe is followed from its beginning
	}
	r := &reporter{out: v.p.out, quiet: true, verbose: v.p.verbose > 0, clock: v.clock}
	v.recognised(r)
	// Logs can be searched while they are read. Where none looks like one it has
	// to be seen first whether there will be anything to search.
	strange := v.follower == nil && !slices.ContainsFunc(read, func(l app.Log) bool { return len(l.Dialects) > 0 })
	if !strange {
		v.links(r, v.s.Start())
	}
	if err := v.read(ctx, r, o, read); err != nil {
		if ctx.Err() != nil {
			return nil // it is how it ends, also before all is read
		}
		return err
	}
	if f := r.mistaken(v.f.command); f != nil && v.follower == nil {
		printFailure(v.p.err, f)
		return errProblems
	}
	if strange {
		v.links(r, v.s.Start())
	}
	if err := v.serve(ctx, r); err != nil {
		return err
	}
	if r.problems() || len(v.found.Errs) > 0 {
		return errProblems
	}
	return nil
}

// serve answers, and follows the logs where that was asked for, until ctx ends.
func (v *opening) serve(ctx context.Context, r *reporter) error {
	ctx, stop := context.WithCancel(ctx)
	var followed chan error // what following ended with; nil when nothing is followed
	if v.follower != nil {
		if !v.p.quiet {
			r.row("following", "%s", strings.Join(v.follower.Paths(), ", "))
		}
		followed = make(chan error, 1)
		go func() {
			defer close(followed)
			followed <- v.follower.Run(ctx)
		}()
	}
	defer func() {
		stop()
		if followed != nil {
			for range followed { // it writes to the store until it has ended
			}
		}
	}()
	if v.p.err.TTY && !v.p.quiet {
		fmt.Fprintln(v.p.err, v.p.err.Style.Faint("Ctrl-C ends it"))
	}
	waiting := followed
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-v.s.Server.Failed():
			return fmt.Errorf("serve pages: %w", err)
		case err := <-waiting:
			if err != nil {
				return fmt.Errorf("follow the logs: %w", err)
			}
			waiting = nil // pipes have ended; what they brought can still be searched
		}
	}
}

// recognised says what the logs are, a line for each kind of each gateway.
func (v *opening) recognised(r *reporter) {
	if v.p.quiet {
		return
	}
	type group struct {
		what        string
		files       int
		compressed  map[string]int
		first, last track.Stamp
		open        bool // the end of its newest log is not known yet
	}
	var groups []*group
	for i := range v.found.Logs {
		l := &v.found.Logs[i]
		what := kinds(l.Dialects)
		if l.Empty {
			what = "nothing yet in " + l.Path
		}
		if len(l.Dialects) > 0 {
			what += " on " + l.Gateway
		}
		at := slices.IndexFunc(groups, func(g *group) bool { return g.what == what })
		if at < 0 {
			at = len(groups)
			groups = append(groups, &group{what: what, compressed: make(map[string]int), open: l.Last == 0})
		}
		g := groups[at]
		g.files++
		if l.Compression != "" {
			g.compressed[l.Compression]++
		}
		if l.First != 0 && (g.first == 0 || l.First < g.first) {
			g.first = l.First
		}
		g.last = max(g.last, l.Last, l.First)
	}
	for _, g := range groups {
		text := g.what + " · " + count(g.files, "file", "files")
		for _, c := range []string{"gzip", "bzip2", "xz", "zstd"} {
			if n := g.compressed[c]; n > 0 {
				text += fmt.Sprintf(" (%d %s)", n, c)
			}
		}
		if g.first != 0 && g.open {
			text += " · from " + v.clock.Time(g.first)
		} else if g.first != 0 {
			text += " · " + v.clock.Span(g.first, g.last)
		}
		r.row("recognised", "%s", text)
	}
	v.nameless(r)
	if v.found.Passed > 0 {
		r.row("passed over", "%s in which no mail server has written", count(v.found.Passed, "file", "files"))
	}
	for _, l := range v.found.Empty {
		r.row("passed over", "%s, which is empty: just rotated, or nothing writes to it", l.Path)
	}
}

// nameless says under which name the logs are shown that tell none.
func (v *opening) nameless(r *reporter) {
	var names []string
	files, serials := make(map[string]int), make(map[string]bool)
	for i := range v.found.Logs {
		l := &v.found.Logs[i]
		if !l.Nameless || len(l.Dialects) == 0 && !l.Empty {
			continue
		}
		if files[l.Gateway] == 0 {
			names = append(names, l.Gateway)
		}
		files[l.Gateway]++
		serials[l.Gateway] = l.Serial == l.Gateway
	}
	for _, name := range names {
		text := "no host in its lines"
		if n := files[name]; n > 1 {
			text = "no host in the lines of " + count(n, "file", "files")
		}
		whose := ", after this machine"
		if serials[name] {
			whose = ", the appliance's serial number"
		}
		r.row("named", "%s: shown as %s%s; --gateway NAME gives another name", text, name, whose)
	}
}

func kinds(dialects []string) string {
	if len(dialects) == 0 {
		return "nothing of a mail server at the beginning"
	}
	names := make([]string, len(dialects))
	for i, d := range dialects {
		names[i] = dialectName(d)
	}
	return strings.Join(names, " and ")
}

// links says where the pages are, and opens them.
func (v *opening) links(r *reporter, link string) {
	note, opened := "one-time link", false
	if !v.f.noBrowser {
		if b := browser(v.p.env); b != nil && b.open(link) == nil {
			note, opened = "opened in your browser; "+note, true
		}
	}
	r.row("open", "%s  (%s)", link, note)
	if !v.p.quiet && !opened && remote(v.p.env) {
		port := v.s.Server.Port()
		r.row("", "on a server? from your own machine: ssh -L %d:127.0.0.1:%d %s", port, port, quoted(self(v.p.env)))
	}
}

// self is this host as its user reaches it.
func self(env func(string) (string, bool)) string {
	host, err := os.Hostname()
	if err != nil {
		host = "this-host"
	}
	name, _ := env("SUDO_USER")
	if name == "" {
		if u, err := user.Current(); err == nil {
			name = u.Username
		}
	}
	if name == "" {
		return host
	}
	return name + "@" + host
}

// read reads the logs and says what they brought.
func (v *opening) read(ctx context.Context, r *reporter, o app.ReadOptions, logs []app.Log) error {
	begin := v.p.now()
	bar := newProgress(v.p.err, v.p.now)
	o.Each = func(l *app.Log, rep *importer.Report) {
		bar.end()
		r.add(l.Gateway, rep)
		for i := range rep.Files {
			f := &rep.Files[i]
			switch {
			case f.Err != nil && !errors.Is(f.Err, context.Canceled):
				printFailure(v.p.err, explain(f.Err))
			case f.Err == nil && f.Lines > f.Duplicate && parsedLines(&f.Stats) == 0 && !v.p.quiet:
				r.strange(f, v.f.format)
			}
		}
	}
	if !v.p.quiet {
		o.Progress = bar.update
	}
	err := v.s.Read(ctx, o, logs)
	bar.end()
	if err != nil {
		return err
	}
	if v.p.quiet || len(logs) == 0 {
		return nil
	}
	lines := count(int(r.lines), "line", "lines")
	if r.known > 0 {
		lines += ", " + thousands(r.known) + " of them read before"
	}
	messages := count(r.added, "message", "messages")
	if r.known > 0 {
		messages = count(r.added, "new message", "new messages")
	}
	r.row("reading", "%s", strings.Join([]string{lines, messages, render.Length(v.p.now().Sub(begin))}, " · "))
	return r.coverage(ctx, v.s.Importer)
}

// strange shows what nothing was understood of. format is what the lines were
// taken for.
func (r *reporter) strange(f *importer.FileReport, format string) {
	fmt.Fprintln(r.out, r.out.Style.Bold(safetext.Of(f.Path).String()))
	r.row("lines", "%s", lineCounts(f))
	r.samples(&f.Stats)
	switch {
	case noLog(f):
	case format != maillog.Auto:
		r.row("→", "--format %s took every line for %s's; without it they are recognised", format, dialectName(format))
	default:
		r.row("→", "a mail daemon under another name? --format postfix takes every line for Postfix's")
	}
}
