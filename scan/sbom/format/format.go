// Package format reads and writes documents by the names that command lines
// and media types use for formats. It is the one place that knows every codec.
package format

import (
	"bufio"
	"bytes"
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/sbom"
	"github.com/stella-ops/stella/scan/sbom/cyclonedx"
	"github.com/stella-ops/stella/scan/sbom/spdx"
	"github.com/stella-ops/stella/scan/sbom/syftjson"
)

// The names of formats. A version may follow after '@', as in
// "cyclonedx-json@1.5"; without one the default is written.
const (
	CycloneDXJSON = "cyclonedx-json"
	CycloneDXXML  = "cyclonedx-xml"
	SPDXJSON      = "spdx-json"
	SPDXTagValue  = "spdx-tag-value"
	SyftJSON      = "syft-json"   // read only
	StellaJSON    = "stella-json" // the neutral model itself, without loss
)

// aliases are other spellings that users bring along.
var aliases = map[string]string{
	"cyclonedx": CycloneDXJSON, "cdx": CycloneDXJSON, "spdx": SPDXJSON, "spdx-tv": SPDXTagValue, "spdx-tagvalue": SPDXTagValue,
	"spdx3": SPDXJSON + "@3.0.1", "spdx3-json": SPDXJSON + "@3.0.1", "sbom": StellaJSON,
}

// Writable returns the names that Encode takes, sorted, without versions.
func Writable() []string {
	return []string{CycloneDXJSON, CycloneDXXML, SPDXJSON, SPDXTagValue, StellaJSON}
}

// Resolve returns the canonical name and version of a format name or alias; an
// empty version means the default. ok is false for names that are not formats.
func Resolve(name string) (format, version string, ok bool) {
	name, version, _ = strings.Cut(strings.ToLower(name), "@")
	format, implied, _ := strings.Cut(cmp.Or(aliases[name], name), "@")
	return format, cmp.Or(version, implied), slices.Contains(Writable(), format) || format == SyftJSON
}

// MediaType returns the media type of a format name.
func MediaType(name string) string {
	format, _, _ := Resolve(name)
	switch format {
	case CycloneDXJSON:
		return "application/vnd.cyclonedx+json"
	case CycloneDXXML:
		return "application/vnd.cyclonedx+xml"
	case SPDXJSON:
		return "application/spdx+json"
	case SPDXTagValue:
		return "text/spdx"
	}
	return "application/json"
}

// Options say how documents are written. Nil means the defaults.
type Options struct {
	Indent bool // human-readable white space
	// Created stands in for the document's creation time where a format demands
	// one and the document has none; RFC 3339. Default: the format's own rule.
	Created string
}

// Encode writes d, which must be normalised, and returns what the format could
// not carry.
func Encode(w io.Writer, d *sbom.Document, name string, opt *Options) ([]sbom.Loss, error) {
	if opt == nil {
		opt = new(Options)
	}
	format, version, _ := Resolve(name)
	switch format {
	case CycloneDXJSON, CycloneDXXML:
		return cyclonedx.Encode(w, d, &cyclonedx.EncodeOptions{Version: version, XML: format == CycloneDXXML, Indent: opt.Indent})
	case SPDXJSON, SPDXTagValue:
		return spdx.Encode(w, d, &spdx.EncodeOptions{Version: version, TagValue: format == SPDXTagValue, Indent: opt.Indent, Created: opt.Created})
	case StellaJSON:
		return nil, encodeStella(w, d, opt.Indent)
	}
	return nil, fmt.Errorf("write SBOM: format %q (there are %s): %w", name, strings.Join(Writable(), ", "), fault.Unsupported)
}

func encodeStella(w io.Writer, d *sbom.Document, indent bool) error {
	b, err := json.Marshal(struct {
		Schema string `json:"schema"`
		*sbom.Document
	}{stellaSchema, d}, json.Deterministic(true))
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

const stellaSchema = "stella-sbom/1"

// Decode recognises the format of r by its beginning, reads it and returns its
// name beside the document.
func Decode(r io.Reader) (*sbom.Document, string, error) {
	br := bufio.NewReaderSize(r, 64<<10)
	head, err := br.Peek(32 << 10)
	if err != nil && err != io.EOF && len(head) == 0 {
		return nil, "", fmt.Errorf("read SBOM: %w", err)
	}
	name := sniff(head)
	var d *sbom.Document
	switch name {
	case StellaJSON:
		d, err = decodeStella(br)
	case SyftJSON:
		d, err = syftjson.Decode(br, nil)
	case SPDXJSON:
		d, err = spdx.Decode(br, nil)
	case CycloneDXJSON:
		d, err = cyclonedx.Decode(br, nil)
	default:
		return nil, "", fmt.Errorf("read SBOM: neither CycloneDX, SPDX, syft-json nor stella-json: %w", fault.Unsupported)
	}
	if err != nil {
		return nil, name, err
	}
	d.Normalize()
	return d, name, nil
}

// sniff names the family of a document by its first bytes.
func sniff(head []byte) string {
	switch {
	case bytes.Contains(head, []byte(`"`+stellaSchema+`"`)):
		return StellaJSON
	case cyclonedx.Sniff(head):
		return CycloneDXJSON
	case spdx.Sniff(head):
		return SPDXJSON
	case syftjson.Sniff(head):
		return SyftJSON
	}
	return ""
}

func decodeStella(r io.Reader) (*sbom.Document, error) {
	doc := struct {
		Schema string `json:"schema"`
		*sbom.Document
	}{Document: new(sbom.Document)}
	if err := json.UnmarshalRead(io.LimitReader(r, 1<<30), &doc, json.RejectUnknownMembers(true)); err != nil {
		return nil, fmt.Errorf("read stella-json: %v: %w", err, fault.Invalid)
	}
	return doc.Document, nil
}
