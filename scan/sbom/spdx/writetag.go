package spdx

import (
	"bufio"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/stella-ops/stella/scan/sbom"
)

// writeTagValue writes the tag-value form and returns what it cannot carry. Files
// stand after the package that lists them in hasFiles first; other such entries
// become CONTAINS relationships, documentDescribes becomes DESCRIBES.
func writeTagValue(out io.Writer, w *document) ([]sbom.Loss, error) {
	t := &tagWriter{out: bufio.NewWriterSize(out, 64<<10), w: w, owned: map[string][]*fileElement{}, files: map[string]*fileElement{}}
	unknownMembers(reflect.ValueOf(w), "document", &t.losses)
	t.assignFiles()
	t.document()
	for i := range w.Files {
		if f := &w.Files[i]; t.files[f.SPDXID] != nil {
			t.file(f)
		}
	}
	for i := range w.Packages {
		t.pkg(&w.Packages[i])
	}
	for i := range w.Snippets {
		t.snippet(&w.Snippets[i])
	}
	for i := range w.Licenses {
		t.license(&w.Licenses[i])
	}
	t.relationships()
	t.annotations()
	for _, r := range w.Reviews {
		t.section("Review")
		t.value("Reviewer", text(r.Reviewer))
		t.value("ReviewDate", r.Date)
		t.optional("ReviewComment", r.Comment)
	}
	if err := t.out.Flush(); err != nil {
		return nil, fmt.Errorf("encode SPDX: %w", err)
	}
	return t.losses, nil
}

// tagWriter writes tags. Errors of the writer show in its last Flush.
type tagWriter struct {
	out    *bufio.Writer
	w      *document
	losses []sbom.Loss
	files  map[string]*fileElement   // without a package, by SPDXID
	owned  map[string][]*fileElement // by the SPDXID of their package
	extra  []relationship            // from hasFiles and documentDescribes
}

// value writes one tag. What would not survive as a bare line is a text.
func (t *tagWriter) value(tag, value string) {
	t.out.WriteString(tag)
	t.out.WriteString(": ")
	if strings.Contains(value, "\n") || strings.TrimSpace(value) != value || strings.HasPrefix(value, textOpen) {
		t.out.WriteString(textOpen)
		t.out.WriteString(value)
		t.out.WriteString(textClose)
	} else {
		t.out.WriteString(value)
	}
	t.out.WriteByte('\n')
}

func (t *tagWriter) optional(tag string, value *string) {
	if value != nil {
		t.value(tag, *value)
	}
}

func (t *tagWriter) each(tag string, values []string) {
	for _, v := range values {
		t.value(tag, v)
	}
}

// section starts an element.
func (t *tagWriter) section(title string) {
	t.out.WriteString("\n##### ")
	t.out.WriteString(strings.Map(func(r rune) rune {
		if r == '\n' {
			return ' '
		}
		return r
	}, title))
	t.out.WriteString("\n\n")
}

func (t *tagWriter) lose(where, format string, args ...any) {
	t.losses = append(t.losses, sbom.Loss{Where: where, What: fmt.Sprintf(format, args...) + ": tag-value cannot carry it"})
}

// assignFiles finds the place of each file.
func (t *tagWriter) assignFiles() {
	for i := range t.w.Files {
		t.files[t.w.Files[i].SPDXID] = &t.w.Files[i]
	}
	for i := range t.w.Packages {
		p := &t.w.Packages[i]
		for _, id := range p.HasFiles {
			if f := t.files[id]; f != nil {
				t.owned[p.SPDXID] = append(t.owned[p.SPDXID], f)
				delete(t.files, id)
			} else {
				t.extra = append(t.extra, relationship{From: p.SPDXID, Type: "CONTAINS", To: id})
			}
		}
	}
	for _, id := range t.w.Describes {
		t.extra = append(t.extra, relationship{From: text(t.w.SPDXID), Type: "DESCRIBES", To: id})
	}
}

