package render

import (
	"bytes"
	"encoding/json"
	"io"

	"github.com/go-json-experiment/json/jsontext"
)

// Answer is what a command has to say.
type Answer struct {
	// Value is encoded as JSON by [WriteJSON]. Encode writes the JSON in its place, for
	// values that have rules of their own.
	Value  any
	Encode func(io.Writer) error
	// List is the member of the JSON that is its list, whose elements ndjson writes. "": the
	// JSON is the list, or there is none.
	List string
	// Lines writes ndjson in place of what follows from the JSON, for answers that are too
	// large to be held as text.
	Lines func(io.Writer) error
	// Table writes it for people. Nil writes JSON in place of a table.
	Table func(io.Writer) error
	// Other writes the formats of the command's own.
	Other func(w io.Writer, format string) error
}

// Write writes an answer to every output. Files appear whole or not at all, by put. Standard
// output is written as it comes, but for templates, of which nothing is written where one
// fails.
func (l Outputs) Write(stdout io.Writer, put func(file string, content []byte) error, a *Answer) error {
	for i := range l {
		if l[i].File == "" {
			if err := a.write(stdout, &l[i]); err != nil {
				return err
			}
			continue
		}
		var b bytes.Buffer
		if err := a.write(&b, &l[i]); err != nil {
			return err
		}
		if err := put(l[i].File, b.Bytes()); err != nil {
			return err
		}
	}
	return nil
}

func (a *Answer) write(w io.Writer, o *Output) error {
	switch {
	case o.Format == Table && a.Table != nil:
		return a.Table(w)
	case o.Format == Table || o.Format == JSON:
		return a.json(w)
	case o.Format == NDJSON && a.Lines != nil:
		return a.Lines(w)
	case o.Format != NDJSON && o.Format != Template:
		return a.Other(w, o.Format)
	}
	var b bytes.Buffer
	if err := a.json(&b); err != nil {
		return err
	}
	if o.Format == NDJSON {
		return lines(w, b.Bytes(), a.List)
	}
	return execute(w, o.template, b.Bytes())
}

func (a *Answer) json(w io.Writer) error {
	if a.Encode != nil {
		return a.Encode(w)
	}
	return WriteJSON(w, a.Value)
}

// WriteJSON writes a value as JSON with white space, a new line at its end.
func WriteJSON(w io.Writer, v any) error {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(v); err != nil {
		return err
	}
	_, err := w.Write(b.Bytes())
	return err
}

// lines writes the elements of a list a line, as they stand in the JSON. list is the member
// that has them, "" for the JSON itself, which is one line where it is no list. A list that
// is null or missing is empty.
func lines(w io.Writer, text []byte, list string) error {
	d := jsontext.NewDecoder(bytes.NewReader(text))
	if list != "" {
		if there, err := enter(d, list); err != nil || !there {
			return err
		}
	}
	switch kind := d.PeekKind(); {
	case kind == 'n':
		return nil
	case kind != '[':
		return line(w, d)
	}
	if _, err := d.ReadToken(); err != nil {
		return err
	}
	for d.PeekKind() != ']' {
		if err := line(w, d); err != nil {
			return err
		}
	}
	return nil
}

// enter reads up to a member of an object, and reports whether it is there.
func enter(d *jsontext.Decoder, member string) (bool, error) {
	if _, err := d.ReadToken(); err != nil {
		return false, err
	}
	for d.PeekKind() != '}' {
		name, err := d.ReadToken()
		if err != nil {
			return false, err
		}
		if name.String() == member {
			return true, nil
		}
		if err := d.SkipValue(); err != nil {
			return false, err
		}
	}
	return false, nil
}

func line(w io.Writer, d *jsontext.Decoder) error {
	v, err := d.ReadValue()
	if err != nil {
		return err
	}
	v = v.Clone()
	if err := v.Compact(); err != nil {
		return err
	}
	_, err = w.Write(append(v, '\n'))
	return err
}
