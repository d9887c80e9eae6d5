package doctor

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// Small logs of one gateway, written by hand: each is a mistake that was made
// once.

const (
	smallGateway = "192.0.2.64"
	smallMain    = "198.51.100.94"
	smallOther   = "203.0.113.92"
)

// smallLog is a log whose windows are three minutes of 13 February 2023.
type smallLog struct {
	strings.Builder
	ending string // of names of tracking files
	pid    int
	zone   time.Duration // east of UTC
}

// smallWindow is the n-th window's name, from midnight.
func (l *smallLog) smallWindow(n int) string {
	from := time.Date(2023, 2, 13, 0, 3*n, 0, 0, time.UTC)
	return fmt.Sprintf("tracking.@%s_%s%s", from.Format("20060102T150405Z"), from.Add(3*time.Minute).Format("20060102T150405Z"), l.ending)
}

// stamp is that of a second behind the end of the n-th window.
func (l *smallLog) stamp(n, after int) string {
	return time.Date(2023, 2, 13, 0, 3*(n+1), after, 0, time.UTC).Add(l.zone).Format("Mon Jan _2 15:04:05 2006")
}

// moved is the line of trackerd_logs for the n-th window.
func (l *smallLog) moved(n, after int) {
	fmt.Fprintf(l, "%s Info: Tracking parser moved /data/log/tracking/%s/%s to /data/tracking/incoming_queue/0/%[2]s/%[3]s.\n", l.stamp(n, after), smallGateway, l.smallWindow(n))
}

// pulled is the line of smad_logs for the n-th window.
func (l *smallLog) pulled(n, after int) {
	fmt.Fprintf(l, "%s Info: TRANSFER: Plugin TRACKINGPLUGIN downloading from %s - /export/tracking/%s\n", l.stamp(n, after), smallGateway, l.smallWindow(n))
}

// session is one of cli_logs; NAME in its command stands for the n-th window.
func (l *smallLog) session(n, after int, user, from, command string) {
	l.pid++
	head := fmt.Sprintf("%s Info: PID %d: User %s ", l.stamp(n, after), 500+l.pid, user)
	command = strings.ReplaceAll(command, "NAME", "/export/tracking/"+l.smallWindow(n))
	fmt.Fprintf(l, "%slogin from %s on %s\n%[1]sexecuted batch command: '%[4]s'\n%[1]slogged out of Command Line Interface using SSH connection.\n", head, from, smallGateway, command)
}

// takes are the sessions of a manager that lists, copies and removes.
func (l *smallLog) takes(n, after int, from string) {
	l.session(n, after, "smaduser", from, "ls -AF /export/tracking/")
	l.session(n, after+2, "smaduser", from, "scp -f NAME")
	l.session(n, after+4, "smaduser", from, "rm NAME")
}

