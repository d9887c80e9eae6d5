package web_test

import (
	"context"
	"fmt"
	"html"
	"iter"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"waybill/internal/search"
	"waybill/internal/store"
	"waybill/internal/track"
	"waybill/internal/web"
)

// summaryLog is a day in which senders, destinations and replies differ.
func summaryLog(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	for i := range 60 {
		at := func(s int) string {
			return fmt.Sprintf("2026-11-20T%02d:%02d:%02d+00:00 mx-a postfix", 6+i/8, i%8*7, s)
		}
		id := fmt.Sprintf("4ABCDE%05d", i)
		fmt.Fprintf(&b, "%s/smtpd[1]: %s: client=mail%d.example.com[192.0.2.%d], sasl_method=PLAIN, sasl_username=user%d\n", at(0), id, i%3, i%3, i%2)
		fmt.Fprintf(&b, "%s/qmgr[1]: %s: from=<%s@example.com>, size=%d, nrcpt=1 (queue active)\n", at(1), id, strings.Repeat("s", 1+i%15), 1000+i)
		switch to := fmt.Sprintf("bob%d@d%d.example.net", i, i%2); i % 4 {
		case 0:
			fmt.Fprintf(&b, "%s/smtp[1]: %s: to=<%s>, relay=mx.example.net[192.0.2.25]:25, delay=1, dsn=4.7.1, status=deferred (host mx.example.net[192.0.2.25] said: 450 4.7.1 <%s>:  Greylisted for %d seconds,  see \"help\\\")\n", at(2), id, to, to, i)
		case 1:
			fmt.Fprintf(&b, "%s/smtp[1]: %s: to=<%s>, relay=none, delay=1, dsn=5.4.4, status=bounced (Host or domain name not found. Name service error for name=d%d.example.net type=A: Host not found)\n", at(2), id, to, i%2)
		default:
			fmt.Fprintf(&b, "%s/smtp[1]: %s: to=<%s>, relay=mx.example.net[192.0.2.25]:25, delay=1, dsn=2.0.0, status=sent (250 ok %d)\n", at(2), id, to, i)
		}
		fmt.Fprintf(&b, "%s/smtpd[1]: NOQUEUE: reject: RCPT from unknown[198.51.100.%d]: 554 5.7.1 Service unavailable; Client host [198.51.100.%d] blocked using zen.spamhaus.org; from=<x@bad.example> to=<y@example.net> proto=ESMTP helo=<h>\n", at(3), i%5, i%5)
	}
	path := filepath.Join(t.TempDir(), "mail.log")
	if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

var (
	summaryRows  = regexp.MustCompile(`<tr role="row"><td role="cell" class="n">([\d,]+)<span class="share">[^<]*</span></td><td role="cell" class="v">(?:<span class="in">)?<a class="open[^"]*" href="([^"]+)">`)
	outcomeRows  = regexp.MustCompile(`<a class="open" href="([^"]+)"><span class="status[^>]*>.*?</a></th><td role="cell" class="n">([\d,]*)`)
	trafficRows  = regexp.MustCompile(`<tr><td><a href="([^"]+)">[^<]*</a></td><td class="n">([\d,]+)</td><td class="n">(?:<a href="([^"]+)">([\d,]+)</a>)?</td>`)
	summaryOther = regexp.MustCompile(`<p class="others">([^<]+)<span class="share">[^<]*</span> <a href="([^"]+)">`)
)

// TestSummaryLinks follows every row of a summary: the search behind it finds as
// many as the row counts.
func TestSummaryLinks(t *testing.T) {
	r := reader(t, summaryLog(t))
	h := site(t, web.Options{Data: r})
	page := "/summary?q=after%3A2026-11-20T06%3A00+before%3A2026-11-20T12%3A30&top=20"
	body := get(h, page).Body.String()
	follow := func(link, count string) {
		t.Helper()
		link = html.UnescapeString(link)
		want, err := strconv.Atoi(strings.ReplaceAll(count, ",", ""))
		if err != nil {
			t.Fatal(err)
		}
		w := get(h, link)
		if w.Code != http.StatusOK {
			t.Fatalf("%s: %d", link, w.Code)
		}
		_, text, _ := strings.Cut(w.Body.String(), `name="q" value="`)
		text, _, _ = strings.Cut(text, `"`)
		a, err := r.Find(t.Context(), search.Request{Text: html.UnescapeString(text)})
		if err != nil || a.Found != want {
			t.Errorf("%s finds %d, not the %d of its row (%v)", html.UnescapeString(text), a.Found, want, err)
		}
	}
	rows := summaryRows.FindAllStringSubmatch(body, -1)
	// deferred, failed and refused by one reason each; 5 clients refused, 15 senders,
	// 20 of the recipients, 3 clients, 2 users.
	if len(rows) != 1+1+1+5+15+20+3+2 {
		t.Errorf("%d rows of lists", len(rows))
	}
	for _, m := range rows {
		follow(m[2], m[1])
	}
	ends := outcomeRows.FindAllStringSubmatch(body, -1)
	if len(ends) != 3 {
		t.Errorf("%d outcomes", len(ends))
	}
	for _, m := range ends {
		follow(m[1], m[2])
	}
	periods := trafficRows.FindAllStringSubmatch(body, -1)
	if len(periods) != 7 {
		t.Errorf("%d periods", len(periods))
	}
	for _, m := range periods {
		follow(m[1], m[2])
		follow(m[3], m[4])
	}
	others := summaryOther.FindAllStringSubmatch(body, -1)
	if len(others) != 1 || !strings.HasPrefix(others[0][1], "33 others: 33") {
		t.Fatalf("others: %q", others)
	}
	longer, _, _ := strings.Cut(html.UnescapeString(others[0][2]), "#")
	if more := get(h, longer).Body.String(); strings.Contains(more, " others") || !strings.Contains(more, "waybill summary --top 200 --tz UTC -- ") {
		t.Error("there is no more in the longer lists")
	}
}

// TestSummaryForm: the form of the page leads back to the page, and so do its
// ranges.
func TestSummaryForm(t *testing.T) {
	h := site(t, web.Options{Data: reader(t, "testdata/mail.log")})
	if w := get(h, "/summary?was=&q=&sender=carol"); w.Code != http.StatusSeeOther || w.Header().Get("Location") != "/summary?q=sender%3Acarol" {
		t.Errorf("%d to %s", w.Code, w.Header().Get("Location"))
	}
	body := get(h, "/summary?q=sender%3Acarol").Body.String()
	for _, want := range []string{`action="/summary"`, `href="/summary?q=sender%3Acarol&#43;after%3A-1h"`, `<a class="way" href="/search?q=sender%3Acarol">`, `aria-current="page">Summary</a>`} {
		if !strings.Contains(body, want) {
			t.Errorf("the page does not have %s", want)
		}
	}
	if body := get(h, "/search?q=sender%3Acarol").Body.String(); !strings.Contains(body, `href="/summary?q=sender%3Acarol"`) {
		t.Error("nothing leads from the messages to their numbers")
	}
	for _, bad := range []string{"0", "-1", "1001", "x", "99999999999999999999"} {
		if w := get(h, "/summary?top="+bad); w.Code != http.StatusBadRequest || !strings.Contains(w.Body.String(), "top is a number from 1 to 1000") {
			t.Errorf("top=%s: %d", bad, w.Code)
		}
	}
}

func (slow) Summarise(ctx context.Context, _ search.Request, _ int) (*search.Summary, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

// endless is a store that looks for longer than anybody waits.
type endless struct{ emptyStore }

func (endless) Gateways(context.Context) ([]store.Gateway, error) {
	return []store.Gateway{{Name: "mx-a"}}, nil
}

func (endless) Search(ctx context.Context, _ *store.Query) iter.Seq2[*track.Message, error] {
	return func(yield func(*track.Message, error) bool) {
		<-ctx.Done()
		yield(nil, ctx.Err())
	}
}

func TestSummaryFailure(t *testing.T) {
	r := reader(t, "testdata/mail.log")
	if w := get(site(t, web.Options{Data: slow{r}, Timeout: time.Millisecond}), "/summary"); w.Code != http.StatusServiceUnavailable {
		t.Errorf("a slow store: %d", w.Code)
	}
	n := &none{}
	n.Store = endless{}
	h := site(t, web.Options{Data: n, Timeout: 10 * time.Millisecond})
	for _, path := range []string{"/search", "/summary"} {
		if w := get(h, path); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), "the time was up") || strings.Contains(w.Body.String(), "waybill import") {
			t.Errorf("%s, when the time is up: %d", path, w.Code)
		}
	}
	n.Store = emptyStore{}
	if w := get(site(t, web.Options{Data: n}), "/summary"); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), "waybill import") {
		t.Errorf("nothing imported: %d", w.Code)
	}
}
