// Package demo starts the demonstration as its users do and takes the tour.
package demo

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

var program string // the built one

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "waybill-demo-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	program = filepath.Join(dir, "waybill")
	build := exec.Command("go", "build", "-o", program, "waybill/cmd/waybill")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	code := 1
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build: %v\n%s", err, out)
	} else {
		code = m.Run()
	}
	os.RemoveAll(dir)
	os.Exit(code)
}

var (
	link    = regexp.MustCompile(`http://127\.0\.0\.1:\d+/s/\w+`)
	command = regexp.MustCompile(`^ +waybill (search .*)$`)
	page    = regexp.MustCompile(`^ +(http://127\.0\.0\.1:\d+/search\?\S+)$`)
)

// TestDemo: the link is there soon and works, every stop of the tour answers on
// the command line and on its page, and an interrupt leaves nothing.
func TestDemo(t *testing.T) {
	temp := t.TempDir()
	begin := time.Now()
	cmd := exec.Command(program, "demo", "--no-browser", "--seed", "3")
	cmd.Env = append(os.Environ(), "TMPDIR="+temp, "TZ=UTC", "LC_ALL=C.UTF-8")
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if cmd.ProcessState == nil { // the test failed before it ended it
			cmd.Process.Kill()
			cmd.Wait()
		}
	}()
	lines := bufio.NewScanner(out)
	client := visitor(t)
	var commands, pages []string
	for lines.Scan() {
		if l := link.FindString(lines.Text()); l != "" {
			get(t, client, l)
			// The promise is two seconds on a machine that has nothing else to do; the
			// test may run on one that has.
			took := time.Since(begin)
			t.Logf("first page after %v", took)
			if took > 15*time.Second {
				t.Errorf("the first page came after %v", took)
			}
		}
		if m := command.FindStringSubmatch(lines.Text()); m != nil {
			commands = append(commands, m[1])
		}
		if m := page.FindStringSubmatch(lines.Text()); m != nil {
			if pages = append(pages, m[1]); len(pages) == 6 {
				break
			}
		}
	}
	if len(commands) != 6 || len(pages) != 6 {
		t.Fatalf("the tour has %d commands and %d pages\n%s", len(commands), len(pages), errs.Bytes())
	}
	for i, c := range commands {
		want := 0
		if strings.Contains(c, "zoe@") {
			want = 3
		}
		search(t, c, want)
		if body := get(t, client, pages[i]); bytes.ContainsAny(body, "\x1b\u202e") || bytes.Contains(body, []byte("<script>alert")) {
			t.Errorf("%s: what a sender wrote got through", pages[i])
		}
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	go io.Copy(io.Discard, out)
	if err := cmd.Wait(); err != nil {
		t.Errorf("ended with %v\n%s", err, errs.Bytes())
	}
	left, err := os.ReadDir(temp)
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// search runs a command of the tour as a shell would.
func search(t *testing.T, line string, want int) {
	t.Helper()
	cmd := exec.Command("sh", "-c", `exec "$0" `+line, program)
	cmd.Env = append(os.Environ(), "TZ=UTC", "LC_ALL=C.UTF-8")
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	if code := cmd.ProcessState.ExitCode(); code != want {
		t.Errorf("waybill %s: exit %d, want %d\n%s", line, code, want, out)
	}
	if bytes.ContainsAny(out, "\x1b\u202e") {
		t.Errorf("waybill %s drives the terminal: %q", line, out)
	}
}

func visitor(t *testing.T) *http.Client {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &http.Client{Jar: jar, Timeout: 30 * time.Second}
}

func get(t *testing.T, c *http.Client, url string) []byte {
	t.Helper()
	resp, err := c.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != http.StatusOK {
		t.Errorf("%s: %s", url, resp.Status)
	}
	return body
}
