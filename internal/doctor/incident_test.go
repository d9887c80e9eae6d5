package doctor

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// incident simulates a site: gateways that write a file each window, managers
// that collect them and take them from each other, and the logs that all of
// them write.
type incident struct {
	rnd      *rand.Rand
	smad     *simLog // of the main manager; without lines where that is not kept
	start    int64   // UTC
	end      int64
	zone     *time.Location
	managers []*simManager
	gateways []*simGateway
	files    []string
	dir      string

	misjudged int // zones that were told wrong
}

type simManager struct {
	addr  string
	every int64 // seconds between two looks
	skew  int64 // of its clock
	away  []stretch
	log   *simLog
	took  map[*simWindow]int64 // when it copied
}

type simGateway struct {
	addr    string
	down    []stretch
	windows []*simWindow
	log     *simLog
	pid     int
}

type simWindow struct {
	span
	gone     int64 // when it was removed, 0 while it is there
	goneBy   *simManager
	ingested bool  // by the main manager
	parsed   int64 // when
	inside   bool  // lost inside the main manager
}

// simLog is a log in pieces; lines of a piece that was lost are not written.
type simLog struct {
	in     *incident
	name   string
	skew   int64
	lines  []simLine
	lost   []stretch // times whose lines nobody has any more
	pieces int
}

type simLine struct {
	at   int64
	seq  int
	text string
}

func (l *simLog) say(at int64, format string, args ...any) {
	l.lines = append(l.lines, simLine{at, len(l.lines), fmt.Sprintf(format, args...)})
}

func (l *simLog) has(at int64) bool {
	return !slices.ContainsFunc(l.lost, func(s stretch) bool { return at >= s.from && at <= s.to })
}

func (in *incident) between(lo, hi int64) int64 { return lo + in.rnd.Int64N(hi-lo+1) }
func (in *incident) chance(percent int) bool    { return in.rnd.IntN(100) < percent }

// zones that a site may be in, some of which change their clocks.
var zones = []string{"UTC", "Europe/Amsterdam", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "Asia/Tokyo", "America/St_Johns"}

func newIncident(t testing.TB, seed uint64) *incident {
	in := &incident{rnd: rand.New(rand.NewPCG(seed, 1)), dir: t.TempDir()}
	name := zones[in.rnd.IntN(len(zones))]
	zone, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	in.zone = zone
	days := []time.Time{time.Date(2023, 2, 13, 0, 0, 0, 0, time.UTC), time.Date(2023, 3, 25, 12, 0, 0, 0, time.UTC), time.Date(2023, 10, 28, 12, 0, 0, 0, time.UTC),
		time.Date(2023, 3, 11, 12, 0, 0, 0, time.UTC), time.Date(2023, 11, 4, 12, 0, 0, 0, time.UTC)}
	in.start = days[in.rnd.IntN(len(days))].Unix() + in.between(0, 6*3600)
	in.end = in.start + in.between(3, 26)*3600
	for i := range 1 + in.rnd.IntN(3) {
		m := &simManager{addr: fmt.Sprintf("192.0.2.%d", 90+i), every: in.between(60, 240), took: make(map[*simWindow]int64)}
		if in.chance(40) {
			m.skew = in.between(-5*60, 5*60)
		}
		m.log = &simLog{in: in, name: fmt.Sprintf("manager-%d/trackerd", i), skew: m.skew}
		if i == 0 {
			for in.chance(30) {
				from := in.between(in.start, in.end)
				m.away = append(m.away, stretch{from, from + in.between(300, 5400)})
			}
		} else {
			m.every = in.between(120, 1800)
			from := in.between(in.start, in.end)
			m.away = append(m.away, stretch{in.start, from}) // the rival comes at some time
		}
		in.managers = append(in.managers, m)
	}
	for i := range 1 + in.rnd.IntN(3) {
		g := &simGateway{addr: fmt.Sprintf("198.51.100.%d", 60+i), pid: 1000 + 10_000_000*i}
		g.log = &simLog{in: in, name: fmt.Sprintf("gateway-%d/cli", i)}
		for in.chance(25) {
			from := in.between(in.start, in.end)
			g.down = append(g.down, stretch{from, from + in.between(400, 7200)})
		}
		in.gateways = append(in.gateways, g)
	}
	in.smad = &simLog{in: in, name: "manager-0/smad", skew: in.managers[0].skew}
	for _, g := range in.gateways {
		in.produce(g)
	}
	in.collect()
	in.noise()
	in.keep(t)
	return in
}

