package export

import (
	"errors"
	"io/fs"
	"os"
	"strings"
	"testing"
	"time"
)

func TestJoin(t *testing.T) {
	r := newRig(t, nil)
	const token = "0123456789abcdef"
	if _, armed := r.front.Token(); armed {
		t.Fatal("armed without a token")
	}
	_, err := r.front.Try()
	wantErr(t, err, ErrNotArmed)
	_, err = r.admin().Arm("too short", time.Hour)
	wantErr(t, err, ErrToken)
	arm := func() {
		t.Helper()
		_, err := r.admin().Arm(token, time.Hour)
		r.check(err)
	}
	arm()
	r.now = r.now.Add(2 * time.Hour)
	wantErr(t, r.front.Enrol(key("z"), addrA, "mgr-z", ""), ErrNotArmed)
	arm()
	for range TokenTries {
		got, err := r.front.Try()
		r.check(err)
		if got != token {
			t.Fatal(got)
		}
	}
	r.restart()
	_, err = r.front.Try()
	wantErr(t, err, ErrNotArmed)
	arm() // anew
	for range TokenTries {
		_, err := r.front.Try()
		r.check(err)
	}
	r.check(r.front.Enrol(key("a"), addrA, "mgr-a", "one")) // the fifth try was right
	wantErr(t, r.front.Enrol(key("b"), addrB, "mgr-b", ""), ErrNotArmed)
	wantErr(t, r.front.Enrol(key("a"), addrA, "mgr-a", "one"), fs.ErrExist)
	r.restart()
	wantErr(t, r.front.Enrol(key("b"), addrB, "mgr-b", ""), ErrNotArmed)
	if !r.front.Knows(key("a")) {
		t.Fatal("enrolled, and unknown")
	}
	v, err := r.front.Enter(key("a"), addrA, "one")
	r.check(err)
	if c := v.Collector(); c.Role != Required || c.Name != "mgr-a" || len(r.admin().List()) != 1 {
		t.Errorf("%+v", c)
	}
	if c := r.enter("a", addrB).Collector(); c.Role != PendingRole {
		t.Errorf("%+v", c)
	}
}

// TestTakenOver: a second process that opens the journal makes the first one
// refuse, and loses nothing of what that had answered.
func TestTakenOver(t *testing.T) {
	r := newRig(t, nil)
	r.add("a", Required, "mgr-a")
	old := r.enter("a", addrA)
	for n := range 3 {
		r.seal(n)
	}
	r.check(take(old, fileName(0)))
	second, err := OpenFront(r.o)
	r.check(err)
	defer second.Close()
	wantErr(t, take(old, fileName(1)), ErrSuperseded)
	wantErr(t, take(old, fileName(2)), ErrSuperseded)
	v, err := second.Enter(key("a"), addrA, "")
	r.check(err)
	if got := list(t, v); got != "1 2" {
		t.Errorf("the second sees %q", got)
	}
}

func TestRegistryMistake(t *testing.T) {
	r := newRig(t, nil)
	r.add("a", Required, "mgr-a")
	r.enter("a", addrA)
	f, err := r.disk.OpenFile("export/collectors.json", os.O_RDWR|os.O_TRUNC, 0)
	r.check(err)
	_, err = f.Write([]byte(`{"version":1,"collectors":[{"id":"x"`))
	r.check(errors.Join(err, f.Close()))
	if !r.front.Knows(key("a")) || !strings.Contains(r.log.String(), "has a mistake") {
		t.Errorf("a mistake in the list loses collectors: %s", r.log.String())
	}
	_, err = OpenFront(r.o)
	var mistake *RegistryError
	if !errors.As(err, &mistake) || mistake.Hint() == "" {
		t.Errorf("error %v", err)
	}
}

// TestRolled lets journals roll often: the state survives, evidence is bounded.
func TestRolled(t *testing.T) {
	r := newRig(t, func(o *Options) { o.SegmentSize, o.Evidence = 2000, 20_000 })
	r.add("a", Required, "mgr-a")
	a := r.enter("a", addrA)
	for n := range 200 {
		r.seal(n)
		if n%2 == 0 {
			r.check(take(a, fileName(n)))
		}
		r.keep()
	}
	want := list(t, a)
	if strings.Count(want, " ") != 99 {
		t.Errorf("listed %q", want)
	}
	r.restart()
	if got := list(t, r.enter("a", addrA)); got != want {
		t.Errorf("after a restart listed %q", got)
	}
	var total int64
	for _, owner := range []string{frontJournal, keeperJournal} {
		list, err := r.disk.ReadDir(r.o.journalDir(owner))
		r.check(err)
		for _, e := range list {
			info, _ := e.Info()
			total += info.Size()
		}
	}
	if total > 150_000 {
		t.Errorf("%d bytes of journals", total)
	}
	if !strings.Contains(r.evidence(), "acknowledged 198 mgr-a") {
		t.Error("the newest evidence is missing")
	}
}
