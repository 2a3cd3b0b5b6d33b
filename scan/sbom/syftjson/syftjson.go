// Package syftjson reads the JSON format of syft (https://github.com/anchore/syft),
// schema versions 11 to 16. It is not written. It performs no I/O beyond the
// reader it is given.
//
// # Mapping
//
//	source              Subject: an image is named by its config digest; layers, platform and time of creation
//	                    come from the image config inside the document, tags and stored layers go to Source
//	distro              Subject.OS
//	descriptor          Tools
//	artifacts           Packages, under their own identifiers; version "UNKNOWN" is no version
//	locations           those marked as primary evidence, or all where none is; "a.jar:b.jar" becomes "a.jar!/b.jar"
//	licenses, cpes      both the string and the object form
//	metadata            Arch, Upstream, Supplier, Homepage, Description and Hashes, for the ecosystems that have them
//	contains            Contains, between the source and packages; the source contains what nothing else does
//	dependency-of       DependsOn, reversed: the parent is what the child needs
//	ownership-by-file-overlap   OwnedBy, reversed: the parent installed the child's files
//
// The package type, language and metadata type stay in Foreign["syft"]. Files, what
// evidence packages have ("evident-by") and the rest of the metadata are outside
// the model and are not kept, because nothing writes this format; that there are
// files is said in a gap.
package syftjson

import (
	"bytes"
	"io"

	"github.com/stella-ops/stella/scan/sbom"
)

// Family is the key of [sbom.Foreign] under which members of syft documents are
// kept.
const Family = "syft"

// Limits of decoding that apply where DecodeOptions does not set its own. Nesting
// is bounded by the JSON reader, at 10,000.
const (
	DefaultMaxBytes    = 512 << 20
	DefaultMaxElements = 2_000_000
)

// The schema versions that are read, by their first number.
const (
	oldestSchema = 11
	newestSchema = 16
)

// maxNotes bounds the gaps that irregularities of a document become.
const maxNotes = 1000

// DecodeOptions bound what Decode accepts. The zero value and nil stand for the
// defaults.
type DecodeOptions struct {
	MaxBytes    int64 // of the document
	MaxElements int   // artifacts and relationships together
}

// Sniff reports whether prefix, the first bytes of a document, looks like the
// format. A few kilobytes are enough for what syft writes.
func Sniff(prefix []byte) bool {
	prefix = bytes.TrimLeft(bytes.TrimPrefix(prefix, []byte("\xef\xbb\xbf")), " \t\r\n")
	if len(prefix) == 0 || prefix[0] != '{' {
		return false
	}
	first := bytes.TrimLeft(prefix[1:], " \t\r\n")
	return bytes.HasPrefix(first, []byte(`"artifacts"`)) || bytes.HasPrefix(first, []byte(`"artifactRelationships"`)) ||
		bytes.Contains(prefix, []byte(`"artifacts"`)) && bytes.Contains(prefix, []byte("anchore/syft"))
}

// Decode reads one document from r. The result is normalised.
//
// Tolerated irregularities, such as relationships with unknown ends, are gaps with
// the code oddity; a package URL that cannot be read is a blocking gap, because its
// package cannot be matched. Errors wrap "invalid input" (with a JSON pointer),
// "unsupported" (another schema version, named) or "limit reached". Errors of r are
// returned as they are, wrapped.
func Decode(r io.Reader, opt *DecodeOptions) (*sbom.Document, error) {
	d, _, err := DecodeVersion(r, opt)
	return d, err
}

// DecodeVersion is Decode and returns also the version of the schema that the
// document names, such as "16.0.2"; empty beside an error.
func DecodeVersion(r io.Reader, opt *DecodeOptions) (*sbom.Document, string, error) {
	limits := DecodeOptions{MaxBytes: DefaultMaxBytes, MaxElements: DefaultMaxElements}
	if opt != nil && opt.MaxBytes > 0 {
		limits.MaxBytes = opt.MaxBytes
	}
	if opt != nil && opt.MaxElements > 0 {
		limits.MaxElements = opt.MaxElements
	}
	w, err := read(r, &limits)
	if err != nil {
		return nil, "", err
	}
	d := interpret(w)
	d.Normalize()
	return d, w.Schema.Version, nil
}