// keep writes the logs, or what is left of them.
func (in *incident) keep(t testing.TB) {
	lose := func(l *simLog, least int64) {
		from := in.between(in.start, in.end)
		to := in.end * 2 // it ends early
		if in.chance(50) {
			to = from + in.between(least, 3*3600) // a rolled piece is lost
		}
		l.lost = append(l.lost, stretch{from, to})
	}
	together := in.chance(20)
	all := &simLog{in: in, name: "gateways/cli"}
	for _, g := range in.gateways {
		if in.chance(30) {
			lose(g.log, 600)
		}
		if !together {
			in.write(t, g.log)
			continue
		}
		for _, l := range g.log.lines { // of several gateways in one file
			if g.log.has(l.at) {
				all.say(l.at, "%s", l.text)
			}
		}
	}
	in.write(t, all)
	main := in.managers[0]
	if in.chance(20) {
		lose(main.log, 3000) // shorter silences are none
	}
	left := 0
	for _, l := range main.log.lines {
		if main.log.has(l.at) {
			left++
		}
	}
	for i, m := range in.managers {
		if i == 0 || in.chance(40) && 2*len(m.log.lines) < left { // else who is the main one?
			in.write(t, m.log)
		}
	}
	in.write(t, in.smad)
}

func inside(all []stretch, at int64) bool {
	return slices.ContainsFunc(all, func(s stretch) bool { return at >= s.from && at < s.to })
}

// produce cuts the windows of a gateway.
func (in *incident) produce(g *simGateway) {
	for at := in.start + in.between(0, 179); at < in.end; {
		if inside(g.down, at) || inside(g.down, at+180) {
			for inside(g.down, at) || inside(g.down, at+180) {
				at += in.between(1, 30)
			}
			continue // it begins anew where it comes up
		}
		length := int64(180)
		if in.chance(2) {
			length++
		}
		g.windows = append(g.windows, &simWindow{span: span{uint32(at), uint32(length)}})
		at += length
	}
}

type simEvent struct {
	at int64
	do func()
}

