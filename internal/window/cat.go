package window

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"waybill/internal/safetext"
	"waybill/internal/track"
)

// Format is a way to print a window.
type Format uint8

// The formats of Cat.
const (
	// Text is for people: one line per event, what is odd in it made visible.
	Text Format = iota
	// NDJSON is for programs: one object per line. An event is an object by itself;
	// header, sources and trailer stand under keys of these names, the first one at
	// the beginning, the others at the end.
	NDJSON
)

// Cat prints what is left of a window. When it fails with a *DamagedError
// everything up to the damage has been printed.
func Cat(w io.Writer, r *Reader, f Format) error {
	out := bufio.NewWriterSize(w, 64<<10)
	p := printer{out: out}
	print := p.text
	if f == NDJSON {
		print = p.json
		p.value(map[string]any{"header": headerView(r.Header())})
	}
	var e track.Event
	for p.err == nil {
		err := r.Next(&e)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return errors.Join(err, out.Flush())
		}
		print(&e)
	}
	if f == NDJSON && p.err == nil {
		p.value(map[string]any{"sources": sourceViews(r.Sources())})
		p.value(map[string]any{"trailer": trailerView(r)})
	}
	return errors.Join(p.err, out.Flush())
}

// printer remembers the first error of writing.
type printer struct {
	out *bufio.Writer
	err error
}

func (p *printer) text(e *track.Event) {
	unsure := " "
	if e.Uncertain {
		unsure = "?"
	}
	_, err := fmt.Fprintf(p.out, "%s%s %-20s %d:%d %s %s\n",
		e.Time, unsure, e.Kind, e.Source, e.Line, safetext.Of(e.Host), safetext.Of(e.Text))
	if p.err == nil {
		p.err = err
	}
}

func (p *printer) value(v any) {
	b, err := json.Marshal(v)
	if err == nil {
		_, err = p.out.Write(append(safetext.JSON(b), '\n'))
	}
	if p.err == nil {
		p.err = err
	}
}

// eventView is an event in NDJSON.
type eventView struct {
	Time      track.Stamp `json:"time,omitzero"`
	Uncertain bool        `json:"time_uncertain,omitempty"`
	Kind      string      `json:"kind"`
	Host      string      `json:"host,omitempty"`
	Tag       string      `json:"tag,omitempty"`
	PID       uint32      `json:"pid,omitempty"`
	QueueID   string      `json:"queue_id,omitempty"`
	MID       uint64      `json:"mid,omitempty"`
	ICID      uint64      `json:"icid,omitempty"`
	Source    uint32      `json:"source"`
	Line      int64       `json:"line"`
	Offset    int64       `json:"offset"`
	Text      string      `json:"text"`
	Attrs     [][2]string `json:"attrs,omitempty"`
}

func (p *printer) json(e *track.Event) {
	v := eventView{e.Time, e.Uncertain, e.Kind.String(), e.Host, e.Tag, e.PID, e.QueueID, e.MID, e.ICID,
		e.Source, e.Line, e.Offset, e.Text, nil}
	if e.Kind != track.KindUnknown && v.Kind == track.KindUnknown.String() { // of a later version
		v.Kind = fmt.Sprintf("kind%d", e.Kind)
	}
	for _, a := range e.Attrs {
		v.Attrs = append(v.Attrs, [2]string{KeyName(a.Key), a.Value})
	}
	p.value(v)
}

func headerView(h Header) any {
	v := map[string]any{"format": fmt.Sprintf("%d.%d", h.Major, h.Minor), "gateway": h.Gateway, "serial": h.Serial,
		"imported": h.Imported, "software": h.Software}
	if h.Imported {
		v["fingerprint"] = h.Fingerprint
		return v
	}
	v["epoch"], v["sequence"], v["from"] = h.Epoch, h.Sequence, h.Interval.From
	v["previous"] = fmt.Sprintf("%x", h.Previous)
	return v
}

type sourceView struct {
	ID       string           `json:"id,omitempty"`
	Name     string           `json:"name"`
	From     int64            `json:"from"`
	To       int64            `json:"to"`
	Lines    int64            `json:"lines"`
	First    track.Stamp      `json:"first,omitzero"`
	Last     track.Stamp      `json:"last,omitzero"`
	Silence  int64            `json:"silence_us,omitempty"`
	Parsed   int64            `json:"parsed"`
	Ignored  int64            `json:"ignored"`
	Unknown  int64            `json:"unknown"`
	Samples  []string         `json:"samples,omitempty"`
	Waiting  int64            `json:"waiting,omitempty"`
	Watched  []track.Interval `json:"watched,omitempty"`
	Dropped  int64            `json:"dropped,omitempty"`
	Volatile bool             `json:"volatile,omitempty"`
	Marks    int              `json:"marks_bytes,omitempty"`
	State    int              `json:"state_bytes,omitempty"`
}

func sourceViews(sources []Source) []sourceView {
	out := make([]sourceView, 0, len(sources))
	for _, s := range sources {
		out = append(out, sourceView{s.ID, s.Name, s.From, s.To, s.Lines, s.First, s.Last, s.Silence, s.Parsed, s.Ignored,
			s.Unknown, s.Samples, s.Waiting, s.Watched, s.Dropped, s.Volatile, len(s.Marks), len(s.State)})
	}
	return out
}

func trailerView(r *Reader) any {
	t, h := r.Trailer(), r.Header()
	kinds := map[string]uint64{}
	for k, n := range t.Counts {
		if n > 0 {
			kinds[track.Kind(k).String()] += n
		}
	}
	v := map[string]any{"identity": Identity(h), "from": h.Interval.From, "to": h.Interval.To, "events": t.Events, "kinds": kinds,
		"first": t.First, "last": t.Last, "sha256": fmt.Sprintf("%x", r.Digest())}
	if h.Imported {
		v["from_byte"], v["to_byte"] = h.FromByte, h.ToByte
	}
	return v
}
