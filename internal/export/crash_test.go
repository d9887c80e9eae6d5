package export

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"waybill/internal/safefs/crashfs"
)

// deed is what a collector did to a file.
type deed struct {
	who  string
	file int
}

// scene plays some days of an export on one disk, on and on whatever fails, and
// keeps what was answered.
type scene struct {
	o     Options
	disk  *crashfs.FS
	now   time.Time
	front *Front

	added    []string // keys
	enrolled bool
	tries    int
	sealed   []int
	receipt  map[deed]bool
	acked    map[deed]bool
	open     map[deed]bool // refetched
	maybe    map[deed]bool // what was asked for last was not answered
	errs     []error
}

const sceneToken = "0123456789abcdef"

func newScene(disk *crashfs.FS) *scene {
	s := &scene{disk: disk, now: day, receipt: map[deed]bool{}, acked: map[deed]bool{}, open: map[deed]bool{}, maybe: map[deed]bool{}}
	s.o = Options{FS: disk, Files: "pub/export/tracking", State: "export", Hold: time.Hour, SegmentSize: 1500, Evidence: 4000,
		Quota: 5 * int64(len(fileContent(0))), Now: func() time.Time { return s.now }}
	return s
}

// ok notes a failure.
func (s *scene) ok(err error) bool {
	if err != nil {
		s.errs = append(s.errs, err)
	}
	return err == nil
}

func (s *scene) admin(fn func(*Admin) error) bool {
	a, err := OpenAdmin(s.o)
	if err == nil {
		err = fn(a)
	}
	return s.ok(err)
}

func sceneAddr(k string) string {
	return map[string]string{"a": "192.0.2.81", "b": "192.0.2.92", "e": "2001:db8::7"}[k]
}

func (s *scene) visit(k string) *Visit {
	v, err := s.front.Enter(key(k), addr(sceneAddr(k)), "")
	if !s.ok(err) {
		return nil
	}
	return v
}

// take is scp and rm.
func (s *scene) take(v *Visit, k string, n int) {
	if v == nil {
		return
	}
	d := deed{k, n}
	s.maybe[d] = true
	if !s.ok(fetch(v, fileName(n), (*Handout).Received)) {
		return
	}
	s.receipt[d] = true
	s.open[d] = false
	if s.ok(v.Acknowledge(fileName(n))) {
		s.acked[d] = true
		s.maybe[d] = false
	}
}

func (s *scene) refetch(v *Visit, k string, n int) {
	if v == nil {
		return
	}
	d := deed{k, n}
	s.maybe[d] = true
	if s.ok(v.Refetch(fileName(n))) {
		s.open[d] = true
	}
	s.acked[d], s.receipt[d] = false, false
}

func (s *scene) play() {
	for _, k := range []string{"a", "b"} {
		if s.admin(func(a *Admin) error { _, err := a.Add(key(k), nil, Required, "mgr-"+k); return err }) {
			s.added = append(s.added, k)
		}
	}
	keeper, err := OpenKeeper(s.o)
	if !s.ok(err) {
		return
	}
	if s.front, err = OpenFront(s.o); !s.ok(err) {
		return
	}
	if s.admin(func(a *Admin) error { _, err := a.Arm(sceneToken, time.Hour); return err }) {
		if _, err := s.front.Try(); s.ok(err) {
			s.tries++
		}
		s.enrolled = s.ok(s.front.Enrol(key("e"), addr(sceneAddr("e")), "mgr-e", ""))
	}
	a, b, e := s.visit("a"), s.visit("b"), s.visit("e")
	seal := func(n int) {
		if s.ok(putFile(s.disk, s.o.Files, n)) {
			s.sealed = append(s.sealed, n)
			s.ok(keeper.Sealed(sealed(n)))
		}
	}
	for n := range 4 {
		seal(n)
		s.take(a, "a", n)
		if n < 3 {
			s.take(b, "b", n)
		}
		if n < 2 {
			s.take(e, "e", n)
		}
		s.now = s.now.Add(3 * time.Minute)
	}
	s.refetch(b, "b", 1)
	s.ok(keeper.Keep())
	s.now = s.now.Add(2 * time.Hour)
	s.ok(keeper.Keep()) // 0 goes
	s.refetch(b, "b", 0)
	s.take(b, "b", 1)
	for n := 4; n < 8; n++ { // the quota takes 1, then what is not collected
		seal(n)
		s.take(a, "a", n)
		s.ok(keeper.Keep())
	}
	s.ok(s.front.Close())
	s.ok(keeper.Close())
}

// verify looks at a disk after the crash: everything that was answered holds.
func (s *scene) verify(disk *crashfs.FS) error {
	o := s.o
	o.FS = disk
	keeper, err := OpenKeeper(o)
	if err != nil {
		return err
	}
	front, err := OpenFront(o)
	if err != nil {
		return err
	}
	defer front.Close()
	defer keeper.Close()
	known := slices.Clone(s.added)
	if s.enrolled {
		known = append(known, "e")
	}
	if s.tries > 0 && !s.enrolled {
		for n := s.tries; n < TokenTries; n++ {
			if _, err := front.Try(); err != nil && !errors.Is(err, ErrNotArmed) {
				return err
			}
		}
		if _, err := front.Try(); !errors.Is(err, ErrNotArmed) {
			return fmt.Errorf("a try of the token is forgotten: %v", err)
		}
	}
	for pass := range 3 {
		for _, k := range known {
			if err := s.verifyCollector(front, disk, k, pass); err != nil {
				return fmt.Errorf("pass %d, %s: %w", pass, k, err)
			}
		}
		if err := keeper.Keep(); err != nil {
			return err
		}
	}
	return nil
}

