// Package format reads and writes documents by the names that command lines
// and media types use for formats. It is the one place that knows every codec.
package format

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/sbom"
	"github.com/stella-ops/stella/scan/sbom/cyclonedx"
	"github.com/stella-ops/stella/scan/sbom/spdx"
)

// The names of formats. A version may follow after '@', as in
// "cyclonedx-json@1.5"; without one the default is written.
const (
	CycloneDXJSON = "cyclonedx-json"
	CycloneDXXML  = "cyclonedx-xml"
	SPDXJSON      = "spdx-json"
	SPDXTagValue  = "spdx-tag-value"
	SPDXYAML      = "spdx-yaml"   // read only
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

// Versions returns the versions of a format, by its canonical name, that Encode
// takes; nil for formats that are not written.
func Versions(format string) []string {
	switch format {
	case CycloneDXJSON, CycloneDXXML:
		return []string{"1.4", "1.5", "1.6", "1.7"}
	case SPDXJSON:
		return []string{spdx.Version22, spdx.Version23, spdx.Version301}
	case SPDXTagValue:
		return []string{spdx.Version22, spdx.Version23}
	case StellaJSON:
		return []string{stellaVersion}
	}
	return nil
}

// Resolve returns the canonical name and version of a format name or alias; an
// empty version means the default. ok is false for names that are not formats.
func Resolve(name string) (format, version string, ok bool) {
	name, version, _ = strings.Cut(strings.ToLower(name), "@")
	format, implied, _ := strings.Cut(cmp.Or(aliases[name], name), "@")
	return format, cmp.Or(version, implied), slices.Contains(Writable(), format) || format == SyftJSON || format == SPDXYAML
}

// CanEncode reports whether Encode takes a name or alias, with its version where it
// names one.
func CanEncode(name string) bool {
	format, version, ok := Resolve(name)
	versions := Versions(format)
	return ok && len(versions) > 0 && (version == "" || slices.Contains(versions, version))
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
	case SPDXYAML:
		return "application/yaml"
	}
	return "application/json"
}

// Suffix returns how the name of a file of that format ends, such as "spdx.json"
// or, where a version is named, "cyclonedx-1.4.json".
func Suffix(name string) string {
	format, version, _ := Resolve(name)
	if version != "" {
		version = "-" + version
	}
	switch format {
	case CycloneDXJSON:
		return "cyclonedx" + version + ".json"
	case CycloneDXXML:
		return "cyclonedx" + version + ".xml"
	case SPDXJSON:
		return "spdx" + version + ".json"
	case SPDXTagValue:
		return "spdx" + version + ".txt"
	case SPDXYAML:
		return "spdx" + version + ".yaml"
	case SyftJSON:
		return "syft" + version + ".json"
	}
	return "stella" + version + ".json"
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
	if known := Versions(format); version != "" && known != nil && !slices.Contains(known, version) {
		return nil, fmt.Errorf("write SBOM: %s has no version %q here (there are %s): %w", format, version, strings.Join(known, ", "), fault.Unsupported)
	}
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
