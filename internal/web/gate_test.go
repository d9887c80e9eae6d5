package web_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"waybill/internal/web"
)

// behind is a site that tells who came through.
func behind(w http.ResponseWriter, r *http.Request) { _, _ = w.Write([]byte("inside " + r.URL.Path)) }

func knock(g http.Handler, method, url string, edit func(*http.Request)) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, url, nil)
	r.Host = "127.0.0.1:8025"
	if edit != nil {
		edit(r)
	}
	w := httptest.NewRecorder()
	g.ServeHTTP(w, r)
	return w
}

func with(c *http.Cookie) func(*http.Request) { return func(r *http.Request) { r.AddCookie(c) } }

func TestGate(t *testing.T) {
	g := web.NewGate(http.HandlerFunc(behind), web.GateOptions{Reopen: "waybill open"})
	refused := func(what string, w *httptest.ResponseRecorder) {
		t.Helper()
		if body := w.Body.String(); w.Code != http.StatusForbidden || strings.Contains(body, "inside") || !strings.Contains(body, "<code>waybill open</code>") {
			t.Errorf("%s: %d %s", what, w.Code, body)
		}
		if len(w.Result().Cookies()) > 0 {
			t.Errorf("%s: a cookie is given", what)
		}
	}
	for _, path := range []string{"/", "/search", "/assets/waybill.css", "/progress", "/s/", "/s/x", "/s"} {
		refused(path, knock(g, "GET", path, nil))
	}
	link := g.Link()
	refused("HEAD of the link", knock(g, "HEAD", link, nil))
	refused("POST to the link", knock(g, "POST", link, nil))
	refused("a browser that fetches ahead", knock(g, "GET", link, func(r *http.Request) { r.Header.Set("Sec-Purpose", "prefetch;prerender") }))
	refused("a link cut short", knock(g, "GET", link[:len(link)-1], nil))
	refused("another host", knock(g, "GET", link, func(r *http.Request) { r.Host = "evil.example:8025" }))

	w := knock(g, "GET", link, nil)
	if w.Code != http.StatusSeeOther || w.Header().Get("Location") != "/search" {
		t.Fatalf("the link: %d to %s", w.Code, w.Header().Get("Location"))
	}
	c := w.Result().Cookies()[0]
	if !c.HttpOnly || c.SameSite != http.SameSiteStrictMode || c.Path != "/" || c.Domain != "" || len(c.Value) < 20 {
		t.Errorf("cookie %v", c)
	}
	if strings.Contains(link, c.Value) {
		t.Error("the session is the token")
	}
	if w := knock(g, "GET", "/search", with(c)); w.Body.String() != "inside /search" {
		t.Errorf("with the cookie: %d %s", w.Code, w.Body)
	}
	refused("the link again", knock(g, "GET", link, nil))
	if w := knock(g, "GET", link, with(c)); w.Code != http.StatusSeeOther {
		t.Errorf("the link again by who is in: %d", w.Code)
	}
	refused("a cookie that is none", knock(g, "GET", "/search", with(&http.Cookie{Name: c.Name, Value: "x"})))
	refused("a cookie of another name", knock(g, "GET", "/search", with(&http.Cookie{Name: "waybill", Value: c.Value})))

	// A new link lets somebody else in, and ends nobody's session.
	first, second := g.Link(), g.Link()
	refused("a link that was replaced", knock(g, "GET", first, nil))
	if w := knock(g, "GET", second, nil); w.Code != http.StatusSeeOther {
		t.Errorf("the new link: %d", w.Code)
	}
	if w := knock(g, "GET", "/x", with(c)); w.Body.String() != "inside /x" {
		t.Errorf("the session before: %d", w.Code)
	}
}

// TestGateHosts: a page whose own name was made to resolve to this machine has
// that name in Host, and gets nothing.
func TestGateHosts(t *testing.T) {
	g := web.NewGate(http.HandlerFunc(behind), web.GateOptions{})
	c := knock(g, "GET", g.Link(), nil).Result().Cookies()[0]
	for host, want := range map[string]int{
		"127.0.0.1": 200, "127.0.0.1:80": 200, "127.8.8.8:8025": 200, "localhost": 200, "LocalHost:9000": 200, "[::1]:8025": 200, "[::1]": 200,
		"wb.localhost:1": 200, "[::ffff:127.0.0.1]:80": 200,
		"": 403, "evil.example": 403, "127.0.0.1.evil.example": 403, "localhost.evil.example:8025": 403, "192.0.2.7:8025": 403, "0.0.0.0:8025": 403,
		"[::]:8025": 403, "127.0.0.1@evil.example": 403, "evillocalhost": 403, "127.1": 403, "2130706433": 403, ":8025": 403,
	} {
		w := knock(g, "GET", "/x", func(r *http.Request) { r.Host = host; r.AddCookie(c) })
		if w.Code != want {
			t.Errorf("host %q: %d, want %d", host, w.Code, want)
		}
	}
}

// TestGateCrossOrigin: what could change something comes from the site itself.
func TestGateCrossOrigin(t *testing.T) {
	g := web.NewGate(http.HandlerFunc(behind), web.GateOptions{})
	c := knock(g, "GET", g.Link(), nil).Result().Cookies()[0]
	for _, tc := range []struct {
		method, site string
		want         int
	}{{"GET", "cross-site", 200}, {"POST", "cross-site", 403}, {"POST", "same-site", 403}, {"POST", "same-origin", 200}, {"DELETE", "cross-site", 403}} {
		w := knock(g, tc.method, "/x", func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", tc.site); r.AddCookie(c) })
		if w.Code != tc.want {
			t.Errorf("%s from %s: %d, want %d", tc.method, tc.site, w.Code, tc.want)
		}
	}
}

func TestGateBasePath(t *testing.T) {
	g := web.NewGate(http.HandlerFunc(behind), web.GateOptions{BasePath: "/waybill"})
	link := g.Link()
	if !strings.HasPrefix(link, "/waybill/s/") {
		t.Errorf("link %s", link)
	}
	w := knock(g, "GET", link, nil)
	if w.Header().Get("Location") != "/waybill/search" || w.Result().Cookies()[0].Path != "/waybill/" {
		t.Errorf("to %s with %v", w.Header().Get("Location"), w.Result().Cookies())
	}
}
