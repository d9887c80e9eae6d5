package browser

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"waybill/test/browser/rig"
)

// report writes the report of a directory's logs, as `waybill doctor --html`
// does, and returns its address.
func report(t *testing.T, logs string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "report.html")
	if err := rig.Report(t.Context(), path, time.UTC, logs); err != nil {
		t.Fatal(err)
	}
	return "file://" + path
}

// hostileLogs has the incident with long addresses, a race of many moments, and
// what an attacker would write into a log and into the name of a file.
func hostileLogs(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	const gateway, main, other = "2001:db8:1111:2222:3333:4444:5555:64", "2001:db8:1111:2222:3333:4444:5555:94", "2001:db8:1111:2222:3333:4444:5555:92"
	start := time.Date(2023, 2, 13, 19, 0, 0, 0, time.UTC)
	var trackerd, cli strings.Builder
	name := func(i int) string {
		const layout = "20060102T150405Z"
		from := start.Add(time.Duration(i) * 3 * time.Minute)
		return "tracking.@" + from.Format(layout) + "_" + from.Add(3*time.Minute).Format(layout) + ".s.gz"
	}
	stamp := func(i, after int) string {
		return start.Add(time.Duration(i+1)*3*time.Minute + time.Duration(after)*time.Second).Format(time.ANSIC)
	}
	pid := 1000
	visit := func(i, after int, who, command string) {
		pid++
		id := " Info: PID " + string(rune('1'+pid%9)) + strings.Repeat("0", pid%5) + ": User smaduser "
		cli.WriteString(stamp(i, after) + id + "login from " + who + " on " + gateway + "\n" + stamp(i, after) + id + "executed batch command: '" + command + "'\n" +
			stamp(i, after) + id + "logged out of Command Line Interface using SSH connection.\n")
	}
	for i := range 20 {
		const evil = "<script>document.title=1</script><img/src=x/onerror=alert(1)>\x1b]0;owned\x07\u202e"
		who := main
		if i == 10 {
			who = other
			visit(i, -40, main, "ls -AF /export/tracking/")
			for k := range 12 {
				visit(i, 2+k, "2001:db8::"+string(rune('a'+k%6)), "ls -AF "+evil+" /export/tracking/")
			}
		}
		visit(i, 21, who, "ls -AF /export/tracking/")
		visit(i, 24, who, "scp -f /export/tracking/"+name(i))
		visit(i, 27, who, "rm /export/tracking/"+name(i))
		if who == main {
			trackerd.WriteString(stamp(i, 40) + " Info: Tracking parser moved /data/log/tracking/" + gateway + "/" + name(i) + " to /data/tracking/incoming_queue/0/" + gateway + "/" + name(i) + ".\n")
		}
	}
	long := strings.Repeat("a-name-that-never-ends-", 9)
	for file, text := range map[string]string{long + "<script>alert(1)": cli.String(), "trackerd.log": trackerd.String()} {
		if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// TestReport opens reports of the doctor as a file, as whoever reads a ticket
// does, without a script: on a telephone and on a desk, light and dark.
func TestReport(t *testing.T) {
	s := open(t)
	reports := map[string]string{"incident": report(t, filepath.Join("..", "..", "internal", "doctor", "testdata", "seed")), "hostile": report(t, hostileLogs(t))}
	for _, width := range []int64{320, 900, 1280} {
		for _, dark := range []bool{false, true} {
			if dark && width == 900 {
				continue // its layout is that of the light one
			}
			sc := scene{width: width, dark: dark, bare: true}
			t.Run(sc.String(), func(t *testing.T) {
				b := s.tab(t, sc)
				for name, url := range reports {
					b.do(chromedp.Navigate(url), chromedp.WaitReady(chromedp.CSS("main")))
					shown(b, name)
					for _, bad := range eval[[]string](b, contrasts) {
						t.Errorf("%s: %s", name, bad)
					}
					paper(t, b, sc)
					b.picture("report-" + name + "-" + sc.String())
					if others := eval[int](b, `document.querySelectorAll("details.other").length`); others == 0 && name == "incident" {
						t.Errorf("%s: the races of the other windows are not in it", name)
					}
					eval[int](b, `[...document.querySelectorAll("details")].map(d => d.open = true).length`)
					shown(b, name)
					b.picture("report-open-" + name + "-" + sc.String())
				}
			})
		}
	}
}

// shown looks at what a report has to have.
func shown(b *tab, name string) {
	t := b.t
	t.Helper()
	if wide := eval[string](b, tooWide); wide != "" {
		t.Errorf("%s: wider than the view: %s", name, wide)
	}
	// The drawing scrolls in its box where there is no room; nothing else does.
	if scrolls := eval[[]string](b, `[...document.querySelectorAll(".box")].filter(e => e.checkVisibility() && e.scrollWidth > e.clientWidth && !e.querySelector("svg")).map(e => e.innerText.slice(0, 60))`); len(scrolls) > 0 {
		t.Errorf("%s: to be scrolled: %q", name, scrolls)
	}
	if narrow := eval[[]string](b, `[...document.querySelectorAll("td")].filter(e => e.checkVisibility() && e.innerText.length > 20 && e.clientWidth > 0 && e.clientWidth < 120).map(e => e.innerText)`); len(narrow) > 0 {
		t.Errorf("%s: no room for %q", name, narrow)
	}
	if n := eval[int](b, `document.querySelectorAll("svg circle").length`); n < 5 {
		t.Errorf("%s: %d marks in the drawing", name, n)
	}
	// No text of the drawing lies on another or outside of it.
	const overlaps = `[...document.querySelectorAll("svg")].flatMap(svg => {
		const frame = svg.getBoundingClientRect(), boxes = [...svg.querySelectorAll("text")].map(e => [e.textContent, e.getBoundingClientRect()]);
		return boxes.flatMap(([text, a], i) => [
			...(a.left < frame.left || a.right > frame.right || a.top < frame.top || a.bottom > frame.bottom ? [text + " is outside"] : []),
			...boxes.slice(i + 1).filter(([, c]) => a.left < c.right - 1 && c.left < a.right - 1 && a.top < c.bottom - 3 && c.top < a.bottom - 3).map(([other]) => text + " lies on " + other)]);
	})`
	for _, bad := range eval[[]string](b, overlaps) {
		t.Errorf("%s: %s", name, bad)
	}
	if strange := eval[string](b, `[...document.querySelectorAll("script, img, main [onerror]")].map(e => e.outerHTML).join()`); strange != "" {
		t.Errorf("%s: their markup is in the page: %s", name, strange)
	}
	b.has("h1", " takes files from ")
}

// picture keeps what a tab shows in the directory that WAYBILL_PICTURES names,
// for somebody to look at.
func (b *tab) picture(name string) {
	b.t.Helper()
	dir := os.Getenv("WAYBILL_PICTURES")
	if dir == "" {
		return
	}
	png, err := rig.Picture(b, true)
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, name+".png"), png, 0o600)
	}
	if err != nil {
		b.t.Error(err)
	}
}
