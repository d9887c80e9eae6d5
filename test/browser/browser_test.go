// Package browser drives the pages with Debian's Chromium: what a person sees
// and types, with JavaScript and without, light and dark, on a telephone and
// on a wide screen.
package browser

import (
	"context"
	"fmt"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"waybill/internal/health"
	"waybill/internal/search"
	"waybill/internal/web"
	"waybill/test/browser/rig"
	"waybill/test/peers/peer"
)

// stage is the site, and the browser that looks at it.
type stage struct {
	url     string
	site    *rig.Site
	browser context.Context
}

// open builds the stage of real logs and one that an attacker wrote.
func open(t *testing.T) *stage {
	t.Helper()
	program := rig.Chromium()
	if program == "" {
		peer.Skip(t, "not installed: chromium")
	}
	dir := t.TempDir()
	data := filepath.Join(dir, "data")
	genuine := func(name string) string { return filepath.Join("..", "..", "testdata", "genuine", name) }
	err := rig.Import(t.Context(), data,
		rig.Logs{Gateway: "mx-a", Year: 2026, Files: []string{genuine("postfix-a.log.gz")}},
		rig.Logs{Gateway: "mx-b", Year: 2026, Files: []string{genuine("postfix-b.log.gz")}},
		rig.Logs{Gateway: "mx-h", Files: []string{filepath.Join("testdata", "hostile.log")}})
	if err != nil {
		t.Fatal(err)
	}
	site, err := rig.Open(t.Context(), data, web.Options{Now: time.Now, Health: func() ([]health.Report, error) { return rig.Fleet(time.Now()), nil }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := site.Reader.Close(); err != nil {
			t.Error(err)
		}
	})
	server := httptest.NewServer(site)
	t.Cleanup(server.Close)
	browser, end, err := rig.Browser(context.Background(), program, dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(end)
	return &stage{server.URL, site, browser}
}

// tab is a tab with what it complained of.
type tab struct {
	context.Context
	t   *testing.T
	url string

	mu     sync.Mutex
	faults []string
}

// scene is how a page is looked at.
type scene struct {
	width int64
	dark  bool
	bare  bool // without JavaScript
}

func (s scene) String() string {
	name := fmt.Sprintf("%d", s.width)
	if s.dark {
		name += "-dark"
	} else {
		name += "-light"
	}
	if s.bare {
		name += "-bare"
	}
	return name
}

func scenes() []scene {
	var out []scene
	for _, width := range []int64{320, 1920} {
		for _, dark := range []bool{false, true} {
			for _, bare := range []bool{false, true} {
				out = append(out, scene{width, dark, bare})
			}
		}
	}
	return out
}

// tab opens a tab for a scene. Whatever its pages complain of (an error, a
// violation of the policy, a dialog) fails the test.
func (s *stage) tab(t *testing.T, sc scene) *tab {
	t.Helper()
	b := &tab{t: t, url: s.url}
	ctx, cancel := chromedp.NewContext(s.browser, chromedp.WithListener(b.listen))
	t.Cleanup(cancel)
	ctx, stop := context.WithTimeout(ctx, 3*time.Minute)
	t.Cleanup(stop)
	b.Context = ctx
	if err := rig.View(ctx, sc.width, 900, sc.dark); err != nil {
		t.Fatal(err)
	}
	if sc.bare {
		if _, err := chromedp.Call(ctx, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true}); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		for _, f := range b.faults {
			t.Error(f)
		}
	})
	return b
}

func (b *tab) listen(ev any) {
	fault := ""
	switch e := ev.(type) {
	case *page.EventJavascriptDialogOpening:
		fault = "a dialog opens: " + e.Message
	case *runtime.EventExceptionThrown:
		fault = "exception: " + e.ExceptionDetails.Text
	case *runtime.EventConsoleAPICalled:
		fault = "console: " + string(e.Type)
	case *log.EventEntryAdded:
		// Pages of faults have a status that the browser notes; it is meant.
		if strings.Contains(e.Entry.Text, "the server responded with a status of 40") {
			return
		}
		fault = "log: " + e.Entry.Text
	default:
		return
	}
	b.mu.Lock()
	b.faults = append(b.faults, fault)
	b.mu.Unlock()
}

