package export

import (
	"errors"
	"io/fs"
	"strings"
	"testing"
	"time"
)

// TestTwoCollectors is the documents' incident, with the timing that lost
// files: B copies and removes before A does.
func TestTwoCollectors(t *testing.T) {
	r := newRig(t, nil)
	r.add("a", Required, "mgr-a", addrA)
	r.add("b", Required, "mgr-b", addrB)
	a, b := r.enter("a", addrA), r.enter("b", addrB)
	for n := range 20 {
		if got := list(t, a); got != "" {
			t.Fatalf("before window %d A sees %q", n, got)
		}
		name := r.seal(n)
		r.check(take(b, name))
		r.keep()
		if got := list(t, b); got != "" {
			t.Fatalf("B acknowledged window %d and sees %q", n, got)
		}
		r.check(take(a, name))
		r.now = r.now.Add(3 * time.Minute)
	}
	r.keep()
	if !r.exists(fileName(0)) {
		t.Error("removed before the hold ended")
	}
	r.now = r.now.Add(72 * time.Hour)
	r.keep()
	for n := range 20 {
		if r.exists(fileName(n)) {
			t.Errorf("window %d is still there", n)
		}
	}
	wantGone(t, a.Refetch(fileName(3)), "acknowledged")
	r.check(a.Acknowledge(fileName(3))) // once more, after its answer was lost
}

func TestReceipts(t *testing.T) {
	for _, tc := range []struct {
		name    string
		unread  bool
		receipt func(*Handout) error
		want    error
	}{
		{"none", false, func(*Handout) error { return nil }, ErrNoReceipt},
		{"none, but allowed", true, func(*Handout) error { return nil }, nil},
		{"weak", false, (*Handout).Sent, nil},
		{"strong", false, (*Handout).Received, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := newRig(t, func(o *Options) { o.AllowUnread = tc.unread })
			r.add("a", Required, "mgr-a")
			v := r.enter("a", addrA)
			name := r.seal(0)
			r.check(fetch(v, name, tc.receipt))
			wantErr(t, v.Acknowledge(name), tc.want)
			if got := list(t, v) == ""; got != (tc.want == nil) {
				t.Errorf("listed: %v", !got)
			}
			if tc.want == nil {
				r.check(v.Acknowledge(name))
				_, err := v.Open(name)
				wantErr(t, err, fs.ErrNotExist)
			} else if !strings.Contains(r.evidence(), "refused 0 mgr-a") {
				t.Errorf("no word of the refusal in\n%s", r.evidence())
			}
		})
	}
}

func TestNames(t *testing.T) {
	r := newRig(t, nil)
	r.add("a", Required, "mgr-a")
	v := r.enter("a", addrA)
	for _, name := range []string{"", ".", "..", "../../export/collectors.json", "/" + fileName(0), fileName(0) + "/",
		"." + fileName(0), strings.TrimSuffix(fileName(0), ".gz"), fileName(0) + "\x00", "*", fileName(1)} {
		r.seal0(t)
		_, err := v.Open(name)
		wantErr(t, err, fs.ErrNotExist)
		wantErr(t, v.Acknowledge(name), fs.ErrNotExist)
		wantErr(t, v.Refetch(name), fs.ErrNotExist)
	}
	// The open window has a dot-name; a window being sealed has no .gz yet.
	for _, name := range []string{"." + fileName(5), strings.TrimSuffix(fileName(5), ".gz"), "notes.txt"} {
		f, err := r.disk.Create(r.o.Files + "/" + name)
		r.check(err)
		r.check(f.Close())
	}
	if got := list(t, v); got != "0" {
		t.Errorf("listed %q", got)
	}
}

func (r *rig) seal0(t *testing.T) {
	if !r.exists(fileName(0)) {
		r.seal(0)
	}
}

