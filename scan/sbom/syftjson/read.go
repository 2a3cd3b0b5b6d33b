package syftjson

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/stella-ops/stella/internal/fault"
)

// boundedReader reads at most max bytes; one more is a LimitError.
type boundedReader struct {
	r         io.Reader
	left, max int64
}

// Read implements io.Reader.
func (b *boundedReader) Read(p []byte) (int, error) {
	if int64(len(p)) > b.left+1 {
		p = p[:b.left+1]
	}
	n, err := b.r.Read(p)
	if int64(n) > b.left {
		return int(b.left), &fault.LimitError{What: "bytes", Where: "syft document", Max: b.max}
	}
	b.left -= int64(n)
	return n, err
}

// read reads a document element by element.
func read(r io.Reader, limits *DecodeOptions) (*document, error) {
	br := bufio.NewReaderSize(&boundedReader{r, limits.MaxBytes, limits.MaxBytes}, 64<<10)
	if mark, _ := br.Peek(3); bytes.Equal(mark, []byte("\xef\xbb\xbf")) {
		br.Discard(3) // was peeked: cannot fail
	}
	d := &reader{dec: jsontext.NewDecoder(br), left: limits.MaxElements, max: limits.MaxElements}
	err := d.document()
	if err == nil {
		if _, err = d.dec.ReadToken(); err == io.EOF {
			err = d.check()
		} else if err == nil {
			err = invalid(fmt.Sprintf("byte %d", d.dec.InputOffset()), "data after the document")
		}
	}
	if err != nil {
		return nil, fmt.Errorf("decode syft JSON: %w", jsonError(err))
	}
	return &d.w, nil
}

type reader struct {
	dec       *jsontext.Decoder
	left, max int
	w         document
	artifacts bool // the member was there
}

// document reads the object of a document.
func (d *reader) document() error {
	if kind := d.dec.PeekKind(); kind != '{' && kind != 0 {
		return invalid("/", "this is not an object")
	}
	if _, err := d.dec.ReadToken(); err != nil {
		return err
	}
	for d.dec.PeekKind() != '}' {
		name, err := d.dec.ReadToken()
		if err != nil {
			return err
		}
		switch name.String() {
		case "artifacts":
			d.artifacts = true
			err = elements(d, &d.w.Artifacts)
		case "artifactRelationships":
			err = elements(d, &d.w.Relationships)
		case "source":
			err = json.UnmarshalDecode(d.dec, &d.w.Source)
		case "distro":
			err = json.UnmarshalDecode(d.dec, &d.w.Distro)
		case "descriptor":
			err = json.UnmarshalDecode(d.dec, &d.w.Descriptor)
		case "schema":
			err = json.UnmarshalDecode(d.dec, &d.w.Schema)
		case "files":
			before := d.dec.InputOffset()
			err = d.dec.SkipValue()
			d.w.Files = d.dec.InputOffset()-before > int64(len(": null"))
		default:
			err = d.dec.SkipValue()
		}
		if err != nil {
			return err
		}
	}
	_, err := d.dec.ReadToken()
	return err
}

// elements reads an array, counting its elements.
func elements[T any](d *reader, into *[]T) error {
	if d.dec.PeekKind() == 'n' {
		return d.dec.SkipValue()
	}
	if kind := d.dec.PeekKind(); kind != '[' && kind != 0 {
		return invalid(string(d.dec.StackPointer()), "this is not an array")
	}
	if _, err := d.dec.ReadToken(); err != nil {
		return err
	}
	for d.dec.PeekKind() != ']' {
		if d.left--; d.left < 0 {
			return &fault.LimitError{What: "elements", Where: "syft document at " + string(d.dec.StackPointer()), Max: int64(d.max), Seen: int64(d.max) + 1}
		}
		var v T
		if err := json.UnmarshalDecode(d.dec, &v); err != nil {
			return err
		}
		*into = append(*into, v)
	}
	_, err := d.dec.ReadToken()
	return err
}

// check refuses other schema versions and artifacts without or with the same
// identifier.
func (d *reader) check() error {
	if d.w.Schema == nil || !d.artifacts {
		return fmt.Errorf("no schema or no artifacts: %w", fault.Invalid)
	}
	major, _, _ := strings.Cut(d.w.Schema.Version, ".")
	switch n, err := strconv.Atoi(major); {
	case err != nil:
		return invalid("/schema/version", "%.40q is not a version", d.w.Schema.Version)
	case n < oldestSchema || n > newestSchema:
		return fmt.Errorf("schema version %.40q is not read, only %d to %d are: %w", d.w.Schema.Version, oldestSchema, newestSchema, fault.Unsupported)
	}
	seen := make(map[string]int, len(d.w.Artifacts))
	for i := range d.w.Artifacts {
		id := d.w.Artifacts[i].ID
		where := fmt.Sprintf("/artifacts/%d", i)
		if id == "" || d.w.Artifacts[i].Name == "" {
			return invalid(where, "the artifact has no id or no name")
		}
		if id == d.w.Source.ID {
			return invalid(where, "id %.100q is already that of /source", id)
		}
		if first, twice := seen[id]; twice {
			return invalid(where, "id %.100q is already that of /artifacts/%d", id, first)
		}
		seen[id] = i
	}
	return nil
}

// invalid makes an error of the kind "invalid input" at a place.
func invalid(where, format string, args ...any) error {
	return fmt.Errorf("at %.200s: %s: %w", where, fmt.Sprintf(format, args...), fault.Invalid)
}

// jsonError says what is wrong with JSON in the words of this SDK.
func jsonError(err error) error {
	if fault.KindOf(err) != "" {
		return err
	}
	var semantic *json.SemanticError
	if errors.As(err, &semantic) {
		if semantic.Err != nil {
			return invalid(string(semantic.JSONPointer), "%v", semantic.Err)
		}
		return invalid(string(semantic.JSONPointer), "a JSON %v does not belong here", semantic.JSONKind)
	}
	var syntactic *jsontext.SyntacticError
	if errors.As(err, &syntactic) {
		where := string(syntactic.JSONPointer)
		if where == "" {
			where = fmt.Sprintf("byte %d", syntactic.ByteOffset)
		}
		return invalid(where, "%v", syntactic.Err)
	}
	if err == io.EOF || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("the document ends too early: %w", fault.Invalid)
	}
	return err
}
