package export

import (
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"path"
	"slices"
	"testing"
	"time"

	"waybill/internal/safefs"
	"waybill/internal/safefs/crashfs"
	"waybill/internal/window"
)

// intakeRig are gateways that share an export.
type intakeRig struct {
	t    *testing.T
	disk *crashfs.FS
	in   *Intake
	told []string
}

const (
	intakeFiles = "pub/export/tracking"
	intakeNames = "qlogd/.names"
)

func (r *intakeRig) open() error {
	var err error
	r.in, err = OpenIntake(r.disk, intakeFiles, intakeNames, func(s window.Sealed) error {
		r.told = append(r.told, s.Name.String())
		return nil
	})
	return err
}

func spoolOf(gateway string) string { return path.Join("qlogd", gateway, "sealed") }

// windowAt is the name of a window.
func windowAt(at time.Time, length time.Duration) string {
	return window.Name{From: at, To: at.Add(length), Compressed: true}.String()
}

// put seals a window in a gateway's own directory.
func put(fsys safefs.FS, gateway, name, content string) error {
	dir := spoolOf(gateway)
	if err := fsys.MkdirAll(dir); err != nil {
		return err
	}
	return safefs.Publish(fsys, dir, name, func(w io.Writer) error {
		_, err := io.WriteString(w, content)
		return err
	})
}

