package enrich

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/purl"
	"github.com/stella-ops/stella/scan/sbom"
	"github.com/stella-ops/stella/scan/sbom/license"
)

// ErrInvalid is the kind of the error for rules that are none, for errors.Is.
var ErrInvalid error = fault.Invalid

// maxRules bounds a file of rules, in bytes.
const maxRules = 64 << 20

// Rule gives facts to packages.
type Rule struct {
	Match Match `json:"match"`
	Set   Facts `json:"set"`
}

// Match says which packages a rule is about: those that fit all that is not empty. One
// thing at least must not be.
type Match struct {
	// PURL is a package URL. Without a version it fits all versions, and qualifiers
	// that it does not name it does not ask for.
	PURL purl.PackageURL `json:"purl,omitzero"`
	// Ecosystem and Namespace are the type and namespace of the package URL.
	Ecosystem string `json:"ecosystem,omitempty"`
	Namespace string `json:"namespace,omitempty"`
	Name      string `json:"name,omitempty"` // of the package, exactly
	Version   string `json:"version,omitempty"`
	Type      string `json:"type,omitempty"` // of the package; "library" fits an empty one
}

// Facts are what can be added to a package. Empty ones say nothing.
type Facts struct {
	Licenses    []sbom.License  `json:"licenses,omitempty"`
	CPEs        []string        `json:"cpes,omitempty"`
	PURL        purl.PackageURL `json:"purl,omitzero"`
	Hashes      []sbom.Hash     `json:"hashes,omitempty"`
	Properties  []sbom.Property `json:"properties,omitempty"`
	Supplier    string          `json:"supplier,omitempty"`
	Originator  string          `json:"originator,omitempty"`
	Homepage    string          `json:"homepage,omitempty"`
	Download    string          `json:"download,omitempty"`
	Copyright   string          `json:"copyright,omitempty"`
	Description string          `json:"description,omitempty"`
}

// schema names the form of files of rules.
const schema = "stella-sbom-rules/1"

// ReadRules reads a file of rules, one JSON object:
//
//	{"schema": "stella-sbom-rules/1", "rules": [
//	  {"match": {"purl": "pkg:npm/left-pad"}, "set": {"licenses": [{"expression": "WTFPL"}], "supplier": "npm, Inc."}}]}
//
// Members that there are not, licences that are no SPDX expressions, CPEs that are not
// of version 2.3 and digests that are none are refused, as are rules that match
// everything or say nothing. An error wraps ErrInvalid, the limit of 64 MiB, or is
// that of the reader.
func ReadRules(r io.Reader) ([]Rule, error) {
	var file struct {
		Schema string `json:"schema"`
		Rules  []Rule `json:"rules"`
	}
	bounded := &io.LimitedReader{R: r, N: maxRules + 1}
	if err := json.UnmarshalRead(bounded, &file, json.RejectUnknownMembers(true)); err != nil {
		if bounded.N == 0 {
			return nil, &fault.LimitError{What: "bytes", Where: "read rules", Max: maxRules}
		}
		return nil, fmt.Errorf("read rules: %w", ofJSON(err))
	}
	if file.Schema != schema {
		return nil, fmt.Errorf("read rules: /schema is %.60q, not %s: %w", file.Schema, schema, fault.Invalid)
	}
	for i := range file.Rules {
		if err := file.Rules[i].check(); err != nil {
			return nil, fmt.Errorf("read rules: /rules/%d: %w", i, err)
		}
	}
	return file.Rules, nil
}

// ofJSON gives errors of the JSON reader their kind.
func ofJSON(err error) error {
	var semantic *json.SemanticError
	var syntactic *jsontext.SyntacticError
	if errors.As(err, &semantic) || errors.As(err, &syntactic) || err == io.EOF || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("%w: %w", err, fault.Invalid)
	}
	return err
}

func (r *Rule) check() error {
	m, s := &r.Match, &r.Set
	if m.PURL.IsZero() && m.Ecosystem == "" && m.Namespace == "" && m.Name == "" && m.Version == "" && m.Type == "" {
		return fmt.Errorf("the rule matches everything: %w", fault.Invalid)
	}
	if s.empty() {
		return fmt.Errorf("the rule says nothing: %w", fault.Invalid)
	}
	for _, l := range s.Licenses {
		switch {
		case l.Kind != sbom.LicenseDeclared && l.Kind != sbom.LicenseConcluded:
			return fmt.Errorf("there is no licence kind %.60q: %w", l.Kind, fault.Invalid)
		case l.Expression == "" && l.Name == "":
			return fmt.Errorf("a licence says nothing: %w", fault.Invalid)
		case l.Expression != "" && !license.Valid(l.Expression):
			return fmt.Errorf("licence %.100q is no SPDX expression: %w", l.Expression, fault.Invalid)
		}
	}
	for _, c := range s.CPEs {
		if !strings.HasPrefix(c, "cpe:2.3:") || strings.Count(c, ":") < 12 {
			return fmt.Errorf("%.100q is no CPE 2.3 name: %w", c, fault.Invalid)
		}
	}
	for _, h := range s.Hashes {
		if raw, err := hex.DecodeString(h.Value); err != nil || len(raw) == 0 || h.Algorithm == "" || h.Value != strings.ToLower(h.Value) {
			return fmt.Errorf("digest %.40q: %.100q is not lower-case hex: %w", h.Algorithm, h.Value, fault.Invalid)
		}
	}
	for _, p := range s.Properties {
		if p.Name == "" || p.Value == "" {
			return fmt.Errorf("a property has no name or no value: %w", fault.Invalid)
		}
	}
	return nil
}

func (f *Facts) empty() bool {
	return len(f.Licenses)+len(f.CPEs)+len(f.Hashes)+len(f.Properties) == 0 && f.PURL.IsZero() &&
		f.Supplier+f.Originator+f.Homepage+f.Download+f.Copyright+f.Description == ""
}

// fits reports whether the rule is about p.
func (m *Match) fits(p *sbom.Package) bool {
	fit := func(want, got string) bool { return want == "" || want == got }
	typ := p.Type
	if typ == "" {
		typ = "library"
	}
	return m.fitsPURL(p.PURL) && fit(m.Ecosystem, p.PURL.Type) && fit(m.Namespace, p.PURL.Namespace) &&
		fit(m.Name, p.Name) && fit(m.Version, p.Version) && fit(m.Type, typ)
}

func (m *Match) fitsPURL(u purl.PackageURL) bool {
	w := m.PURL
	if w.IsZero() {
		return true
	}
	if w.Type != u.Type || w.Namespace != u.Namespace || w.Name != u.Name || w.Version != "" && w.Version != u.Version || w.Subpath != "" && w.Subpath != u.Subpath {
		return false
	}
	for _, q := range w.Qualifiers {
		if u.Qualifier(q.Key) != q.Value {
			return false
		}
	}
	return true
}
