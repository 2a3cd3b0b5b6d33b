package nuget

import (
	"bytes"
	"encoding/binary"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/stella-ops/stella/internal/fault"
)

// maxDepth bounds how deep elements are nested.
const maxDepth = 100

// xmlReader walks through the elements of a document in memory, whatever their name space.
type xmlReader struct {
	d     *xml.Decoder
	depth int
}

// newXML takes UTF-8 and, as NuGet does, UTF-16 with a byte order mark.
func newXML(data []byte) *xmlReader {
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	switch {
	case bytes.HasPrefix(data, []byte("\xff\xfe")):
		data = fromUTF16(data[2:], binary.LittleEndian)
	case bytes.HasPrefix(data, []byte("\xfe\xff")):
		data = fromUTF16(data[2:], binary.BigEndian)
	}
	x := &xmlReader{d: xml.NewDecoder(bytes.NewReader(data))}
	x.d.CharsetReader = charset
	return x
}

func fromUTF16(data []byte, order binary.ByteOrder) []byte {
	out := make([]byte, 0, len(data)/2)
	for i := 0; i+1 < len(data); i += 2 {
		r := rune(order.Uint16(data[i:]))
		if utf16.IsSurrogate(r) {
			low := rune(utf8.RuneError)
			if i+3 < len(data) {
				low = rune(order.Uint16(data[i+2:]))
			}
			if r = utf16.DecodeRune(r, low); r != utf8.RuneError {
				i += 2
			}
		}
		out = utf8.AppendRune(out, r)
	}
	return out
}

func charset(name string, in io.Reader) (io.Reader, error) {
	switch strings.ToLower(name) {
	case "utf-16", "us-ascii", "ascii": // decoded before, or a part of UTF-8
		return in, nil
	case "iso-8859-1", "latin1", "windows-1252":
		data, err := io.ReadAll(in)
		if err != nil {
			return nil, err
		}
		out := make([]byte, 0, len(data)+len(data)/8)
		for _, b := range data {
			out = utf8.AppendRune(out, rune(b))
		}
		return bytes.NewReader(out), nil
	}
	return nil, fmt.Errorf("encoding %.40q: %w", name, fault.Unsupported)
}

// root calls fn for the root element, which must have this name.
func (x *xmlReader) root(name string, fn func() error) error {
	found := false
	err := x.each(func(e xml.StartElement) error {
		if found || e.Name.Local != name {
			return fmt.Errorf("the root element is <%.60s>, not <%s>: %w", e.Name.Local, name, fault.Invalid)
		}
		found = true
		return fn()
	})
	if err == nil && !found {
		return fmt.Errorf("no <%s>: %w", name, fault.Invalid)
	}
	return err
}

// each calls fn for every child of the current element, which it leaves at its end. What fn
// does not read of a child is skipped.
func (x *xmlReader) each(fn func(e xml.StartElement) error) error {
	for level := x.depth; ; {
		token, err := x.token()
		if err != nil {
			return err
		}
		switch t := token.(type) {
		case nil, xml.EndElement:
			return nil
		case xml.StartElement:
			if err := fn(t); err != nil {
				return err
			}
			for x.depth > level {
				if _, err := x.token(); err != nil {
					return err
				}
			}
		}
	}
}

// text leaves the current element and returns its text without blanks around it.
func (x *xmlReader) text() (string, error) {
	var b strings.Builder
	for level := x.depth; x.depth >= level; {
		token, err := x.token()
		if err != nil {
			return "", err
		}
		if chars, ok := token.(xml.CharData); ok && x.depth == level {
			b.Write(chars)
		}
	}
	return strings.TrimSpace(b.String()), nil
}

// token returns the next token, nil at the end of the document.
func (x *xmlReader) token() (xml.Token, error) {
	token, err := x.d.Token()
	var syntax *xml.SyntaxError
	switch {
	case err == io.EOF:
		return nil, nil
	case errors.As(err, &syntax):
		return nil, fmt.Errorf("line %d: %s: %w", syntax.Line, syntax.Msg, fault.Invalid)
	case errors.Is(err, fault.Unsupported):
		return nil, err
	case err != nil:
		return nil, fmt.Errorf("%v: %w", err, fault.Invalid)
	}
	switch e := token.(type) {
	case xml.StartElement:
		if x.depth++; x.depth > maxDepth {
			return nil, &fault.LimitError{What: "depth of elements", Where: "<" + e.Name.Local + ">", Max: maxDepth, Seen: int64(x.depth)}
		}
	case xml.EndElement:
		x.depth--
	}
	return token, nil
}

// attribute returns the value of the first of these attributes that e has.
func attribute(e xml.StartElement, names ...string) string {
	for _, name := range names {
		for _, a := range e.Attr {
			if a.Name.Local == name {
				return strings.TrimSpace(a.Value)
			}
		}
	}
	return ""
}
