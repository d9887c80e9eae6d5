package web

import (
	"bytes"
	"context"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"strings"

	"waybill/internal/safetext"
)

//go:embed pages/*.html
var pageFiles embed.FS

// page is what the layout shows around the content of every page.
type page struct {
	Title    string // of the window
	Sections []section
	Here     string // the section that the page belongs to
	Home     string // the search page
	Zone     string // of all times
	Reading  string // an import that is still running
	Poll     string // where to ask how far it is
	Content  any
}

// section is an entry of the navigation.
type section struct{ Name, URL string }

// parsePages reads all templates: every file but the layout and the parts
// (which begin with an underscore) is a page.
func (s *site) parsePages() (map[string]*template.Template, error) {
	funcs := template.FuncMap{"asset": s.assets.url}
	base, err := template.New("").Funcs(funcs).ParseFS(pageFiles, "pages/_*.html")
	if err != nil {
		return nil, fmt.Errorf("read the layout: %w", err)
	}
	names, err := fs.Glob(pageFiles, "pages/[a-z]*.html")
	if err != nil {
		return nil, err
	}
	out := make(map[string]*template.Template)
	for _, n := range names {
		t, err := base.Clone()
		if err == nil {
			_, err = t.ParseFS(pageFiles, n)
		}
		if err != nil {
			return nil, fmt.Errorf("read page %s: %w", n, err)
		}
		out[strings.TrimSuffix(strings.TrimPrefix(n, "pages/"), ".html")] = t
	}
	return out, nil
}

// show writes a page. It is made in memory first, so that a page that cannot
// be made is an error page and never half of one.
func (s *site) show(w http.ResponseWriter, name string, code int, title, here string, content any) error {
	p := page{Title: title, Sections: s.sections(), Here: here, Home: s.BasePath + "/search", Zone: s.zoneName(), Content: content}
	if s.Progress != nil {
		if text, done := s.Progress(); !done {
			p.Reading, p.Poll = safetext.Of(text).Short(200).String(), s.BasePath+"/progress"
		}
	}
	var b bytes.Buffer
	if err := s.pages[name].ExecuteTemplate(&b, "layout", p); err != nil {
		return fmt.Errorf("make page %s: %w", name, err)
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(code)
	_, _ = w.Write(b.Bytes()) // the reader has gone: there is nobody to tell
	return nil
}

// failure is an error that a page tells.
type failure struct {
	code       int
	title, why string
	links      []link // what to do instead
	err        error
}

func (f *failure) Error() string {
	if f.err != nil {
		return f.err.Error()
	}
	return f.why
}

func (f *failure) Unwrap() error { return f.err }

// link is a text that leads somewhere.
type link struct{ Text, URL string }

// fail shows an error's page. What the reader cannot mend is logged, without
// what he asked for.
func (s *site) fail(w http.ResponseWriter, r *http.Request, err error) {
	var f *failure
	switch {
	case errors.As(err, &f):
	case errors.Is(err, context.Canceled):
		return // the reader has gone
	case errors.Is(err, context.DeadlineExceeded):
		f = &failure{code: http.StatusServiceUnavailable, title: "Out of time", why: "The page took too long to make. Ask for less at once: a shorter range, or one gateway."}
	default:
		f = &failure{code: http.StatusInternalServerError, title: "This did not work", why: "The data could not be read. The log of the program says why."}
		s.Log.ErrorContext(r.Context(), "Page failed", "page", r.Pattern, "err", err)
	}
	links := append(f.links, link{"Search", s.BasePath + "/search"})
	if err := s.show(w, "failure", f.code, f.title, "", struct {
		Title, Why string
		Links      []link
	}{f.title, f.why, links}); err != nil {
		s.Log.ErrorContext(r.Context(), "Page failed", "page", "failure", "err", err)
		http.Error(w, f.title+". "+f.why, f.code)
	}
}
