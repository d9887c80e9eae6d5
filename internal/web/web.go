package web

import (
	"context"
	"errors"
	"fmt"
	"html/template"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"waybill/internal/health"
	"waybill/internal/search"
	"waybill/internal/store"
	"waybill/internal/track"
)

// Data is what pages are made of.
type Data interface {
	// Find runs a search and collects its messages.
	Find(ctx context.Context, r search.Request) (*search.Answer, error)
	// Summarise counts the messages of a search; lists have at most top values.
	Summarise(ctx context.Context, r search.Request, top int) (*search.Summary, error)
	// Message returns a message with its relations, store.ErrNotFound if there is
	// none of this id.
	Message(ctx context.Context, id string) (*track.Message, error)
	// Events returns the events of a message in their order.
	Events(ctx context.Context, id string) ([]track.EventView, error)
	// Gateways lists the gateways that can be searched.
	Gateways(ctx context.Context) ([]store.Gateway, error)
}

// Options say what a site shows and how.
type Options struct {
	Data Data
	// Zone is that of all times on the pages and of time words; nil is UTC.
	Zone *time.Location
	// BasePath is the path below which the site is mounted, such as "/waybill";
	// "" is the root. Requests carry it.
	BasePath string
	// Now is the clock that says whether a search may lie in the future; nil is
	// time.Now.
	Now func() time.Time
	// Log takes what went wrong while a page was made; nil discards it. Queries
	// and addresses are not logged.
	Log *slog.Logger
	// Timeout bounds the making of a page; 0 is ten seconds. A search that runs
	// into it shows what was found until then, and says so.
	Timeout time.Duration
	// Progress tells of an import that is still running: "3 of 6 files". Pages
	// show it until done. It is called for every page, so it must be quick, and
	// from several goroutines. nil: nothing is being imported.
	Progress func() (text string, done bool)
	// DataDir is the data directory as the command line needs it to answer the
	// same question, "" where it finds it by itself.
	DataDir string
	// Health reads what the services say of themselves, for the status page; nil:
	// there is no such page.
	Health func() ([]health.Report, error)
}

// site is a set of pages over one Data.
type site struct {
	Options
	pages  map[string]*template.Template
	assets *assets
}

const defaultTimeout = 10 * time.Second

// New makes the site. It starts nothing; everything that can be wrong with the
// pages themselves is found here.
func New(o Options) (http.Handler, error) {
	if o.Data == nil {
		return nil, errors.New("web: no data to show")
	}
	if o.BasePath != "" && (!strings.HasPrefix(o.BasePath, "/") || strings.HasSuffix(o.BasePath, "/")) {
		return nil, fmt.Errorf("web: base path %q: it begins with a slash and does not end with one", o.BasePath)
	}
	if o.Zone == nil {
		o.Zone = time.UTC
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Timeout == 0 {
		o.Timeout = defaultTimeout
	}
	s := &site{Options: o}
	var err error
	if s.assets, err = loadAssets(o.BasePath + "/assets/"); err != nil {
		return nil, fmt.Errorf("web: %w", err)
	}
	if s.pages, err = s.parsePages(); err != nil {
		return nil, fmt.Errorf("web: %w", err)
	}
	return s.routes(), nil
}

// sections are the entries of the navigation, in order.
func (s *site) sections() []section {
	out := []section{
		{Name: "Search", URL: s.BasePath + searchPage},
		{Name: "Summary", URL: s.BasePath + summaryPage},
	}
	if s.Health != nil {
		out = append(out, section{Name: "Status", URL: s.BasePath + statusPage})
	}
	return out
}

// routes says which page is where.
func (s *site) routes() http.Handler {
	mux := http.NewServeMux()
	get := func(path string, h func(http.ResponseWriter, *http.Request) error) {
		mux.Handle("GET "+s.BasePath+path, s.handler(h))
	}
	get("/{$}", s.home)
	get(searchPage, s.search)
	get(summaryPage, s.summary)
	if s.Health != nil {
		get(statusPage, s.status)
	}
	get("/m/{id...}", s.message)
	get("/progress", s.progress)
	get("/assets/{name}", s.assets.serve)
	get("/", s.lost)
	return mux
}

// maxURL bounds what a request may ask for, in bytes. The query text has a
// limit of its own, which is told beside it.
const maxURL = 32 << 10

// handler makes a page's function answer requests: in bounded time, with the
// headers that all responses have, and with a page for its error.
func (s *site) handler(h func(http.ResponseWriter, *http.Request) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		setHeaders(w.Header())
		ctx, cancel := context.WithTimeout(r.Context(), s.Timeout)
		defer cancel()
		var err error
		if len(r.RequestURI) > maxURL {
			err = &failure{code: http.StatusRequestURITooLong, title: "Too long", why: "The address of the page is longer than anything that could be searched for."}
		} else {
			err = h(w, r.WithContext(ctx))
		}
		if err != nil {
			s.fail(w, r, err)
		}
	})
}

func (s *site) home(w http.ResponseWriter, r *http.Request) error {
	http.Redirect(w, r, s.BasePath+"/search", http.StatusSeeOther)
	return nil
}

func (s *site) lost(http.ResponseWriter, *http.Request) error {
	return &failure{code: http.StatusNotFound, title: "No such page", why: "There is nothing at this address."}
}
