package web_test

import (
	"context"
	"flag"
	"fmt"
	"html"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"waybill/internal/app"
	"waybill/internal/config"
	"waybill/internal/maillog"
	"waybill/internal/search"
	"waybill/internal/store"
	"waybill/internal/track"
	"waybill/internal/web"
)

var update = flag.Bool("update", false, "rewrite the .html files in testdata")

var now = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// reader imports a log of one gateway and opens its store.
func reader(t *testing.T, log string) *app.Reader {
	t.Helper()
	data := filepath.Join(t.TempDir(), "data")
	clock := func() time.Time { return now }
	quiet := slog.New(slog.DiscardHandler)
	im, err := app.OpenImporter(t.Context(), data, config.Default(), quiet, clock)
	if err != nil {
		t.Fatal(err)
	}
	rep, err := im.Import(t.Context(), app.ImportOptions{Gateway: "mx-a", Zone: time.UTC, Format: maillog.Auto}, []string{log})
	if err != nil || rep.Failed() {
		t.Fatalf("import = %+v, %v", rep, err)
	}
	if err := im.Close(); err != nil {
		t.Fatal(err)
	}
	r, err := app.OpenReader(t.Context(), data, quiet, clock)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

func site(t *testing.T, o web.Options) http.Handler {
	t.Helper()
	if o.Now == nil {
		o.Now = func() time.Time { return now }
	}
	h, err := web.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func get(h http.Handler, url string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, url, nil))
	return w
}

func query(text string) string { return "/search?" + url.Values{"q": {text}}.Encode() }

// idOf finds the one message of a query.
func idOf(t *testing.T, d web.Data, text string) string {
	t.Helper()
	a, err := d.Find(t.Context(), search.Request{Text: text})
	if err != nil || len(a.Messages) != 1 {
		t.Fatalf("%s: %d messages, %v", text, len(a.Messages), err)
	}
	return a.Messages[0].ID
}

var versions = regexp.MustCompile(`\?v=[0-9a-f]+`)

// TestPages compares pages with the .html files in testdata, which a person has
// looked at. The head, the same on all, is left out of all but one.
func TestPages(t *testing.T) {
	r := reader(t, "testdata/mail.log")
	h := site(t, web.Options{Data: r})
	for _, tc := range []struct {
		name, url string
		code      int
	}{
		{"search", "/search", 200},
		{"filtered", query("sender:@example.org status:deferred,bounced"), 200},
		{"empty", query("sender:ann@example.com status:bounced after:2026-11-20T10:00 until:2026-11-20T11:00"), 200},
		{"gap", query("sender:ann@example.com status:bounced after:2026-11-20 until:2026-11-20T11:00"), 200},
		{"doubtful", query("subject:invoice sender:carol"), 200},
		{"rejections", query("kind:rejection"), 200},
		{"fault", query("sender:ann sendr:bob"), 400},
		{"field-fault", "/search?was=&q=ann&client=nobody", 400},
		{"message", "/m/" + idOf(t, r, "queue-id:=4ABCDEF0001"), 200},
		{"attempts", "/m/" + idOf(t, r, "queue-id:=4ABCDEF0002"), 200},
		{"rejection", "/m/" + idOf(t, r, "kind:rejection"), 200},
		{"lost", "/m/no-such-id", 404},
		{"summary", "/summary", 200},
		{"summary-filtered", "/summary?q=sender%3Acarol+after%3A2026-11-20T10%3A00+until%3A2026-11-20T12%3A00&top=1", 200},
		{"summary-empty", "/summary?q=sender%3Anobody", 200},
		{"summary-fault", "/summary?q=sendr%3Abob", 400},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := get(h, tc.url)
			if w.Code != tc.code {
				t.Errorf("status %d, want %d", w.Code, tc.code)
			}
			got := versions.ReplaceAllString(w.Body.String(), "?v=0")
			if _, main, ok := strings.Cut(got, "<main"); ok && tc.name != "search" {
				got = "<main" + main
			}
			golden(t, filepath.Join("testdata", tc.name+".html"), got)
		})
	}
}

func golden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), got); d != "" {
		t.Errorf("%s (-want +got):\n%s", path, d)
	}
}

