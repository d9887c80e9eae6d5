package export

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"waybill/internal/safefs/crashfs"
)

// client is a collector as the model sees it: what it was told.
type client struct {
	key     string
	from    netip.Addr
	role    Role // Required, Observer, or PendingRole
	removed bool
	visit   *Visit
	handout map[string]*Handout
	receipt map[string]bool      // answered
	acked   map[string]bool      // answered
	maybe   map[string]time.Time // acknowledgements that were asked for, and when last
	seen    time.Time            // last that it did
	before  time.Time            // the same, at the beginning of the step
}

// model plays any number of collectors, a gateway's two processes, a clock and
// an administrator against each other, each step at any point of another's.
type model struct {
	t       *rapid.T
	o       Options
	disk    *crashfs.FS
	now     time.Time
	front   *Front
	keeper  *Keeper
	clients []*client
	files   []string
	gone    map[string]bool
	steps   int // calls until something else happens; 0: nothing does
	inside  bool
}

func newModel(t *rapid.T) *model {
	m := &model{t: t, disk: crashfs.New(), now: day, gone: map[string]bool{}}
	hook := func(process string) hookFS {
		return hookFS{m.disk, func(op, name string) { m.before(process, op, name) }}
	}
	m.o = Options{FS: hook("keeper"), Files: "pub/export/tracking", State: "export",
		Hold:        rapid.SampledFrom([]time.Duration{0, time.Hour, 72 * time.Hour}).Draw(t, "hold"),
		Exclusive:   rapid.IntRange(0, 4).Draw(t, "exclusive") == 0,
		SegmentSize: rapid.SampledFrom([]int64{500, 5000, 1 << 20}).Draw(t, "segment"),
		Now:         func() time.Time { return m.now }}
	if rapid.Bool().Draw(t, "quota") {
		m.o.Quota = int64(rapid.IntRange(0, 12).Draw(t, "files")) * int64(len(fileContent(0)))
	}
	m.openKeeper()
	m.openFront()
	for range rapid.IntRange(1, 3).Draw(t, "collectors") {
		m.add()
	}
	return m
}

func (m *model) check(err error) {
	if err != nil {
		m.t.Helper()
		m.t.Fatal(err)
	}
}

func (m *model) openKeeper() {
	k, err := OpenKeeper(m.o)
	m.check(err)
	m.keeper = k
}

func (m *model) openFront() {
	o := m.o
	o.FS = hookFS{m.disk, func(op, name string) { m.before("front", op, name) }}
	f, err := OpenFront(o)
	m.check(err)
	m.front = f
	for _, c := range m.clients {
		c.visit, c.handout = nil, map[string]*Handout{}
	}
}

// before is called ahead of each call of either process: a file may go only when
// it may, and things happen in between.
func (m *model) before(process, op, name string) {
	if file, ok := removes(op, name); ok {
		m.mayGo(process, file)
		m.gone[file] = true
	}
	if m.steps == 0 || m.inside {
		return
	}
	if m.steps--; m.steps > 0 {
		return
	}
	m.inside = true
	defer func() { m.inside = false }()
	for range rapid.IntRange(1, 3).Draw(m.t, "meanwhile") {
		if process == "keeper" {
			m.collect()
		} else {
			m.check(m.keeper.Keep())
		}
	}
}

// mayGo checks the rules independently of the code: who may have acknowledged,
// by what he asked for.
func (m *model) mayGo(process, file string) {
	m.t.Helper()
	if process != "keeper" {
		m.t.Fatalf("the %s removes %s", process, file)
	}
	tomb := ledger{}
	tomb.reset()
	f := follower{fs: m.disk.CrashClean(false), dir: m.o.journalDir(keeperJournal), state: &tomb}
	if _, err := f.follow(false); err != nil {
		m.t.Fatal(err)
	}
	stone, ok := tomb.graves[file]
	if !ok {
		m.t.Fatalf("%s goes without a tombstone that is durable", file)
	}
	if m.o.Exclusive && slices.ContainsFunc(m.clients, func(c *client) bool { return !c.maybe[file].IsZero() && c.role != Observer }) {
		return
	}
	if strings.Contains(stone.reason, "over the quota") {
		if m.o.Quota == 0 {
			m.t.Fatalf("%s goes over a quota that is not there", file)
		}
		return
	}
	var last time.Time // not before the sealing, unless the clock was set back
	one := false
	for _, c := range m.clients {
		switch at := c.maybe[file]; {
		case c.removed: // counts for nothing any more
		case !at.IsZero():
			if one = one || c.role == Required; c.role == Required && at.After(last) {
				last = at
			}
		case c.role != Required:
		case m.now.Sub(c.before) <= m.o.withDefaults().StaleAfter-seenEvery:
			m.t.Fatalf("%s goes, and %s has not acknowledged it", file, c.from)
		}
	}
	if !one {
		m.t.Fatalf("%s goes, and nobody that counts has it", file)
	}
	if m.now.Before(last.Add(m.o.Hold)) {
		m.t.Fatalf("%s goes %s before its hold ends", file, last.Add(m.o.Hold).Sub(m.now))
	}
}

