package java

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/stella-ops/stella/internal/fault"
)

// maxDepth bounds how deep the elements of a pom.xml are nested.
const maxDepth = 200

// xmlReader walks through the elements of an XML document in memory, by the
// grammar of XML 1.0 without document types: a DTD is refused, and with it
// every entity that a document could define. Attributes are skipped unless asked
// for, name spaces are cut off. It is several times faster than encoding/xml and
// allocates for the texts alone that are asked for.
type xmlReader struct {
	data  []byte
	pos   int
	open  [][]byte // names of the open elements
	empty bool     // the last start tag was an empty element, whose end is due
	tag   []byte   // the last start tag behind its name
	want  bool     // text is collected
	chars []byte   // the text
}

// newXMLReader checks the encoding, which must be UTF-8 or a superset of ASCII
// that it converts.
func newXMLReader(data []byte) (*xmlReader, error) {
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	if len(data) >= 2 && (data[0] == 0xfe && data[1] == 0xff || data[0] == 0xff && data[1] == 0xfe || data[0] == 0 || data[1] == 0) {
		return nil, fmt.Errorf("XML in UTF-16: %w", fault.Unsupported)
	}
	switch encoding := declaredEncoding(data); encoding {
	case "", "utf-8", "utf8", "us-ascii", "ascii":
	case "iso-8859-1", "latin1", "iso-8859-15", "windows-1252", "cp1252":
		data = fromLatin1(data)
	default:
		return nil, fmt.Errorf("XML in encoding %q: %w", encoding, fault.Unsupported)
	}
	return &xmlReader{data: data}, nil
}

// declaredEncoding returns the encoding of the XML declaration, lower case.
func declaredEncoding(data []byte) string {
	if !bytes.HasPrefix(data, []byte("<?xml")) {
		return ""
	}
	end := bytes.Index(data[:min(len(data), 256)], []byte("?>"))
	if end < 0 {
		return ""
	}
	_, value, ok := strings.Cut(string(data[:end]), "encoding")
	value = strings.TrimLeft(value, " \t\r\n=")
	if !ok || value == "" {
		return ""
	}
	value, _, _ = strings.Cut(value[1:], value[:1])
	return strings.ToLower(value)
}

func fromLatin1(data []byte) []byte {
	out := make([]byte, 0, len(data)+len(data)/8)
	for _, b := range data {
		out = utf8.AppendRune(out, rune(b))
	}
	return out
}

// fail returns an error that names the line.
func (x *xmlReader) fail(format string, args ...any) error {
	line := 1 + bytes.Count(x.data[:min(x.pos, len(x.data))], []byte("\n"))
	return fmt.Errorf("line %d: %s: %w", line, fmt.Sprintf(format, args...), fault.Invalid)
}

// root moves to the first element and returns its name.
func (x *xmlReader) root() (string, error) {
	name, err := x.step()
	if err == nil && name == nil {
		err = x.fail("no element")
	}
	return string(name), err
}

// each calls fn for every child of the current element, which it leaves at the
// end. fn consumes the child by each, text or skip.
func (x *xmlReader) each(fn func(name string) error) error {
	for {
		name, err := x.step()
		if err != nil || name == nil {
			return err
		}
		if err := fn(string(name)); err != nil {
			return err
		}
	}
}

// skip leaves the current element.
func (x *xmlReader) skip() error {
	for depth := len(x.open); len(x.open) >= depth; {
		if _, err := x.step(); err != nil {
			return err
		}
	}
	return nil
}

// text leaves the current element and returns its text without blanks around
// it, and without what child elements hold.
func (x *xmlReader) text() (string, error) {
	x.chars = x.chars[:0]
	for {
		x.want = true
		name, err := x.step()
		x.want = false
		if err != nil {
			return "", err
		}
		if name == nil {
			return strings.ToValidUTF8(string(bytes.TrimSpace(x.chars)), "\uFFFD"), nil
		}
		if err := x.skip(); err != nil {
			return "", err
		}
	}
}

// step moves over the next tag. It returns the name of an element that begins,
// or nil where the current one ends. The document's end is an error inside an
// element.
func (x *xmlReader) step() (name []byte, err error) {
	if x.empty {
		x.empty = false
		x.open = x.open[:len(x.open)-1]
		return nil, nil
	}
	for {
		at := bytes.IndexByte(x.data[x.pos:], '<')
		if at < 0 {
			x.pos = len(x.data)
			if len(x.open) > 0 {
				return nil, x.fail("the document ends inside <%s>", x.open[len(x.open)-1])
			}
			return nil, nil
		}
		if x.want {
			x.chars = appendText(x.chars, x.data[x.pos:x.pos+at])
		}
		x.pos += at
		rest := x.data[x.pos:]
		switch {
		case bytes.HasPrefix(rest, []byte("</")):
			return nil, x.end()
		case bytes.HasPrefix(rest, []byte("<!--")):
			err = x.over(len("<!--"), "-->")
		case bytes.HasPrefix(rest, []byte("<![CDATA[")):
			start := x.pos + len("<![CDATA[")
			if err = x.over(len("<![CDATA["), "]]>"); err == nil && x.want {
				x.chars = append(x.chars, x.data[start:x.pos-len("]]>")]...)
			}
		case bytes.HasPrefix(rest, []byte("<?")):
			err = x.over(len("<?"), "?>")
		case bytes.HasPrefix(rest, []byte("<!")):
			err = x.fail("document type definitions are refused")
		default:
			return x.start()
		}
		if err != nil {
			return nil, err
		}
	}
}