// TestHeaders: every response, whatever became of the request, has the headers
// that keep a page to itself.
func TestHeaders(t *testing.T) {
	h := site(t, web.Options{Data: reader(t, "testdata/mail.log")})
	for _, path := range []string{"/", "/search", "/summary", "/search?q=x:y", "/m/none", "/nothing", "/progress", "/assets/waybill.css", "/assets/none", "/search?q=" + strings.Repeat("x", 40<<10)} {
		head := get(h, path).Header()
		for name, want := range map[string]string{
			"Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
				"form-action 'self'; frame-ancestors 'none'; base-uri 'none'; require-trusted-types-for 'script'; trusted-types waybill",
			"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Cache-Control": "no-store",
			"Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Resource-Policy": "same-origin",
		} {
			if got := head.Get(name); got != want {
				t.Errorf("%.40s: %s is %q, want %q", path, name, got, want)
			}
		}
	}
}

// TestNoMarkupOfTheirs: neither a style nor a script stands in a page, for the
// policy would stop it, and none comes from elsewhere.
func TestNoMarkupOfTheirs(t *testing.T) {
	r := reader(t, "testdata/mail.log")
	h := site(t, web.Options{Data: r})
	for _, path := range []string{"/search", "/summary", query("x"), "/m/" + idOf(t, r, "queue-id:=4ABCDEF0002"), "/m/none"} {
		body := get(h, path).Body.String()
		for _, bad := range []string{" style=", "<style", "<script>", "javascript:", " onclick", "http://", "https://"} {
			if strings.Contains(body, bad) {
				t.Errorf("%s has %q", path, bad)
			}
		}
	}
}

func TestMethods(t *testing.T) {
	h := site(t, web.Options{Data: reader(t, "testdata/mail.log")})
	for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodDelete, http.MethodPatch} {
		for _, path := range []string{"/search", "/summary", "/m/x", "/progress"} {
			w := httptest.NewRecorder()
			h.ServeHTTP(w, httptest.NewRequest(method, path, nil))
			if w.Code != http.StatusMethodNotAllowed {
				t.Errorf("%s %s: %d", method, path, w.Code)
			}
		}
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodHead, "/search", nil))
	if w.Code != http.StatusOK {
		t.Errorf("HEAD: %d", w.Code)
	}
}

// TestForm sends the form as a browser does, and follows it to the one address
// of the question.
func TestForm(t *testing.T) {
	h := site(t, web.Options{Data: reader(t, "testdata/mail.log")})
	for _, tc := range []struct{ name, sent, want string }{
		{"the box alone", "was=&q=ann&sender=&recipient=&from=&to=", query("ann")},
		{"a field alone", "was=&q=&sender=@example.com", query("sender:@example.com")},
		{"statuses", "was=&q=&status=deferred&status=bounced", query("status:deferred,bounced")},
		{"a field over the box", "was=sender:ann&q=sender:ann&sender=bob", query("sender:bob")},
		{"a field emptied", "was=sender:ann+x&q=sender:ann+x&sender=", query("x")},
		{"the box over unchanged fields", "was=sender:ann&q=sender:carol+x&sender=ann", query("sender:carol x")},
		{"both", "was=sender:ann&q=sender:carol+x&sender=ann&recipient=bob", query("sender:carol recipient:bob x")},
		{"statuses cleared", "was=status:held&q=status:held", "/search"},
		{"written by hand", "q=x&sender=ann&from=-24h", query("x sender:ann after:-24h")},
		{"a gateway from the list", "was=&q=&gateway=%3Dmx-a", query("gateway:=mx-a")},
		{"nothing", "was=&q=&sender=", "/search"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := get(h, "/search?"+tc.sent)
			if w.Code != http.StatusSeeOther || w.Header().Get("Location") != tc.want {
				t.Errorf("%d to %s, want %s", w.Code, w.Header().Get("Location"), tc.want)
			}
		})
	}
}

// TestPivots follows every + and - of a page: each is a search that can be run,
// with and without what stands in its row.
func TestPivots(t *testing.T) {
	h := site(t, web.Options{Data: reader(t, "testdata/mail.log")})
	body := get(h, "/search").Body.String()
	links := regexp.MustCompile(`href="(/search\?q=[^"]+)" title="(only these|all but these)"`).FindAllStringSubmatch(body, -1)
	if len(links) < 12 {
		t.Fatalf("%d links", len(links))
	}
	for _, l := range links {
		w := get(h, html.UnescapeString(l[1]))
		if w.Code != http.StatusOK {
			t.Errorf("%s: %d", l[1], w.Code)
		}
		if found := strings.Contains(w.Body.String(), `class="open"`); l[2] == "only these" && !found {
			t.Errorf("%s finds nothing", l[1])
		}
	}
}