func TestSecondAddress(t *testing.T) {
	r := newRig(t, nil)
	r.add("a", Required, "mgr-a")
	a := r.enter("a", addrA)
	if c := a.Collector(); c.Role != Required || c.Address != addrA {
		t.Fatalf("%+v", c)
	}
	name := r.seal(0)
	b := r.enter("a", addrB)
	if c := b.Collector(); c.Role != PendingRole || c.Name != "mgr-a@192.0.2.92" {
		t.Fatalf("%+v", c)
	}
	for _, text := range []string{r.log.String(), func() string { r.keep(); return strings.Join(r.keeper.Status().Alerts, "\n") }()} {
		if !strings.Contains(text, addrA.String()) || !strings.Contains(text, addrB.String()) || !strings.Contains(text, "waybill collectors approve") {
			t.Errorf("no alert with both addresses in %s", text)
		}
	}
	if strings.Count(r.log.String(), "share key") != 1 {
		t.Errorf("alerted more than once: %s", r.log.String())
	}
	r.enter("a", addrB)
	// It has a view of its own, and blocks nothing.
	r.check(take(b, name))
	if got := list(t, a); got != "0" {
		t.Errorf("the pending one's rm took it from the first: %q", got)
	}
	name1 := r.seal(1)
	r.check(errors.Join(take(a, name), take(a, name1)))
	r.now = r.now.Add(73 * time.Hour)
	r.keep()
	if r.exists(name1) {
		t.Error("a pending collector blocks")
	}
	wantGone(t, take(b, name1), "acknowledged")
	r.restart()
	if c := r.enter("a", addrB).Collector(); c.Role != PendingRole || c.ID != b.Collector().ID {
		t.Errorf("after a restart %+v", c)
	}
	// Approved, it blocks.
	_, err := r.admin().Approve("mgr-a@192.0.2.92", Required)
	r.check(err)
	name2 := r.seal(2)
	a, b = r.enter("a", addrA), r.enter("a", addrB)
	if c := b.Collector(); c.Role != Required {
		t.Errorf("approved, and %+v", c)
	}
	r.check(take(a, name2))
	r.now = r.now.Add(73 * time.Hour)
	r.keep()
	if !r.exists(name2) {
		t.Error("an approved collector does not block")
	}
	// Removed, it can do nothing any more, but the key is still that of mgr-a.
	_, err = r.admin().Remove("mgr-a@192.0.2.92")
	r.check(err)
	r.now = r.now.Add(2 * time.Second)
	_, err = b.List()
	wantErr(t, err, ErrUnknownKey)
	if c := r.enter("a", addrB).Collector(); c.Role != PendingRole || c.ID == b.Collector().ID {
		t.Errorf("removed and back: %+v", c)
	}
	_, err = r.admin().Remove("mgr-a")
	r.check(err)
	if r.front.Knows(key("a")) {
		t.Error("the key of nobody but a pending collector is known")
	}
	_, err = r.front.Enter(key("a"), addrB, "")
	wantErr(t, err, ErrUnknownKey)
}

func TestPinned(t *testing.T) {
	r := newRig(t, nil)
	r.add("a", Required, "mgr-a", addrA, addrC)
	id := r.enter("a", addrA).Collector().ID
	if c := r.enter("a", addrC).Collector(); c.ID != id {
		t.Errorf("two addresses of one collector are two: %+v", c)
	}
	_, err := r.front.Enter(key("a"), addrB, "")
	wantErr(t, err, ErrPinned)
	if c := r.enter("a", addr("::ffff:192.0.2.81")).Collector(); c.ID != id {
		t.Errorf("an address in another form is another: %+v", c)
	}
	other := r.add("a", Observer, "watcher", addrB)
	if c := r.enter("a", addrB).Collector(); c.ID != other.ID || c.Role != Observer {
		t.Errorf("%+v", c)
	}
}

func TestInstances(t *testing.T) {
	r := newRig(t, nil)
	r.add("a", Required, "mgr-a")
	hello := func(instance string) *Visit {
		t.Helper()
		v, err := r.front.Enter(key("a"), addrA, instance)
		r.check(err)
		return v
	}
	// A manager logs in, then says hello: one collector, no alert.
	id := r.enter("a", addrA).Collector().ID
	if c := hello("one").Collector(); c.ID != id || c.Instance != "one" {
		t.Errorf("%+v", c)
	}
	for range 2 {
		r.enter("a", addrA)
		if c := hello("one").Collector(); c.ID != id {
			t.Errorf("%+v", c)
		}
	}
	if n := len(r.admin().List()); n != 1 || strings.Contains(r.log.String(), "share") {
		t.Errorf("%d collectors; %s", n, r.log.String())
	}
	// A second manager behind the same address is another.
	two := hello("two")
	if c := two.Collector(); c.ID == id || c.Role != PendingRole {
		t.Errorf("%+v", c)
	}
	// So is a stock client with the key of a manager, once it does something.
	r.seal(0)
	stock := r.enter("a", addrA)
	if got := list(t, stock); got != "0" {
		t.Error(got)
	}
	if c := stock.Collector(); c.ID == id || c.Role != PendingRole {
		t.Errorf("%+v", c)
	}
	if n := len(r.admin().List()); n != 3 {
		t.Errorf("%d collectors", n)
	}
	// One that has acknowledged something as a stock client does not hand that on.
	r.check(take(stock, fileName(0)))
	if got := list(t, hello("three")); got != "0" {
		t.Errorf("a new instance sees %q", got)
	}
	_, err := r.front.Enter(key("a"), addrA, "one\ntwo")
	wantErr(t, err, ErrInstance)
}

