package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"waybill/internal/maillog"
)

func follow(t *testing.T, s *Session, logs []Log) *Follower {
	t.Helper()
	f, err := s.Follow(ReadOptions{Format: maillog.Auto}, logs)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	})
	return f
}

// step does what Run does when its clock ticks.
func step(t *testing.T, f *Follower) {
	t.Helper()
	if _, _, err := f.poll(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := f.cut(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func add(t *testing.T, path, text string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString(text); err != nil {
		t.Fatal(err)
	}
}

// TestFollow follows a log from before it is read, through growth and a
// rotation, line by line: nothing is lost, nothing comes twice, and a message
// that is cut by the rotation is one.
func TestFollow(t *testing.T) {
	dir := t.TempDir()
	path := write(t, dir, "mail.log", life("4AAAAAA0001", noon))
	write(t, dir, "mail.log.1", life("4AAAAAA0000", noon.Add(-time.Hour)))
	s := session(t, options(t.TempDir()))
	logs := logsIn(t, dir)
	f := follow(t, s, logs)
	if got := f.Paths(); len(got) != 1 || got[0] != path {
		t.Fatalf("followed: %v", got)
	}
	add(t, path, life("4AAAAAA0002", noon.Add(time.Minute))) // before it is read
	if err := s.Read(t.Context(), ReadOptions{Format: maillog.Auto}, logs); err != nil {
		t.Fatal(err)
	}
	text := life("4AAAAAA0003", noon.Add(2*time.Minute))
	add(t, path, text[:30]) // between reading and following
	if err := f.begin(t.Context()); err != nil {
		t.Fatal(err)
	}
	step(t, f)
	if got, want := queueIDs(t, s.Reader), "4AAAAAA0002 4AAAAAA0001 4AAAAAA0000"; got != want {
		t.Fatalf("found %s, want %s", got, want)
	}
	half := strings.Index(text, "\n") + 1
	add(t, path, text[30:half])
	step(t, f)
	if err := os.Rename(path, path+".0"); err != nil {
		t.Fatal(err)
	}
	add(t, path, text[half:])
	step(t, f)
	want := "4AAAAAA0003 4AAAAAA0002 4AAAAAA0001 4AAAAAA0000"
	if got := queueIDs(t, s.Reader); got != want {
		t.Errorf("found %s, want %s", got, want)
	}
	for n := range 20 {
		at := noon.Add(time.Hour + time.Duration(n)*time.Minute)
		id := fmt.Sprintf("4AAAAAB%04d", n)
		want = id + " " + want
		for line := range strings.Lines(life(id, at)) {
			add(t, path, line)
			step(t, f)
		}
	}
	if got := queueIDs(t, s.Reader); got != want {
		t.Errorf("found %s, want %s", got, want)
	}
	m, err := s.Reader.Find(t.Context(), requestFor("queue-id:4AAAAAA0003"))
	if err != nil || len(m.Messages) != 1 || len(m.Messages[0].Recipients) != 1 || m.Messages[0].Recipients[0].Attempts != 1 {
		t.Errorf("the message across the rotation: %+v, %v", m, err)
	}
	// Reading the files again finds nothing new.
	rep, err := run(t, t.Context(), s.Importer, path, path+".0", path+".1")
	if err != nil || rep.New+rep.Updated != 0 {
		t.Errorf("again: %+v, %v", rep, err)
	}
}

// TestFollowRotations follows a log through 50 rotations that come in the middle
// of messages: each message is there once and whole.
func TestFollowRotations(t *testing.T) {
	const rotations = 50
	for name, rotate := range map[string]func(path, older string) error{
		"rename": os.Rename,
		"copy and truncate": func(path, older string) error {
			text, err := os.ReadFile(path)
			if err == nil {
				err = os.WriteFile(older, text, 0o600)
			}
			if err == nil {
				err = os.Truncate(path, 0)
			}
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path := write(t, dir, "mail.log", life("4AAAAAA0000", noon))
			s := session(t, options(t.TempDir()))
			logs := logsIn(t, path)
			f := follow(t, s, logs)
			if err := s.Read(t.Context(), ReadOptions{Format: maillog.Auto}, logs); err != nil {
				t.Fatal(err)
			}
			if err := f.begin(t.Context()); err != nil {
				t.Fatal(err)
			}
			for n := range rotations {
				lines := strings.SplitAfter(life(fmt.Sprintf("4AAAAAA%04d", n+1), noon.Add(time.Duration(n+1)*time.Minute)), "\n")
				cut := n % len(lines)
				add(t, path, strings.Join(lines[:cut], ""))
				if n%3 > 0 { // else the rotation comes before it looks again
					step(t, f)
				}
				for old := min(n, 4); old > 0; old-- {
					if err := os.Rename(fmt.Sprintf("%s.%d", path, old), fmt.Sprintf("%s.%d", path, old+1)); err != nil {
						t.Fatal(err)
					}
				}
				if err := rotate(path, path+".1"); err != nil {
					t.Fatal(err)
				}
				add(t, path, strings.Join(lines[cut:], ""))
				step(t, f)
			}
			a, err := s.Reader.Find(t.Context(), requestFor("status:delivered"))
			if err != nil || len(a.Messages) != rotations+1 {
				t.Fatalf("%d messages are delivered, want %d: %v", len(a.Messages), rotations+1, err)
			}
			for _, m := range a.Messages {
				if len(m.Recipients) != 1 || m.Recipients[0].Attempts != 1 || m.Client == nil {
					t.Errorf("%s is not whole, or more: %+v", m.QueueID, m)
				}
			}
		})
	}
}

// TestFollowPipe reads what comes through a pipe as it comes, and ends with it.
func TestFollowPipe(t *testing.T) {
	r, w := io.Pipe()
	text := life("4AAAAAA0001", noon)
	go func() {
		for line := range strings.Lines(text + life("4AAAAAA0002", noon.Add(time.Minute))) {
			if _, err := io.WriteString(w, line); err != nil {
				t.Error(err)
			}
		}
		w.Close()
	}()
	fi := finder()
	fi.Stdin = r
	found, err := fi.Find(t.Context(), []string{"-"})
	if err != nil || len(found.Logs) != 1 || found.Logs[0].Gateway != "mx-a" {
		t.Fatalf("found %+v, %v", found, err)
	}
	s := session(t, options(t.TempDir()))
	f := follow(t, s, found.Logs)
	if err := f.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got, want := queueIDs(t, s.Reader), "4AAAAAA0002 4AAAAAA0001"; got != want {
		t.Errorf("found %s, want %s", got, want)
	}
}

// TestFollowStops ends following although a pipe is open and silent.
func TestFollowStops(t *testing.T) {
	r, w := io.Pipe()
	defer w.Close()
	ctx, stop := context.WithCancel(t.Context())
	go func() {
		_, _ = io.WriteString(w, life("4AAAAAA0001", noon)) // the pipe is closed at the end
	}()
	fi := finder()
	fi.Stdin = r
	found, err := fi.Find(ctx, []string{"-"})
	if err != nil {
		t.Fatal(err)
	}
	s := session(t, options(t.TempDir()))
	f := follow(t, s, found.Logs)
	done := make(chan error)
	go func() { done <- f.Run(ctx) }()
	stop()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if _, err := fi.Find(ctx, []string{"-"}); !errors.Is(err, context.Canceled) {
		t.Errorf("a pipe is waited for: %v", err)
	}
}

func TestNothingToFollow(t *testing.T) {
	s := session(t, options(t.TempDir()))
	logs := []Log{{Path: filepath.Join(t.TempDir(), "mail.log.2.gz"), Compression: "gzip"}}
	if _, err := s.Follow(ReadOptions{}, logs); !errors.Is(err, ErrNothingToFollow) {
		t.Errorf("err = %v", err)
	}
}

func TestWatcher(t *testing.T) {
	dir := t.TempDir()
	path := write(t, dir, "mail.log", life("4AAAAAA0001", noon))
	s := session(t, options(t.TempDir()))
	logs := logsIn(t, path)
	f := follow(t, s, logs)
	if err := s.Read(t.Context(), ReadOptions{Format: maillog.Auto}, logs); err != nil {
		t.Fatal(err)
	}
	if err := f.begin(t.Context()); err != nil {
		t.Fatal(err)
	}
	w := NewWatcher(s.Reader, "sender:ann@example.com")
	told := func(changes []Change, err error) string {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		var out []string
		for _, c := range changes {
			out = append(out, strings.TrimSpace(fmt.Sprint(c.QueueID, " ", c.Change, " ", c.Recipient)))
		}
		return strings.Join(out, "|")
	}
	want := func(what, got, want string) {
		t.Helper()
		if got != want {
			t.Errorf("%s: told %q, want %q", what, got, want)
		}
	}
	want("at first", told(w.Begin(t.Context(), 1)), "4AAAAAA0001 received|4AAAAAA0001 delivered bob@example.net")
	want("nothing new", told(w.Poll(t.Context())), "")

	lines := strings.SplitAfter(life("4AAAAAA0002", noon.Add(time.Minute)), "\n")
	add(t, path, lines[0]+lines[1])
	step(t, f)
	want("received", told(w.Poll(t.Context())), "4AAAAAA0002 received")
	for n := range 2 {
		add(t, path, strings.NewReplacer("dsn=2.0.0", "dsn=4.3.0", "status=sent", "status=deferred", ":01+", fmt.Sprintf(":%02d+", 2+n)).Replace(lines[2]))
		step(t, f)
		want("deferred", told(w.Poll(t.Context())), "4AAAAAA0002 deferred bob@example.net")
	}
	// Days later, when newer mail has come and gone.
	add(t, path, life("4AAAAAA0003", noon.Add(48*time.Hour)))
	step(t, f)
	want("newer", told(w.Poll(t.Context())), "4AAAAAA0003 received|4AAAAAA0003 delivered bob@example.net")
	add(t, path, strings.ReplaceAll(lines[2], "2026-11-20T12:01:01", "2026-11-22T13:00:00"))
	step(t, f)
	want("delivered at last", told(w.Poll(t.Context())), "4AAAAAA0002 delivered bob@example.net")
	add(t, path, strings.ReplaceAll(life("4AAAAAA0004", noon.Add(49*time.Hour)), "ann@", "eve@"))
	step(t, f)
	want("of somebody else", told(w.Poll(t.Context())), "")
	if len(w.seen) > 1 {
		t.Errorf("%d messages are remembered", len(w.seen))
	}
}
