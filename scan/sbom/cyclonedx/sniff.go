package cyclonedx

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/stella-ops/stella/internal/fault"
)

// Sniff reports whether prefix, the first bytes of a file, begins a CycloneDX
// document, JSON or XML. A kilobyte is enough for what tools write; where the
// telling member comes later the answer is false, and Decode may still read
// the file.
func Sniff(prefix []byte) bool {
	prefix = bytes.TrimPrefix(prefix, byteOrderMark)
	text := bytes.TrimLeft(prefix, " \t\r\n")
	switch {
	case bytes.HasPrefix(text, []byte("{")):
		return sniffJSON(text)
	case bytes.HasPrefix(text, []byte("<")):
		return bytes.Contains(text, []byte(namespacePrefix))
	}
	return false
}

// sniffJSON looks for the member that names the format.
func sniffJSON(text []byte) bool {
	d := jsontext.NewDecoder(bytes.NewReader(text))
	if _, err := d.ReadToken(); err != nil {
		return false
	}
	for d.PeekKind() == '"' {
		name, err := d.ReadToken()
		if err != nil {
			return false
		}
		if name.String() == "bomFormat" {
			v, err := d.ReadToken()
			return err == nil && v.Kind() == '"' && v.String() == "CycloneDX"
		}
		if d.SkipValue() != nil {
			return false
		}
	}
	return false
}

var byteOrderMark = []byte("\xEF\xBB\xBF")

// sniff tells JSON from XML by the first character.
func sniff(br *bufio.Reader, note func(where, what string)) (format int, err error) {
	if head, _ := br.Peek(3); bytes.Equal(head, byteOrderMark) {
		note("/", "begins with a byte order mark")
		br.Discard(3)
	}
	for {
		c, err := br.ReadByte()
		switch {
		case errors.Is(err, io.EOF):
			return 0, fmt.Errorf("the input is empty: %w", fault.Invalid)
		case err != nil:
			return 0, fmt.Errorf("read: %w", err)
		case c == ' ' || c == '\t' || c == '\r' || c == '\n':
			continue
		}
		br.UnreadByte()
		switch c {
		case '{':
			return inJSON, nil
		case '<':
			return inXML, nil
		}
		return 0, fmt.Errorf("neither JSON nor XML in UTF-8: the input begins with %q: %w", rune(c), fault.Unsupported)
	}
}
