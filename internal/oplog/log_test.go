package oplog

import (
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"waybill/internal/safefs"
	"waybill/internal/safefs/crashfs"
)

// clock is a clock that a test sets.
type clock struct{ at time.Time }

func (c *clock) now() time.Time { return c.at }

func zone(t testing.TB, name string) *time.Location {
	t.Helper()
	loc, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return loc
}

func options(fsys safefs.FS, c *clock) Options {
	return Options{FS: fsys, Dir: "pub/cli_logs", Name: "cli", Version: "1.4.0", Serial: "A4BADB4712A9-511AA1E", Location: time.FixedZone("", 3600), Now: c.now}
}

func content(t testing.TB, fsys safefs.FS, name string) string {
	t.Helper()
	f, err := fsys.Open("pub/cli_logs/" + name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func names(t testing.TB, fsys safefs.FS) []string {
	t.Helper()
	list, err := fsys.ReadDir("pub/cli_logs")
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range list {
		out = append(out, e.Name())
	}
	return out
}

var start = time.Date(2023, 2, 13, 19, 19, 29, 0, time.UTC)

const head = `Mon Feb 13 20:19:29 2023 Info: Begin Logfile
Mon Feb 13 20:19:29 2023 Info: Version: 1.4.0 SN: A4BADB4712A9-511AA1E
Mon Feb 13 20:19:29 2023 Info: Time offset from UTC: 3600 seconds
`

func TestLines(t *testing.T) {
	fsys, c := crashfs.New(), &clock{start}
	l := New(options(fsys, c))
	log := slog.New(l.Handler(slog.LevelDebug - 4))
	c.at = c.at.Add(6 * time.Second)
	log.Info("PID 51541: User smaduser login from 192.0.2.92 on 192.0.2.64")
	log.Warn(`prompt was '\nmail3.example.com> '`)
	log.Error("gone\r\nMon Feb 13 20:19:36 2023 Info: PID 1: User admin login from 203.0.113.1 on 192.0.2.64\x1b[2J\u2028\u202e")
	log.Debug("a", "key", "two words", slog.Group("g", "n", 1))
	log.With("gateway", "mx-a").WithGroup("x").Log(t.Context(), slog.LevelDebug-1, "b", "err", io.EOF)
	log.Info(strings.Repeat("é", maxText))
	got := content(t, fsys, "cli.current")
	want := head + `Mon Feb 13 20:19:35 2023 Info: PID 51541: User smaduser login from 192.0.2.92 on 192.0.2.64
Mon Feb 13 20:19:35 2023 Warning: prompt was '\nmail3.example.com> '
Mon Feb 13 20:19:35 2023 Critical: gone\r\nMon Feb 13 20:19:36 2023 Info: PID 1: User admin login from 203.0.113.1 on 192.0.2.64\x1b[2J\u2028\u202e
Mon Feb 13 20:19:35 2023 Debug: a key="two words" g.n=1
Mon Feb 13 20:19:35 2023 Trace: b gateway=mx-a x.err=EOF
Mon Feb 13 20:19:35 2023 Info: ` + strings.Repeat("é", maxText/2) + "...\n"
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
	if s := l.Status(); s != (Status{Lines: 6}) {
		t.Errorf("status: %+v", s)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	log.Info("too late")
	if s := l.Status(); s.Lost != 1 {
		t.Errorf("status: %+v", s)
	}
	if slog.New(l.Handler(nil)).Enabled(t.Context(), slog.LevelDebug) {
		t.Error("Debug is on without being asked for")
	}
}

// TestRecordTime: without a clock of ours a line has the time of its record.
func TestRecordTime(t *testing.T) {
	fsys := crashfs.New()
	o := options(fsys, nil)
	o.Now = nil
	l := New(o)
	r := slog.NewRecord(start, slog.LevelInfo, "x", 0)
	if err := l.Handler(nil).Handle(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	if got := content(t, fsys, "cli.current"); !strings.HasSuffix(got, "\nMon Feb 13 20:19:29 2023 Info: x\n") {
		t.Error(got)
	}
}

func TestRollover(t *testing.T) {
	fsys, c := crashfs.New(), &clock{start}
	o := options(fsys, c)
	o.Size, o.Keep = 400, 3
	l := New(o)
	log := slog.New(l.Handler(nil))
	for n := range 60 {
		log.Info(fmt.Sprintf("line %02d %s", n, strings.Repeat("x", 40)))
		c.at = c.at.Add(time.Second / 4)
	}
	if err := l.Err(); err != nil {
		t.Fatal(err)
	}
	got := names(t, fsys)
	if len(got) != 4 || got[3] != "cli.current" {
		t.Fatalf("files: %v", got)
	}
	if !regexp.MustCompile(`^cli\.@20230213T2019\d\d\.s$`).MatchString(got[0]) {
		t.Errorf("name: %s", got[0])
	}
	next := -1
	for _, name := range got {
		text := content(t, fsys, name)
		if !strings.Contains(text, "Begin Logfile\n") || len(text) > 400 {
			t.Errorf("%s has %d bytes: %s", name, len(text), text)
		}
		for _, m := range regexp.MustCompile(`line (\d\d) `).FindAllStringSubmatch(text, -1) {
			var n int
			fmt.Sscan(strings.TrimPrefix(m[1], "0"), &n)
			if next >= 0 && n != next {
				t.Errorf("%s: line %d comes behind %d", name, n, next-1)
			}
			next = n + 1
		}
	}
	if next != 60 {
		t.Errorf("the last line is %d", next-1)
	}
}

// TestRestart: a file is gone on with while it would have the same head.
func TestRestart(t *testing.T) {
	fsys, c := crashfs.New(), &clock{start}
	for range 2 {
		l := New(options(fsys, c))
		slog.New(l.Handler(nil)).Info("x")
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		c.at = c.at.Add(time.Minute)
	}
	if got := names(t, fsys); len(got) != 1 {
		t.Fatalf("files: %v", got)
	}
	o := options(fsys, c)
	o.Version = "1.4.1"
	l := New(o)
	if err := l.Roll(); err != nil { // with one that has lines of today
		t.Fatal(err)
	}
	want := []string{"cli.@20230213T201929.s", "cli.@20230213T202129.s", "cli.current"}
	if d := cmp.Diff(want, names(t, fsys)); d != "" {
		t.Errorf("files:\n%s", d)
	}
	if got := content(t, fsys, "cli.@20230213T201929.s"); strings.Count(got, "Info: x\n") != 2 || strings.Count(got, "Begin") != 1 {
		t.Error(got)
	}
	if got := content(t, fsys, "cli.current"); !strings.Contains(got, "Version: 1.4.1 SN") {
		t.Error(got)
	}
}

// TestSummerTime: each file has one offset, and no name comes twice in the hour
// that does.
func TestSummerTime(t *testing.T) {
	fsys, c := crashfs.New(), &clock{time.Date(2026, 10, 25, 0, 10, 0, 0, time.UTC)}
	o := options(fsys, c)
	o.Location = zone(t, "Europe/Paris")
	l := New(o)
	log := slog.New(l.Handler(nil))
	for range 8 {
		log.Info("x")
		c.at = c.at.Add(15 * time.Minute)
		if c.at.Minute() == 10 {
			if err := l.Roll(); err != nil { // at 02:10, twice
				t.Fatal(err)
			}
		}
	}
	offsets := map[string]int{}
	for _, name := range names(t, fsys) {
		text := content(t, fsys, name)
		if strings.Count(text, "Time offset") != 1 {
			t.Errorf("%s: %s", name, text)
		}
		for _, o := range []string{"7200", "3600"} {
			if strings.Contains(text, " "+o+" seconds") {
				offsets[o] += strings.Count(text, "Info: x\n")
			}
		}
	}
	if offsets["7200"] != 4 || offsets["3600"] != 4 {
		t.Errorf("lines by offset: %v", offsets)
	}
	if err := l.Err(); err != nil {
		t.Error(err)
	}
}

// TestFaults lets every call fail once: nobody is told but the status, and what
// is missing is said in the log.
func TestFaults(t *testing.T) {
	for _, fault := range []error{syscall.EIO, syscall.ENOSPC, crashfs.ErrShort} {
		for n := 1; ; n++ {
			fsys, c := crashfs.New(), &clock{start}
			fsys.FailAt(n, fault)
			o := options(fsys, c)
			o.Size, o.Keep = 600, 100
			l := New(o)
			log := slog.New(l.Handler(nil))
			lines := int64(30)
			for i := range int(lines) {
				log.Info(fmt.Sprintf("line <%02d>", i))
				c.at = c.at.Add(300 * time.Millisecond)
			}
			for l.Err() != nil && lines < 32 { // until the next line behind the fault
				lines++
				log.Info("line <last>")
				c.at = c.at.Add(retryAfter)
			}
			s := l.Status()
			if s.Err != nil {
				t.Fatalf("%v at call %d: never recovered: %v", fault, n, s.Err)
			}
			var all strings.Builder
			for _, name := range names(t, fsys) {
				text := content(t, fsys, name)
				if name[0] == '.' {
					t.Errorf("%v at call %d left %s", fault, n, name)
				}
				if !strings.Contains(text, "Begin Logfile\n") || !strings.HasSuffix(text, "\n") {
					t.Errorf("%v at call %d: %s is %q", fault, n, name, text)
				}
				all.WriteString(text)
			}
			if got := int64(strings.Count(all.String(), ">\n")); got < s.Lines || s.Lines+s.Lost != lines {
				t.Errorf("%v at call %d: %d lines there, %+v", fault, n, got, s)
			}
			if said := strings.Contains(all.String(), fmt.Sprintf("Warning: %d lines could not be written here", s.Lost)); said != (s.Lost > 0) {
				t.Errorf("%v at call %d: %d lost, said %v", fault, n, s.Lost, said)
			}
			if fsys.Ops() < n {
				break
			}
		}
	}
}

// TestPowerFailure cuts the power at every call: afterwards every file has its
// head, a rolled one all its lines, and the log goes on.
func TestPowerFailure(t *testing.T) {
	line := regexp.MustCompile(`^Mon Feb 13 20:\d\d:\d\d 2023 (Info|Warning): .`)
	for stop := 1; ; stop++ {
		fsys, c := crashfs.New(), &clock{start}
		fsys.StopAt(stop)
		write := func(fsys safefs.FS, from int) {
			o := options(fsys, c)
			o.Size, o.Keep = 1500, 100
			l := New(o)
			log := slog.New(l.Handler(nil))
			for i := range 40 {
				log.Info(fmt.Sprintf("line <%03d> %s", from+i, strings.Repeat("y", 50)))
				c.at = c.at.Add(time.Second)
			}
		}
		write(fsys, 0)
		disks := []*crashfs.FS{fsys.CrashClean(false), fsys.CrashClean(true)}
		for seed := range uint64(10) {
			disks = append(disks, fsys.Crash(rand.New(rand.NewPCG(seed, uint64(stop)))))
		}
		for _, disk := range disks {
			if _, err := disk.Stat("pub/cli_logs"); err != nil {
				continue
			}
			rolled := names(t, disk)
			write(disk, 100)
			var all strings.Builder
			for _, name := range names(t, disk) {
				text := content(t, disk, name)
				all.WriteString(text)
				if !strings.HasPrefix(text, "Mon Feb 13 20:") || !strings.Contains(text[:min(len(text), 60)], "Begin Logfile\n") || !strings.HasSuffix(text, "\n") {
					t.Fatalf("stop %d: %s is %q", stop, name, text)
				}
				if !slices.Contains(rolled, name) || name == "cli.current" {
					continue
				}
				for _, s := range strings.Split(strings.TrimSuffix(text, "\n"), "\n") {
					if !line.MatchString(s) {
						t.Fatalf("stop %d: %s has %q", stop, name, s)
					}
				}
			}
			for i := range 40 {
				if !strings.Contains(all.String(), fmt.Sprintf("line <%03d> ", 100+i)) {
					t.Fatalf("stop %d: line %d of the second run is missing", stop, 100+i)
				}
			}
		}
		if fsys.Ops() < stop {
			return
		}
	}
}

func FuzzLine(f *testing.F) {
	f.Add("PID 1: User a", "v", "1.0", "sn")
	f.Add("a\nMon Feb 13 20:19:36 2023 Info: x", "\x1b]0;t\a", "1\n", "\r")
	f.Fuzz(func(t *testing.T, text, value, version, serial string) {
		fsys, c := crashfs.New(), &clock{start}
		o := options(fsys, c)
		o.Version, o.Serial = version, serial
		l := New(o)
		slog.New(l.Handler(nil)).With(value, text).Info(text, "k", value)
		if s := l.Status(); s != (Status{Lines: 1}) {
			t.Fatalf("%+v", s)
		}
		got := content(t, fsys, "cli.current")
		if strings.Count(got, "\n") != 4 || strings.ContainsAny(got, "\r\x1b\x00\v\f") {
			t.Errorf("%q", got)
		}
		if New(o); len(names(t, fsys)) != 1 {
			t.Errorf("a head is not known again: %q", got)
		}
	})
}
