package cyclonedx

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/lazyre"
	"github.com/stella-ops/stella/vex"
	"github.com/stella-ops/stella/vex/internal/vexdoc"
)

// Document is a document that is to be written.
type Document struct {
	// Serial is its serial number, "urn:uuid:" and a UUID in lower case; empty for
	// one that follows from the content.
	Serial string
	// Version counts up whenever the document of this serial number changes; 0
	// stands for 1.
	Version int
	// Author is the organisation that says so.
	Author string
	// Timestamp is when it is issued. It is required.
	Timestamp time.Time
	// Statements are written in their order. A statement without a time is of
	// Timestamp.
	Statements []*vex.Statement
}

// Encode writes a document of CycloneDX 1.6 in JSON that stands alone, with the
// components that it is about: the same bytes for the same document.
//
// An error wraps ErrInvalid for a document that would not be valid: without time, or
// with one that is not_affected for no reason. It wraps ErrUnsupported for what
// CycloneDX cannot say: an end of validity, and digests by algorithms that it does not
// have. A product with several subcomponents is read again as one product for each, and
// what is there twice is written once.
func Encode(w io.Writer, doc *Document) error {
	text, err := doc.text()
	if err != nil {
		return fmt.Errorf("write CycloneDX: %w", err)
	}
	if _, err := w.Write(text); err != nil {
		return fmt.Errorf("write CycloneDX: %w", err)
	}
	return nil
}

// The members are in the order of the specification.
type documentOut struct {
	Format          string             `json:"bomFormat"`
	Spec            string             `json:"specVersion"`
	Serial          string             `json:"serialNumber,omitempty"`
	Version         int                `json:"version"`
	Metadata        metadataOut        `json:"metadata"`
	Components      []*componentOut    `json:"components"`
	Vulnerabilities []vulnerabilityOut `json:"vulnerabilities"`
}

type metadataOut struct {
	Timestamp    string  `json:"timestamp"`
	Manufacturer *entity `json:"manufacturer,omitempty"`
}

type componentOut struct {
	Type       string          `json:"type"`
	Ref        string          `json:"bom-ref"`
	Name       string          `json:"name"`
	Version    string          `json:"version,omitempty"`
	Hashes     []hash          `json:"hashes,omitempty"`
	CPE        string          `json:"cpe,omitempty"`
	PURL       string          `json:"purl,omitempty"`
	Components []*componentOut `json:"components,omitempty"`
}

type vulnerabilityOut struct {
	ID             string         `json:"id"`
	References     []referenceOut `json:"references,omitempty"`
	Recommendation string         `json:"recommendation,omitempty"`
	Analysis       analysisOut    `json:"analysis"`
	Affects        []affectsOut   `json:"affects"`
	Properties     []property     `json:"properties,omitempty"`
}

type referenceOut struct {
	ID     string `json:"id"`
	Source entity `json:"source"`
}

type analysisOut struct {
	State         string `json:"state"`
	Justification string `json:"justification,omitempty"`
	Detail        string `json:"detail,omitempty"`
	LastUpdated   string `json:"lastUpdated,omitempty"`
}

type affectsOut struct {
	Ref      string       `json:"ref"`
	Versions []versionOut `json:"versions,omitempty"`
}

type versionOut struct {
	Range  string `json:"range"`
	Status string `json:"status"`
}

// serial is the form of serial numbers, and digest that of digests (JSON schema).
var (
	serial = lazyre.New(`^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`)
	digest = lazyre.New(`^([a-fA-F0-9]{32}|[a-fA-F0-9]{40}|[a-fA-F0-9]{64}|[a-fA-F0-9]{96}|[a-fA-F0-9]{128})$`)
)

func (doc *Document) text() ([]byte, error) {
	out := &documentOut{
		Format: "CycloneDX", Spec: "1.6", Serial: doc.Serial, Version: max(doc.Version, 1),
		Metadata:   metadataOut{Timestamp: doc.Timestamp.UTC().Format(time.RFC3339Nano)},
		Components: []*componentOut{}, Vulnerabilities: []vulnerabilityOut{},
	}
	if doc.Timestamp.IsZero() {
		return nil, fmt.Errorf("it has no time: %w", fault.Invalid)
	}
	if doc.Serial != "" && !serial.Get().MatchString(doc.Serial) {
		return nil, fmt.Errorf("serial number %.64q is no urn:uuid: %w", doc.Serial, fault.Invalid)
	}
	if doc.Author != "" {
		out.Metadata.Manufacturer = &entity{doc.Author}
	}
	b := builder{out: out, components: map[string]*componentOut{}}
	for i, s := range doc.Statements {
		if err := b.statement(s, doc.Timestamp); err != nil {
			return nil, fmt.Errorf("statement %d about %.64q: %w", i, s.Vulnerability, err)
		}
	}
	var err error
	if out.Vulnerabilities, err = vexdoc.Unique(out.Vulnerabilities); err != nil {
		return nil, err
	}
	if out.Serial == "" {
		text, err := json.Marshal(out, json.Deterministic(true))
		if err == nil {
			err = (*jsontext.Value)(&text).Canonicalize()
		}
		if err != nil {
			return nil, fmt.Errorf("%v: %w", err, fault.Invalid)
		}
		out.Serial = serialOf(text)
	}
	var buffer bytes.Buffer
	if err := json.MarshalWrite(&buffer, out, json.Deterministic(true), jsontext.WithIndent("  ")); err != nil {
		return nil, fmt.Errorf("%v: %w", err, fault.Invalid)
	}
	return append(buffer.Bytes(), '\n'), nil
}

// serialOf makes a UUID of version 8, which is of a user's own making (RFC 9562,
// section 5.8), of a digest.
func serialOf(text []byte) string {
	h := []byte(strings.TrimPrefix(vexdoc.Digest(text), "sha256:"))
	h[12], h[16] = '8', "89ab"[h[16]&3]
	return fmt.Sprintf("urn:uuid:%s-%s-%s-%s-%s", h[:8], h[8:12], h[12:16], h[16:20], h[20:32])
}
