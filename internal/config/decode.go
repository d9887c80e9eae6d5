package config

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// decoder walks one document and gathers its faults. It works on nodes, not
// by reflection, because only nodes still know their lines.
type decoder struct {
	source  string
	faults  Faults
	origins map[string]string
}

// field reads the value of one key; path is the key with its parents.
type field func(n *yaml.Node, path string)

func (d *decoder) fault(n *yaml.Node, path, hint, format string, args ...any) {
	d.faults = append(d.faults, Fault{Source: d.source, Line: n.Line, Key: path, Text: fmt.Sprintf(format, args...), Hint: hint})
}

// parse returns the root of the only document in text, nil when it is empty.
func (d *decoder) parse(text string) *yaml.Node {
	dec := yaml.NewDecoder(strings.NewReader(text))
	var doc, second yaml.Node
	if err := dec.Decode(&doc); err != nil {
		if !errors.Is(err, io.EOF) {
			d.syntax(err)
		}
		return nil
	}
	if err := dec.Decode(&second); err == nil {
		d.fault(&second, "", "put everything into the first", "a second document begins here")
	} else if !errors.Is(err, io.EOF) {
		d.syntax(err)
	}
	if len(doc.Content) == 0 {
		return nil
	}
	root := doc.Content[0]
	if root.Kind == yaml.ScalarNode && root.Tag == "!!null" {
		return nil // only comments
	}
	return root
}

// syntax takes the line out of the words of the YAML reader.
func (d *decoder) syntax(err error) {
	text := strings.TrimPrefix(err.Error(), "yaml: ")
	f := Fault{Source: d.source, Text: "not valid YAML: " + text}
	if rest, ok := strings.CutPrefix(text, "line "); ok {
		if num, what, ok := strings.Cut(rest, ": "); ok {
			f.Line, _ = strconv.Atoi(num)
			f.Text = "not valid YAML: " + what
		}
	}
	if strings.Contains(text, "cannot start any token") {
		f.Hint = "indent with spaces, not tabs"
	}
	d.faults = append(d.faults, f)
}

// mapping reads the keys of n. A key that is in fields and appears once is
// read; everything else is a fault.
func (d *decoder) mapping(n *yaml.Node, path string, fields map[string]field) {
	if isNull(n) {
		return // "manager:" with nothing below it sets nothing
	}
	if n.Kind != yaml.MappingNode {
		d.fault(n, path, "", "expected keys and values, found %s", kindName(n))
		return
	}
	seen := make(map[string]int)
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		full := join(path, k.Value)
		if first, twice := seen[k.Value]; twice {
			d.fault(k, full, "", "given twice, first in line %d", first)
			continue
		}
		seen[k.Value] = k.Line
		read, known := fields[k.Value]
		switch {
		case !known:
			d.unknown(k, full, fields)
		case v.Kind == yaml.AliasNode:
			d.fault(v, full, "write the value out", "aliases are not followed")
		default:
			d.origins[full] = fmt.Sprintf("%s:%d", d.source, k.Line)
			read(v, full)
		}
	}
}

func (d *decoder) unknown(k *yaml.Node, full string, fields map[string]field) {
	words := make([]string, 0, len(fields))
	for w := range fields {
		words = append(words, w)
	}
	hint := ""
	if w := nearest(k.Value, words); w != "" {
		hint = fmt.Sprintf("did you mean %q?", w)
	}
	d.fault(k, full, hint, "unknown key")
}

// list calls each for every element of n.
func (d *decoder) list(n *yaml.Node, path string, each field) {
	if isNull(n) {
		return
	}
	if n.Kind != yaml.SequenceNode {
		d.fault(n, path, "", "expected a list, found %s", kindName(n))
		return
	}
	for i, e := range n.Content {
		at := fmt.Sprintf("%s[%d]", path, i)
		if e.Kind == yaml.AliasNode {
			d.fault(e, at, "write the value out", "aliases are not followed")
			continue
		}
		each(e, at)
	}
}

// scalar reads one value with read, whose error becomes the fault.
func scalar[T any](d *decoder, to *T, read func(string) (T, error)) field {
	return func(n *yaml.Node, path string) {
		if n.Kind != yaml.ScalarNode || isNull(n) {
			d.fault(n, path, "", "expected a value, found %s", kindName(n))
			return
		}
		v, err := read(n.Value)
		if err != nil {
			d.fault(n, path, "", "%v", err)
			return
		}
		*to = v
	}
}

// scalars reads a list of values with read.
func scalars[T any](d *decoder, to *[]T, read func(string) (T, error)) field {
	return func(n *yaml.Node, path string) {
		d.list(n, path, func(e *yaml.Node, at string) {
			var v T
			before := len(d.faults)
			if scalar(d, &v, read)(e, at); len(d.faults) == before {
				*to = append(*to, v)
			}
		})
	}
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.Tag == "!!null" }

func kindName(n *yaml.Node) string {
	switch {
	case isNull(n):
		return "nothing"
	case n.Kind == yaml.MappingNode:
		return "keys and values"
	case n.Kind == yaml.SequenceNode:
		return "a list"
	case n.Kind == yaml.AliasNode:
		return "an alias"
	}
	return fmt.Sprintf("the value %q", n.Value)
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}
