package render

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"reflect"
	"strings"

	"waybill/internal/safetext"
	"waybill/internal/track"
)

// encoder writes values as safe JSON. It keeps its buffer from one message to
// the next, because an export may have millions.
type encoder struct {
	buf    bytes.Buffer
	enc    *json.Encoder
	fields []string // keys to write, all when empty
}

func newEncoder(fields []string) (*encoder, error) {
	known := JSONFields()
	for i, f := range fields {
		fields[i] = strings.ReplaceAll(f, "-", "_")
		if !contains(known, fields[i]) {
			return nil, fmt.Errorf("no field %q; there are: %s", f, strings.Join(known, " "))
		}
	}
	e := &encoder{fields: fields}
	e.enc = json.NewEncoder(&e.buf)
	e.enc.SetEscapeHTML(false) // it is no page, and <ids> are to be read
	return e, nil
}

// JSONFields are the keys of a message, which --fields takes with -o json,
// ndjson and yaml.
func JSONFields() []string {
	var out []string
	t := reflect.TypeFor[track.Message]()
	for i := range t.NumField() {
		if name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ","); name != "-" && name != "" {
			out = append(out, name)
		}
	}
	return out
}

func contains(list []string, s string) bool {
	for _, w := range list {
		if w == s {
			return true
		}
	}
	return false
}

// value is v as one line of JSON, without the line's end. The result is valid
// until the next call.
func (e *encoder) value(v any) ([]byte, error) {
	e.buf.Reset()
	if err := e.enc.Encode(v); err != nil {
		return nil, err
	}
	return safetext.JSON(bytes.TrimSuffix(e.buf.Bytes(), []byte("\n"))), nil
}

func (e *encoder) message(m *track.Message) ([]byte, error) {
	raw, err := e.value(m)
	if err != nil || len(e.fields) == 0 {
		return raw, err
	}
	var all map[string]json.RawMessage
	if err := json.Unmarshal(raw, &all); err != nil {
		return nil, err
	}
	var b bytes.Buffer
	b.WriteByte('{')
	for _, f := range e.fields {
		v, ok := all[f]
		if !ok {
			continue // an unknown value is an absent key
		}
		if b.Len() > 1 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, "%q:", f)
		b.Write(v)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// NDJSON writes a message per line and the coverage as the last one.
type NDJSON struct {
	w io.Writer
	e *encoder
}

// NewNDJSON writes the given keys of each message, all when there are none.
func NewNDJSON(w io.Writer, fields []string) (*NDJSON, error) {
	e, err := newEncoder(fields)
	return &NDJSON{w, e}, err
}

func (n *NDJSON) Message(m *track.Message) error {
	raw, err := n.e.message(m)
	if err != nil {
		return err
	}
	return n.line(raw)
}

func (n *NDJSON) End(t Tail) error {
	raw, err := n.e.value(t)
	if err != nil {
		return err
	}
	return n.line(raw)
}

func (n *NDJSON) line(raw []byte) error {
	if _, err := n.w.Write(raw); err != nil {
		return err
	}
	_, err := n.w.Write([]byte("\n"))
	return err
}

// JSON writes one object: messages, next, coverage.
type JSON struct {
	w    io.Writer
	e    *encoder
	rows int
}

// NewJSON writes the given keys of each message, all when there are none.
func NewJSON(w io.Writer, fields []string) (*JSON, error) {
	e, err := newEncoder(fields)
	return &JSON{w: w, e: e}, err
}

func (j *JSON) Message(m *track.Message) error {
	raw, err := j.e.message(m)
	if err != nil {
		return err
	}
	open := ",\n    "
	if j.rows == 0 {
		open = "{\n  \"messages\": [\n    "
	}
	j.rows++
	return j.indented(open, raw, "    ")
}

func (j *JSON) End(t Tail) error {
	open := "\n  ],\n"
	if j.rows == 0 {
		open = "{\n  \"messages\": [],\n"
	}
	raw, err := j.e.value(t)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	if err := json.Indent(&b, raw, "", "  "); err != nil {
		return err
	}
	_, err = io.WriteString(j.w, open+strings.TrimPrefix(b.String(), "{\n")+"\n")
	return err
}

func (j *JSON) indented(open string, raw []byte, prefix string) error {
	var b bytes.Buffer
	b.WriteString(open)
	if err := json.Indent(&b, raw, prefix, "  "); err != nil {
		return err
	}
	_, err := j.w.Write(b.Bytes())
	return err
}

// One writes a message as an indented object, with the named keys only.
func One(w io.Writer, m *track.Message, fields []string) error {
	raw, err := single(m, fields)
	if err != nil {
		return err
	}
	return Indented(w, json.RawMessage(raw))
}

// Line writes a message as one line.
func Line(w io.Writer, m *track.Message, fields []string) error {
	raw, err := single(m, fields)
	if err != nil {
		return err
	}
	return (&NDJSON{w: w}).line(raw)
}

// OneYAML writes a message as a YAML document.
func OneYAML(w io.Writer, m *track.Message, fields []string) error {
	raw, err := single(m, fields)
	if err != nil {
		return err
	}
	return writeYAML(w, raw, 0)
}

func single(m *track.Message, fields []string) ([]byte, error) {
	e, err := newEncoder(fields)
	if err != nil {
		return nil, err
	}
	return e.message(m)
}

// Indented writes any value as an indented object.
func Indented(w io.Writer, v any) error {
	text, err := Compact(v)
	if err != nil {
		return err
	}
	return (&JSON{w: w}).indented("", []byte(text+"\n"), "")
}

// Compact is a value as JSON without blanks.
func Compact(v any) (string, error) {
	e, err := newEncoder(nil)
	if err != nil {
		return "", err
	}
	raw, err := e.value(v)
	return string(raw), err
}

// YAML writes what JSON writes as one YAML document.
type YAML struct {
	w    io.Writer
	e    *encoder
	rows int
}

// NewYAML writes the given keys of each message, all when there are none.
func NewYAML(w io.Writer, fields []string) (*YAML, error) {
	e, err := newEncoder(fields)
	return &YAML{w: w, e: e}, err
}

func (y *YAML) Message(m *track.Message) error {
	raw, err := y.e.message(m)
	if err != nil {
		return err
	}
	open := "  - "
	if y.rows == 0 {
		open = "messages:\n" + open
	}
	y.rows++
	if _, err := io.WriteString(y.w, open); err != nil {
		return err
	}
	return writeYAML(y.w, raw, 2)
}

func (y *YAML) End(t Tail) error {
	if y.rows == 0 {
		if _, err := io.WriteString(y.w, "messages: []\n"); err != nil {
			return err
		}
	}
	raw, err := y.e.value(t)
	if err != nil {
		return err
	}
	return writeYAML(y.w, raw, 0)
}