func TestManyPending(t *testing.T) {
	r := newRig(t, nil)
	r.add("a", Required, "mgr-a")
	r.enter("a", addrA)
	var err error
	a := addr("198.51.100.0")
	for range maxPerKey {
		_, err = r.front.Enter(key("a"), a, "")
		r.check(err)
		a = a.Next()
	}
	_, err = r.front.Enter(key("a"), a, "")
	wantErr(t, err, ErrTooMany)
}

func TestRefetch(t *testing.T) {
	r := newRig(t, func(o *Options) { o.Hold = time.Hour })
	r.add("a", Required, "mgr-a")
	v := r.enter("a", addrA)
	name := r.seal(0)
	r.check(v.Refetch(name)) // nothing to take back
	r.check(take(v, name))
	r.check(v.Refetch(name))
	if got := list(t, v); got != "0" {
		t.Errorf("listed %q", got)
	}
	wantErr(t, v.Acknowledge(name), ErrNoReceipt)
	r.now = r.now.Add(2 * time.Hour)
	r.keep()
	if !r.exists(name) {
		t.Fatal("removed while somebody wants it again")
	}
	r.check(take(v, name))
	r.keep()
	if !r.exists(name) {
		t.Fatal("the hold does not begin anew")
	}
	r.now = r.now.Add(2 * time.Hour)
	r.keep()
	wantGone(t, v.Refetch(name), "acknowledged")
}

func TestStale(t *testing.T) {
	r := newRig(t, func(o *Options) { o.Hold = time.Hour })
	r.add("a", Required, "mgr-a")
	r.add("b", Required, "mgr-b")
	a, b := r.enter("a", addrA), r.enter("b", addrB)
	name := r.seal(0)
	if got := list(t, b); got != "0" {
		t.Error(got)
	}
	r.check(take(a, name))
	r.now = r.now.Add(6 * 24 * time.Hour)
	list(t, a)
	r.keep()
	if !r.exists(name) {
		t.Fatal("removed although mgr-b is not stale yet")
	}
	r.now = r.now.Add(25 * time.Hour)
	name1 := r.seal(1)
	r.keep()
	if r.exists(name) {
		t.Error("a stale collector blocks")
	}
	if !strings.Contains(r.log.String(), "Collector mgr-b is stale") || len(r.keeper.Status().Alerts) != 1 {
		t.Errorf("no alert: %s %v", r.log.String(), r.keeper.Status().Alerts)
	}
	wantGone(t, take(b, name), "stale")
	// It is back, and counts again.
	b = r.enter("b", addrB)
	if c := b.Collector(); c.Role != Required {
		t.Errorf("%+v", c)
	}
	r.check(take(a, name1))
	r.now = r.now.Add(2 * time.Hour)
	r.keep()
	if !r.exists(name1) {
		t.Error("a collector that is back does not block")
	}
	for _, want := range []string{"stale", "returned", "expired 0"} {
		if !strings.Contains(r.evidence(), want) {
			t.Errorf("no %q in\n%s", want, r.evidence())
		}
	}
}

// TestAllStale: a manager that was away for longer than it takes to be stale
// finds everything that the quota left, when nobody else took it.
func TestAllStale(t *testing.T) {
	r := newRig(t, func(o *Options) { o.Hold = time.Hour })
	r.add("a", Required, "mgr-a")
	r.add("o", Observer, "watcher")
	r.enter("a", addrA)
	name := r.seal(0)
	r.check(take(r.enter("o", addrB), name))
	r.now = r.now.Add(30 * 24 * time.Hour)
	r.keep()
	if !r.exists(name) {
		t.Fatal("nobody that counts has it, and it is gone")
	}
	r.check(take(r.enter("a", addrA), name))
}