func (m *model) add() {
	n := len(m.clients)
	c := &client{key: key(fmt.Sprint(n)), from: netip.AddrFrom4([4]byte{192, 0, 2, byte(n)}), role: Required}
	shared := n > 0 && rapid.Bool().Draw(m.t, "shared")
	if shared { // a key that another has
		first := m.clients[rapid.IntRange(0, n-1).Draw(m.t, "with")]
		if first.removed || first.role == PendingRole {
			return
		}
		m.use(first) // so that it is at home somewhere
		c.key, c.role = first.key, PendingRole
	} else {
		if rapid.IntRange(0, 3).Draw(m.t, "observer") == 0 {
			c.role = Observer
		}
		a, err := OpenAdmin(m.o)
		m.check(err)
		_, err = a.Add(c.key, nil, c.role, fmt.Sprintf("mgr-%d", n))
		m.check(err)
	}
	c.handout, c.receipt = map[string]*Handout{}, map[string]bool{}
	c.acked, c.maybe = map[string]bool{}, map[string]time.Time{}
	c.seen = m.now
	m.clients = append(m.clients, c)
	m.use(c)
}

// use is a login where there is none.
func (m *model) use(c *client) *Visit {
	m.t.Helper()
	if c.visit == nil || rapid.IntRange(0, 5).Draw(m.t, "login") == 0 {
		var err error
		c.visit, err = m.front.Enter(c.key, c.from, "")
		m.check(err)
		if got := c.visit.Collector().Role; got != c.role {
			m.t.Fatalf("%s entered as %s, want %s", c.from, got, c.role)
		}
		c.seen = m.now
	}
	return c.visit
}

// collect is one step of one collector.
func (m *model) collect() {
	c := m.clients[rapid.IntRange(0, len(m.clients)-1).Draw(m.t, "who")]
	if c.removed {
		return
	}
	v := m.use(c)
	if len(m.files) == 0 || rapid.IntRange(0, 5).Draw(m.t, "list") == 0 {
		m.list(c)
		return
	}
	file := rapid.SampledFrom(m.files).Draw(m.t, "file")
	what := rapid.IntRange(0, 6).Draw(m.t, "what")
	if what != 1 && (what != 2 || c.handout[file] != nil) {
		c.seen = m.now // the gateway hears of it
	}
	switch what {
	case 0:
		if h, err := v.Open(file); err == nil {
			c.handout[file] = h
		} else {
			m.mayMiss(c, file, err)
		}
	case 1: // cut off
		delete(c.handout, file)
	case 2:
		m.receipt(c, file)
	case 3, 4:
		m.acknowledge(c, file)
	case 5: // the whole of it
		if h, err := v.Open(file); err == nil {
			c.handout[file] = h
			m.receipt(c, file)
			m.acknowledge(c, file)
		} else {
			m.mayMiss(c, file, err)
		}
	case 6:
		m.refetch(c, file)
	}
}

// mayMiss checks that a file that is not to be had was acknowledged, or has a
// tombstone.
func (m *model) mayMiss(c *client, file string, err error) {
	m.t.Helper()
	var stone *GoneError
	switch {
	case errors.As(err, &stone):
		if m.o.Exclusive && stone.Kind == Acknowledged && !strings.Contains(stone.Reason, "taken by mgr-") {
			m.t.Fatalf("nobody is said to have taken %s: %v", file, err)
		}
	case errors.Is(err, fs.ErrNotExist) && !c.maybe[file].IsZero():
	default:
		m.t.Fatalf("%s cannot have %s, which it did not acknowledge: %v", c.from, file, err)
	}
}

func (m *model) receipt(c *client, file string) {
	h := c.handout[file]
	if h == nil {
		return
	}
	m.check(h.Received())
	delete(c.handout, file)
	c.receipt[file] = true
}

func (m *model) acknowledge(c *client, file string) {
	if c.receipt[file] && c.maybe[file].IsZero() {
		c.maybe[file] = m.now
	}
	err := c.visit.Acknowledge(file)
	switch {
	case err == nil:
		c.acked[file] = true
		if !c.receipt[file] {
			m.t.Fatalf("%s acknowledged %s without a receipt", c.from, file)
		}
	case errors.Is(err, ErrNoReceipt):
		if c.receipt[file] {
			m.t.Fatalf("%s has a receipt of %s: %v", c.from, file, err)
		}
	default:
		if c.acked[file] {
			m.t.Fatalf("%s has acknowledged %s: %v", c.from, file, err)
		}
		m.mayMiss(c, file, err)
	}
}

func (m *model) refetch(c *client, file string) {
	acked, receipt, maybe := c.acked[file], c.receipt[file], c.maybe[file]
	err := c.visit.Refetch(file)
	if err != nil { // whether it was taken back nobody was told
		m.mayMiss(c, file, err)
		if acked {
			c.acked[file] = false
		}
		return
	}
	if acked {
		delete(c.acked, file)
		delete(c.receipt, file)
		delete(c.maybe, file)
		if m.gone[file] {
			m.t.Fatalf("%s may fetch %s again, and it is gone", c.from, file)
		}
	} else {
		c.receipt[file], c.maybe[file] = receipt, maybe
	}
}

