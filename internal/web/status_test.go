package web_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"waybill/internal/health"
	"waybill/internal/web"
)

// statusSite is a site whose services have said what is given.
func statusSite(t *testing.T, now time.Time, say func() ([]health.Report, error)) http.Handler {
	t.Helper()
	h, err := web.New(web.Options{Data: noData{}, Now: func() time.Time { return now }, Health: say, DataDir: "/var/lib/waybill"})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

type noData struct{ web.Data }

func TestStatusPage(t *testing.T) {
	now := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	reports := []health.Report{
		{Process: "gateway", Name: "mx-a", Version: "1.0", PID: 7, Started: now.Add(-time.Hour), Written: now, Steps: []health.Step{
			{Kind: "source", Name: "/var/log/<b>mail", Level: health.Warning, Text: "cannot be read \x1b[31m", Fix: "usermod -aG adm waybill", At: now.Add(-90 * time.Second)}}},
		{Process: "manager", Written: now.Add(-time.Hour), Accounts: []health.Account{{Gateway: "mx-a", Written: 1201, Sealed: 1200, Pulled: 1199, Stored: 1198, Accounted: 1, Unexplained: 1}}},
	}
	h := statusSite(t, now, func() ([]health.Report, error) { return reports, nil })
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", "/status", nil))
	body := w.Body.String()
	if w.Code != http.StatusOK {
		t.Fatalf("%d\n%s", w.Code, body)
	}
	for _, want := range []string{"gateway mx-a", "runs since 2026-11-20 11:00:00", "/var/log/&lt;b&gt;mail", "90 s ago", "usermod -aG adm waybill", `class="status warn"`,
		"does not run: the last word of it is from 2026-11-20 11:00:00", "<td class=\"n\">1,201</td>", "waybill status --data /var/lib/waybill", `aria-current="page">Status`} {
		if !strings.Contains(body, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if strings.Contains(body, "\x1b") || strings.Contains(body, "<b>mail") {
		t.Error("text of a log reached the page as it is")
	}
}

func TestStatusPageWithoutServices(t *testing.T) {
	h := statusSite(t, time.Now(), func() ([]health.Report, error) { return nil, nil })
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", "/status", nil))
	if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), "No service has published anything yet.") {
		t.Errorf("%d\n%s", w.Code, w.Body)
	}
	h = statusSite(t, time.Now(), func() ([]health.Report, error) { return nil, errors.New("unreadable") })
	w = httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", "/status", nil))
	if w.Code != http.StatusInternalServerError {
		t.Errorf("an unreadable status gives %d", w.Code)
	}
	h = statusSite(t, time.Now(), nil)
	w = httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", "/status", nil))
	if w.Code != http.StatusNotFound {
		t.Errorf("without services the page gives %d", w.Code)
	}
}