func (b *tab) do(steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	if err := chromedp.Do(b, steps...); err != nil {
		b.t.Fatal(err)
	}
}

func (b *tab) visit(path string) {
	b.t.Helper()
	b.do(chromedp.Navigate(b.url+path), chromedp.WaitReady(chromedp.CSS("main")))
}

// eval asks the page, also where pages may not run scripts of their own.
func eval[T any](b *tab, expression string) T {
	b.t.Helper()
	v, err := chromedp.Run(b, chromedp.Evaluate[T](expression))
	if err != nil {
		b.t.Fatalf("%s: %v", expression, err)
	}
	return v
}

// until waits for the page to say yes.
func (b *tab) until(what, expression string) {
	b.t.Helper()
	for b.Err() == nil {
		yes, err := chromedp.Run(b, chromedp.Evaluate[bool](expression))
		if err == nil && yes {
			return // an error: the page is just being replaced
		}
		select {
		case <-b.Done():
		case <-time.After(20 * time.Millisecond):
		}
	}
	b.t.Fatalf("never: %s", what)
}

// fits fails when the page is wider than the view.
func (b *tab) fits() {
	b.t.Helper()
	if w := eval[string](b, tooWide); w != "" {
		b.t.Errorf("%s is wider than the view: %s", eval[string](b, "location.pathname+location.search"), w)
	}
}

// tooWide names what is wider than the view.
const tooWide = `document.documentElement.scrollWidth <= innerWidth && document.body.scrollWidth <= innerWidth ? "" :
		[...document.querySelectorAll("body *")].filter(e => e.getBoundingClientRect().right > innerWidth + 1)
			.map(e => e.tagName + "." + e.className).slice(0, 5).join(", ") || "something"`

func (b *tab) text(selector string) string {
	b.t.Helper()
	return eval[string](b, fmt.Sprintf("document.querySelector(%q)?.innerText ?? ''", selector))
}

func (b *tab) has(selector, want string) {
	b.t.Helper()
	if got := b.text(selector); !strings.Contains(got, want) {
		b.t.Errorf("%s has %q, want %q in it", selector, got, want)
	}
}

// message is the path of the newest message that a query finds.
func (s *stage) message(t *testing.T, query string) string {
	t.Helper()
	a, err := s.site.Reader.Find(t.Context(), search.Request{Text: query, Limit: 1})
	if err != nil || len(a.Messages) == 0 {
		t.Fatalf("%s finds nothing (%v)", query, err)
	}
	return "/m/" + a.Messages[0].ID
}

// TestBrowser shows the pages in every scene.
func TestBrowser(t *testing.T) {
	s := open(t)
	for _, sc := range scenes() {
		t.Run(sc.String(), func(t *testing.T) {
			b := s.tab(t, sc)
			t.Run("search", func(t *testing.T) { searches(t, s, b) })
			t.Run("empty", func(t *testing.T) { empties(t, b) })
			t.Run("message", func(t *testing.T) { messages(t, s, b, sc) })
			t.Run("summary", func(t *testing.T) { summaries(t, b) })
			t.Run("status", func(t *testing.T) { steps(t, b) })
			t.Run("hostile", func(t *testing.T) { hostile(t, s, b, sc) })
			t.Run("scheme", func(t *testing.T) { scheme(t, b, sc) })
		})
	}
	t.Run("keys", func(t *testing.T) { keys(t, s) })
	t.Run("swap", func(t *testing.T) { swaps(t, s) })
	t.Run("contrast", func(t *testing.T) { contrast(t, s) })
}

