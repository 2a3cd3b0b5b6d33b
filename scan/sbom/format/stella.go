package format

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/sbom"
)

// The schema of stella-json, as its first member names it.
const (
	stellaSchema  = stellaPrefix + stellaVersion
	stellaPrefix  = "stella-sbom/"
	stellaVersion = "1"
)

// maxStella bounds stella-json, in bytes.
const maxStella = 1 << 30

// stellaJSON is the model under the name of its schema.
type stellaJSON struct {
	Schema string `json:"schema"`
	*sbom.Document
}

func encodeStella(w io.Writer, d *sbom.Document, indent bool) error {
	b, err := json.Marshal(stellaJSON{stellaSchema, d}, json.Deterministic(true))
	if err != nil {
		return fmt.Errorf("write SBOM: %w", err)
	}
	if indent {
		if b, err = indented(b); err != nil {
			return fmt.Errorf("write SBOM: %w", err)
		}
	}
	_, err = w.Write(append(b, '\n'))
	return err
}

// decodeStella reads what encodeStella wrote, whole and consistent: our own
// format has no other producers to be lenient with.
func decodeStella(r io.Reader, max int64) (*sbom.Document, error) {
	doc := stellaJSON{Document: new(sbom.Document)}
	bounded := &io.LimitedReader{R: r, N: max + 1}
	if err := json.UnmarshalRead(bounded, &doc, json.RejectUnknownMembers(true)); err != nil {
		if bounded.N == 0 {
			return nil, &fault.LimitError{What: "bytes", Where: "read stella-json", Max: max}
		}
		return nil, fmt.Errorf("read stella-json: %w", stellaError(err))
	}
	version, ok := strings.CutPrefix(doc.Schema, stellaPrefix)
	switch {
	case !ok:
		return nil, fmt.Errorf("read stella-json: /schema is %.60q, not %s: %w", doc.Schema, stellaSchema, fault.Unsupported)
	case version != stellaVersion:
		return nil, fmt.Errorf("read stella-json: /schema: version %.60q is not read, only %s is: %w", version, stellaVersion, fault.Unsupported)
	}
	d := doc.Document
	if err := checkWords(d); err != nil {
		return nil, fmt.Errorf("read stella-json: %w: %w", err, fault.Invalid)
	}
	d.Normalize()
	if problems := d.Check(); len(problems) > 0 {
		p := problems[0]
		return nil, fmt.Errorf("read stella-json: %.200s: %.200s (and %d more): %w", p.Where, p.What, len(problems)-1, fault.Invalid)
	}
	return d, nil
}

// stellaError gives errors of the JSON reader their place and kind.
func stellaError(err error) error {
	where, why := jsontext.Pointer(""), err
	var semantic *json.SemanticError
	var syntactic *jsontext.SyntacticError
	switch {
	case errors.As(err, &semantic):
		where, why = semantic.JSONPointer, semantic.Err
		if why == nil {
			why = fmt.Errorf("a JSON %v does not belong here", semantic.JSONKind)
		}
	case errors.As(err, &syntactic):
		where, why = syntactic.JSONPointer, fmt.Errorf("byte %d: %w", syntactic.ByteOffset, syntactic.Err)
	case err == io.EOF, errors.Is(err, io.ErrUnexpectedEOF):
		why = errors.New("the document ends too early")
	default:
		return err // of the reader itself
	}
	return fmt.Errorf("at /%.200s: %w: %w", strings.TrimPrefix(string(where), "/"), why, fault.Invalid)
}

// checkWords refuses words that the model does not have where it has a fixed
// set, by which findings are decided.
func checkWords(d *sbom.Document) error {
	for i := range d.Packages {
		p := &d.Packages[i]
		switch p.State {
		case sbom.Installed, sbom.Declared:
		default:
			return fmt.Errorf("at /packages/%d/state: there is no %.60q", i, p.State)
		}
		if u := p.Usage; u != nil && u.State != sbom.Reached && u.State != sbom.Unreached {
			return fmt.Errorf("at /packages/%d/usage/state: there is no %.60q", i, u.State)
		}
		switch p.Scope {
		case sbom.ScopeRuntime, sbom.ScopeDev, sbom.ScopeOptional:
		default:
			return fmt.Errorf("at /packages/%d/scope: there is no %.60q", i, p.Scope)
		}
	}
	for i, r := range d.Relationships {
		switch r.Kind {
		case sbom.Contains, sbom.DependsOn, sbom.OwnedBy:
		default:
			return fmt.Errorf("at /relationships/%d/kind: there is no %.60q", i, r.Kind)
		}
	}
	return nil
}
