package render

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/template"
)

var functions = template.FuncMap{"join": join, "upper": strings.ToUpper, "lower": strings.ToLower, "json": compact}

// execute writes JSON by a template. Nothing is written where it fails.
func execute(w io.Writer, t *template.Template, text []byte) error {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return err
	}
	var b bytes.Buffer
	if err := t.Execute(&b, plain(v)); err != nil {
		return fmt.Errorf("%w (-o json shows what there is; {{with index . \"member\"}} asks for what may be missing)", err)
	}
	if b.Len() > 0 && !bytes.HasSuffix(b.Bytes(), []byte("\n")) {
		b.WriteByte('\n')
	}
	_, err := w.Write(b.Bytes())
	return err
}

// plain makes numbers of JSON comparable with those of templates, and texts unable to
// command a terminal, as in tables.
func plain(v any) any {
	switch v := v.(type) {
	case string:
		return harmless(v)
	case json.Number:
		if n, err := strconv.ParseInt(v.String(), 10, 64); err == nil {
			return n
		}
		if f, err := v.Float64(); err == nil && strings.ContainsAny(v.String(), ".eE") {
			return f
		}
		return v.String() // larger than what a template counts with
	case []any:
		for i := range v {
			v[i] = plain(v[i])
		}
	case map[string]any:
		for name := range v {
			v[name] = plain(v[name])
		}
	}
	return v
}

// harmless replaces what could command a terminal or reorder a line; lines stay lines.
func harmless(s string) string {
	return strings.Map(func(r rune) rune {
		if r != '\n' && r != '\t' && Unsafe(r) {
			return '\ufffd'
		}
		return r
	}, s)
}

// Unsafe says which runes could command a terminal or reorder a line.
func Unsafe(r rune) bool {
	return r < ' ' || r >= 0x7f && r <= 0x9f || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 || r == 0x200e || r == 0x200f
}

// join puts the elements of a list in one line. No list is an empty one.
func join(list any, separator string) (string, error) {
	if list == nil {
		return "", nil
	}
	elements, ok := list.([]any)
	if !ok {
		return "", fmt.Errorf("join: want a list, got %T", list)
	}
	out := make([]string, len(elements))
	for i, e := range elements {
		s, isText := e.(string)
		if !isText {
			var err error
			if s, err = compact(e); err != nil {
				return "", err
			}
		}
		out[i] = s
	}
	return strings.Join(out, separator), nil
}

// compact is a value as JSON, in one line.
func compact(v any) (string, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return "", err
	}
	return strings.TrimSuffix(b.String(), "\n"), nil
}
