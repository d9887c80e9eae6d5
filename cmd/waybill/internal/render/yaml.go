package render

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"strings"

	"waybill/internal/safetext"
)

// writeYAML writes a JSON text as block YAML, with the keys in their order. The
// first line is written where the output stands. Strings that are not plainly words are quoted, so that a Subject "no" stays
// one and nothing in it can end the string.
func writeYAML(w io.Writer, raw []byte, indent int) error {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var b strings.Builder
	if err := yamlValue(&b, dec, indent, "", ""); err != nil {
		return fmt.Errorf("write YAML: %w", err)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// yamlValue writes the next value of dec: a scalar behind the text inline, a
// block behind the text block, of which the first line needs no indent where
// that is empty because the line has begun.
func yamlValue(b *strings.Builder, dec *json.Decoder, indent int, inline, block string) error {
	tok, err := dec.Token()
	if err != nil {
		return err
	}
	delim, nested := tok.(json.Delim)
	if !nested {
		b.WriteString(inline + yamlScalar(tok) + "\n")
		return nil
	}
	if !dec.More() {
		b.WriteString(inline + map[json.Delim]string{'{': "{}\n", '[': "[]\n"}[delim])
		_, err = dec.Token()
		return err
	}
	b.WriteString(block)
	for begun := block == ""; dec.More(); begun = false {
		if !begun {
			b.WriteString(strings.Repeat("  ", indent))
		}
		if delim == '[' {
			b.WriteString("- ")
			err = yamlValue(b, dec, indent+1, "", "")
		} else {
			err = yamlPair(b, dec, indent)
		}
		if err != nil {
			return err
		}
	}
	_, err = dec.Token()
	return err
}

func yamlPair(b *strings.Builder, dec *json.Decoder, indent int) error {
	key, err := dec.Token()
	if err != nil {
		return err
	}
	b.WriteString(yamlScalar(key) + ":")
	return yamlValue(b, dec, indent+1, " ", "\n")
}

// plainWord is text that YAML reads as itself wherever it stands.
var plainWord = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.@/+-]*$`)

func yamlScalar(tok json.Token) string {
	switch v := tok.(type) {
	case nil:
		return "null"
	case bool:
		return fmt.Sprint(v)
	case json.Number:
		return v.String()
	case string:
		switch strings.ToLower(v) {
		case "y", "n", "yes", "no", "on", "off", "true", "false", "null":
			return `"` + v + `"`
		}
		if plainWord.MatchString(v) {
			return v
		}
		return yamlQuoted(v)
	}
	return ""
}

// yamlQuoted is a JSON string, which YAML reads too but for surrogate pairs:
// what would need one and is not to be seen is written with \U.
func yamlQuoted(v string) string {
	if strings.IndexFunc(v, func(r rune) bool { return r < ' ' || r > '~' || r == '"' || r == '\\' }) < 0 {
		return `"` + v + `"`
	}
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range v {
		one := string(r)
		quoted, _ := json.Marshal(one)
		switch safe := safetext.JSON(quoted); {
		case r == '<' || r == '>' || r == '&':
			b.WriteString(one)
		case r > 0xffff && len(safe) > len(quoted):
			fmt.Fprintf(&b, `\U%08X`, r)
		default:
			b.Write(safe[1 : len(safe)-1])
		}
	}
	b.WriteByte('"')
	return b.String()
}