func TestNobody(t *testing.T) {
	r := newRig(t, func(o *Options) { o.Hold = 0 })
	name := r.seal(0)
	r.now = r.now.Add(1000 * time.Hour)
	r.keep()
	if !r.exists(name) {
		t.Error("removed although nobody collects")
	}
	if a := r.keeper.Status().Alerts; len(a) != 1 || !strings.Contains(a[0], "waybill join") {
		t.Errorf("alerts %v", a)
	}
}

func TestQuota(t *testing.T) {
	size := int64(len(fileContent(0)))
	r := newRig(t, func(o *Options) { o.Quota = 3 * size })
	r.add("a", Required, "mgr-a")
	r.add("b", Required, "mgr-b")
	a, b := r.enter("a", addrA), r.enter("b", addrB)
	for n := range 4 {
		r.seal(n)
	}
	r.check(errors.Join(take(a, fileName(1)), take(b, fileName(1)), take(a, fileName(0))))
	r.keep()
	if r.exists(fileName(1)) || !r.exists(fileName(0)) {
		t.Error("what is acknowledged goes first")
	}
	r.seal(4)
	r.keep()
	if r.exists(fileName(0)) || !r.exists(fileName(2)) {
		t.Error("then the oldest")
	}
	_, err := b.Open(fileName(0))
	wantGone(t, err, "quota")
	r.check(a.Acknowledge(fileName(0)))
	r.check(fetch(b, fileName(2), (*Handout).Received))
	r.seal(5)
	r.keep()
	r.check(b.Acknowledge(fileName(2))) // it has it, even so
	if !strings.Contains(r.evidence(), "removed 1") || !strings.Contains(r.evidence(), "expired 0") || !strings.Contains(r.log.String(), "missed=[mgr-b]") {
		t.Errorf("%s\n%s", r.evidence(), r.log.String())
	}
	if s := r.keeper.Status(); s.Files != 3 || s.Bytes != 3*size || s.Expired != 2 || s.Collectors[1].Waiting != 3 {
		t.Errorf("%+v", s)
	}
}

func TestExclusive(t *testing.T) {
	r := newRig(t, func(o *Options) { o.Exclusive = true })
	r.add("a", Required, "mgr-a")
	r.add("o", Observer, "watcher")
	a, rival, o := r.enter("a", addrA), r.enter("a", addrB), r.enter("o", addrC)
	name := r.seal(0)
	if got := list(t, a); got != "0" {
		t.Fatal(got)
	}
	r.check(take(o, name))
	if got := list(t, a); got != "0" {
		t.Error("an observer took it")
	}
	r.check(take(rival, name))
	if got := list(t, a); got != "" {
		t.Errorf("taken, and still listed: %q", got)
	}
	_, err := a.Open(name)
	wantGone(t, err, "taken by mgr-a@192.0.2.92 at 192.0.2.92")
	r.keep()
	if r.exists(name) {
		t.Error("taken, and still there")
	}
	_, err = a.Open(name)
	wantGone(t, err, "taken by mgr-a@192.0.2.92 at 192.0.2.92")
	if !strings.Contains(r.evidence(), "acknowledged 0 mgr-a@192.0.2.92") {
		t.Error(r.evidence())
	}
}

// An acknowledgement holds also where another collector had taken the file and
// is then removed before its bytes are.
func TestTakenByWhoIsRemoved(t *testing.T) {
	r := newRig(t, func(o *Options) { o.Exclusive = true })
	r.add("a", Required, "mgr-a")
	r.add("b", Required, "mgr-b")
	r.add("c", Required, "mgr-c")
	a, b, c := r.enter("a", addrA), r.enter("b", addrB), r.enter("c", addrC)
	name := r.seal(0)
	r.check(fetch(a, name, (*Handout).Received))
	r.check(take(b, name))
	r.check(a.Acknowledge(name))
	_, err := r.admin().Remove("mgr-b")
	r.check(err)
	r.now = r.now.Add(2 * time.Second) // the list of collectors is read again
	if got := list(t, r.enter("a", addrA)); got != "" {
		t.Errorf("acknowledged, and listed again: %q", got)
	}
	if got := list(t, c); got != "0" {
		t.Errorf("nobody has taken it any more, and it is not listed: %q", got)
	}
}

func TestVanished(t *testing.T) {
	r := newRig(t, nil)
	r.add("a", Required, "mgr-a")
	a := r.enter("a", addrA)
	name := r.seal(0)
	r.keep()
	r.check(r.disk.Remove(r.o.Files + "/" + name))
	r.now = r.now.Add(2 * time.Minute)
	r.keep()
	_, err := a.Open(name)
	wantGone(t, err, "not by Waybill")
}