// collect lets the managers come.
func (in *incident) collect() {
	var queue []simEvent
	push := func(at int64, do func()) { queue = append(queue, simEvent{at, do}) }
	for _, m := range in.managers {
		for _, g := range in.gateways {
			var look func(at int64)
			look = func(at int64) {
				if at > in.end {
					return
				}
				next := at + m.every + in.between(0, 20)
				if inside(m.away, at) || inside(g.down, at) {
					push(next, func() { look(next) })
					return
				}
				in.session(m, g, at, "ls -AF /export/tracking/")
				var there []*simWindow
				for _, w := range g.windows {
					if w.to() <= at && w.gone == 0 {
						there = append(there, w)
					}
				}
				var handle func(i int, at int64)
				handle = func(i int, at int64) {
					if i == len(there) || inside(g.down, at) {
						n := max(next, at+5)
						push(n, func() { look(n) })
						return
					}
					w := there[i]
					if w.gone != 0 {
						handle(i+1, at)
						return
					}
					in.session(m, g, at, "scp -f /export/tracking/"+w.name(true))
					m.took[w] = at
					out := at + in.between(2, 4)
					push(out, func() {
						if w.gone == 0 {
							w.gone, w.goneBy = out, m
							in.session(m, g, out, "rm /export/tracking/"+w.name(true))
						}
						then := out + in.between(1, 3)
						push(then, func() { handle(i+1, then) })
					})
				}
				first := at + in.between(2, 3)
				push(first, func() { handle(0, first) })
			}
			first := in.start + in.between(0, m.every)
			push(first, func() { look(first) })
		}
	}
	for len(queue) > 0 {
		least := 0
		for i := range queue {
			if queue[i].at < queue[least].at {
				least = i
			}
		}
		e := queue[least]
		queue = slices.Delete(queue, least, least+1)
		e.do()
	}
	smad := in.chance(30)
	for i, m := range in.managers {
		for _, g := range in.gateways {
			for _, w := range g.windows {
				at, ok := m.took[w]
				if !ok {
					continue
				}
				if i == 0 && smad {
					in.smad.say(at, "TRANSFER: Plugin TRACKINGPLUGIN downloading from %s - /export/tracking/%s", g.addr, w.name(true))
				}
				if i == 0 && in.chance(1) {
					w.inside = true
					continue
				}
				at += in.between(5, 60)
				if i == 0 {
					w.ingested, w.parsed = true, at
				}
				m.log.say(at, "Tracking parser moved /data/log/tracking/%s/%s to /data/tracking/incoming_queue/0/%s/%s.", g.addr, w.name(true), g.addr, w.name(true))
			}
		}
	}
}

func (in *incident) session(m *simManager, g *simGateway, at int64, command string) {
	g.pid += 1 + in.rnd.IntN(90)
	in.batch(g, at, "smaduser", m.addr, command)
}

func (in *incident) batch(g *simGateway, at int64, user, from, command string) {
	g.log.say(at, "PID %d: User %s login from %s on %s", g.pid, user, from, g.addr)
	g.log.say(at, "PID %d: User %s executed batch command: '%s'", g.pid, user, command)
	g.log.say(at+in.between(0, 1), "PID %d: User %s logged out of Command Line Interface using SSH connection.", g.pid, user)
}

// noise are people and lines that have nothing to do with it.
func (in *incident) noise() {
	for _, g := range in.gateways {
		for in.chance(70) {
			at := in.between(in.start, in.end)
			if inside(g.down, at) {
				continue
			}
			g.pid++
			g.log.say(at, "PID %d: User admin login from 203.0.113.7 on %s", g.pid, g.addr)
			g.log.say(at, "PID %d: User admin entered 'who'; prompt was '\\nmail3.example.com> '", g.pid)
			g.log.say(at+3, "PID %d: User admin logged out of Command Line Interface using SSH connection.", g.pid)
		}
	}
	for _, g := range in.gateways { // somebody keeps copies
		for in.chance(50) {
			w := g.windows[in.rnd.IntN(len(g.windows))]
			g.pid++
			if at := w.to() + in.between(0, 20); !inside(g.down, at) && (w.gone == 0 || at < w.gone) {
				in.batch(g, at, "backup", "203.0.113.9", "scp -f /export/tracking/"+w.name(true))
			}
		}
	}
	m := in.managers[0]
	for in.chance(70) {
		m.log.say(in.between(in.start, in.end), "Some other word of trackerd")
	}
}

