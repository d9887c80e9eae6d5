package fleet

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"waybill/test/peers/peer"
)

const remoteDir = "/export/tracking/"

// legacy is a collector of the kind that the documents show: a loop of ls, scp
// and rm, each with a login of its own.
type legacy struct {
	name   string
	dir    string // of its copies
	config string
	key    string
	from   string // the address that it comes from
	// after is when it comes, from the beginning of each second on; every is how
	// many seconds lie between.
	after time.Duration
	every int

	mu    sync.Mutex
	took  []string  // copied and removed, in order
	first time.Time // when it saw a listing first
}

// newKey makes a key as OpenSSH does.
func newKey(t *testing.T, path string) string {
	t.Helper()
	if out, err := exec.Command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path).CombinedOutput(); err != nil {
		t.Fatalf("ssh-keygen: %v: %s", err, out)
	}
	return path
}

// newLegacy makes a collector that comes to 127.0.0.1:port with a key.
func newLegacy(t *testing.T, name, key, from string, port int) *legacy {
	t.Helper()
	dir := filepath.Join(t.TempDir(), name)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	l := &legacy{name: name, dir: dir, config: dir + ".config", key: key, from: from, every: 1}
	text := fmt.Sprintf("Host gw\nHostName 127.0.0.1\nPort %d\nUser smaduser\nBindAddress %s\nIdentityFile %s\nBatchMode yes\nIdentitiesOnly yes\nIdentityAgent none\n"+
		"StrictHostKeyChecking accept-new\nUserKnownHostsFile %s.known_hosts\nGlobalKnownHostsFile none\nConnectTimeout 20\nLogLevel ERROR\n", port, from, key, dir)
	if err := os.WriteFile(l.config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return l
}

func (l *legacy) call(ctx context.Context, name string, args ...string) (string, error) {
	c := exec.CommandContext(ctx, name, append([]string{"-F", l.config}, args...)...)
	var complaint bytes.Buffer
	c.Stderr = &complaint
	out, err := c.Output()
	if err != nil {
		return "", fmt.Errorf("%s of %s: %w: %s", name, l.name, err, strings.TrimSpace(complaint.String()))
	}
	return string(out), nil
}

func (l *legacy) list(ctx context.Context) ([]string, error) {
	out, err := l.call(ctx, "ssh", "gw", "ls -AF "+remoteDir)
	l.mu.Lock()
	defer l.mu.Unlock()
	if err == nil && l.first.IsZero() {
		l.first = time.Now()
	}
	return strings.Fields(out), err
}

// take copies a file and removes it, whatever another one does.
func (l *legacy) take(ctx context.Context, name string) error {
	if _, err := l.call(ctx, "scp", "-O", "-q", "gw:"+remoteDir+name, filepath.Join(l.dir, name)); err != nil {
		return err
	}
	if _, err := l.call(ctx, "ssh", "gw", "rm "+remoteDir+name); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.took = append(l.took, name)
	return nil
}

// run comes again and again until ctx ends. What it cannot have it leaves, as
// a shell script would; the errors are returned.
func (l *legacy) run(ctx context.Context) (problems []error) {
	for {
		now := time.Now()
		next := now.Truncate(time.Second).Add(l.after)
		for !next.After(now) || next.Unix()%int64(l.every) != 0 {
			next = next.Add(time.Second)
		}
		if !wait(ctx, time.Until(next)) {
			return problems
		}
		names, err := l.list(ctx)
		for _, name := range names {
			if err := l.take(ctx, name); err != nil && ctx.Err() == nil {
				problems = append(problems, err)
			}
		}
		if err != nil && ctx.Err() == nil {
			problems = append(problems, err)
		}
	}
}

// came is when it saw a listing first, zero is never.
func (l *legacy) came() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.first
}

// has are the files that it copied and removed.
func (l *legacy) has() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.took)
}

// goLegacy lets collectors come until the returned function is called, which
// tells what went wrong.
func goLegacy(t *testing.T, all ...*legacy) (stop func() map[string][]error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	problems := make(map[string][]error)
	var mu sync.Mutex
	var wg sync.WaitGroup
	for _, l := range all {
		wg.Go(func() {
			errs := l.run(ctx)
			mu.Lock()
			defer mu.Unlock()
			problems[l.name] = errs
		})
	}
	stop = func() map[string][]error { cancel(); wg.Wait(); return problems }
	t.Cleanup(func() { stop() })
	return stop
}

// needSSH ends the test where OpenSSH's clients are missing.
func needSSH(t *testing.T) {
	t.Helper()
	if why := peer.Missing(false, "ssh", "scp", "ssh-keygen"); why != "" {
		peer.Skip(t, why)
	}
}
