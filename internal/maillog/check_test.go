package maillog

import (
	"testing"
	"unicode/utf8"

	"waybill/internal/track"
)

// checkEvent fails when an event breaks what every consumer relies on.
func checkEvent(t testing.TB, e *track.Event) {
	t.Helper()
	switch {
	case e.Kind == track.KindUnknown:
		t.Errorf("event of no kind: %+v", e)
	case e.Kind == track.Rejection, e.Kind == track.ConnAuthFailed:
		if (e.MID == 0) != (e.QueueID == "") {
			t.Errorf("%s has half a key: %+v", e.Kind, e)
		}
	case e.Kind.OfConnection():
		if e.MID != 0 || e.QueueID != "" {
			t.Errorf("%s has a message: %+v", e.Kind, e)
		}
	default:
		if e.MID == 0 || e.QueueID == "" || e.Value(track.MTA) == "" && !isID(e.QueueID) {
			t.Errorf("%s has no message: %+v", e.Kind, e)
		}
	}
	for _, s := range []string{e.Host, e.Tag, e.QueueID, e.Text} {
		if !utf8.ValidString(s) {
			t.Errorf("invalid text %q in %+v", s, e)
		}
	}
	for _, a := range e.Attrs {
		if !utf8.ValidString(a.Value) {
			t.Errorf("invalid attribute %d %q of %q", a.Key, a.Value, e.Text)
		}
	}
	if w, ok := e.Get(track.StatusWord); ok {
		if _, ok := track.ParseStatus(w); !ok {
			t.Errorf("no such status %q: %q", w, e.Text)
		}
	}
	for _, k := range []track.Key{track.LinkRelation, track.ParentRel} {
		if w, ok := e.Get(k); ok {
			if _, ok := track.ParseRelation(w); !ok {
				t.Errorf("no such relation %q: %q", w, e.Text)
			}
		}
	}
}

// checkStats fails when a line was not counted, or counted twice.
func checkStats(t testing.TB, s Stats) {
	t.Helper()
	sum := s.Blank + s.Headerless + s.Foreign
	for _, d := range s.Dialects {
		sum += d.Parsed + d.Ignored + d.Unknown
		if len(d.Samples) > maxSamples || (d.Unknown > 0) != (len(d.Samples) > 0) {
			t.Errorf("%s: %d unknown, samples %q", d.Name, d.Unknown, d.Samples)
		}
	}
	if sum != s.Lines {
		t.Errorf("%d lines, %d counted: %+v", s.Lines, sum, s)
	}
}
