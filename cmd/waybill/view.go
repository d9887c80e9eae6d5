package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"waybill/cmd/waybill/internal/render"
	"waybill/cmd/waybill/internal/term"
	"waybill/internal/search"
)

// viewFlags say how an answer is shown.
type viewFlags struct {
	output string
	fields []string
	zone   string
	time   string
}

var timeFormats = []string{"local", "rfc3339", "relative"}

func (f *viewFlags) add(fl *pflag.FlagSet, outputs string) {
	fl.StringVarP(&f.output, "output", "o", f.output, "`format`: "+outputs)
	fl.StringSliceVar(&f.fields, "fields", nil, "show these `fields` only, in this order")
	f.addZone(fl)
	fl.StringVar(&f.time, "time", "local", "`form` of times: local, rfc3339 or relative")
}

func (f *viewFlags) addZone(fl *pflag.FlagSet) {
	fl.StringVar(&f.zone, "tz", "", "time `zone`, such as Europe/Amsterdam or UTC; default: this host's")
}

// view is the same, checked.
type view struct {
	output string
	fields []string
	clock  render.Clock
}

func (f viewFlags) resolve(p *program, outputs []string) (*view, error) {
	if !slices.Contains(outputs, f.output) {
		return nil, usage("", "-o %s: there are %s", f.output, strings.Join(outputs, ", "))
	}
	if !slices.Contains(timeFormats, f.time) {
		return nil, usage("", "--time %s: there are %s", f.time, strings.Join(timeFormats, ", "))
	}
	zone := time.Local
	if f.zone != "" {
		loc, err := time.LoadLocation(f.zone)
		if err != nil {
			return nil, usage("waybill search --tz Europe/Amsterdam", "--tz %s: no such time zone", f.zone)
		}
		zone = loc
	}
	v := &view{output: f.output, fields: f.fields, clock: render.Clock{Zone: zone, Format: render.TimeFormat(f.time), Now: p.now()}}
	if err := render.CheckFields(f.output, f.fields); err != nil {
		return nil, usage("", "--fields: %v", err)
	}
	return v, nil
}

// answerFirst reports whether the answer stands before the messages.
func (v *view) answerFirst() bool {
	return v.output == "table" || v.output == "wide" || v.output == "csv"
}

// writer begins the output. The answer is nil when it is not known yet.
func (v *view) writer(out, chatter *term.Stream, a *search.Answer) (render.Writer, error) {
	switch v.output {
	case "json":
		return render.NewJSON(out, v.fields)
	case "ndjson":
		return render.NewNDJSON(out, v.fields)
	case "yaml":
		return render.NewYAML(out, v.fields)
	case "csv":
		return render.NewCSV(out, v.fields, v.clock, v.csvComment(a))
	}
	if a != nil {
		v.head(out, a)
	}
	return render.NewList(out, v.fields, v.output == "wide", v.clock)
}

// head writes what stands before the messages: the answer in a line, and what
// an empty one can tell beside it.
func (v *view) head(out *term.Stream, a *search.Answer) {
	mark := ""
	if a.Doubtful() {
		mark = "▲ "
	}
	for i, line := range render.Wrap(mark+a.Line(), out.Width, "  ") {
		if rest, ok := strings.CutPrefix(line, mark); ok && i == 0 && mark != "" {
			fmt.Fprintln(out, out.Style.Warn(mark)+out.Style.Bold(rest))
			continue
		}
		fmt.Fprintln(out, out.Style.Bold(line))
	}
	for _, l := range a.Lines() {
		fmt.Fprintln(out, strings.Join(render.Wrap("· "+l, max(0, out.Width-2), "  "), "\n"))
	}
	if a.Found > 0 {
		fmt.Fprintln(out)
	}
}

// finish writes what stands behind the messages for people: the answer where
// it came too late for the head, and how to go on.
func (v *view) finish(out *term.Stream, p *program, a *search.Answer, early bool) error {
	switch v.output {
	case "csv":
		if early {
			return nil
		}
		for _, l := range coverageLines(a) {
			if _, err := fmt.Fprintf(out, "# %s\n", l); err != nil {
				return err
			}
		}
	case "table", "wide":
		if !early {
			fmt.Fprintln(out)
			v.head(out, a)
		}
		if a.Next != "" && !p.quiet {
			p.hints = append(p.hints, "older messages: the same search with --cursor "+a.Next)
		}
	}
	return nil
}

// csvComment is what a CSV file says before its heading.
func (v *view) csvComment(a *search.Answer) []string {
	if a == nil {
		return []string{"more than can be counted beforehand: the coverage stands at the end"}
	}
	return coverageLines(a)
}

func coverageLines(a *search.Answer) []string {
	raw, err := render.Compact(a.Coverage)
	lines := append([]string{a.Line()}, a.Lines()...)
	if err == nil {
		lines = append(lines, "coverage: "+raw)
	}
	return lines
}
