package spdx

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/stella-ops/stella/internal/fault"
)

// sniffLength is how much of a document its form is told by.
const sniffLength = 64 << 10

// Sniff reports whether prefix, the first bytes of a document, looks like SPDX of
// any version in JSON, tag-value or YAML form. A few kilobytes are enough for
// what tools write.
func Sniff(prefix []byte) bool {
	switch formOf(prefix) {
	case formJSON:
		return bytes.Contains(prefix, []byte(`"spdxVersion"`)) || bytes.Contains(prefix, []byte(`"SPDXID"`)) ||
			bytes.Contains(prefix, []byte("https://spdx.org/rdf/3."))
	case formTagValue, formYAML:
		return true
	}
	return false
}

// form is a syntax of SPDX documents.
type form int

const (
	formUnknown form = iota
	formJSON
	formTagValue
	formYAML
	formXML
)

// syntaxes are the forms that callers are told.
var syntaxes = map[form]Syntax{formJSON: JSON, formTagValue: TagValue, formYAML: YAML}

var byteOrderMark = []byte("\xef\xbb\xbf")

// formOf tells the syntax of a document by its first bytes.
func formOf(prefix []byte) form {
	prefix = bytes.TrimPrefix(prefix, byteOrderMark)
	switch first := bytes.TrimLeft(prefix, " \t\r\n"); {
	case len(first) == 0:
		return formUnknown
	case first[0] == '{':
		return formJSON
	case first[0] == '<':
		return formXML
	}
	for line := range bytes.Lines(prefix) {
		tag, _, ok := bytes.Cut(bytes.TrimRight(line, "\r\n"), []byte(":"))
		if !ok {
			continue
		}
		switch string(bytes.TrimSpace(tag)) {
		case "SPDXVersion", "DataLicense", "DocumentName", "DocumentNamespace":
			return formTagValue
		case "spdxVersion", "dataLicense", "creationInfo", "documentNamespace", "documentDescribes", "packages":
			if tag[0] != ' ' { // a member of the document itself
				return formYAML
			}
		}
	}
	return formUnknown
}

// read reads a document in any form and checks it.
func read(r io.Reader, opt *DecodeOptions, said *Form) (*document, error) {
	bounded := newBoundedReader(r, opt)
	br := bufio.NewReaderSize(bounded, sniffLength)
	prefix, err := br.Peek(sniffLength)
	if err != nil && err != io.EOF {
		return nil, fmt.Errorf("decode SPDX: %w", err)
	}
	form := formOf(prefix)
	said.Syntax = syntaxes[form]
	if bytes.HasPrefix(prefix, byteOrderMark) {
		br.Discard(len(byteOrderMark)) // was peeked: cannot fail
	}
	var w *document
	limit := &budget{opt.MaxElements, opt.MaxElements}
	switch form {
	case formJSON:
		if err = bounded.watch(prefix); err == nil {
			w, err = readJSON(br, limit)
		}
	case formTagValue:
		w, err = readTagValue(br, limit)
	case formYAML:
		w, err = readYAML(br, opt, limit)
	case formXML:
		err = fmt.Errorf("XML and RDF forms are not read: %w", fault.Unsupported)
	default:
		err = fmt.Errorf("neither JSON nor tag-value nor YAML of SPDX: %w", fault.Invalid)
	}
	if err == nil {
		err = check(w, form)
	}
	if err != nil {
		return nil, fmt.Errorf("decode SPDX: %w", err)
	}
	said.Version = w.version()
	forgetLines(w)
	takeExtensions(w)
	sortElements(w)
	return w, nil
}

// maxPlace bounds the place in an error, in bytes.
const maxPlace = 200

// located adds the place of a problem to it.
func located(where string, err error) error {
	if where == "" {
		where = "/"
	}
	if len(where) > maxPlace {
		where = strings.ToValidUTF8(where[:maxPlace], "") + "…"
	}
	return fmt.Errorf("at %s: %w", where, err)
}

// invalid makes an error of the kind "invalid input" at a place.
func invalid(where, format string, args ...any) error {
	return located(where, fmt.Errorf("%s: %w", fmt.Sprintf(format, args...), fault.Invalid))
}

// isLimit reports whether err is a bound that was reached.
func isLimit(err error) bool { return errors.Is(err, fault.Limit) }