// examineTexts writes files and examines them.
func examineTexts(t *testing.T, o Options, files map[string]string) *Report {
	t.Helper()
	dir := t.TempDir()
	var paths []string
	for name, text := range files {
		p := filepath.Join(dir, name)
		if err := os.WriteFile(p, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		paths = append(paths, p)
	}
	return examine(t, o, paths...)
}

// only is the one finding of a report.
func only(t *testing.T, r *Report) Finding {
	t.Helper()
	if len(r.Findings) != 1 {
		t.Fatalf("%d findings: %+v, uncovered %+v", len(r.Findings), r.Findings, r.Uncovered)
	}
	return r.Findings[0]
}

func TestSmallLogs(t *testing.T) {
	usual := func(cli, trackerd *smallLog, but int) {
		for n := range 8 {
			if n == but {
				continue
			}
			cli.takes(n, 10, smallMain)
			trackerd.moved(n, 30)
		}
	}
	tests := []struct {
		name   string
		ending string
		write  func(cli, trackerd, smad, other *smallLog)
		cause  Cause
		by     string
	}{
		{"removed by hand", ".s.gz", func(cli, trackerd, _, _ *smallLog) {
			usual(cli, trackerd, 3)
			cli.session(3, 5, "admin", "192.0.2.250", "rm NAME")
		}, UnknownCause, "192.0.2.250"},
		{"one second, the order of lines decides", ".s.gz", func(cli, trackerd, _, _ *smallLog) {
			usual(cli, trackerd, 3)
			cli.takes(3, 5, smallOther)
			cli.session(3, 9, "smaduser", smallMain, "scp -f NAME")
			cli.session(3, 11, "smaduser", smallMain, "rm NAME")
		}, TakenByOther, smallOther},
		{"the manager's word has another clock", ".s.gz", func(cli, trackerd, smad, _ *smallLog) {
			usual(cli, trackerd, 3)
			cli.takes(3, 5, smallOther)
			smad.pulled(3, 6)
			cli.session(3, 11, "smaduser", smallMain, "scp -f NAME")
		}, TakenByOther, smallOther},
		{"a torn copy of a login", ".s.gz", func(cli, trackerd, _, _ *smallLog) {
			usual(cli, trackerd, 3)
			cli.session(3, 5, "smaduser", smallOther, "ls -AF /export/tracking/")
			for _, command := range []string{"scp -f", "rm"} {
				head := fmt.Sprintf("%s Info: PID 9%d: User smaduser ", cli.stamp(3, 6), len(command))
				login := head + "login from " + smallOther + " on " + smallGateway
				fmt.Fprintf(cli, "%s\n%s\n%sexecuted batch command: '%s /export/tracking/%s'\n", login, login[:len(login)-2], head, command, cli.smallWindow(3))
			}
		}, TakenByOther, smallOther},
		{"names without compression", ".s", func(cli, trackerd, _, _ *smallLog) {
			usual(cli, trackerd, 3)
			cli.takes(3, 5, smallOther)
		}, TakenByOther, smallOther},
		{"a copy that began, without cli_logs", ".s.gz", func(_, trackerd, smad, other *smallLog) {
			for n := range 20 {
				smad.pulled(n, 5)
				if n%3 != 0 || n == 0 {
					trackerd.moved(n, 30)
				} else {
					other.moved(n, 20)
				}
			}
		}, TakenByOther, ""},
		{"a removal by somebody", ".s.gz", func(cli, trackerd, _, _ *smallLog) {
			usual(cli, trackerd, 3)
			fmt.Fprintf(cli, "%s Info: PID 9: User smaduser executed batch command: 'rm /export/tracking/%s'\n", cli.stamp(3, 5), cli.smallWindow(3))
			cli.session(3, 11, "smaduser", smallMain, "scp -f NAME")
		}, UnknownCause, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var cli, trackerd, smad, other smallLog
			for _, l := range []*smallLog{&cli, &trackerd, &smad, &other} {
				l.ending = tt.ending
			}
			tt.write(&cli, &trackerd, &smad, &other)
			files := make(map[string]string)
			for name, l := range map[string]*smallLog{"cli.current": &cli, "trackerd.current": &trackerd, "smad.current": &smad, "other.current": &other} {
				if l.Len() > 0 {
					files[name] = l.String()
				}
			}
			r := examineTexts(t, Options{}, files)
			at := slices.IndexFunc(r.Findings, func(f Finding) bool { return f.Window == cli.smallWindow(3) })
			if at < 0 {
				t.Fatalf("not found: %+v", r.Findings)
			}
			f := r.Findings[at]
			if f.Cause != tt.cause || f.By != tt.by {
				t.Errorf("%s, %s by %q: %s", f.Window, f.Cause, f.By, f.Verdict)
			}
		})
	}
}