// contents of a directory by name.
func contents(t *testing.T, fsys safefs.FS, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	entries, err := fsys.ReadDir(dir)
	if err != nil {
		return out
	}
	for _, e := range entries {
		if !exported(e.Name()) {
			continue
		}
		f, err := fsys.Open(path.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(f)
		if err != nil {
			t.Fatal(err)
		}
		f.Close()
		out[e.Name()] = string(b)
	}
	return out
}

// TestNamesNeverRepeatAcrossGateways seals the same intervals on three gateways,
// collects them all, and sets the clock back: every name is another.
func TestNamesNeverRepeatAcrossGateways(t *testing.T) {
	r := &intakeRig{t: t, disk: crashfs.New()}
	if err := r.open(); err != nil {
		t.Fatal(err)
	}
	had := map[string]string{}
	for round := range 3 { // the clock goes back twice
		for n := range 40 {
			at := day.Add(time.Duration(n)*3*time.Minute + time.Duration(round)*time.Second)
			for _, g := range []string{"mx-a", "mx-b", "192.0.2.7"} {
				if err := put(r.disk, g, windowAt(at, 3*time.Minute), fmt.Sprint(g, round, n)); err != nil {
					t.Fatal(err)
				}
				if err := r.in.Take(spoolOf(g), nil); err != nil {
					t.Fatal(err)
				}
			}
			for name, content := range contents(t, r.disk, intakeFiles) {
				if was, ok := had[name]; ok {
					t.Fatalf("%s was %s and is %s", name, was, content)
				}
				had[name] = content
				if err := r.disk.Remove(path.Join(intakeFiles, name)); err != nil { // collected by everybody
					t.Fatal(err)
				}
			}
		}
		if err := r.open(); err != nil {
			t.Fatal(err)
		}
	}
	if len(had) != 3*40*3 || len(r.told) != len(had) {
		t.Fatalf("%d windows came out of %d, %d told", len(had), 3*40*3, len(r.told))
	}
	for name := range had {
		n, _ := window.ParseName(name)
		if n.To.Sub(n.From) != 3*time.Minute {
			t.Errorf("%s is of another length", name)
		}
	}
	if n := len(r.in.names.Given); n > 20 {
		t.Errorf("%d rows for nine rows of windows", n)
	}
}

// TestNamesThatAreForgottenCountAsGiven fills the memory.
func TestNamesThatAreForgottenCountAsGiven(t *testing.T) {
	r := &intakeRig{t: t, disk: crashfs.New()}
	if err := r.open(); err != nil {
		t.Fatal(err)
	}
	first := window.Name{From: day, To: day.Add(time.Minute), Compressed: true}
	for n := range maxGiven + 50 { // no two follow each other
		at := day.Add(time.Duration(n) * time.Hour)
		r.in.names.add(window.Name{From: at, To: at.Add(time.Minute)})
	}
	if len(r.in.names.Given) > maxGiven {
		t.Fatalf("%d rows", len(r.in.names.Given))
	}
	if !r.in.names.has(first) {
		t.Error("a name that is forgotten may be given again")
	}
	n, err := r.in.free(first)
	if err != nil || n.From.Before(day.Add(49*time.Hour)) || r.in.names.has(n) || n.To.Sub(n.From) != time.Minute {
		t.Errorf("free = %v, %v", n, err)
	}
}

// TestIntakeSurvivesAnyCrash loses power at every call, any number of writes
// behind the last sync, and goes on: each window is in the export once, under
// one name, and no name had two contents.
func TestIntakeSurvivesAnyCrash(t *testing.T) {
	scene := func(disk *crashfs.FS) (put []string) {
		in, err := OpenIntake(disk, intakeFiles, intakeNames, func(window.Sealed) error { return nil })
		if err != nil {
			return nil
		}
		for n := range 3 {
			for _, g := range []string{"mx-a", "mx-b"} {
				content := fmt.Sprint(g, n)
				if putErr := putWindow(disk, g, n, content); putErr != nil {
					return put
				}
				put = append(put, content)
			}
			for _, g := range []string{"mx-a", "mx-b"} {
				if in.Take(spoolOf(g), nil) != nil {
					return put
				}
			}
		}
		return put
	}
	whole := crashfs.New()
	scene(whole)
	for stop := range whole.Ops() {
		for seed := range uint64(4) {
			disk := crashfs.New()
			disk.StopAt(stop)
			sure := scene(disk)
			after := disk.Crash(rand.New(rand.NewPCG(uint64(stop), seed)))
			seen := contents(t, after, intakeFiles) // a collector may have read these already
			in, err := OpenIntake(after, intakeFiles, intakeNames, func(window.Sealed) error { return nil })
			if err != nil {
				t.Fatalf("stop %d: %v", stop, err)
			}
			for _, g := range []string{"mx-a", "mx-b"} {
				if err := in.Take(spoolOf(g), nil); err != nil {
					t.Fatalf("stop %d: %v", stop, err)
				}
			}
			files := contents(t, after, intakeFiles)
			var all []string
			for name, content := range files {
				all = append(all, content)
				if was, ok := seen[name]; ok && was != content {
					t.Errorf("stop %d: %s was %q and is %q", stop, name, was, content)
				}
			}
			slices.Sort(all)
			if len(slices.Compact(slices.Clone(all))) != len(all) {
				t.Errorf("stop %d, seed %d: twice: %q", stop, seed, all)
			}
			for _, content := range sure {
				if !slices.Contains(all, content) {
					t.Errorf("stop %d, seed %d: %s is lost: %q", stop, seed, content, all)
				}
			}
			for _, g := range []string{"mx-a", "mx-b"} {
				if left := contents(t, after, spoolOf(g)); len(left) > 0 {
					t.Errorf("stop %d: left behind: %q", stop, left)
				}
			}
		}
	}
}

func putWindow(disk safefs.FS, gateway string, n int, content string) error {
	return put(disk, gateway, windowAt(day.Add(time.Duration(n)*3*time.Minute), 3*time.Minute), content)
}

// TestIntakeGoesOnAfterAFailure lets each call fail once.
func TestIntakeGoesOnAfterAFailure(t *testing.T) {
	for at := 1; ; at++ {
		r := &intakeRig{t: t, disk: crashfs.New()}
		if err := r.open(); err != nil {
			t.Fatal(err)
		}
		for n := range 2 {
			if err := putWindow(r.disk, "mx-a", n, fmt.Sprint(n)); err != nil {
				t.Fatal(err)
			}
		}
		before := r.disk.Ops()
		r.disk.FailAt(before+at, fs.ErrPermission)
		if err := r.in.Take(spoolOf("mx-a"), nil); err == nil {
			if at < 5 {
				t.Fatalf("call %d failed, and nobody said so", at)
			}
			return
		}
		// The gateway seals again under a name that it gave before.
		if err := putWindow(r.disk, "mx-a", 1, "other"); err != nil && len(contents(t, r.disk, spoolOf("mx-a"))) == 0 {
			t.Fatal(err)
		}
		if err := r.in.Take(spoolOf("mx-a"), nil); err != nil {
			t.Fatal(err)
		}
		var all []string
		for _, c := range contents(t, r.disk, intakeFiles) {
			all = append(all, c)
		}
		slices.Sort(all)
		if !slices.Contains(all, "0") || !slices.Contains(all, "1") || len(slices.Compact(slices.Clone(all))) != len(all) {
			t.Errorf("call %d failed: %q", at, all)
		}
	}
}