// write writes a log in pieces, some of them compressed.
func (in *incident) write(t testing.TB, l *simLog) {
	slices.SortStableFunc(l.lines, func(a, b simLine) int { return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.seq, b.seq)) })
	piece := in.between(200, 4000)
	var b bytes.Buffer
	n := int64(0)
	flush := func() {
		if b.Len() == 0 {
			return
		}
		l.pieces++
		path := filepath.Join(in.dir, fmt.Sprintf("%s.%03d.log", l.name, l.pieces))
		content := slices.Clone(b.Bytes())
		if in.chance(50) {
			path += ".gz"
			var z bytes.Buffer
			zw := gzip.NewWriter(&z)
			if _, err := zw.Write(content); err != nil {
				t.Fatal(err)
			}
			if err := zw.Close(); err != nil {
				t.Fatal(err)
			}
			content = z.Bytes()
		}
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, content, 0o644); err != nil {
			t.Fatal(err)
		}
		in.files = append(in.files, path)
		b.Reset()
		n = 0
	}
	for _, line := range l.lines {
		if !l.has(line.at) {
			continue
		}
		if in.rnd.IntN(500) == 0 {
			b.WriteString("\x00garbage \xff " + strings.Repeat("x", in.rnd.IntN(50)) + "\n")
			b.WriteString(line.text[:in.rnd.IntN(len(line.text))] + "\n") // the end of a line whose beginning was lost
			b.WriteString(time.Unix(line.at+l.skew, 0).In(in.zone).Format("Mon Jan _2 15:04:05 2006") + " Info: " + line.text[:in.rnd.IntN(12)] + "\n")
		}
		fmt.Fprintf(&b, "%s Info: %s\n", time.Unix(line.at+l.skew, 0).In(in.zone).Format("Mon Jan _2 15:04:05 2006"), line.text)
		if n++; n >= piece {
			flush()
		}
	}
	flush()
}

// describe tells what happened, for who looks into a failure.
func (in *incident) describe(t *testing.T, r *Report) {
	t.Helper()
	t.Logf("%s from %s to %s", in.zone, utc(in.start), utc(in.end))
	for _, m := range in.managers {
		t.Logf("manager %s: every %d s, skew %d s, away %v, lost %v", m.addr, m.every, m.skew, m.away, m.log.lost)
	}
	for _, g := range in.gateways {
		t.Logf("gateway %s: down %v, lost %v, windows %d", g.addr, g.down, g.log.lost, len(g.windows))
	}
	for _, m := range r.Managers {
		t.Logf("said: %+v", m)
	}
	for _, z := range r.Zones {
		t.Logf("zone: %+v", z)
	}
	for _, u := range r.Uncovered {
		t.Logf("uncovered: %+v", u)
	}
}

// TestIncidents: every window that the main manager did not ingest is found,
// none is invented, and the cause is right wherever the logs can tell.
func TestIncidents(t *testing.T) {
	seeds := uint64(1000)
	if testing.Short() {
		seeds = 100
	}
	if s := os.Getenv("WAYBILL_INCIDENTS"); s != "" {
		if _, err := fmt.Sscan(s, &seeds); err != nil {
			t.Fatal(err)
		}
	}
	var one uint64
	if s := os.Getenv("WAYBILL_INCIDENT"); s != "" {
		if _, err := fmt.Sscan(s, &one); err != nil {
			t.Fatal(err)
		}
	}
	var found, told, misjudged atomic.Int64
	for seed := uint64(1); seed <= seeds; seed++ {
		if one != 0 && seed != one {
			continue
		}
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			in := newIncident(t, seed)
			o := Options{}
			if seed%4 == 0 { // the operator says it
				o.Zone = in.zone
			}
			if seed%5 == 0 {
				o.Main = in.managers[0].addr
			}
			r := examine(t, o, in.files...)
			a, b := in.check(t, r)
			if t.Failed() {
				in.describe(t, r)
			}
			found.Add(int64(a))
			told.Add(int64(b))
			misjudged.Add(int64(in.misjudged))
		})
	}
	t.Cleanup(func() {
		// A file that begins with what waited for an hour, just before clocks go
		// forward, looks as if they had done so.
		if misjudged.Load() > int64(seeds)/200 {
			t.Errorf("of %d files the zone is wrong", misjudged.Load())
		}
		if found.Load() < int64(seeds) || told.Load() < int64(seeds)/2 {
			t.Errorf("%d windows were missing, of %d the logs told the cause: too few to prove anything", found.Load(), told.Load())
		}
	})
}
