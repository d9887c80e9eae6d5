package web_test

import (
	"context"
	"iter"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"waybill/internal/store"
	"waybill/internal/track"
	"waybill/internal/web"
)

// emptyStore holds nothing.
type emptyStore struct{}

func (emptyStore) Search(context.Context, *store.Query) iter.Seq2[*track.Message, error] {
	return func(func(*track.Message, error) bool) {}
}
func (emptyStore) Count(context.Context, *store.Query, int) (int, error)   { return 0, nil }
func (emptyStore) Gateways(context.Context) ([]store.Gateway, error)       { return nil, nil }
func (emptyStore) Sources(context.Context, string) ([]store.Source, error) { return nil, nil }

// FuzzSearchURL asks for pages with whatever a URL can hold: there is a page
// for each, nothing of the question becomes markup, and an address that a
// form leads to is settled.
func FuzzSearchURL(f *testing.F) {
	for _, s := range []string{
		"", "q=ann", "q=sender:ann&was=&sender=bob", "q=\"&was=%22", "status=held&status=x&was=", "from=yesterday&to=now&was=after:today",
		"q=<script>alert(1)</script>", "cursor=AQ", "q=%ff%fe", "q=%e2%80%ae&was=x", "gateway==a&kind=rejection&size=>1M", "q=after:-24h+before:2026",
	} {
		f.Add(s)
	}
	n := &none{}
	n.Store = emptyStore{}
	h, err := web.New(web.Options{Data: n})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		values, _ := url.ParseQuery(raw) // what is no query is asked as far as it is one
		for _, page := range []string{"/search?", "/summary?"} {
			ask(t, h, page+values.Encode(), raw)
		}
	})
}

func ask(t *testing.T, h http.Handler, target, raw string) {
	t.Helper()
	req := httptest.NewRequest(http.MethodGet, target, nil)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, req)
	switch w.Code {
	case http.StatusOK, http.StatusBadRequest, http.StatusRequestURITooLong:
		body := w.Body.String()
		if strings.Count(body, "<script") != 1 || strings.ContainsAny(body, "\u202e\u2066\x00\x1b") && !strings.ContainsAny(raw, "\u202e\u2066\x00\x1b%") {
			t.Errorf("markup of %q", raw)
		}
	case http.StatusSeeOther:
		again := httptest.NewRecorder()
		h.ServeHTTP(again, httptest.NewRequest(http.MethodGet, w.Header().Get("Location"), nil))
		if again.Code == http.StatusSeeOther {
			t.Errorf("%q leads on and on", raw)
		}
	default:
		t.Errorf("%q: status %d", raw, w.Code)
	}
}
