package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestLinkIn(t *testing.T) {
	for _, tc := range []struct{ name, said, want string }{
		{"among other lines", "1 file, 5 MB.\n\n  http://127.0.0.1:8025/s/K3J4\n\n  ssh -L 8025:127.0.0.1:8025 host\n", "http://127.0.0.1:8025/s/K3J4"},
		{"the first", "http://127.0.0.1:1/s/A\nhttp://127.0.0.1:1/s/B\n", "http://127.0.0.1:1/s/A"},
		{"none", "there is nothing to read\n", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := linkIn(strings.NewReader(tc.said)); got != tc.want {
				t.Errorf("%q, want %q", got, tc.want)
			}
		})
	}
}

// TestPersonWaits: an answer without a message is asked again, one with a
// message is the end, and what is no answer is a fault.
func TestPersonWaits(t *testing.T) {
	asked := 0
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if asked++; r.URL.Path == "/gone" {
			http.NotFound(w, r)
			return
		}
		if asked < 3 {
			fmt.Fprint(w, `<p>Not found so far. <a href="/help">Help</a></p>`)
			return
		}
		fmt.Fprint(w, `<a href="/m/mx-a.1">Report</a>`)
	}))
	defer s.Close()
	p := &person{client: s.Client()}
	if err := p.wait(t.Context(), s.URL+"/search"); err != nil || asked != 3 {
		t.Errorf("asked %d times: %v", asked, err)
	}
	if err := p.wait(t.Context(), s.URL+"/gone"); err == nil {
		t.Error("a page that is not there is no fault")
	}
}
