package web

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"html/template"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
)

// GateOptions say how a Gate stands.
type GateOptions struct {
	// BasePath is that of the site behind the gate.
	BasePath string
	// Reopen is the command that makes a new link, told to who has none: "waybill
	// open". "" leaves it out.
	Reopen string
}

// Gate lets one person in, on the machine on which it listens. Who follows the
// one-time link gets a session cookie; everybody else is told how to come by a
// link. The secrets live as long as the Gate.
//
// Only requests for a loopback name pass: a page of somebody else that makes
// its own name resolve to 127.0.0.1 gets nothing, cookie or not. Requests that
// could change something pass only from the site itself.
type Gate struct {
	next    http.Handler
	o       GateOptions
	cross   *http.CrossOriginProtection
	cookie  string // its name; two gates on one host have different ones
	session [sha256.Size]byte
	secret  string

	mu   sync.Mutex
	link *[sha256.Size]byte // of the token that may still be used
}

// NewGate makes a gate in front of a site. No link is valid before Link made one.
func NewGate(site http.Handler, o GateOptions) *Gate {
	g := &Gate{next: site, o: o, cross: http.NewCrossOriginProtection(), secret: rand.Text()}
	g.session = sha256.Sum256([]byte(g.secret))
	// Cookies do not tell ports apart, so names must.
	g.cookie = "waybill_" + strings.ToLower(rand.Text()[:8])
	return g
}

// Link makes a new one-time link and returns its path, such as
// "/s/K3J4...". The link before it is void; sessions go on.
func (g *Gate) Link() string {
	token := rand.Text()
	sum := sha256.Sum256([]byte(token))
	g.mu.Lock()
	g.link = &sum
	g.mu.Unlock()
	return g.o.BasePath + "/s/" + token
}

// Waiting reports whether there is a link that was not used yet.
func (g *Gate) Waiting() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.link != nil
}

// ServeHTTP lets the request in or says why not.
func (g *Gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	setHeaders(w.Header())
	if !loopback(r.Host) {
		g.refuse(w, "This site answers under the names of this machine alone.",
			"Open it as http://localhost or http://127.0.0.1 with the port that you were given.")
		return
	}
	if err := g.cross.Check(r); err != nil {
		g.refuse(w, "The request came from another site.", "Go back to Waybill and do it there.")
		return
	}
	if token, ok := strings.CutPrefix(r.URL.Path, g.o.BasePath+"/s/"); ok {
		g.enter(w, r, token)
		return
	}
	if !g.inside(r) {
		g.refuse(w, "This page is for who started Waybill.", "Follow the one-time link that it printed. If you have just done so, load this page again.")
		return
	}
	g.next.ServeHTTP(w, r)
}

// enter exchanges a token for a session. A link that is only looked at (HEAD, a
// browser that fetches ahead) is not used up.
func (g *Gate) enter(w http.ResponseWriter, r *http.Request, token string) {
	if r.Method != http.MethodGet || strings.Contains(r.Header.Get("Sec-Purpose"), "prefetch") {
		g.refuse(w, "This link is to be opened, not fetched ahead.", "Open it in a browser.")
		return
	}
	if !g.inside(r) && !g.spend(token) {
		g.refuse(w, "This link was used before, or never was one.", "A link works once.")
		return
	}
	http.SetCookie(w, &http.Cookie{Name: g.cookie, Value: g.secret, Path: g.o.BasePath + "/", HttpOnly: true, SameSite: http.SameSiteStrictMode})
	http.Redirect(w, r, g.o.BasePath+"/search", http.StatusSeeOther)
}

// spend uses a token up. Sums are compared, so the time that it takes tells
// nothing of the token.
func (g *Gate) spend(token string) bool {
	sum := sha256.Sum256([]byte(token))
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.link == nil || subtle.ConstantTimeCompare(sum[:], g.link[:]) != 1 {
		return false
	}
	g.link = nil
	return true
}

// inside reports whether the request brings the session's cookie.
func (g *Gate) inside(r *http.Request) bool {
	for _, c := range r.CookiesNamed(g.cookie) {
		sum := sha256.Sum256([]byte(c.Value))
		if subtle.ConstantTimeCompare(sum[:], g.session[:]) == 1 {
			return true
		}
	}
	return false
}

// loopback reports whether a Host header names this machine and no other. The
// port may be any: it is another at the near end of ssh -L.
func loopback(host string) bool {
	name, _, err := net.SplitHostPort(host)
	if err != nil {
		name = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	}
	name = strings.ToLower(name)
	if name == "localhost" || strings.HasSuffix(name, ".localhost") {
		return true
	}
	ip, err := netip.ParseAddr(name)
	return err == nil && ip.Unmap().IsLoopback()
}

// refuse says that there is no way in, and what to do.
func (g *Gate) refuse(w http.ResponseWriter, why, what string) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(http.StatusForbidden)
	again := ""
	if g.o.Reopen != "" {
		again = "<p>For a new link, run <code>" + template.HTMLEscapeString(g.o.Reopen) + "</code> again.</p>\n"
	}
	// Nothing of the request is repeated. That the reader has gone is no failure.
	_, _ = io.WriteString(w, "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width\">\n"+
		"<meta name=\"color-scheme\" content=\"light dark\">\n<title>Not let in · Waybill</title>\n<main>\n<h1>Not let in</h1>\n<p>"+
		template.HTMLEscapeString(why)+"</p>\n<p>"+template.HTMLEscapeString(what)+"</p>\n"+again+"</main>\n</html>\n")
}