func (s *scene) verifyCollector(front *Front, disk *crashfs.FS, k string, pass int) error {
	if !front.Knows(key(k)) {
		return errors.New("the collector is forgotten")
	}
	v, err := front.Enter(key(k), addr(sceneAddr(k)), "")
	if err != nil {
		return err
	}
	if c := v.Collector(); c.Role != Required {
		return fmt.Errorf("it is %s", c.Role)
	}
	entries, err := v.List()
	if err != nil {
		return err
	}
	for _, n := range s.sealed {
		d := deed{k, n}
		listed := slices.ContainsFunc(entries, func(e Entry) bool { return e.Name == fileName(n) })
		h, err := v.Open(fileName(n))
		if err == nil {
			h.Close()
		}
		var gone *GoneError
		switch {
		case s.acked[d] && listed:
			return fmt.Errorf("window %d was acknowledged and is listed", n)
		case s.acked[d]:
			if err := v.Acknowledge(fileName(n)); err != nil {
				return fmt.Errorf("window %d was acknowledged, once more: %w", n, err)
			}
		case s.maybe[d] && !s.open[d] && errors.Is(err, fs.ErrNotExist):
		case err != nil && !errors.As(err, &gone):
			return fmt.Errorf("window %d is not to be had, and there is no tombstone: %w", n, err)
		case err == nil && s.receipt[d] && pass == 2:
			if err := v.Acknowledge(fileName(n)); err != nil {
				return fmt.Errorf("the receipt of window %d is forgotten: %w", n, err)
			}
		}
	}
	return nil
}

// disks are what may be left of a disk: nothing, all, or some of what was not
// synced.
func disks(disk *crashfs.FS, seed uint64, some int) []*crashfs.FS {
	out := []*crashfs.FS{disk.CrashClean(false), disk.CrashClean(true)}
	for i := range some {
		out = append(out, disk.Crash(rand.New(rand.NewPCG(seed, uint64(i)))))
	}
	return out
}

// TestPowerFailure cuts the power at every call.
func TestPowerFailure(t *testing.T) {
	some := 4
	if testing.Short() {
		some = 1
	}
	for n := 1; ; n++ {
		disk := crashfs.New()
		disk.StopAt(n)
		s := newScene(disk)
		s.play()
		for i, left := range disks(disk, uint64(n), some) {
			if err := s.verify(left); err != nil {
				t.Fatalf("power gone at call %d, disk %d: %v", n, i, err)
			}
		}
		if len(s.errs) == 0 || disk.Ops() < n {
			if n < 200 {
				t.Errorf("only %d calls?", n)
			}
			t.Logf("%d calls, %d disks each", n, some+2)
			return
		}
	}
}

// TestFailures lets every call fail once and cuts the power a little later, or
// in the end: what was answered holds.
func TestFailures(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, fault := range []error{syscall.EIO, syscall.ENOSPC, crashfs.ErrShort} {
		for n := 1; ; n++ {
			stops := []int{0, n + 2 + rng.IntN(4), n + 2 + rng.IntN(30)}
			if testing.Short() {
				stops = stops[1:2]
			}
			last := false
			for _, stop := range stops {
				disk := crashfs.New()
				disk.FailAt(n, fault)
				disk.StopAt(stop)
				s := newScene(disk)
				s.play()
				for i, left := range disks(disk, uint64(n), 1) {
					if err := s.verify(left); err != nil {
						t.Fatalf("%v at call %d, power gone at %d, disk %d: %v (told: %v)", fault, n, stop, i, err, s.errs)
					}
				}
				last = disk.Ops() < n
			}
			if last {
				break
			}
		}
	}
}

// TestUnsyncedIsNotActedUpon: the keeper reads an acknowledgement that the front
// has not synced yet, and removes the file. After a power failure both are true.
func TestUnsyncedIsNotActedUpon(t *testing.T) {
	var r *rig
	var left *crashfs.FS
	armed := false
	r = newRig(t, func(o *Options) { o.Hold = 0 })
	r.add("a", Required, "mgr-a")
	name := r.seal(0)
	o := r.o
	o.FS = hookFS{r.disk, func(op, _ string) {
		if armed && op == "sync" {
			armed = false
			r.keep()
			left = r.disk.CrashClean(false)
		}
	}}
	front, err := OpenFront(o)
	r.check(err)
	defer front.Close()
	v, err := front.Enter(key("a"), addrA, "")
	r.check(err)
	r.check(fetch(v, name, (*Handout).Received))
	armed = true
	r.check(v.Acknowledge(name))
	if r.exists(name) {
		t.Fatal("the keeper did not come in between")
	}
	r.o.FS = left
	if got := r.evidence(); !strings.Contains(got, "acknowledged 0 mgr-a\nremoved 0") {
		t.Errorf("removed, and who acknowledged is lost:\n%s", got)
	}
}
