package oracle

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// The test binary is also the importer that gets killed: with these set it
// imports one file and ends.
const (
	envDir     = "WAYBILL_ORACLE_DIR"
	envGateway = "WAYBILL_ORACLE_GATEWAY"
	envFile    = "WAYBILL_ORACLE_FILE"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(envDir); dir != "" {
		if err := take(context.Background(), dir, os.Getenv(envGateway), os.Getenv(envFile)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// killed starts an import and kills it after a while. It reports whether the
// import had ended before.
func killed(ctx context.Context, data string, l *Log, file string, after time.Duration) (bool, error) {
	exe, err := os.Executable()
	if err != nil {
		return false, err
	}
	ctx, cancel := context.WithTimeout(ctx, after) // ends it with SIGKILL
	defer cancel()
	cmd := exec.CommandContext(ctx, exe)
	cmd.Env = append(os.Environ(), envDir+"="+data, envGateway+"="+l.Gateway, envFile+"="+file)
	out, err := cmd.CombinedOutput()
	if err != nil && ctx.Err() == nil {
		return false, fmt.Errorf("%w: %s", err, out)
	}
	return err == nil, nil
}

// TestPropertyKill: an import that is killed at any moment, as often as it
// may be, costs nothing but the work to be done again.
func TestPropertyKill(t *testing.T) {
	var cut, ended int
	check(t, 10, func(t *rapid.T) {
		s := script(t)
		s.Gateways = 1
		l := Simulate(s)[0]
		ms, err := Read(l)
		if err != nil {
			t.Fatal(err)
		}
		dir, data := site(t, []*Log{l})
		defer os.RemoveAll(dir)
		file := filepath.Join(dir, l.Gateway, "mail.log")
		n := len(l.Lines)
		if rapid.Bool().Draw(t, "grown") { // the killed import goes on where another ended
			half := step{l, []piece{{name: "mail.log", to: n / 2, tail: 1}}}
			if err := half.play(t.Context(), dir); err != nil {
				t.Fatal(err)
			}
		}
		if err := write(file, l.Bytes(), l.End()); err != nil {
			t.Fatal(err)
		}
		for range rapid.IntRange(1, 4).Draw(t, "kills") {
			after := time.Duration(rapid.IntRange(5, 250).Draw(t, "ms")) * time.Millisecond
			whole, err := killed(t.Context(), data, l, file, after)
			if err != nil {
				t.Fatal(err)
			}
			if whole {
				ended++
			} else {
				cut++
			}
		}
		again := step{l, []piece{{name: "mail.log", to: n}}}
		if err := again.play(t.Context(), dir); err != nil {
			t.Fatal(err)
		}
		h, err := look(t.Context(), data)
		if err != nil {
			t.Fatal(err)
		}
		if d := difference(want(ms, of(s)), h.views(of(s))); d != "" {
			t.Fatal(d)
		}
		if err := checkRuns(t.Context(), data, l, []step{again}); err != nil {
			t.Fatal(err)
		}
	})
	t.Logf("%d imports killed, %d had ended", cut, ended)
}