// TestLastLineWithoutEnd: what was copied out of a terminal has none.
func TestLastLineWithoutEnd(t *testing.T) {
	l := smallLog{ending: ".s.gz"}
	for n := range 4 {
		if n != 2 {
			l.moved(n, 30)
		}
	}
	f := only(t, examineTexts(t, Options{}, map[string]string{"trackerd.current": strings.TrimSuffix(l.String(), "\n")}))
	if f.Window != l.smallWindow(2) {
		t.Error(f.Window)
	}
}

// TestListingOfAnother: the names of a listing are those of the gateway that
// other lines know them of.
func TestListingOfAnother(t *testing.T) {
	l := smallLog{ending: ".s.gz"}
	var listing strings.Builder
	for n := range 8 {
		if n != 3 {
			l.moved(n, 30)
		}
	}
	for n := range 8 { // another gateway's windows begin 25 s earlier
		from := time.Date(2023, 2, 13, 0, 3*n, -25, 0, time.UTC)
		name := fmt.Sprintf("tracking.@%s_%s.s.gz", from.Format("20060102T150405Z"), from.Add(3*time.Minute).Format("20060102T150405Z"))
		fmt.Fprintf(&l, "%s Info: Tracking parser moved /data/log/tracking/192.0.2.65/%s to /data/tracking/incoming_queue/0/192.0.2.65/%[2]s.\n", l.stamp(n, 40), name)
		listing.WriteString(name + "\n")
	}
	f := only(t, examineTexts(t, Options{}, map[string]string{"trackerd.current": l.String(), "listing.txt": listing.String()}))
	if f.Window != l.smallWindow(3) || f.Gateway != smallGateway {
		t.Error(f.Gateway, f.Window)
	}
}

// TestSilenceBetweenFiles: a gateway was down only where one file of its log goes
// on behind the silence; between two files a third may be missing.
func TestSilenceBetweenFiles(t *testing.T) {
	for _, tt := range []struct {
		name  string
		split bool
		want  Cause
	}{{"one file", false, NeverProduced}, {"two files", true, UnknownCause}} {
		t.Run(tt.name, func(t *testing.T) {
			trackerd, before, behind := smallLog{ending: ".s.gz"}, smallLog{ending: ".s.gz"}, smallLog{ending: ".s.gz"}
			for n := range 24 {
				if n >= 10 && n < 14 {
					continue
				}
				cli := &before
				if n >= 14 {
					cli = &behind
				}
				if n == 14 { // it is up again
					cli.session(13, 5, "smaduser", smallMain, "ls -AF /export/tracking/")
				}
				cli.takes(n, 10, smallMain)
				trackerd.moved(n, 30)
			}
			files := map[string]string{"trackerd.current": trackerd.String(), "cli.current": before.String() + behind.String()}
			if tt.split {
				files["cli.@20230213T000300.s"], files["cli.current"] = before.String(), behind.String()
			}
			r := examineTexts(t, Options{}, files)
			if len(r.Findings) != 4 {
				t.Fatalf("%d findings", len(r.Findings))
			}
			for _, f := range r.Findings {
				if f.Cause != tt.want {
					t.Errorf("%s: %s: %s", f.Window, f.Cause, f.Verdict)
				}
			}
		})
	}
}

// TestTwoManagersWithoutCLI: whose a rolled log is, its set tells.
func TestTwoManagersWithoutCLI(t *testing.T) {
	l := func() *smallLog { return &smallLog{ending: ".s.gz"} }
	first, second, other := l(), l(), l()
	for n := range 40 {
		switch {
		case n%4 == 3:
			other.moved(n, 20)
		case n < 10:
			first.moved(n, 30)
		default:
			second.moved(n, 30)
		}
	}
	r := examineTexts(t, Options{}, map[string]string{"a.@20230213T000300.s": first.String(), "a.current": second.String(), "b.current": other.String()})
	if len(r.Findings) != 9 || len(r.Managers) != 2 { // the last is behind all
		t.Fatalf("%d findings, managers %+v", len(r.Findings), r.Managers)
	}
	for _, f := range r.Findings {
		if f.Cause != TakenByOther {
			t.Errorf("%s: %s", f.Window, f.Cause)
		}
	}
}

