package feedtext

import (
	"bufio"
	"encoding/xml"
	"errors"
	"fmt"
	"io"

	"github.com/stella-ops/stella/internal/fault"
)

// Element is one element of a document, which is to be decoded or skipped.
type Element struct {
	xml.StartElement
	// List is the name of the element that it stands in.
	List    string
	decoder *xml.Decoder
	in      *recorder
}

// Decode reads the element into v. An error wraps fault.Invalid.
func (e *Element) Decode(v any) error { return asInvalid(e.decoder.DecodeElement(v, &e.StartElement)) }

// Skip passes over the element.
func (e *Element) Skip() error { return asInvalid(e.decoder.Skip()) }

// Text returns the bytes of the element, after it was decoded. They last until
// the next element.
func (e *Element) Text() []byte { return e.in.kept }

// Attribute returns the value of an attribute, "" for none.
func (e *Element) Attribute(name string) string {
	for _, a := range e.Attr {
		if a.Name.Local == name {
			return a.Value
		}
	}
	return ""
}

// Walk goes through a document in XML, compressed or not, of at most most
// bytes, and calls f for every element at a depth: 1 for those in the root, 2
// for those in the root's elements. An error of f ends it and is returned.
// Nothing is kept of what was passed.
func Walk(name string, content []byte, most int64, root string, depth int, f func(e *Element) error) error {
	in, err := Unpack(name, content, most)
	if err != nil {
		return err
	}
	defer in.Close()
	r := &recorder{in: bufio.NewReaderSize(in, 64<<10)}
	d := xml.NewDecoder(r)
	d.CharsetReader = func(charset string, in io.Reader) (io.Reader, error) {
		return nil, fmt.Errorf("the encoding %.40q is not read", charset)
	}
	path, found := make([]string, 0, depth), false
	for {
		r.forget()
		token, err := d.Token()
		if err == io.EOF && found && len(path) == 0 {
			return nil
		}
		if err != nil {
			return asInvalid(err)
		}
		switch e := token.(type) {
		case xml.StartElement:
			if len(path) == 0 && (e.Name.Local != root || found) {
				return fmt.Errorf("its root is %.64q: %w", e.Name.Local, fault.Invalid)
			}
			found = true
			if len(path) < depth {
				path = append(path, e.Name.Local)
				continue
			}
			if err := f(&Element{e, path[depth-1], d, r}); err != nil {
				return err
			}
		case xml.EndElement:
			path = path[:len(path)-1]
		}
	}
}

// asInvalid gives an error of the decoder a kind, unless it has one.
func asInvalid(err error) error {
	switch {
	case err == nil || fault.KindOf(err) != "":
		return err
	case errors.Is(err, io.EOF):
		return fmt.Errorf("it ends early: %w", fault.Invalid)
	}
	return fmt.Errorf("%v: %w", err, fault.Invalid)
}

// recorder gives a decoder its bytes one by one and keeps those since forget.
type recorder struct {
	in   *bufio.Reader
	kept []byte
}

func (r *recorder) Read(p []byte) (int, error) {
	n, err := r.in.Read(p)
	r.kept = append(r.kept, p[:n]...)
	return n, err
}

func (r *recorder) ReadByte() (byte, error) {
	b, err := r.in.ReadByte()
	if err == nil {
		r.kept = append(r.kept, b)
	}
	return b, err
}

func (r *recorder) forget() { r.kept = r.kept[:0] }
