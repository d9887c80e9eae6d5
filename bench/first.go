package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"time"
)

const (
	// firstMega is the size, in 10^6 bytes, of the log that is opened.
	firstMega = 100
	// firstGoal is when a message of it has to be found at the latest.
	firstGoal = 5 * time.Second
	// lookEvery is how often the page is asked.
	lookEvery = 20 * time.Millisecond
)

// opened is how long after its start `waybill open` gave what a person waits for.
type opened struct {
	Page   time.Duration // the first page, through the one-time link
	Hit    time.Duration // a message of the log on it
	Middle time.Duration // a recipient from the middle of the log, by a search
}

// first opens a log, as a person does, and prints how long it took until there
// was something to see.
func first(ctx context.Context, o options, out io.Writer) error {
	log := filepath.Join(o.dir, "first.log")
	made, err := makeLog(log, o.template, firstMega*1e6, o.seed)
	if err != nil {
		return err
	}
	recipient, err := sampleOf(log)
	if err != nil {
		return err
	}
	var all []opened
	for range o.runs {
		one, err := openOnce(ctx, o.waybill, log, recipient)
		if err != nil {
			return err
		}
		all = append(all, one)
	}
	fmt.Fprintf(out, "\n`waybill open` on a log of %.0f MB, %d lines; seconds after its start, medians of %d runs.\n\n", float64(made.Bytes)/1e6, made.Lines, o.runs)
	fmt.Fprintf(out, "| first page | first message found | goal | a recipient from the middle found |\n|---|---|---|---|\n| %.2f | %.2f | %.0f | %.2f |\n",
		median(all, func(o opened) time.Duration { return o.Page }).Seconds(), median(all, func(o opened) time.Duration { return o.Hit }).Seconds(), firstGoal.Seconds(),
		median(all, func(o opened) time.Duration { return o.Middle }).Seconds())
	return nil
}

var oneTimeLink = regexp.MustCompile(`http://127\.0\.0\.1:\d+/s/\w+`)

// openOnce starts the program, looks, and ends it.
func openOnce(ctx context.Context, waybill, log, recipient string) (got opened, err error) {
	cmd := exec.CommandContext(ctx, waybill, "open", "--no-browser", "--gateway", "mx-a", "--log-tz", "UTC", "--year", fmt.Sprint(templateYear), log)
	var said bytes.Buffer
	cmd.Stderr = &said
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return got, err
	}
	begin := time.Now()
	if err := cmd.Start(); err != nil {
		return got, err
	}
	page := linkIn(stdout)
	drained := make(chan error, 1)
	go func() {
		_, err := io.Copy(io.Discard, stdout)
		drained <- err
	}()
	defer func() {
		err = errors.Join(err, cmd.Process.Signal(os.Interrupt), <-drained)
		if werr := cmd.Wait(); werr != nil {
			err = errors.Join(err, fmt.Errorf("waybill open: %w: %.500s", werr, said.Bytes()))
		}
	}()
	if page == "" {
		return got, errors.New("waybill open printed no link")
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		return got, err
	}
	p := &person{client: &http.Client{Jar: jar, Timeout: time.Minute}}
	if _, err := p.look(ctx, page); err != nil {
		return got, err
	}
	got.Page = time.Since(begin)
	base, err := url.Parse(page)
	if err != nil {
		return got, err
	}
	base.Path = "/search"
	if err := p.wait(ctx, base.String()); err != nil {
		return got, err
	}
	got.Hit = time.Since(begin)
	base.RawQuery = url.Values{"q": {"recipient:=" + recipient}}.Encode()
	err = p.wait(ctx, base.String())
	got.Middle = time.Since(begin)
	return got, err
}

// linkIn reads until the first one-time link. It returns "" when there is none.
func linkIn(r io.Reader) string {
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		if link := oneTimeLink.FindString(lines.Text()); link != "" {
			return link
		}
	}
	return ""
}

// person is somebody with a browser.
type person struct{ client *http.Client }

// message is the link to a message that was found.
var message = []byte(`href="/m/`)

// look loads a page and reports whether there is a message on it.
func (p *person) look(ctx context.Context, page string) (found bool, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, page, nil)
	if err != nil {
		return false, err
	}
	resp, err := p.client.Do(req)
	if err != nil {
		return false, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", page, resp.Status)
	}
	return bytes.Contains(body, message), err
}

// wait loads a page until there is a message on it.
func (p *person) wait(ctx context.Context, page string) error {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		found, err := p.look(ctx, page)
		if err != nil || found {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}
