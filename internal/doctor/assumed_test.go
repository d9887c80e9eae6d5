package doctor

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// contested is a gateway's log of 40 windows. The main manager looks at each;
// from the sixth on another one takes two of three first, and so takes more.
func contested() *smallLog {
	l := &smallLog{ending: ".s.gz", zone: time.Hour}
	for n := range 40 {
		if n >= 6 && n%3 != 0 {
			l.session(n, -2, "smaduser", smallMain, "ls -AF /export/tracking/")
			l.takes(n, 5, smallOther)
			continue
		}
		l.takes(n, 1, smallMain)
	}
	return l
}

// TestGatewayLogsAlone: what others took between windows that the main manager
// copied is missing, whether somebody says which is the main one or it has to be
// assumed; then less is sure.
func TestGatewayLogsAlone(t *testing.T) {
	for _, tt := range []struct {
		name, main string
		confidence Confidence
	}{{"given", smallMain, High}, {"assumed", "", Medium}} {
		t.Run(tt.name, func(t *testing.T) {
			r := examineTexts(t, Options{Main: tt.main}, map[string]string{"cli.current": contested().String()})
			if len(r.Findings) != 22 || len(r.Uncovered) != 0 {
				t.Fatalf("%d findings, uncovered %+v, managers %+v", len(r.Findings), r.Uncovered, r.Managers)
			}
			for _, f := range r.Findings {
				if f.Cause != TakenByOther || f.By != smallOther || f.Confidence != tt.confidence {
					t.Errorf("%s: %s by %s, %s", f.Window, f.Cause, f.By, f.Confidence)
				}
			}
			if r.Zone == nil || *r.Zone != (Zone{"+01:00", "inferred"}) {
				t.Errorf("zone %+v", r.Zone)
			}
			assumed, group := tt.main == "", r.Groups()[0]
			if m := r.Managers[0]; m.Address != smallMain || m.Assumed != assumed || (r.Assumption() != "") != assumed {
				t.Errorf("%+v, %q", m, r.Assumption())
			}
			for text, want := range map[string]string{r.Answer(): ", if " + smallMain + " is the main manager", group.Remedy(): "`waybill doctor --main ADDRESS`", group.Findings[0].Remedy: "`waybill doctor --main ADDRESS`",
				group.Findings[0].Disproof: "or that " + smallOther + " is the main manager and not " + smallMain} {
				if strings.Contains(text, want) != assumed {
					t.Errorf("%q in %q", want, text)
				}
			}
		})
	}
}

// TestCopiedTooLate: a copy that the main manager begins when the file is gone is
// none, and what goes while it does not come is missing all the same.
func TestCopiedTooLate(t *testing.T) {
	l := smallLog{ending: ".s.gz"}
	late := map[string]bool{}
	for n := range 40 {
		switch {
		case n == 5: // it saw the file and was slower
			l.session(n, 4, "smaduser", smallMain, "ls -AF /export/tracking/")
			l.takes(n, 5, smallOther)
			l.session(n, 10, "smaduser", smallMain, "scp -f NAME")
		case n >= 12 && n < 30: // it is away, for longer than ten windows
			l.takes(n, 5, smallOther)
		default:
			l.takes(n, 5, smallMain)
			continue
		}
		late[l.smallWindow(n)] = true
	}
	r := examineTexts(t, Options{Main: smallMain}, map[string]string{"cli.current": l.String()})
	for _, f := range r.Findings {
		if !late[f.Window] || f.Cause != TakenByOther || f.By != smallOther {
			t.Errorf("%s: %s by %s", f.Window, f.Cause, f.By)
		}
	}
	if len(r.Findings) != len(late) || len(r.Uncovered) != 0 {
		t.Errorf("%d findings of %d, uncovered %+v", len(r.Findings), len(late), r.Uncovered)
	}
}

// TestNobodyToAssume: one manager, and who only keeps copies, leave no doubt; one
// who is late each time looks like one who never takes anything.
func TestNobodyToAssume(t *testing.T) {
	for _, tt := range []struct {
		name    string
		other   string
		assumed bool
	}{{"alone", "", false}, {"keeps copies", "scp -f NAME", false}, {"removes by hand", "rm NAME", false}, {"only looks", "ls -AF /export/tracking/", true}} {
		t.Run(tt.name, func(t *testing.T) {
			l := smallLog{ending: ".s.gz"}
			for n := range 10 {
				if tt.other != "" {
					l.session(n, 20, "smaduser", smallOther, tt.other)
				}
				l.takes(n, 5, smallMain)
			}
			r := examineTexts(t, Options{}, map[string]string{"cli.current": l.String()})
			if m := r.Managers[0]; m.Address != smallMain || m.Assumed != tt.assumed || r.Blind() != tt.assumed {
				t.Errorf("%+v, %s", m, r.Answer())
			}
		})
	}
}

// TestIncidentsOfGatewaysAlone: from the gateways' logs and the address of the
// main manager alone, each window that somebody else took between two that it
// copied is found, and none that it had itself.
func TestIncidentsOfGatewaysAlone(t *testing.T) {
	for seed := uint64(1); seed <= 150; seed++ {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			in := newIncident(t, seed)
			main := in.managers[0]
			var files []string
			for _, f := range in.files {
				if strings.Contains(f, "gateway") {
					files = append(files, f)
				}
			}
			r := examine(t, Options{Main: main.addr}, files...)
			taken := make(map[string]string)
			for _, f := range r.Findings {
				if f.Cause == TakenByOther {
					taken[f.Gateway+" "+f.Window] = f.By
				}
			}
			for _, g := range in.gateways {
				first, last := -1, -1
				for i, w := range g.windows {
					if at, ok := main.took[w]; ok && g.log.has(at) && w.goneBy == main {
						if last = i; first < 0 {
							first = i
						}
					}
				}
				for i, w := range g.windows {
					name := g.addr + " " + w.name(true)
					at, copied := main.took[w]
					switch by := taken[name]; {
					case copied && at < w.gone && by != "" && g.log.has(at):
						t.Errorf("%s was copied by the main manager, says it was taken by %s", name, by)
					case i > first && i < last && !copied && w.gone != 0 && g.log.has(w.gone) && by != goneBy(w):
						t.Errorf("%s was taken by %s, says by %q", name, goneBy(w), by)
					}
				}
			}
			if t.Failed() {
				in.describe(t, r)
			}
		})
	}
}
