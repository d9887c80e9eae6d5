// Package web shows answers and messages as pages: a search, what it found and
// what it could not see, and one message's whole way.
//
// [New] makes the site as one http.Handler over a [Data], which app.Reader
// satisfies. [Gate] stands in front of it on a machine of one person: it lets
// in who holds a one-time link and answers under loopback names alone. The
// site itself knows nothing of who asks.
//
// A page is drawn by the server and complete without a script; enhance.js only
// makes it quicker to use. The URL holds all that a page depends on. Nothing
// is kept between requests.
//
// Text from outside reaches a page through package safetext and html/template,
// never as markup. Pages name addresses, so they are never cached, and nothing
// of another origin is loaded, framed or told where a reader comes from.
//
// The package knows nothing of stores, log dialects, flags or listeners.
package web