// searches types a question, sends it, narrows it by a plus and turns the page.
func searches(t *testing.T, s *stage, b *tab) {
	b.t = t
	b.visit("/")
	b.has(".line", "50 messages, there are more")
	b.fits()
	b.do(chromedp.SendKeys(chromedp.CSS("#q"), "status:bounced\r"))
	b.until("the answer", `location.search === "?q=status%3Abounced" && document.querySelectorAll("#results a.open").length > 0`)
	if v := eval[string](b, `[...document.querySelectorAll("#search [name=status]:checked")].map(e => e.value).join()`); v != "bounced" {
		t.Errorf("the field says %q", v)
	}
	b.has(".c-status .status", "bounced")
	b.fits()
	b.do(chromedp.SendKeys(chromedp.CSS("#f-sender"), "hard\r"))
	b.until("the field in the box", `document.querySelector("#q").value === "sender:hard status:bounced"`)
	plus := eval[string](b, `document.querySelector(".c-gateway .pm a, .c-to .pm a").getAttribute("href")`)
	b.visit(plus)
	b.fits()
	if n := eval[int](b, `document.querySelectorAll("#results a.open").length`); n == 0 {
		t.Errorf("%s finds nothing", plus)
	}
	b.visit("/search")
	first := eval[string](b, `document.querySelector("#results a.open").href`)
	b.do(chromedp.Click(chromedp.CSS("a[rel=next]")))
	b.until("the next page", `document.querySelector("a[rel=first]") !== null`)
	if next := eval[string](b, `document.querySelector("#results a.open").href`); next == first {
		t.Error("the next page is the first")
	}
}

// empties asks for what is not there, and for what cannot be asked.
func empties(t *testing.T, b *tab) {
	b.t = t
	b.visit("/search?q=sender%3Anobody%40nowhere.example+status%3Abounced")
	b.has(".answer", "Not found")
	b.has(".empty", "without sender:nobody@nowhere.example")
	b.fits()
	b.visit("/search?q=sender%3Ahard+after%3A2020-01-01+until%3A2020-01-02")
	b.has(".answer", "cannot be excluded")
	b.has(".coverage table", "outside what the log claims")
	b.has(".empty", "nearest behind the range")
	b.fits()
	b.visit("/search?q=sendr%3Aann")
	b.has(".fault mark", "sendr")
	b.has(".fault", `did you mean "sender"`)
	b.fits()
	b.visit("/m/nothing")
	b.has("h1", "No such message")
	b.fits()
}

// messages opens a message from its row, and goes on to the one behind it.
func messages(t *testing.T, s *stage, b *tab, sc scene) {
	b.t = t
	b.visit("/search?q=status%3Abounced+sender%3Ahard")
	b.do(chromedp.Click(chromedp.CSS("#results a.open")))
	b.until("the message", `document.querySelector("h1.sentence") !== null`)
	b.has("h1.sentence", "refused for good")
	b.has(".rcpts", "bounced")
	b.has(".verbatim", "postfix-a.log.gz:")
	b.fits()
	b.do(chromedp.Click(chromedp.CSS(".kin a")))
	b.until("the bounce", `document.querySelector(".kin")?.innerText.includes("bounce of")`)
	b.fits()
	b.visit(s.message(t, "gateway:mx-a status:deferred,expired"))
	b.has(".steps", "attempt 1")
	b.fits()
	// Without a script a page offers nothing that would need one.
	if hidden := eval[bool](b, `getComputedStyle(document.querySelector("button.copy")).display === "none"`); hidden != sc.bare {
		t.Errorf("the copy button is hidden: %v", hidden)
	}
}

