package spdx

import (
	"fmt"
	"strings"
)

func (t *tagWriter) file(f *fileElement) {
	t.section("File: " + text(f.Name))
	t.value("FileName", text(f.Name))
	t.value("SPDXID", f.SPDXID)
	t.each("FileType", f.Types)
	t.checksums("FileChecksum", f.SPDXID, f.Checksums)
	t.optional("LicenseConcluded", f.LicenseConcluded)
	t.each("LicenseInfoInFile", f.LicenseInfo)
	t.optional("LicenseComments", f.LicenseComments)
	t.optional("FileCopyrightText", f.Copyright)
	t.optional("FileComment", f.Comment)
	t.optional("FileNotice", f.Notice)
	t.each("FileContributor", f.Contributors)
	t.each("FileAttributionText", f.Attributions)
	t.each("FileDependency", f.Dependencies)
	list, err := artifacts(f)
	if err != nil {
		t.lose(f.SPDXID, "artifactOfs")
	}
	for _, a := range list {
		t.value("ArtifactOfProjectName", a["name"])
		if s, ok := a["homePage"]; ok {
			t.value("ArtifactOfProjectHomePage", s)
		}
		if s, ok := a["projectUri"]; ok {
			t.value("ArtifactOfProjectURI", s)
		}
	}
}

func (t *tagWriter) snippet(s *snippetElement) {
	t.section("Snippet: " + text(s.Name))
	t.value("SnippetSPDXID", s.SPDXID)
	t.optional("SnippetFromFileSPDXID", s.File)
	for _, r := range s.Ranges {
		switch {
		case r.Start.Reference != text(s.File) || r.End.Reference != text(s.File):
			t.lose(s.SPDXID, "a range of another file")
		case r.Start.Offset != nil && r.End.Offset != nil && r.Start.Line == nil && r.End.Line == nil:
			t.value("SnippetByteRange", fmt.Sprintf("%d:%d", *r.Start.Offset, *r.End.Offset))
		case r.Start.Line != nil && r.End.Line != nil && r.Start.Offset == nil && r.End.Offset == nil:
			t.value("SnippetLineRange", fmt.Sprintf("%d:%d", *r.Start.Line, *r.End.Line))
		default:
			t.lose(s.SPDXID, "a range that is not of bytes or of lines alone")
		}
	}
	t.optional("SnippetLicenseConcluded", s.LicenseConcluded)
	t.each("LicenseInfoInSnippet", s.LicenseInfo)
	t.optional("SnippetLicenseComments", s.LicenseComments)
	t.optional("SnippetCopyrightText", s.Copyright)
	t.optional("SnippetComment", s.Comment)
	t.optional("SnippetName", s.Name)
	t.each("SnippetAttributionText", s.Attributions)
}

func (t *tagWriter) license(l *extractedLicense) {
	t.section("License: " + l.ID)
	t.value("LicenseID", l.ID)
	t.optional("ExtractedText", l.Text)
	t.optional("LicenseName", l.Name)
	t.each("LicenseCrossReference", l.SeeAlsos)
	t.optional("LicenseComment", l.Comment)
}

func (t *tagWriter) relationships() {
	said := make(map[string]bool, len(t.w.Relationships))
	for _, r := range t.w.Relationships {
		said[relationName(r)] = true
	}
	for _, r := range t.extra {
		if !said[relationName(r)] {
			t.relationship(r)
		}
	}
	for _, r := range t.w.Relationships {
		t.relationship(r)
	}
}

func (t *tagWriter) relationship(r relationship) {
	s := r.From + " " + r.Type + " " + r.To
	if words := strings.Fields(s); len(words) != 3 || words[0] != r.From || words[1] != r.Type || strings.Contains(s, "\n") {
		t.lose(relationName(r), "the relationship")
		return
	}
	t.out.WriteByte('\n')
	t.value("Relationship", s)
	t.optional("RelationshipComment", r.Comment)
}

func (t *tagWriter) annotations() {
	t.annotated(text(t.w.SPDXID), t.w.Annotations)
	for i := range t.w.Packages {
		t.annotated(t.w.Packages[i].SPDXID, t.w.Packages[i].Annotations)
	}
	for i := range t.w.Files {
		t.annotated(t.w.Files[i].SPDXID, t.w.Files[i].Annotations)
	}
	for i := range t.w.Snippets {
		t.annotated(t.w.Snippets[i].SPDXID, t.w.Snippets[i].Annotations)
	}
}

func (t *tagWriter) annotated(id string, list []annotation) {
	for _, a := range list {
		t.out.WriteByte('\n')
		t.value("Annotator", a.Annotator)
		t.value("AnnotationDate", a.Date)
		t.value("AnnotationType", a.Type)
		t.value("SPDXREF", id)
		t.value("AnnotationComment", a.Comment)
	}
}