func (t *tagWriter) document() {
	w := t.w
	t.optional("SPDXVersion", w.SPDXVersion)
	t.optional("DataLicense", w.DataLicense)
	t.optional("SPDXID", w.SPDXID)
	t.optional("DocumentName", w.Name)
	t.optional("DocumentNamespace", w.Namespace)
	for _, ref := range w.ExternalDocuments {
		s := ref.ID + " " + ref.Document
		if ref.Checksum != nil {
			s += " " + ref.Checksum.Algorithm + ": " + ref.Checksum.Value
		}
		if again, err := parseExternalDocument(s); err != nil || strings.Contains(s, "\n") || ref.Checksum == nil ||
			again.ID != ref.ID || again.Document != ref.Document || again.Checksum.Value != ref.Checksum.Value {
			t.lose("document", "the external document reference %.100q", s)
			continue
		}
		t.value("ExternalDocumentRef", s)
	}
	t.optional("DocumentComment", w.Comment)
	if c := w.CreationInfo; c != nil {
		t.optional("LicenseListVersion", c.LicenseListVersion)
		t.each("Creator", c.Creators)
		t.optional("Created", c.Created)
		t.optional("CreatorComment", c.Comment)
	}
}

func (t *tagWriter) pkg(p *packageElement) {
	t.section("Package: " + text(p.Name))
	t.value("PackageName", text(p.Name))
	t.value("SPDXID", p.SPDXID)
	t.optional("PackageVersion", p.Version)
	t.optional("PackageFileName", p.FileName)
	t.optional("PackageSupplier", p.Supplier)
	t.optional("PackageOriginator", p.Originator)
	t.optional("PackageDownloadLocation", p.Download)
	if p.Purpose != nil {
		t.value("PrimaryPackagePurpose", strings.ReplaceAll(*p.Purpose, "_", "-")) // as the specification spells it
	}
	t.optional("ReleaseDate", p.ReleaseDate)
	t.optional("BuiltDate", p.BuiltDate)
	t.optional("ValidUntilDate", p.ValidUntilDate)
	if p.FilesAnalyzed != nil {
		t.value("FilesAnalyzed", strconv.FormatBool(*p.FilesAnalyzed))
	}
	t.verificationCode(p)
	t.checksums("PackageChecksum", p.SPDXID, p.Checksums)
	t.optional("PackageHomePage", p.Homepage)
	t.optional("PackageSourceInfo", p.SourceInfo)
	t.optional("PackageLicenseConcluded", p.LicenseConcluded)
	t.each("PackageLicenseInfoFromFiles", p.LicenseFromFiles)
	t.optional("PackageLicenseDeclared", p.LicenseDeclared)
	t.optional("PackageLicenseComments", p.LicenseComments)
	t.optional("PackageCopyrightText", p.Copyright)
	t.optional("PackageSummary", p.Summary)
	t.optional("PackageDescription", p.Description)
	t.optional("PackageComment", p.Comment)
	for _, r := range p.ExternalRefs {
		s := r.Category + " " + r.Type + " " + r.Locator
		if again, err := parseExternalRef(s); err != nil || strings.Contains(s, "\n") || again.Category != r.Category || again.Type != r.Type || again.Locator != r.Locator {
			t.lose(p.SPDXID, "the external reference %.100q", s)
			continue
		}
		t.value("ExternalRef", s)
		t.optional("ExternalRefComment", r.Comment)
	}
	t.each("PackageAttributionText", p.Attributions)
	for _, f := range t.owned[p.SPDXID] {
		t.file(f)
	}
}

func (t *tagWriter) verificationCode(p *packageElement) {
	v := p.VerificationCode
	if v == nil {
		return
	}
	s := v.Value
	if len(v.Excluded) > 0 {
		s += " (excludes: " + strings.Join(v.Excluded, ", ") + ")"
	}
	if again := parseVerificationCode(s); again.Value != v.Value || !slices.Equal(again.Excluded, v.Excluded) || strings.Contains(s, "\n") {
		t.lose(p.SPDXID, "the names of files that the verification code excludes")
		s = v.Value
	}
	t.value("PackageVerificationCode", s)
}

func (t *tagWriter) checksums(tag, where string, list []checksum) {
	for _, c := range list {
		s := c.Algorithm + ": " + c.Value
		var again []checksum
		if err := addChecksum(&again, s); err != nil || strings.Contains(s, "\n") || again[0].Algorithm != c.Algorithm || again[0].Value != c.Value {
			t.lose(where, "the checksum %.100q", s)
			continue
		}
		t.value(tag, s)
	}
}