// summaries counts, follows a row to the messages behind it, and a column of
// the chart, and comes back.
func summaries(t *testing.T, b *tab) {
	b.t = t
	b.visit("/summary")
	b.has(".answer", " rejections")
	b.has("#h-outcomes + svg + .counts", "delivered")
	b.has("#failed", "User unknown in sink")
	b.has("#refused", "Greylisted")
	b.fits()
	// Where there is no room for an address in one line it has two, and is not cut
	// down to the domain that all share.
	if cut := eval[[]string](b, `innerWidth > 520 ? [] : [...document.querySelectorAll(".counts .addr .local")].filter(e => e.clientWidth > 0 && e.scrollWidth > e.clientWidth).map(e => e.innerText)`); len(cut) > 0 {
		t.Errorf("addresses are cut: %q", cut)
	}
	b.do(chromedp.Click(chromedp.CSS("#failed a.open")))
	b.until("the messages behind it", `location.pathname === "/search" && document.querySelectorAll("#results a.open").length > 0`)
	b.has(".c-status .status", "bounced")
	b.visit("/summary")
	b.do(chromedp.SendKeys(chromedp.CSS("#q"), "status:bounced\r"))
	b.until("the numbers of some", `location.pathname + location.search === "/summary?q=status%3Abounced" && document.querySelector("#failed") !== null`)
	b.fits()
	if open := eval[bool](b, `(d => { d.open = true; return d.querySelectorAll("td a").length > 0; })(document.querySelector("#h-traffic ~ details"))`); !open {
		t.Error("the table of the chart is empty")
	}
	b.fits()
	chart := eval[string](b, `document.querySelector(".chart a:has(.m:not([height='0']))").getAttribute("href")`)
	b.visit(chart)
	b.has(".c-status .status", "bounced")
	b.visit("/summary?q=gateway%3A%3Dmx-h&top=100")
	b.fits()
	if strange := eval[string](b, `[...document.querySelectorAll("main script, main img, main [onmouseover]")].map(e => e.outerHTML).join()`); strange != "" {
		t.Errorf("their markup is in the page: %s", strange)
	}
}

// steps looks at the page of steps.
func steps(t *testing.T, b *tab) {
	b.t = t
	b.visit("/status")
	b.has(".process .line", "gateway mx-a")
	b.has(".process:nth-of-type(2) .line", "manager")
	b.has(".steps .fix", "sudo usermod -aG systemd-journal waybill")
	b.has(".account", "5,121")
	if n := eval[int](b, `document.querySelectorAll(".steps tbody tr").length`); n != 11 {
		t.Errorf("%d steps; want 11", n)
	}
	b.fits()
}

// hostile shows what an attacker wrote: as text, in its place, and nothing of
// it acts.
func hostile(t *testing.T, s *stage, b *tab, sc scene) {
	b.t = t
	b.visit("/search?q=gateway%3A%3Dmx-h")
	b.fits()
	if n := eval[int](b, `document.querySelectorAll("#results a.open").length`); n != 9 {
		t.Fatalf("%d messages", n)
	}
	paths := eval[[]string](b, `[...document.querySelectorAll("#results a.open")].map(a => a.getAttribute("href"))`)
	all := b.text("#results")
	for _, want := range []string{"<script>alert('subject')</script>", `\u202efdp.exe`, `\x1b]0;owned\x07`, `" onmouseover=alert(1) x="`} {
		if !strings.Contains(all, want) {
			t.Errorf("the list does not show %s", want)
		}
	}
	if sc.dark { // every message in half of the scenes, one in the others
		paths = paths[:1]
	}
	for _, path := range paths {
		b.visit(path)
		b.fits()
		if strange := eval[string](b, `[...document.querySelectorAll("main script, main img, main b:not(.fault b), main [onmouseover]")].map(e => e.outerHTML).join()`); strange != "" {
			t.Errorf("%s: their markup is in the page: %s", path, strange)
		}
		if r := eval[string](b, `[...document.documentElement.innerText].filter(c => /[\u202a-\u202e\u2066-\u2069\u200b\u200d\u0000-\u0008\u001b]/.test(c)).join()`); r != "" {
			t.Errorf("%s: characters that nobody sees: %q", path, r)
		}
	}
	// A row is as high as its neighbours, whatever stands above a letter.
	b.visit("/search?q=gateway%3A%3Dmx-h")
	if spread := eval[float64](b, `(h => Math.max(...h) - Math.min(...h))([...document.querySelectorAll("#results tr:not(.day):has(a.open)")].map(r => r.getBoundingClientRect().height))`); spread > 4 {
		t.Errorf("rows differ by %v px", spread)
	}
}

// scheme looks at the colours that the reader prefers.
func scheme(t *testing.T, b *tab, sc scene) {
	b.t = t
	b.visit("/search")
	paper(t, b, sc)
}

func paper(t *testing.T, b *tab, sc scene) {
	t.Helper()
	light := eval[float64](b, `(c => (0.2126 * c[0] + 0.7152 * c[1] + 0.0722 * c[2]) / 255)(getComputedStyle(document.body).backgroundColor.match(/\d+/g).map(Number))`)
	if dark := light < 0.5; dark != sc.dark {
		t.Errorf("the paper has a luminance of %.2f", light)
	}
}