// TestHourThatOccursTwice: with few lines local time goes back by less than an
// hour.
func TestHourThatOccursTwice(t *testing.T) {
	zone, err := time.LoadLocation("Europe/Amsterdam")
	if err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	begin := time.Date(2023, 10, 28, 22, 30, 0, 0, time.UTC) // clocks go back at 01:00Z
	for n := range 24 {
		from := begin.Add(time.Duration(n) * 12 * time.Minute)
		name := fmt.Sprintf("tracking.@%s_%s.s.gz", from.Format("20060102T150405Z"), from.Add(12*time.Minute).Format("20060102T150405Z"))
		if n%2 == 0 {
			fmt.Fprintf(&log, "%s Info: Tracking parser moved /data/log/tracking/%s/%s to /data/tracking/incoming_queue/0/%[2]s/%[3]s.\n",
				from.Add(13*time.Minute).In(zone).Format("Mon Jan _2 15:04:05 2006"), smallGateway, name)
		}
	}
	r := examineTexts(t, Options{}, map[string]string{"trackerd.current": log.String()})
	if len(r.Findings) != 11 || len(r.Zones) != 2 || r.Zones[0].Offset != "+02:00" || r.Zones[1].Offset != "+01:00" {
		t.Errorf("%d findings, zones %+v", len(r.Findings), r.Zones)
	}
}

// TestGatewayInAnotherZone: its log is rolled into pieces too short to be sure of
// on their own, and its zone is not the manager's.
func TestGatewayInAnotherZone(t *testing.T) {
	trackerd := smallLog{ending: ".s.gz"}
	files := make(map[string]string)
	for n := range 16 {
		cli := smallLog{ending: ".s.gz", zone: 9 * time.Hour, pid: 3 * n}
		if n == 6 {
			cli.takes(n, 10, smallOther)
		} else {
			cli.takes(n, 10, smallMain)
			trackerd.moved(n, 30)
		}
		files[fmt.Sprintf("cli.@20230213T0%d%02d00.s", 9+3*(n+1)/60, 3*(n+1)%60)] = cli.String()
	}
	files["trackerd.current"] = trackerd.String()
	r := examineTexts(t, Options{}, files)
	f := only(t, r)
	if f.Cause != TakenByOther || f.By != smallOther || f.Confidence != High {
		t.Errorf("%s by %s, %s: %s", f.Cause, f.By, f.Confidence, f.Verdict)
	}
	for _, z := range r.Zones {
		if cli := strings.Contains(z.File, "cli."); cli != (z.Offset == "+09:00") {
			t.Errorf("%+v", z)
		}
	}
}

// TestWaitedThroughSilence: a file that a gateway still had when it went down is
// fetched when it is up again. Where the manager's log of that time is not here,
// nobody knows whether it was.
func TestWaitedThroughSilence(t *testing.T) {
	for _, tt := range []struct {
		name string
		lost bool
		want int
	}{{"the log goes on", false, 10}, {"a piece of the log is lost", true, 0}} {
		t.Run(tt.name, func(t *testing.T) {
			l := smallLog{ending: ".s.gz"}
			for n := range 80 {
				if tt.lost && n >= 20 && n < 60 {
					continue
				}
				if n < 10 || n >= 20 {
					l.moved(n, 30)
				}
				other := smallLog{ending: ".s.gz"}
				other.moved(n, 40)
				l.WriteString(strings.ReplaceAll(other.String(), smallGateway, "192.0.2.65"))
			}
			r := examineTexts(t, Options{}, map[string]string{"trackerd.current": l.String()})
			if len(r.Findings) != tt.want {
				t.Errorf("%d findings, want %d: uncovered %+v", len(r.Findings), tt.want, r.Uncovered)
			}
		})
	}
}
