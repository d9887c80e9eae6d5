// Command shots makes the pictures of the pages, and of a report of the doctor,
// from the bundled logs.
package main

import (
	"context"
	"flag"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/chromedp/chromedp"

	"waybill/internal/health"
	"waybill/internal/search"
	"waybill/internal/web"
	"waybill/test/browser/rig"
)

func main() {
	out := flag.String("o", "docs/img", "write the pictures into this `directory`")
	only := flag.String("only", "", "with -all, only pictures whose name has this `text`")
	all := flag.Bool("all", false, "every page, width and scheme, for those who work on them")
	flag.Parse()
	if err := run(*out, *all, *only); err != nil {
		fmt.Fprintln(os.Stderr, "shots:", err)
		os.Exit(1)
	}
}

// shot is one picture.
type shot struct {
	name   string
	url    string // of the site, or a whole one
	width  int64
	height int64 // 0: all of the page
	dark   bool
}

func run(out string, all bool, only string) error {
	program := rig.Chromium()
	if program == "" {
		return fmt.Errorf("chromium is not installed: apt-get install chromium")
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	dir, err := os.MkdirTemp("", "waybill-shots-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	logs := []rig.Logs{
		{Gateway: "mx-a", Year: 2026, Files: []string{"examples/mail.log.gz"}},
		{Gateway: "mx-b", Year: 2026, Files: []string{"examples/mail-inner.log.gz"}},
	}
	if all {
		logs = append(logs, rig.Logs{Gateway: "mx-h", Files: []string{"test/browser/testdata/hostile.log"}},
			rig.Logs{Gateway: "mx-w", Files: []string{"internal/web/testdata/mail.log"}})
	}
	data := filepath.Join(dir, "data")
	if err := rig.Import(ctx, data, logs...); err != nil {
		return err
	}
	zone, err := time.LoadLocation("Europe/Amsterdam")
	if err != nil {
		return err
	}
	site, err := rig.Open(ctx, data, web.Options{Zone: zone, Now: time.Now, Health: func() ([]health.Report, error) { return rig.Fleet(time.Now()), nil }})
	if err != nil {
		return err
	}
	defer site.Reader.Close()
	server := httptest.NewServer(site)
	defer server.Close()

	report := filepath.Join(dir, "report.html")
	const seed = "internal/doctor/testdata/seed/"
	if err := rig.Report(ctx, report, time.UTC, seed+"manager_trackerd_192.168.235.64_evening.log", seed+"manager_trackerd_192.168.235.64_night.log", seed+"gateway_cli_192.168.235.64.log"); err != nil {
		return err
	}
	shots, err := choose(ctx, site, "file://"+report, all)
	if err != nil {
		return err
	}
	tab, end, err := rig.Browser(ctx, program, dir)
	if err != nil {
		return err
	}
	defer end()
	for _, s := range shots {
		if !strings.Contains(s.name, only) {
			continue
		}
		png, err := take(tab, server.URL, s)
		if err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		if png, err = small(png); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(out, s.name+".png"), png, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// choose names the pictures. Ids are looked up, for they may differ from one
// import to the next.
func choose(ctx context.Context, site *rig.Site, report string, all bool) ([]shot, error) {
	message := func(query string) (string, error) {
		a, err := site.Reader.Find(ctx, search.Request{Text: query, Limit: 1})
		if err != nil || len(a.Messages) == 0 {
			return "", fmt.Errorf("no message for %q: %v", query, err)
		}
		return "/m/" + a.Messages[0].ID, nil
	}
	const found, empty = "/search?q=-status%3Adelivered", "/search?q=sender%3Aann%40example.com+subject%3Ainvoice+status%3Abounced"
	story, err := message("status:bounced")
	if err != nil {
		return nil, err
	}
	if !all {
		return []shot{
			{"search-light", found, 1280, 800, false}, {"search-dark", found, 1280, 800, true},
			{"message-light", story, 1280, 900, false}, {"message-dark", story, 1280, 900, true},
			{"status-light", "/status", 1280, 0, false}, {"status-dark", "/status", 1280, 0, true},
			{"doctor-light", report, 1280, 900, false}, {"doctor-dark", report, 1280, 900, true},
		}, nil
	}
	var out []shot
	pages := map[string]string{"doctor": report, "status": "/status", "summary": "/summary", "summary-some": "/summary?q=-status%3Adelivered", "summary-hostile": "/summary?q=gateway%3Amx-h", "summary-gap": "/summary?q=after%3A2026-11-19+until%3A2026-11-21T23%3A00", "summary-empty": "/summary?q=sender%3Anobody%40nowhere.example", "all": "/search", "found": found, "empty": empty, "fault": "/search?q=sender%3Aann+sendr%3Abob+x", "bounced": story, "lost": "/m/none", "gap": "/search?q=sender%3Acarol+subject%3Ainvoice+after%3A2026-11-19",
		"fieldfault": "/search?from=whenever&client=nobody", "hostile": "/search?q=gateway%3Amx-h"}
	for name, query := range map[string]string{"deferred": "status:deferred", "rejected": "kind:rejection", "hostile-m": "gateway:mx-h subject:script", "child": "sender:<>"} {
		if url, err := message(query); err == nil {
			pages[name] = url
		} else {
			fmt.Fprintln(os.Stderr, err)
		}
	}
	for name, url := range pages {
		for _, w := range []int64{320, 360, 768, 1280, 1920} {
			for _, dark := range []bool{false, true} {
				scheme := "light"
				if dark {
					scheme = "dark"
				}
				out = append(out, shot{fmt.Sprintf("%s-%d-%s", name, w, scheme), url, w, 0, dark})
			}
		}
	}
	return out, nil
}

// overflow lists what stands out of the page to the right.
const overflow = `document.documentElement.scrollWidth <= innerWidth ? [] : [...document.querySelectorAll("body *")]
	.filter(e => e.getBoundingClientRect().right > innerWidth + 1).map(e => e.tagName + "." + e.className + " " + e.getBoundingClientRect().right).slice(0, 8)`

func take(tab context.Context, base string, s shot) ([]byte, error) {
	height := s.height
	if height == 0 {
		height = 900
	}
	if err := rig.View(tab, s.width, height, s.dark); err != nil {
		return nil, err
	}
	if strings.HasPrefix(s.url, "file:") {
		base = ""
	}
	if err := chromedp.Do(tab, chromedp.Navigate(base+s.url)); err != nil {
		return nil, err
	}
	wide, err := chromedp.Run(tab, chromedp.Evaluate[[]string](overflow))
	if err != nil {
		return nil, err
	}
	for _, w := range wide {
		fmt.Fprintf(os.Stderr, "%s is wider than the page: %s\n", s.name, w)
	}
	return rig.Picture(tab, s.height == 0)
}
