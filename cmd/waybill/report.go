package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"waybill/cmd/waybill/internal/render"
	"waybill/cmd/waybill/internal/term"
	"waybill/internal/app"
	"waybill/internal/importer"
	"waybill/internal/maillog"
	"waybill/internal/safetext"
	"waybill/internal/source"
)

// reporter says what an import did, file by file and in sum.
type reporter struct {
	out            *term.Stream
	quiet, verbose bool
	clock          render.Clock

	files, lines, known int64
	added, updated      int
	failed              bool
	read, empty         int    // files that could be read, and files with nothing in them
	noLog               string // a file without one line of a log
	gateways            []string
}

func (r *reporter) add(gateway string, rep *importer.Report) {
	for i := range rep.Files {
		f := &rep.Files[i]
		r.files++
		r.lines += f.Lines
		r.known += f.Duplicate
		switch {
		case f.Err == nil && noLog(f):
			r.noLog = f.Path
		case f.Err == nil:
			r.read++
		case errors.Is(f.Err, source.ErrEmpty):
			r.empty++
		default:
			r.failed = true
		}
		if !r.quiet && (f.Err == nil || f.Lines > 0) {
			r.file(gateway, f)
		}
	}
	r.added += rep.New
	r.updated += rep.Updated
	r.gateways = append(r.gateways, gateway)
}

// problems reports whether something was not taken that should have been. An
// empty log among others is what rotation leaves behind, and a file that is no
// log is what a pattern catches; alone they are a mistake.
func (r *reporter) problems() bool {
	return r.failed || r.read == 0 && (r.empty > 0 || r.noLog != "")
}

// mistaken is the failure to tell when nothing that was given is a log.
func (r *reporter) mistaken(command string) *failure {
	if r.read > 0 || r.noLog == "" {
		return nil
	}
	return &failure{what: "no line of " + r.noLog + " is of a log", why: "none begins with the time and the host that syslog, rsyslog or journald write",
		fix: command + " /var/log/mail.log"}
}

// noLog tells whether no line of a file has a header of any known form.
func noLog(f *importer.FileReport) bool {
	return f.Duplicate == 0 && f.Stats.Headerless > 0 && f.Stats.Headerless+f.Stats.Blank == f.Lines
}

// row prints one labelled line of a file's report.
func (r *reporter) row(label, format string, args ...any) {
	text := safetext.Of(fmt.Sprintf(format, args...)).String()
	fmt.Fprintf(r.out, "  %s %s\n", r.out.Style.Faint(fmt.Sprintf("%-11s", label)), text)
}

func (r *reporter) file(gateway string, f *importer.FileReport) {
	fmt.Fprintln(r.out, r.out.Style.Bold(safetext.Of(f.Path).String()))
	parts := []string{recognised(&f.Stats) + " on " + gateway}
	if f.Compression != "" {
		parts = append(parts, f.Compression)
	}
	if span := fileSpan(r.clock, f.First, f.Last); span != "" {
		parts = append(parts, span)
	}
	if len(f.Stats.Dialects) > 0 || f.Duplicate == 0 {
		r.row("recognised", "%s", strings.Join(parts, " · "))
	}
	r.row("lines", "%s", lineCounts(f))
	if f.Duplicate > 0 {
		why := "an earlier import took them"
		if f.Known != "" {
			why += " from " + f.Known
		}
		r.row("passed over", "%s of them: %s", thousands(f.Duplicate), why)
	}
	if f.Waiting > 0 {
		r.row("waiting", "%s of an unfinished last line; the next import takes it", count(int(f.Waiting), "byte", "bytes"))
	}
	if f.Stats.Cut > 0 {
		r.row("cut", "%s longer than 64 KiB, of which the rest was not read", count(int(f.Stats.Cut), "line", "lines"))
	}
	strange := f.Lines > f.Duplicate && parsedLines(&f.Stats) == 0
	if r.verbose || strange {
		r.samples(&f.Stats)
	}
	if strange {
		r.row("→", "a mail daemon under another name? waybill import --again --format postfix %s", quoted(f.Path))
	}
	if f.Void {
		r.row("→", "nothing of them was understood then; to read them anew: waybill import --again %s", quoted(f.Path))
	}
}

