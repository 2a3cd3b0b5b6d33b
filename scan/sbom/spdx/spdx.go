// Package spdx reads and writes SPDX documents: versions 2.2 and 2.3 as JSON and
// tag-value, reading also their YAML form, and version 3.0.1 as JSON-LD, which it
// only writes. It performs no I/O beyond the reader or writer it is given and
// never fetches what a document refers to.
//
// # Mapping
//
// The subject becomes a package that the document DESCRIBES. A document that
// describes something else than exactly one package is its own subject: the
// subject's ID is then "DOCUMENT", and what it contains is what the document
// describes. The identifier of a package is its SPDXID without "SPDXRef-".
//
//	Name, Version           name, versionInfo (an epoch only in the package URL is put in front)
//	Type, Subject.Kind      primaryPackagePurpose
//	PURL                    externalRefs PACKAGE-MANAGER purl
//	CPEs                    externalRefs SECURITY cpe23Type
//	Hashes                  checksums
//	Licenses                licenseDeclared, licenseConcluded; names that are no expression become LicenseRef-…
//	                        with an entry in hasExtractedLicensingInfos
//	Supplier, Originator    "Person: …" where there is a mail address, else "Organization: …"
//	Homepage, Download, Copyright, Description   the members of that name
//	Created, Tools          creationInfo
//	Subject.OS              a package with the purpose OPERATING_SYSTEM that the subject contains
//	Contains                CONTAINS; also read: CONTAINED_BY, PACKAGE_OF
//	DependsOn               DEPENDS_ON; also read: DEPENDENCY_OF and its kinds, HAS_PREREQUISITE, PREREQUISITE_FOR,
//	                        DYNAMIC_LINK, STATIC_LINK
//	Type "file"             a package with the purpose FILE: a File of SPDX 2 demands a SHA-1, which files that were
//	                        digested otherwise do not have; in SPDX 3 a software_File
//	OwnedBy                 OTHER with a comment that starts with "owned-by"; also read: syft's "ownership-by-file-overlap"
//
// # What SPDX has no member for
//
// It is written as annotations of type OTHER by "Tool: stella-sbom-1", whose
// comment is one JSON object. Beside a package its member "package" holds the
// fields of [sbom.Package] that the other members do not give back when read,
// null for a field that they would give by mistake; "document" and "subject" do
// the same for the document. Source, composition, each secret and each gap are annotations
// of their own, so that one can be removed without touching the rest. Decoding a
// document of ours therefore restores the model exactly.
//
// # What the model has no field for
//
// A document or package that the model alone would not give back member by
// member is kept, as read, in Foreign["spdx"]. Encoding starts from what was kept
// and replaces only members whose meaning has changed since; files, snippets,
// reviews, relationships of other kinds and unknown members come back as they
// were. The order of packages, files, snippets, relationships, external
// references and checksums is not kept: SPDX gives it no meaning, and output is
// sorted. What the target version or syntax cannot carry is returned as losses.
//
// # Why the JSON and tag-value code is our own
//
// github.com/spdx/tools-golang serves as the oracle of the tests: what we write, it
// must read with the same meaning. It is not used to read or write, because it
// drops members it does not know, folds documentDescribes and hasFiles into
// relationships, accepts repeated members and trailing data, and reads tag-value
// lines of at most 64 KiB in quadratic time without naming the line of an error.
package spdx

import (
	"io"

	"github.com/stella-ops/stella/scan/sbom"
)

// Family is the key of [sbom.Foreign] under which members of SPDX documents
// are kept.
const Family = "spdx"

// Limits of decoding that apply where DecodeOptions does not set its own.
const (
	DefaultMaxBytes    = 512 << 20
	DefaultMaxDepth    = 64
	DefaultMaxElements = 2_000_000
)

// maxYAML bounds the YAML form, which is held in memory as a tree several times
// its size. Nothing that machines exchange is in this form.
const maxYAML = 32 << 20

// maxNotes bounds the gaps that one document's irregularities become; more are
// counted in a last one.
const maxNotes = 1000

// DecodeOptions bound what Decode accepts. The zero value and nil stand for the
// defaults.
type DecodeOptions struct {
	MaxBytes    int64 // of the document; at most 32 MiB for YAML
	MaxDepth    int   // of nested objects and arrays
	MaxElements int   // packages, files, snippets, relationships, annotations and extracted licences together
}

func (o *DecodeOptions) withDefaults() *DecodeOptions {
	var out DecodeOptions
	if o != nil {
		out = *o
	}
	if out.MaxBytes <= 0 {
		out.MaxBytes = DefaultMaxBytes
	}
	if out.MaxDepth <= 0 {
		out.MaxDepth = DefaultMaxDepth
	}
	if out.MaxElements <= 0 {
		out.MaxElements = DefaultMaxElements
	}
	return &out
}

// Decode reads one SPDX 2.2 or 2.3 document from r, as JSON, tag-value or YAML,
// which it tells apart by content. The envelope of GitHub's dependency graph
// export, {"sbom": …}, is accepted.
//
// The result is normalised. Tolerated irregularities, such as references to
// elements that do not exist, are gaps with the code oddity; a package URL that
// cannot be read is a blocking gap, because its package cannot be matched.
//
// Errors wrap "invalid input" (with a JSON pointer or line), "unsupported" (other
// versions and forms, named) or "limit reached". Errors of r are returned as they
// are, wrapped.
func Decode(r io.Reader, opt *DecodeOptions) (*sbom.Document, error) {
	d, _, err := DecodeForm(r, opt)
	return d, err
}

// Form is what a document is written in.
type Form struct {
	Syntax  Syntax
	Version string // of the specification, such as "2.3"; empty where it is not known
}

// Syntax is one of the notations of SPDX.
type Syntax string

// The notations that are read.
const (
	JSON     Syntax = "json"
	TagValue Syntax = "tag-value"
	YAML     Syntax = "yaml"
)

// DecodeForm is Decode and says also in which form the document was; beside an
// error, as far as it was read.
func DecodeForm(r io.Reader, opt *DecodeOptions) (*sbom.Document, Form, error) {
	var f Form
	w, err := read(r, opt.withDefaults(), &f)
	if err != nil {
		return nil, f, err
	}
	d, err := understand(w)
	return d, f, err
}

// understand turns what was read into the model.
func understand(w *document) (*sbom.Document, error) {
	understood := interpret(w)
	if err := keepForeign(understood, w); err != nil {
		return nil, err
	}
	d := understood.doc
	d.Normalize()
	if p := d.Subject.Package; p != nil { // whose lists Normalize leaves alone
		alone := sbom.Document{Packages: []sbom.Package{*p}}
		alone.Normalize()
		alone.Packages[0].ID = p.ID
		d.Subject.Package = &alone.Packages[0]
	}
	return d, nil
}

// The versions that Encode writes.
const (
	Version22  = "2.2"
	Version23  = "2.3"
	Version301 = "3.0.1"
)

// EncodeOptions choose the form that Encode writes. The zero value and nil stand
// for compact SPDX 2.3 JSON.
type EncodeOptions struct {
	// Version is the version of the specification; empty means Version23.
	Version string
	// TagValue writes the tag-value form. Version 3.0.1 has none.
	TagValue bool
	// Indent breaks JSON into indented lines.
	Indent bool
	// Created is written where the document does not say when it was created,
	// which SPDX requires: RFC 3339 in UTC with seconds. Empty means
	// "1970-01-01T00:00:00Z". It leaves no trace when the document is read again.
	Created string
}

// epoch is the time of creation of a document that has none.
const epoch = "1970-01-01T00:00:00Z"
