package spdx

import (
	"errors"
	"fmt"
	"io"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/stella-ops/stella/internal/fault"
)

// readJSON reads the JSON form. Elements are decoded one by one, so that the
// text is never held as a whole.
func readJSON(r io.Reader, limit *budget) (*document, error) {
	j := &jsonReader{dec: jsontext.NewDecoder(r), limit: limit}
	w, err := j.document(true)
	if err == nil {
		if _, err = j.dec.ReadToken(); err == io.EOF {
			return w, nil
		} else if err == nil {
			err = invalid(fmt.Sprintf("byte %d", j.dec.InputOffset()), "data after the document")
		}
	}
	return nil, jsonError(err)
}

type jsonReader struct {
	dec   *jsontext.Decoder
	limit *budget
	notes []note
}

// document reads the object of a document, or the object around it.
func (j *jsonReader) document(outermost bool) (*document, error) {
	if err := j.begin(); err != nil {
		return nil, err
	}
	w := &document{}
	unknown := map[string]jsontext.Value{}
	var inner *document
	for j.dec.PeekKind() != '}' {
		token, err := j.dec.ReadToken()
		if err != nil {
			return nil, err
		}
		switch name := token.String(); {
		case name == "@context" || name == "@graph":
			return nil, fmt.Errorf("SPDX 3 (JSON-LD) is written but not read yet: %w", fault.Unsupported)
		case name == "sbom" && outermost && j.dec.PeekKind() == '{':
			if inner, err = j.document(false); err != nil {
				return nil, err
			}
		default:
			if err := j.member(w, name, unknown); err != nil {
				return nil, err
			}
		}
	}
	if _, err := j.dec.ReadToken(); err != nil {
		return nil, err
	}
	if inner != nil {
		if w.SPDXVersion != nil || len(w.Packages) > 0 {
			return nil, invalid("/sbom", "a document within a document")
		}
		return inner, nil
	}
	w.notes = j.notes
	if len(unknown) > 0 {
		rest, err := json.Marshal(unknown, json.Deterministic(true))
		if err != nil {
			return nil, err
		}
		w.Rest = rest
	}
	return w, nil
}

// begin reads the token that opens the document.
func (j *jsonReader) begin() error {
	if got := j.dec.PeekKind(); got != '{' && got != 0 {
		return invalid(string(j.dec.StackPointer()), "%s is not a document", kindName(got))
	}
	_, err := j.dec.ReadToken()
	return err
}

// member reads one member of the document.
func (j *jsonReader) member(w *document, name string, unknown map[string]jsontext.Value) error {
	target := func(v any) error { return json.UnmarshalDecode(j.dec, v) }
	switch name {
	case "spdxVersion":
		return target(&w.SPDXVersion)
	case "dataLicense":
		return target(&w.DataLicense)
	case "SPDXID":
		return target(&w.SPDXID)
	case "name":
		return target(&w.Name)
	case "documentNamespace":
		return target(&w.Namespace)
	case "comment":
		return target(&w.Comment)
	case "creationInfo":
		return target(&w.CreationInfo)
	case "documentDescribes":
		return target(&w.Describes)
	case "externalDocumentRefs":
		return elements(j, &w.ExternalDocuments)
	case "packages":
		return elements(j, &w.Packages)
	case "files":
		return elements(j, &w.Files)
	case "snippets":
		return elements(j, &w.Snippets)
	case "hasExtractedLicensingInfos":
		return elements(j, &w.Licenses)
	case "relationships":
		return elements(j, &w.Relationships)
	case "annotations":
		return elements(j, &w.Annotations)
	case "revieweds":
		return elements(j, &w.Reviews)
	}
	raw, err := j.dec.ReadValue()
	if err != nil {
		return err
	}
	unknown[name] = raw.Clone()
	return nil
}

// elements reads an array of elements, counting them. An element that is null is
// noted and skipped; a null in place of the array is the same as no array.
func elements[T any](j *jsonReader, into *[]T) error {
	if j.dec.PeekKind() == 'n' {
		return j.dec.SkipValue()
	}
	at := string(j.dec.StackPointer())
	if got := j.dec.PeekKind(); got != '[' && got != 0 {
		return invalid(at, "%s is not an array", kindName(got))
	}
	if _, err := j.dec.ReadToken(); err != nil {
		return err
	}
	*into = []T{}
	for i := 0; j.dec.PeekKind() != ']'; i++ {
		if err := j.limit.take(at, 0); err != nil {
			return err
		}
		if j.dec.PeekKind() == 'n' {
			j.notes = append(j.notes, note{at, "an element is null"})
			if err := j.dec.SkipValue(); err != nil {
				return err
			}
			continue
		}
		var v T
		if err := json.UnmarshalDecode(j.dec, &v); err != nil {
			return err
		}
		*into = append(*into, v)
	}
	_, err := j.dec.ReadToken()
	return err
}

// jsonError says what is wrong with JSON in the words of this SDK.
func jsonError(err error) error {
	if err == nil || isLimit(err) || errors.Is(err, fault.Invalid) || errors.Is(err, fault.Unsupported) {
		return err
	}
	var semantic *json.SemanticError
	if errors.As(err, &semantic) {
		if semantic.Err != nil {
			return invalid(string(semantic.JSONPointer), "%v", semantic.Err)
		}
		return invalid(string(semantic.JSONPointer), "%s does not belong here", kindName(semantic.JSONKind))
	}
	var syntactic *jsontext.SyntacticError
	if errors.As(err, &syntactic) {
		where := string(syntactic.JSONPointer)
		if where == "" {
			where = fmt.Sprintf("byte %d", syntactic.ByteOffset)
		}
		if errors.Is(err, jsontext.ErrDuplicateName) {
			return invalid(where, "the member occurs twice")
		}
		return invalid(where, "%v", syntactic.Err)
	}
	if err == io.EOF || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("the document ends too early: %w", fault.Invalid)
	}
	return err
}

// kindName names a kind of JSON value.
func kindName(k jsontext.Kind) string {
	switch k {
	case '{':
		return "an object"
	case '[':
		return "an array"
	case '"':
		return "a string"
	case '0':
		return "a number"
	case 't', 'f':
		return "a boolean"
	case 'n':
		return "null"
	}
	return "nothing"
}
