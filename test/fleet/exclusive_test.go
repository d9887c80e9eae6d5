package fleet

import (
	"fmt"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"waybill/internal/doctor"
)

// TestExclusive: a gateway that behaves as appliances do, a manager of Waybill,
// and a legacy loop that now and then is there first. The doctor finds exactly
// what the loop took, and whose it was.
func TestExclusive(t *testing.T) {
	needSSH(t)
	t.Parallel()
	port := freePort(t)
	address := fmt.Sprintf("127.0.0.1:%d", port)
	g, mail := newGateway(t, "mx-x", address, "1s", "hold: 72h, exclusive: true")
	m := newManager(t, "manager-x", "3s")
	key := newKey(t, filepath.Join(t.TempDir(), "rival"))
	g.must(t, "collectors", "add", "--key", key+".pub", "--name", "rival")
	rival := newLegacy(t, "rival", key, "127.0.0.9", port)
	rival.after, rival.every = 20*time.Millisecond, 2
	g.start(t)
	m.start(t)
	enrol(t, m, g, address)
	stopMail := goMail(t, 50*time.Millisecond, mail)
	until(t, time.Minute, func() string { return atLeast(3, len(pulls(t, m, g)), "files pulled") })

	stop := goLegacy(t, rival)
	until(t, 2*time.Minute, func() string { return atLeast(5, len(only(t, rival, m, g)), "files that the rival has alone") })
	problems := stop()["rival"] // a file that the manager took before: no problem of the test
	t.Logf("the rival took %d files and came too late %d times", len(rival.has()), len(problems))
	before := len(pulls(t, m, g))
	until(t, time.Minute, func() string { return atLeast(before+3, len(pulls(t, m, g)), "files pulled") })
	stopMail()
	last := len(pulls(t, m, g))
	until(t, time.Minute, func() string { return atLeast(last+3, len(pulls(t, m, g)), "files pulled") })
	g.stop(t) // nothing new comes, and the manager takes in what it has
	until(t, time.Minute, func() string {
		left, err := filepath.Glob(filepath.Join(m.data, "log", "tracking", "mx-x", "tracking.@*"))
		if err != nil {
			t.Fatal(err)
		}
		if len(left) > 0 {
			return fmt.Sprintf("%d files are not ingested", len(left))
		}
		return ""
	})
	m.stop(t)

	want := only(t, rival, m, g)
	report := examine(t, m, g)
	var got []string
	for _, f := range report.Findings {
		got = append(got, f.Window)
		if f.Cause != doctor.TakenByOther || f.By != rival.from || f.Gateway != g.name {
			t.Errorf("%s of %s: %s by %q (%s)", f.Window, f.Gateway, f.Cause, f.By, f.Verdict)
		}
	}
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("the doctor finds %d windows:\n%q\nthe rival alone took %d:\n%q", len(got), got, len(want), want)
	}
}

// only are the files that a rival took and a manager never had, by name.
func only(t *testing.T, rival *legacy, m, g *host) []string {
	t.Helper()
	had := pulls(t, m, g)
	alone := slices.DeleteFunc(rival.has(), func(name string) bool { _, ok := had[name]; return ok })
	slices.Sort(alone)
	return alone
}

// atLeast says what is missing of a number.
func atLeast(want, got int, what string) string {
	if got >= want {
		return ""
	}
	return fmt.Sprintf("%d of %d %s", got, want, what)
}
