package openvex

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/vex"
	"github.com/stella-ops/stella/vex/internal/vexdoc"
)

// Document is a document that is to be written.
type Document struct {
	// ID is its IRI; empty for one in the public namespace that follows from the
	// content.
	ID string
	// Author is who says so. It is required.
	Author, Role string
	// Timestamp is when it is issued. It is required.
	Timestamp time.Time
	// Version counts up whenever the document of this ID changes; 0 stands for 1.
	Version int
	Tooling string
	// Statements are written in their order. A statement without a time is of
	// Timestamp.
	Statements []*vex.Statement
}

// Encode writes a document of OpenVEX 0.2.0: the same bytes for the same document.
//
// An error wraps ErrInvalid for a document that would not be valid: without author,
// time or statements, with an affected statement without an action, with one that is
// not_affected for no reason, or of a product that has no identifier. It wraps
// ErrUnsupported for what OpenVEX cannot say: an end of validity, which would turn
// into an assurance for ever, and a range of versions without a package URL. A
// product's name is left out where it has identifiers, its range of versions is
// written as the qualifier "vers", and what is there twice is written once.
func Encode(w io.Writer, doc *Document) error {
	text, err := doc.text()
	if err != nil {
		return fmt.Errorf("write OpenVEX: %w", err)
	}
	if _, err := w.Write(text); err != nil {
		return fmt.Errorf("write OpenVEX: %w", err)
	}
	return nil
}

// The members are in the order of the specification's tables.
type documentOut struct {
	Context    string         `json:"@context"`
	ID         string         `json:"@id,omitempty"`
	Author     string         `json:"author"`
	Role       string         `json:"role,omitempty"`
	Timestamp  string         `json:"timestamp"`
	Version    int            `json:"version"`
	Tooling    string         `json:"tooling,omitempty"`
	Statements []statementOut `json:"statements"`
}

type statementOut struct {
	Vulnerability vulnerabilityOut  `json:"vulnerability"`
	Timestamp     string            `json:"timestamp,omitempty"`
	Products      []componentOut    `json:"products"`
	Status        vex.Status        `json:"status"`
	Notes         string            `json:"status_notes,omitempty"`
	Justification vex.Justification `json:"justification,omitempty"`
	Impact        string            `json:"impact_statement,omitempty"`
	Action        string            `json:"action_statement,omitempty"`
}

type vulnerabilityOut struct {
	Name    string   `json:"name"`
	Aliases []string `json:"aliases,omitempty"`
}

type componentOut struct {
	ID            string            `json:"@id,omitempty"`
	Identifiers   map[string]string `json:"identifiers,omitempty"`
	Hashes        map[string]string `json:"hashes,omitempty"`
	Subcomponents []componentOut    `json:"subcomponents,omitempty"`
}

func (doc *Document) text() ([]byte, error) {
	out := documentOut{
		Context: namespace + "/v0.2.0", ID: doc.ID, Author: doc.Author, Role: doc.Role,
		Timestamp: doc.Timestamp.UTC().Format(time.RFC3339Nano), Version: max(doc.Version, 1), Tooling: doc.Tooling,
	}
	switch {
	case doc.Author == "":
		return nil, fmt.Errorf("it has no author: %w", fault.Invalid)
	case doc.Timestamp.IsZero():
		return nil, fmt.Errorf("it has no timestamp: %w", fault.Invalid)
	case len(doc.Statements) == 0:
		return nil, fmt.Errorf("it has no statements: %w", fault.Invalid)
	}
	for i, s := range doc.Statements {
		st, err := doc.statement(s)
		if err != nil {
			return nil, fmt.Errorf("statement %d about %.64q: %w", i, s.Vulnerability, err)
		}
		out.Statements = append(out.Statements, st)
	}
	var err error
	if out.Statements, err = vexdoc.Unique(out.Statements); err != nil {
		return nil, err
	}
	if out.ID == "" {
		text, err := json.Marshal(&out, json.Deterministic(true))
		if err == nil {
			err = (*jsontext.Value)(&text).Canonicalize()
		}
		if err != nil {
			return nil, fmt.Errorf("%v: %w", err, fault.Invalid)
		}
		out.ID = "https://openvex.dev/docs/public/vex-" + strings.TrimPrefix(vexdoc.Digest(text), "sha256:")
	}
	var b bytes.Buffer
	if err := json.MarshalWrite(&b, &out, json.Deterministic(true), jsontext.WithIndent("  ")); err != nil {
		return nil, fmt.Errorf("%v: %w", err, fault.Invalid)
	}
	return append(b.Bytes(), '\n'), nil
}