func parsedLines(s *maillog.Stats) (n int64) {
	for _, d := range s.Dialects {
		n += d.Parsed
	}
	return n
}

// recognised names the dialects that knew lines.
func recognised(s *maillog.Stats) string {
	var names []string
	for _, d := range s.Dialects {
		if d.Parsed > 0 {
			names = append(names, dialectName(d.Name))
		}
	}
	if len(names) == 0 {
		return "no mail log"
	}
	return strings.Join(names, " and ")
}

func dialectName(name string) string {
	switch name {
	case "":
		return ""
	case "esa":
		return "Cisco ESA"
	case "opensmtpd":
		return "OpenSMTPD"
	}
	return strings.ToUpper(name[:1]) + name[1:]
}

func lineCounts(f *importer.FileReport) string {
	s := &f.Stats
	var parsed, ignored, unknown int64
	for _, d := range s.Dialects {
		parsed, ignored, unknown = parsed+d.Parsed, ignored+d.Ignored, unknown+d.Unknown
	}
	parts := []string{thousands(parsed) + " parsed"}
	for _, p := range []struct {
		n    int64
		what string
	}{{ignored, "passed over on purpose"}, {unknown, "unknown"}, {s.Foreign, "of other programs"}, {s.Headerless, "without a header"}, {s.Blank, "blank"}} {
		if p.n > 0 {
			parts = append(parts, thousands(p.n)+" "+p.what)
		}
	}
	return thousands(f.Lines) + ": " + strings.Join(parts, ", ")
}

func (r *reporter) samples(s *maillog.Stats) {
	for _, d := range s.Dialects {
		for _, l := range d.Samples {
			r.sample("unknown", l)
		}
	}
	for _, l := range s.HeaderlessSamples {
		r.sample("no header", l)
	}
	if len(s.Programs) > 0 {
		r.row("programs", "%s", strings.Join(s.Programs, ", "))
	}
}

// sample prints a line that was not understood: enough of it to tell what it
// is, and no screens of something that is no text.
func (r *reporter) sample(label, line string) {
	const columns = 500
	fmt.Fprintf(r.out, "  %s %s\n", r.out.Style.Faint(fmt.Sprintf("%-11s", label)), safetext.Of(line).Short(columns))
}

// coverage says what the store now covers of the gateways of this import.
func (r *reporter) coverage(ctx context.Context, im *app.Importer) error {
	seen := make(map[string]bool)
	for _, g := range r.gateways {
		if seen[g] {
			continue
		}
		seen[g] = true
		runs, err := im.Covered(ctx, g)
		if err != nil {
			return err
		}
		if len(runs) == 0 {
			continue
		}
		text := g + ": " + r.clock.Span(runs[0].From, runs[len(runs)-1].To) + ", as its logs claim"
		if n := len(runs) - 1; n > 0 {
			text += ", with " + count(n, "hole", "holes")
		}
		r.row("coverage", "%s", text)
		for i := 1; i < len(runs) && i <= 5; i++ {
			r.row("", "hole: %s (%s)", r.clock.Span(runs[i-1].To, runs[i].From), render.Length(runs[i].From.Sub(runs[i-1].To)))
		}
	}
	return nil
}

func (r *reporter) total(took time.Duration, next string) {
	if r.quiet || r.lines == 0 && r.problems() {
		return
	}
	line := fmt.Sprintf("%s, %s: %s new, %s updated, in %s",
		count(int(r.files), "file", "files"), count(int(r.lines), "line", "lines"), count(r.added, "message", "messages"), thousands(int64(r.updated)), render.Length(took))
	fmt.Fprintln(r.out, r.out.Style.Bold(line))
	if r.added+r.updated > 0 {
		fmt.Fprintf(r.out, "%s %s\n", r.out.Style.Faint("search them:"), next)
	}
}