// over moves behind what begins with n bytes and ends with mark.
func (x *xmlReader) over(n int, mark string) error {
	at := bytes.Index(x.data[x.pos+n:], []byte(mark))
	if at < 0 {
		return x.fail("no %q until the end", mark)
	}
	x.pos += n + at + len(mark)
	return nil
}

// start reads a start tag.
func (x *xmlReader) start() ([]byte, error) {
	name := x.name(x.pos + 1)
	if len(name) == 0 {
		return nil, x.fail("a tag without a name")
	}
	if len(x.open) >= maxDepth {
		return nil, &fault.LimitError{What: "depth of elements", Where: "<" + string(name) + ">", Max: maxDepth, Seen: maxDepth + 1}
	}
	end := x.pos + 1 + len(name)
	for quote := byte(0); ; end++ {
		if end >= len(x.data) {
			return nil, x.fail("the document ends inside the tag <%s>", name)
		}
		c := x.data[end]
		switch {
		case quote != 0:
			if c == quote {
				quote = 0
			}
			continue
		case c == '"' || c == '\'':
			quote = c
			continue
		case c == '<':
			return nil, x.fail("'<' inside the tag <%s>", name)
		}
		if c == '>' {
			break
		}
	}
	x.empty = x.data[end-1] == '/'
	x.tag = x.data[x.pos+1+len(name) : end]
	x.pos = end + 1
	x.open = append(x.open, name)
	return local(name), nil
}

// end reads an end tag.
func (x *xmlReader) end() error {
	name := x.name(x.pos + 2)
	i := x.pos + 2 + len(name)
	for i < len(x.data) && isBlank(x.data[i]) {
		i++
	}
	if i >= len(x.data) || x.data[i] != '>' || len(x.open) == 0 || !bytes.Equal(x.open[len(x.open)-1], name) {
		return x.fail("</%s> ends nothing", name)
	}
	x.open = x.open[:len(x.open)-1]
	x.pos = i + 1
	return nil
}

// name returns the name at an offset.
func (x *xmlReader) name(at int) []byte {
	end := at
	for end < len(x.data) && !isBlank(x.data[end]) && x.data[end] != '>' && x.data[end] != '/' && x.data[end] != '<' && x.data[end] != '=' {
		end++
	}
	return x.data[min(at, len(x.data)):end]
}

func isBlank(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }

// local cuts off the prefix of a name space.
func local(name []byte) []byte {
	if i := bytes.IndexByte(name, ':'); i > 0 && i < len(name)-1 && bytes.LastIndexByte(name, ':') == i {
		return name[i+1:]
	}
	return name
}

// appendText appends s with character references and the predefined entities
// resolved. Others are left as they are: Maven reads them as names of HTML
// characters, and no value that matters here has any.
func appendText(to, s []byte) []byte {
	for {
		at := bytes.IndexByte(s, '&')
		if at < 0 {
			return append(to, s...)
		}
		to, s = append(to, s[:at]...), s[at:]
		end := bytes.IndexByte(s[:min(len(s), 12)], ';')
		if end < 0 {
			to, s = append(to, '&'), s[1:]
			continue
		}
		if r, ok := reference(string(s[1:end])); ok {
			to = utf8.AppendRune(to, r)
		} else {
			to = append(to, s[:end+1]...)
		}
		s = s[end+1:]
	}
}

func reference(name string) (rune, bool) {
	switch name {
	case "lt":
		return '<', true
	case "gt":
		return '>', true
	case "amp":
		return '&', true
	case "quot":
		return '"', true
	case "apos":
		return '\'', true
	}
	digits, ok := strings.CutPrefix(name, "#")
	if !ok {
		return 0, false
	}
	base := 10
	if hex, ok := strings.CutPrefix(digits, "x"); ok {
		digits, base = hex, 16
	}
	n, err := strconv.ParseUint(digits, base, 32)
	return rune(n), err == nil && n > 0 && n <= utf8.MaxRune && utf8.ValidRune(rune(n))
}
