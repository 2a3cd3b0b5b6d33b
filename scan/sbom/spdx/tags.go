package spdx

import "strings"

// tags are the tags of SPDX 2.2 and 2.3 with what they do; those of files,
// snippets, licences and reviews are in tagsfile.go.
var tags = join(documentTags, packageTags, fileTags, snippetTags, licenseTags, annotationTags)

func join(tables ...map[string]tagFunc) map[string]tagFunc {
	all := map[string]tagFunc{}
	for _, t := range tables {
		for tag, f := range t {
			all[tag] = f
		}
	}
	return all
}

var documentTags = map[string]tagFunc{
	"SPDXVersion":        scalar(inDocument, func(d *document) **string { return &d.SPDXVersion }),
	"DataLicense":        scalar(inDocument, func(d *document) **string { return &d.DataLicense }),
	"SPDXID":             takeID,
	"DocumentName":       scalar(inDocument, func(d *document) **string { return &d.Name }),
	"DocumentNamespace":  scalar(inDocument, func(d *document) **string { return &d.Namespace }),
	"DocumentComment":    scalar(inDocument, func(d *document) **string { return &d.Comment }),
	"Creator":            list(inCreation, func(c *creationInfo) *[]string { return &c.Creators }),
	"Created":            scalar(inCreation, func(c *creationInfo) **string { return &c.Created }),
	"CreatorComment":     scalar(inCreation, func(c *creationInfo) **string { return &c.Comment }),
	"LicenseListVersion": scalar(inCreation, func(c *creationInfo) **string { return &c.LicenseListVersion }),
	"ExternalDocumentRef": func(t *tagReader, value string) error {
		ref, err := parseExternalDocument(value)
		t.w.ExternalDocuments = append(t.w.ExternalDocuments, ref)
		return err
	},
	"Relationship": begin(func(t *tagReader) *[]relationship { return &t.w.Relationships },
		func(t *tagReader) **relationship { return &t.relationship }, takeRelationship),
	"RelationshipComment": scalar(func(t *tagReader) *relationship { return t.relationship },
		func(r *relationship) **string { return &r.Comment }),
}

var packageTags = map[string]tagFunc{
	"PackageName": begin(func(t *tagReader) *[]packageElement { return &t.w.Packages },
		func(t *tagReader) **packageElement { return &t.pkg },
		func(t *tagReader, p *packageElement, value string) error {
			p.Name, p.line = &value, t.line
			t.id, t.file, t.ref = &p.SPDXID, nil, nil
			return nil
		}),
	"PackageVersion":          scalar(inPackage, func(p *packageElement) **string { return &p.Version }),
	"PackageFileName":         scalar(inPackage, func(p *packageElement) **string { return &p.FileName }),
	"PackageSupplier":         scalar(inPackage, func(p *packageElement) **string { return &p.Supplier }),
	"PackageOriginator":       scalar(inPackage, func(p *packageElement) **string { return &p.Originator }),
	"PackageDownloadLocation": scalar(inPackage, func(p *packageElement) **string { return &p.Download }),
	"FilesAnalyzed": func(t *tagReader, value string) error {
		if t.pkg == nil || t.pkg.FilesAnalyzed != nil || value != "true" && value != "false" {
			return bad("it is %.20q, or given twice, or before a package", value)
		}
		analyzed := value == "true"
		t.pkg.FilesAnalyzed = &analyzed
		return nil
	},
	"PackageVerificationCode": func(t *tagReader, value string) error {
		if t.pkg == nil || t.pkg.VerificationCode != nil {
			return bad("it is given twice, or before a package")
		}
		t.pkg.VerificationCode = parseVerificationCode(value)
		return nil
	},
	"PackageChecksum": func(t *tagReader, value string) error {
		if t.pkg == nil {
			return bad("it is given before a package")
		}
		return addChecksum(&t.pkg.Checksums, value)
	},
	"PackageHomePage":             scalar(inPackage, func(p *packageElement) **string { return &p.Homepage }),
	"PackageSourceInfo":           scalar(inPackage, func(p *packageElement) **string { return &p.SourceInfo }),
	"PackageLicenseConcluded":     scalar(inPackage, func(p *packageElement) **string { return &p.LicenseConcluded }),
	"PackageLicenseInfoFromFiles": list(inPackage, func(p *packageElement) *[]string { return &p.LicenseFromFiles }),
	"PackageLicenseDeclared":      scalar(inPackage, func(p *packageElement) **string { return &p.LicenseDeclared }),
	"PackageLicenseComments":      scalar(inPackage, func(p *packageElement) **string { return &p.LicenseComments }),
	"PackageCopyrightText":        scalar(inPackage, func(p *packageElement) **string { return &p.Copyright }),
	"PackageSummary":              scalar(inPackage, func(p *packageElement) **string { return &p.Summary }),
	"PackageDescription":          scalar(inPackage, func(p *packageElement) **string { return &p.Description }),
	"PackageComment":              scalar(inPackage, func(p *packageElement) **string { return &p.Comment }),
	"PackageAttributionText":      list(inPackage, func(p *packageElement) *[]string { return &p.Attributions }),
	"PrimaryPackagePurpose": func(t *tagReader, value string) error {
		value = strings.ReplaceAll(value, "-", "_") // as the JSON form spells it
		return scalar(inPackage, func(p *packageElement) **string { return &p.Purpose })(t, value)
	},
	"ReleaseDate":    scalar(inPackage, func(p *packageElement) **string { return &p.ReleaseDate }),
	"BuiltDate":      scalar(inPackage, func(p *packageElement) **string { return &p.BuiltDate }),
	"ValidUntilDate": scalar(inPackage, func(p *packageElement) **string { return &p.ValidUntilDate }),
	"ExternalRef": func(t *tagReader, value string) error {
		if t.pkg == nil {
			return bad("it is given before a package")
		}
		ref, err := parseExternalRef(value)
		t.pkg.ExternalRefs = append(t.pkg.ExternalRefs, ref)
		t.ref = &t.pkg.ExternalRefs[len(t.pkg.ExternalRefs)-1]
		return err
	},
	"ExternalRefComment": scalar(func(t *tagReader) *externalRef { return t.ref }, func(r *externalRef) **string { return &r.Comment }),
}

var annotationTags = map[string]tagFunc{
	"Annotator": begin(func(t *tagReader) *[]tagAnnotation { return &t.annotations }, func(*tagReader) **tagAnnotation { return new(*tagAnnotation) },
		func(t *tagReader, a *tagAnnotation, value string) error {
			a.Annotator, a.line = value, t.line
			return nil
		}),
	"AnnotationDate":    annotationTag(func(a *tagAnnotation) *string { return &a.Date }),
	"AnnotationType":    annotationTag(func(a *tagAnnotation) *string { return &a.Type }),
	"AnnotationComment": annotationTag(func(a *tagAnnotation) *string { return &a.Comment }),
	"SPDXREF":           annotationTag(func(a *tagAnnotation) *string { return &a.target }),
}

func annotationTag(member func(*tagAnnotation) *string) tagFunc {
	return func(t *tagReader, value string) error {
		if len(t.annotations) == 0 {
			return bad("it is given before an Annotator")
		}
		p := member(&t.annotations[len(t.annotations)-1])
		if *p != "" {
			return bad("it is given twice")
		}
		*p = value
		return nil
	}
}