// list checks that a collector sees all that it did not acknowledge and that has
// no tombstone.
func (m *model) list(c *client) {
	m.t.Helper()
	c.seen = m.now
	entries, err := c.visit.List()
	m.check(err)
	have := map[string]bool{}
	for _, e := range entries {
		have[e.Name] = true
		if c.acked[e.Name] {
			m.t.Fatalf("%s acknowledged %s and sees it again", c.from, e.Name)
		}
	}
	for _, file := range m.files {
		if !have[file] && !c.acked[file] {
			h, err := c.visit.Open(file)
			if err == nil {
				m.check(h.Close())
				continue // sealed, or kept, since it was listed
			}
			m.mayMiss(c, file, err)
		}
	}
}

func (m *model) seal(told bool) {
	file := fileName(len(m.files))
	m.check(putFile(m.disk, m.o.Files, len(m.files)))
	m.files = append(m.files, file)
	if told {
		m.check(m.keeper.Sealed(sealed(len(m.files) - 1)))
	}
}

// actions are the steps of the model. What happens in the middle of a step
// happens at a random one of its calls.
func (m *model) actions() map[string]func(*rapid.T) {
	amid := func() { m.steps = max(0, rapid.IntRange(-10, 40).Draw(m.t, "amid")) }
	step := func(fn func()) func(*rapid.T) {
		return func(t *rapid.T) {
			for _, c := range m.clients {
				c.before = c.seen
			}
			fn()
			m.steps = 0
		}
	}
	return map[string]func(*rapid.T){
		"seal":    step(func() { m.seal(true) }),
		"seal2":   step(func() { m.seal(false) }),
		"keep":    step(func() { amid(); m.check(m.keeper.Keep()) }),
		"collect": step(func() { amid(); m.collect() }),
		"several": step(func() {
			for range 5 {
				m.collect()
			}
		}),
		"clock": step(func() {
			m.now = m.now.Add(rapid.SampledFrom([]time.Duration{time.Second, time.Minute, time.Hour, 25 * time.Hour,
				8 * 24 * time.Hour, -10 * time.Minute, -time.Hour}).Draw(m.t, "by"))
		}),
		"add": step(m.add),
		"remove": step(func() {
			c := m.clients[rapid.IntRange(0, len(m.clients)-1).Draw(m.t, "who")]
			if c.removed || slices.ContainsFunc(m.clients, func(o *client) bool { return o != c && o.key == c.key && !o.removed && o.role == PendingRole }) {
				return // the others of its key would go with it
			}
			id := m.use(c).Collector().ID
			a, err := OpenAdmin(m.o)
			m.check(err)
			_, err = a.Remove(id)
			m.check(err)
			c.removed = true
		}),
		"approve": step(func() {
			c := m.clients[rapid.IntRange(0, len(m.clients)-1).Draw(m.t, "who")]
			if c.removed || c.role != PendingRole {
				return
			}
			id := m.use(c).Collector().ID
			a, err := OpenAdmin(m.o)
			m.check(err)
			_, err = a.Approve(id, Required)
			m.check(err)
			c.role = Required
			c.visit = nil
		}),
		"restart front": step(func() {
			m.check(m.front.Close())
			m.openFront()
		}),
		"restart keeper": step(func() {
			m.check(m.keeper.Close())
			m.openKeeper()
		}),
	}
}

// finish lets everybody collect all that is left: nothing is lost, and with
// nobody left to wait for everything goes.
func (m *model) finish() {
	m.now = m.now.Add(2 * time.Minute)
	m.check(m.keeper.Keep())
	counts := false
	for _, c := range m.clients {
		if c.removed {
			continue
		}
		v := m.use(c)
		m.list(c)
		counts = counts || c.role == Required
		for _, file := range m.files {
			h, err := v.Open(file)
			if err != nil {
				m.mayMiss(c, file, err)
				continue
			}
			c.handout[file] = h
			m.receipt(c, file)
			m.acknowledge(c, file)
		}
		m.list(c)
	}
	if !counts {
		return
	}
	m.now = m.now.Add(m.o.Hold + time.Hour) // and the clock that was set back
	m.now = m.now.Add(48 * time.Hour)
	for _, c := range m.clients {
		c.before = c.seen
	}
	m.check(m.keeper.Keep())
	for _, file := range m.files {
		if !m.gone[file] {
			m.t.Fatalf("%s stays for ever", file)
		}
	}
}

// TestModel plays 2,000 histories, 500 with -short, 10,000 with
// WAYBILL_TORTURE.
func TestModel(t *testing.T) {
	rounds := 20
	switch {
	case testing.Short():
		rounds = 5
	case os.Getenv("WAYBILL_TORTURE") != "":
		rounds = 100
	}
	for range rounds {
		rapid.Check(t, func(t *rapid.T) {
			m := newModel(t)
			t.Repeat(m.actions())
			m.finish()
		})
		if t.Failed() {
			return
		}
	}
}