// TestExplanation follows the links of an empty answer.
func TestExplanation(t *testing.T) {
	h := site(t, web.Options{Data: reader(t, "testdata/mail.log")})
	body := get(h, query("sender:ann@example.com status:bounced until:2026-11-20T11:00 after:2026-11-20")).Body.String()
	_, why, ok := strings.Cut(body, "Where to look instead")
	if !ok {
		t.Fatal("no explanation")
	}
	why, _, _ = strings.Cut(why, "</ul>")
	links := regexp.MustCompile(`href="([^"]+)"`).FindAllStringSubmatch(why, -1)
	if len(links) != 2 {
		t.Fatalf("%d links in %s", len(links), why)
	}
	for _, l := range links {
		if w := get(h, html.UnescapeString(l[1])); !strings.Contains(w.Body.String(), `class="open"`) {
			t.Errorf("%s finds nothing", l[1])
		}
	}
}

func TestPaging(t *testing.T) {
	var log strings.Builder
	for i := range 120 {
		fmt.Fprintf(&log, "2026-11-20T%02d:%02d:00+00:00 mx-a postfix/qmgr[1]: 4ABCDE%05d: from=<s%d@example.com>, size=%d, nrcpt=1 (queue active)\n", 10+i/60, i%60, i, i, 1000+i)
	}
	path := filepath.Join(t.TempDir(), "mail.log")
	if err := os.WriteFile(path, []byte(log.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	h := site(t, web.Options{Data: reader(t, path)})
	next := regexp.MustCompile(`href="([^"]+)" rel="next"`)
	seen := map[string]bool{}
	at, pages := query("sender:@example.com"), 0
	for at != "" {
		body := get(h, at).Body.String()
		for _, id := range regexp.MustCompile(`class="open" href="([^"]+)"`).FindAllStringSubmatch(body, -1) {
			if seen[id[1]] {
				t.Errorf("%s twice", id[1])
			}
			seen[id[1]] = true
		}
		if pages++; pages > 1 && !strings.Contains(body, `rel="first"`) {
			t.Error("no way back to the newest")
		}
		at = ""
		if m := next.FindStringSubmatch(body); m != nil {
			at = html.UnescapeString(m[1])
		}
	}
	if len(seen) != 120 || pages != 3 {
		t.Errorf("%d messages on %d pages", len(seen), pages)
	}
	if w := get(h, "/search?cursor=nonsense"); w.Code != http.StatusBadRequest || !strings.Contains(w.Body.String(), "the cursor is damaged") {
		t.Errorf("a damaged cursor: %d", w.Code)
	}
}

// TestOtherNames: what people have at hand is a queue id or a Message-ID.
func TestOtherNames(t *testing.T) {
	r := reader(t, "testdata/mail.log")
	h := site(t, web.Options{Data: r})
	want := "/m/" + idOf(t, r, "queue-id:=4ABCDEF0001")
	for _, id := range []string{"4ABCDEF0001", url.PathEscape("<1@example.com>"), "1@example.com"} {
		if w := get(h, "/m/"+id); w.Code != http.StatusSeeOther || w.Header().Get("Location") != want {
			t.Errorf("%s: %d to %s", id, w.Code, w.Header().Get("Location"))
		}
	}
	for _, id := range []string{"", "x/y", "..%2f..", "%ff", "%00", strings.Repeat("x", 8000)} {
		if w := get(h, "/m/"+id); w.Code != http.StatusNotFound {
			t.Errorf("%.20q: %d", id, w.Code)
		}
	}
}

func TestBasePath(t *testing.T) {
	r := reader(t, "testdata/mail.log")
	h := site(t, web.Options{Data: r, BasePath: "/waybill"})
	if w := get(h, "/waybill/"); w.Header().Get("Location") != "/waybill/search" {
		t.Errorf("home leads to %s", w.Header().Get("Location"))
	}
	for _, path := range []string{"/waybill/search", "/waybill/summary", "/waybill/m/" + idOf(t, r, "queue-id:=4ABCDEF0001"), "/waybill/m/none"} {
		body := get(h, path).Body.String()
		for _, m := range regexp.MustCompile(`(?:href|src|action|data-poll)="(/[^"]*)"`).FindAllStringSubmatch(body, -1) {
			if !strings.HasPrefix(m[1], "/waybill/") {
				t.Errorf("%s leads to %s", path, m[1])
			}
		}
	}
	for _, bad := range []string{"waybill", "/waybill/", "/"} {
		if _, err := web.New(web.Options{Data: r, BasePath: bad}); err == nil {
			t.Errorf("base path %q is taken", bad)
		}
	}
}

func TestAssets(t *testing.T) {
	h := site(t, web.Options{Data: reader(t, "testdata/mail.log")})
	body := get(h, "/search").Body.String()
	for name, limit := range map[string]int{"waybill.css": 26 << 10, "enhance.js": 20 << 10, "icon.svg": 2 << 10} {
		m := regexp.MustCompile(`"(/assets/` + regexp.QuoteMeta(name) + `\?v=[0-9a-f]+)"`).FindStringSubmatch(body)
		if m == nil {
			t.Errorf("no page loads %s", name)
			continue
		}
		w := get(h, m[1])
		if w.Code != http.StatusOK || !strings.Contains(w.Header().Get("Cache-Control"), "immutable") {
			t.Errorf("%s: %d, %s", m[1], w.Code, w.Header().Get("Cache-Control"))
		}
		if n := w.Body.Len(); n > limit {
			t.Errorf("%s has %d bytes, more than %d", name, n, limit)
		}
	}
}

func TestProgress(t *testing.T) {
	text, done := "3 of 6 <files>\u202e", false
	h := site(t, web.Options{Data: reader(t, "testdata/mail.log"), Progress: func() (string, bool) { return text, done }})
	if body := get(h, "/search").Body.String(); !strings.Contains(body, "Still reading: <b>3 of 6 &lt;files&gt;\\u202e</b>") {
		t.Error("the page does not tell of the import")
	}
	if got := strings.TrimSpace(get(h, "/progress").Body.String()); got != `{"text":"3 of 6 \u003cfiles\u003e\\u202e","done":false}` {
		t.Error(got)
	}
	done = true
	if body := get(h, "/search").Body.String(); strings.Contains(body, "Still reading") {
		t.Error("the page still tells of it when it is done")
	}
}

// slow is a Data that takes longer than anybody waits, and one that fails.
type slow struct{ web.Data }

func (slow) Find(ctx context.Context, _ search.Request) (*search.Answer, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

type broken struct{ web.Data }

func (broken) Find(context.Context, search.Request) (*search.Answer, error) {
	return nil, fmt.Errorf("read /secret/place: %w", io.ErrUnexpectedEOF)
}

func (broken) Message(context.Context, string) (*track.Message, error) {
	return nil, io.ErrUnexpectedEOF
}

func TestFailures(t *testing.T) {
	r := reader(t, "testdata/mail.log")
	if w := get(site(t, web.Options{Data: slow{r}, Timeout: time.Millisecond}), "/search"); w.Code != http.StatusServiceUnavailable || !strings.Contains(w.Body.String(), "took too long") {
		t.Errorf("a slow store: %d", w.Code)
	}
	var log strings.Builder
	h := site(t, web.Options{Data: broken{r}, Log: slog.New(slog.NewTextHandler(&log, nil))})
	for _, path := range []string{query("ann@example.com"), "/m/x"} {
		w := get(h, path)
		if w.Code != http.StatusInternalServerError || strings.Contains(w.Body.String(), "secret") {
			t.Errorf("%s: %d", path, w.Code)
		}
	}
	if !strings.Contains(log.String(), "/secret/place") || strings.Contains(log.String(), "ann@") {
		t.Errorf("logged: %s", log.String())
	}
}

// none is a Data in which there is nothing.
type none struct{ search.Engine }

func (n *none) Find(ctx context.Context, r search.Request) (*search.Answer, error) {
	return n.Search(ctx, r)
}
func (*none) Message(context.Context, string) (*track.Message, error) {
	return nil, store.ErrNotFound
}
func (*none) Events(context.Context, string) ([]track.EventView, error) {
	return nil, store.ErrNotFound
}
func (*none) Gateways(context.Context) ([]store.Gateway, error) { return nil, nil }

func TestNothingImported(t *testing.T) {
	n := &none{}
	n.Store = emptyStore{}
	w := get(site(t, web.Options{Data: n}), "/search")
	if body := w.Body.String(); w.Code != http.StatusOK || !strings.Contains(body, "waybill import") || !strings.Contains(body, "cannot be excluded") {
		t.Errorf("%d: %s", w.Code, body)
	}
}
