package export

import (
	"bytes"
	"fmt"
	"slices"
	"time"

	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/attest/intoto"
	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/sum"
	"github.com/stella-ops/stella/policy"
	"github.com/stella-ops/stella/scan/sbom"
	"github.com/stella-ops/stella/scan/sbom/format"
)

// Material is what is known about one scan, read and verified: what documents and
// statements about it are made of, whoever keeps it. It must not be changed, and is
// safe for concurrent use then.
type Material struct {
	// Image is the reference that was scanned, for people.
	Image string
	// Document is the neutral document, Neutral its encoding as it is kept. Both are
	// required.
	Document *sbom.Document
	Neutral  []byte
	// Kept are documents in other formats as they are kept, by format.
	Kept map[Format][]byte
	// Report are the findings; nil where nothing was matched.
	Report *finding.Report
	// Verdict is what was decided, with its trace; nil where nobody decided.
	Verdict *policy.Record
	// Trace is Verdict's, decoded.
	Trace *policy.Trace
	// At is as of when it is known: the time of the scan's results.
	At time.Time
	// Tool is the version of this tool, and Author who says what is exported as VEX.
	Tool, Author string
}

// Subjects are what statements about the scan are about: the image by the digest of its
// manifest, and of its configuration where that is another name, and a document that
// was made of it by its name and digest. The index of several platforms is not among
// them: what is said of one is not said of the others.
func (m *Material) Subjects(name, digest string) ([]intoto.Subject, error) {
	var out []intoto.Subject
	var err error
	add := func(name, digest string) {
		if err != nil || digest == "" {
			return
		}
		var s intoto.Subject
		if s, err = intoto.NewSubject(name, digest); err == nil {
			out = append(out, s)
		}
	}
	if s := m.Document.Source; s != nil {
		add(m.Image, s.Manifest)
	}
	add("config", m.Document.Subject.ConfigDigest)
	add(name, digest)
	if err == nil && len(out) == 0 {
		err = fmt.Errorf("nothing about it has a digest: %w", fault.Invalid)
	}
	return out, err
}

// sbomFormats are the names of formats of documents that tell what is inside.
var sbomFormats = map[Format]string{SPDX: format.SPDXJSON, CycloneDX: format.CycloneDXJSON}

// sbomFormat returns the format of exports that documents of a name are, or "".
func sbomFormat(name string) Format {
	for f, n := range sbomFormats {
		if n == name {
			return f
		}
	}
	return ""
}

// SBOM returns the document in a format: as it is kept, or else as it is written of the
// neutral one, which gives the same bytes.
func (m *Material) SBOM(f Format) ([]byte, error) {
	name, ok := sbomFormats[f]
	if !ok {
		return nil, fmt.Errorf("format %.80q tells not what is inside: %w", f, fault.Unsupported)
	}
	if text := m.Kept[f]; text != nil {
		return text, nil
	}
	var b bytes.Buffer
	if _, err := format.Encode(&b, m.Document, name, nil); err != nil {
		return nil, fmt.Errorf("write the SBOM as %s: %w", f, err)
	}
	return b.Bytes(), nil
}

// decided returns an error where there is no verdict.
func (m *Material) decided() error {
	if m.Verdict == nil || m.Trace == nil {
		return fmt.Errorf("nobody has decided about it: %w", fault.NotFound)
	}
	if got := sum.Of(m.Verdict.Body); got != m.Verdict.Digest {
		return &fault.MismatchError{What: "digest of the verdict", Want: m.Verdict.Digest, Got: got}
	}
	return nil
}

// findings are those of the report, none without one.
func (m *Material) findings() []finding.Finding {
	if m.Report == nil {
		return nil
	}
	return m.Report.Findings
}

// Formats returns all formats in their order.
func Formats() []Format {
	return []Format{SPDX, CycloneDX, SARIF, JUnit, CSV, OpenVEX, CSAF, Evidence}
}

// Known reports whether f is one of the formats.
func (f Format) Known() bool { return slices.Contains(Formats(), f) }

// Decision reports whether exports of the format tell what was decided, and so follow
// from a verdict and the findings beside the SBOM.
func (f Format) Decision() bool { return f != SPDX && f != CycloneDX }

// MediaType returns the media type of the documents of a format.
func (f Format) MediaType() string {
	switch f {
	case SPDX, CycloneDX:
		return format.MediaType(sbomFormats[f])
	case SARIF:
		return "application/sarif+json"
	case JUnit:
		return "application/xml"
	case CSV:
		return "text/csv; charset=utf-8"
	case Evidence:
		return MediaTypeBundle
	}
	return "application/json"
}

// MediaTypeBundle is that of signed statements, as JSON Lines.
const MediaTypeBundle = "application/vnd.in-toto+json"

// fileNames are the names of files of a format's documents.
var fileNames = map[Format]string{
	SPDX: "sbom.spdx.json", CycloneDX: "sbom.cdx.json", SARIF: "verdict.sarif.json", JUnit: "verdict.junit.xml", CSV: "verdict.csv", OpenVEX: "vex.openvex.json", CSAF: "vex.csaf.json",
	Evidence: "bundle.jsonl",
}

// FileName returns the name of a file of the format's documents, such as
// "sbom.spdx.json".
func (f Format) FileName() string { return fileNames[f] }
