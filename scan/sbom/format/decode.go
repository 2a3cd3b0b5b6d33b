package format

import (
	"bufio"
	"bytes"
	"cmp"
	"fmt"
	"io"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/sbom"
	"github.com/stella-ops/stella/scan/sbom/cyclonedx"
	"github.com/stella-ops/stella/scan/sbom/spdx"
	"github.com/stella-ops/stella/scan/sbom/syftjson"
)

// Decode recognises the format of r by its beginning, reads it and returns it
// normalised, beside the name and version of the format it was in, such as
// "cyclonedx-xml@1.6". Both the names and what Encode takes are the same; beside
// an error the name is what could be told, or empty.
//
// Errors wrap "invalid input", "unsupported" or "limit reached" and name the
// place; errors of r are returned as they are, wrapped.
func Decode(r io.Reader) (*sbom.Document, string, error) {
	br := bufio.NewReaderSize(r, sniffed)
	head, err := br.Peek(sniffed)
	if err != nil && err != io.EOF && len(head) == 0 {
		return nil, "", fmt.Errorf("read SBOM: %w", err)
	}
	name, err := sniff(head)
	if err != nil {
		return nil, "", fmt.Errorf("read SBOM: %w", err)
	}
	var d *sbom.Document
	var version string
	switch name {
	case StellaJSON:
		version = stellaVersion
		d, err = decodeStella(br, maxStella)
	case SyftJSON:
		d, version, err = syftjson.DecodeVersion(br, nil)
	case SPDXJSON:
		var form spdx.Form
		d, form, err = spdx.DecodeForm(br, nil)
		name, version = "spdx-"+string(cmp.Or(form.Syntax, spdx.JSON)), form.Version
	case CycloneDXJSON:
		var form cyclonedx.Form
		d, form, err = cyclonedx.DecodeForm(br, nil)
		if version = form.Version; form.XML {
			name = CycloneDXXML
		}
	}
	if version != "" {
		name += "@" + version
	}
	if err != nil {
		return nil, name, err
	}
	d.Normalize()
	return d, name, nil
}

// sniffed is how many bytes a format is recognised by.
const sniffed = 64 << 10

// sniff names the family of a document by its first bytes: that of the JSON form
// for all forms of a family.
func sniff(head []byte) (string, error) {
	text := bytes.TrimLeft(bytes.TrimPrefix(head, []byte("\xef\xbb\xbf")), " \t\r\n")
	switch {
	case len(text) == 0:
		return "", fmt.Errorf("the input is empty: %w", fault.Invalid)
	case bytes.HasPrefix(text, []byte("\x1f\x8b")):
		return "", fmt.Errorf("the input is compressed (gzip), unpack it first: %w", fault.Unsupported)
	case bytes.HasPrefix(text, []byte("\xff\xfe")), bytes.HasPrefix(text, []byte("\xfe\xff")):
		return "", fmt.Errorf("the input is UTF-16, convert it to UTF-8 first: %w", fault.Unsupported)
	case text[0] == '{':
		if name := sniffObject(text); name != "" {
			return name, nil
		}
	case cyclonedx.Sniff(head):
		return CycloneDXJSON, nil
	case spdx.Sniff(head):
		return SPDXJSON, nil
	case text[0] == '<' && bytes.Contains(text, []byte("spdx.org/rdf/")):
		return "", fmt.Errorf("SPDX as RDF or XML is not read, convert it to JSON or tag-value first: %w", fault.Unsupported)
	}
	return "", fmt.Errorf("neither CycloneDX, SPDX, syft-json nor stella-json: %w", fault.Unsupported)
}

// sniffObject goes through the members of the document itself, not of what is in
// it. Those that only one format has decide; else the first one that hints: some
// producers write the telling members last, after more than is looked at.
func sniffObject(text []byte) string {
	d := jsontext.NewDecoder(bytes.NewReader(text))
	if _, err := d.ReadToken(); err != nil {
		return ""
	}
	hint := ""
	for d.PeekKind() == '"' {
		token, err := d.ReadToken()
		if err != nil {
			break
		}
		name, kind := token.String(), d.PeekKind()
		var value string
		if kind == '"' {
			if token, err = d.ReadToken(); err == nil {
				value = token.String()
			}
		}
		if sure := formatOf(name, value, kind); sure != "" {
			return sure
		}
		if hint == "" {
			hint = hintOf(name, kind, text)
		}
		if kind != '"' && d.SkipValue() != nil {
			break
		}
	}
	return hint
}

// formatOf returns the format that alone has such a member, or "".
func formatOf(name, value string, kind jsontext.Kind) string {
	switch {
	case name == "bomFormat", name == "$schema" && strings.Contains(value, "cyclonedx"):
		return CycloneDXJSON
	case name == "spdxVersion", name == "SPDXID", name == "@graph", name == "@context" && strings.Contains(value, "spdx.org"), name == "sbom" && kind == '{':
		return SPDXJSON
	case name == "schema" && strings.HasPrefix(value, stellaPrefix):
		return StellaJSON
	case name == "artifacts", name == "artifactRelationships":
		return SyftJSON
	}
	return ""
}

// hintOf returns the format that such a member suggests, or "".
func hintOf(name string, kind jsontext.Kind, text []byte) string {
	switch {
	case kind == '[' && (name == "components" || name == "dependencies" || name == "vulnerabilities" || name == "compositions"):
		return CycloneDXJSON
	case name == "dataLicense", name == "documentNamespace", name == "creationInfo":
		return SPDXJSON
	case kind == '[' && (name == "packages" || name == "relationships" || name == "files"):
		if spdx.Sniff(text) {
			return SPDXJSON
		}
		return StellaJSON
	}
	return ""
}