func (doc *Document) statement(s *vex.Statement) (out statementOut, err error) {
	if err := vexdoc.Check(s); err != nil {
		return out, err
	}
	if s.Status == vex.Affected && s.Action == "" {
		return out, fmt.Errorf("%s without an action statement: %w", s.Status, fault.Invalid)
	}
	out = statementOut{
		Vulnerability: vulnerabilityOut{s.Vulnerability, s.Aliases}, Status: s.Status, Notes: s.Notes,
		Justification: s.Justification, Impact: s.Impact, Action: s.Action,
	}
	if !s.Time.IsZero() && !s.Time.Equal(doc.Timestamp) {
		out.Timestamp = s.Time.UTC().Format(time.RFC3339Nano)
	}
	for i := range s.Products {
		c, err := componentOf(&s.Products[i])
		if err != nil {
			return out, fmt.Errorf("product %d: %w", i, err)
		}
		for j := range s.Products[i].Subcomponents {
			sub, err := componentOf(&s.Products[i].Subcomponents[j])
			if err != nil {
				return out, fmt.Errorf("product %d: subcomponent %d: %w", i, j, err)
			}
			c.Subcomponents = append(c.Subcomponents, sub)
		}
		if c.Subcomponents, err = vexdoc.Unique(c.Subcomponents); err != nil {
			return out, err
		}
		out.Products = append(out.Products, c)
	}
	out.Products, err = vexdoc.Unique(out.Products)
	return out, err
}

// componentOf writes a product's identifiers. Its "@id" is the package URL, which is
// what other tools look at.
func componentOf(p *vex.Product) (out componentOut, err error) {
	url := p.PURL
	if p.Versions != "" {
		u, ok := vexdoc.PURL(url)
		if !ok {
			return out, fmt.Errorf("OpenVEX has a range of versions in a package URL only: %w", fault.Unsupported)
		}
		url = u.With("vers", p.Versions).String()
	}
	out.Identifiers = map[string]string{}
	if url != "" {
		out.ID, out.Identifiers["purl"] = url, url
	}
	if p.CPE != "" {
		label := "cpe22"
		if strings.HasPrefix(p.CPE, "cpe:2.3:") {
			label = "cpe23"
		}
		out.Identifiers[label] = p.CPE
	}
	for _, d := range p.Digests {
		algorithm, value, ok := strings.Cut(d, ":")
		label := label(algorithm)
		if !ok || label == "" {
			return out, fmt.Errorf("OpenVEX has no digests %.64q: %w", d, fault.Unsupported)
		}
		if out.Hashes == nil {
			out.Hashes = map[string]string{}
		}
		if have := out.Hashes[label]; have != "" && have != value {
			return out, fmt.Errorf("it has two digests by %s: %w", algorithm, fault.Unsupported)
		}
		out.Hashes[label] = value
		if out.ID == "" && p.CPE == "" && isDigest(d) {
			out.ID = d // one that has nothing else must have an id
		}
	}
	if out.ID == "" && len(out.Identifiers) == 0 {
		return out, fmt.Errorf("it has no identifier: %w", fault.Invalid)
	}
	return out, nil
}

// label is what OpenVEX calls an algorithm (appendix A), "" for one that it does not
// have.
func label(algorithm string) string {
	switch algorithm {
	case "sha256", "sha384", "sha512":
		return "sha-" + algorithm[len("sha"):]
	case "md5", "sha1", "sha3-224", "sha3-256", "sha3-384", "sha3-512", "blake2s-256", "blake2b-256", "blake2b-512":
		return algorithm
	}
	return ""
}