// keys moves about without a mouse, and comes back to the same row.
func keys(t *testing.T, s *stage) {
	b := s.tab(t, scene{width: 1280})
	b.visit("/search?q=status%3Abounced")
	press := func(k string) { t.Helper(); b.do(chromedp.KeyEvent(k)) }
	press("/")
	if id := eval[string](b, "document.activeElement.id"); id != "q" {
		t.Errorf("/ leads to %q", id)
	}
	press("\x1b")
	press("j")
	press("j")
	press("j")
	press("k")
	at := `[...document.querySelectorAll("#results a.open")].indexOf(document.activeElement)`
	if n := eval[int](b, at); n != 1 {
		t.Fatalf("j j j k leads to row %d", n)
	}
	press("\r")
	b.until("the message, with its keys", `document.querySelector(".message .keys")?.hidden === false`)
	press("\x1b")
	b.until("the same row", `location.search === "?q=status%3Abounced" && `+at+` === 1`)
}

// swaps asks with a script: the page stays, its parts change, and Back works.
func swaps(t *testing.T, s *stage) {
	b := s.tab(t, scene{width: 1280})
	b.visit("/search")
	eval[bool](b, `window.stays = true`)
	b.do(chromedp.SendKeys(chromedp.CSS("#q"), "status:bounced\r"))
	b.until("the answer", `location.search === "?q=status%3Abounced" && document.querySelector("#results .word").innerText === "bounced"`)
	if id := eval[string](b, "document.activeElement.id"); id != "q" {
		t.Errorf("the focus went to %q", id)
	}
	b.do(chromedp.Click(chromedp.CSS(".presets a:nth-of-type(2)")))
	b.until("the preset", `document.querySelector("#f-from").value === "-1h"`)
	b.do(chromedp.Evaluate[chromedp.Void]("history.back()"))
	b.until("the answer before", `location.search === "?q=status%3Abounced" && document.querySelector("#f-from").value === ""`)
	b.do(chromedp.Evaluate[chromedp.Void]("history.back()"))
	b.until("the first answer", `location.search === "" && document.querySelector("#q").value === ""`)
	if !eval[bool](b, "window.stays === true") {
		t.Error("the page was loaded anew")
	}
}

// contrast measures text against what is behind it: WCAG asks for 4.5.
func contrast(t *testing.T, s *stage) {
	for _, dark := range []bool{false, true} {
		b := s.tab(t, scene{width: 1280, dark: dark})
		for _, path := range []string{"/search", "/status", "/summary", "/summary?q=sender%3Ahard+after%3A2020-01-01", "/search?q=-status%3Adelivered", "/search?q=sendr%3Aann", "/search?q=nobody%40nowhere+after%3A2020-01-01", s.message(t, "status:bounced"), "/m/none"} {
			b.visit(path)
			for _, bad := range eval[[]string](b, contrasts) {
				t.Errorf("dark %v, %s: %s", dark, path, bad)
			}
		}
	}
}

// contrasts names what has less.
const contrasts = `(() => {
		const rgb = c => { const m = c.match(/[\d.]+/g).map(Number); return m.length < 4 ? [...m, 1] : m; };
		const lum = c => { const f = v => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; return 0.2126 * f(c[0]) + 0.7152 * f(c[1]) + 0.0722 * f(c[2]); };
		const behind = e => { for (; e; e = e.parentElement) { const c = rgb(getComputedStyle(e).backgroundColor); if (c[3] === 1) return c; } return [255, 255, 255]; };
		const bad = new Set();
		for (const e of document.querySelectorAll("body *")) {
			if (![...e.childNodes].some(n => n.nodeType === 3 && n.data.trim()) || !e.checkVisibility() || e.closest("option, .vh")) continue;
			const a = lum(rgb(getComputedStyle(e)[e instanceof SVGElement ? "fill" : "color"])), b = lum(behind(e));
			const r = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
			if (r < 4.5) bad.add(e.tagName + "." + e.getAttribute("class") + " " + r.toFixed(2));
		}
		return [...bad];
	})()`
