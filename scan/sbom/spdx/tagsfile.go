package spdx

import (
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
)

var fileTags = map[string]tagFunc{
	"FileName": begin(func(t *tagReader) *[]fileElement { return &t.w.Files }, func(t *tagReader) **fileElement { return &t.file },
		func(t *tagReader, f *fileElement, value string) error {
			f.Name, f.line = &value, t.line
			t.id = &f.SPDXID
			return nil
		}),
	"FileType": list(inFile, func(f *fileElement) *[]string { return &f.Types }),
	"FileChecksum": func(t *tagReader, value string) error {
		if t.file == nil {
			return bad("it is given before a file")
		}
		return addChecksum(&t.file.Checksums, value)
	},
	"LicenseConcluded":          scalar(inFile, func(f *fileElement) **string { return &f.LicenseConcluded }),
	"LicenseInfoInFile":         list(inFile, func(f *fileElement) *[]string { return &f.LicenseInfo }),
	"LicenseComments":           scalar(inFile, func(f *fileElement) **string { return &f.LicenseComments }),
	"FileCopyrightText":         scalar(inFile, func(f *fileElement) **string { return &f.Copyright }),
	"FileComment":               scalar(inFile, func(f *fileElement) **string { return &f.Comment }),
	"FileNotice":                scalar(inFile, func(f *fileElement) **string { return &f.Notice }),
	"FileContributor":           list(inFile, func(f *fileElement) *[]string { return &f.Contributors }),
	"FileAttributionText":       list(inFile, func(f *fileElement) *[]string { return &f.Attributions }),
	"FileDependency":            list(inFile, func(f *fileElement) *[]string { return &f.Dependencies }),
	"ArtifactOfProjectName":     artifactTag("name"),
	"ArtifactOfProjectHomePage": artifactTag("homePage"),
	"ArtifactOfProjectURI":      artifactTag("projectUri"),
}

// artifactTag adds a member to the project that a file is an artifact of; a name
// starts a new one. The tags are deprecated and rare.
func artifactTag(member string) tagFunc {
	return func(t *tagReader, value string) error {
		if t.file == nil {
			return bad("it is given before a file")
		}
		list, err := artifacts(t.file)
		if err != nil {
			return err
		}
		if member == "name" || len(list) == 0 {
			list = append(list, map[string]string{})
		}
		list[len(list)-1][member] = value
		t.file.ArtifactOfs, err = json.Marshal(list, json.Deterministic(true))
		return err
	}
}

// artifacts returns the projects a file is an artifact of.
func artifacts(f *fileElement) ([]map[string]string, error) {
	var list []map[string]string
	if f.ArtifactOfs == nil {
		return nil, nil
	}
	err := json.Unmarshal(f.ArtifactOfs, &list)
	return list, err
}

var snippetTags = map[string]tagFunc{
	"SnippetSPDXID": begin(func(t *tagReader) *[]snippetElement { return &t.w.Snippets }, func(t *tagReader) **snippetElement { return &t.snippet },
		func(t *tagReader, s *snippetElement, value string) error {
			s.SPDXID, s.line = value, t.line
			return nil
		}),
	"SnippetFromFileSPDXID":   scalar(inSnippet, func(s *snippetElement) **string { return &s.File }),
	"SnippetByteRange":        rangeTag(func(p *pointer, n *int64) { p.Offset = n }),
	"SnippetLineRange":        rangeTag(func(p *pointer, n *int64) { p.Line = n }),
	"SnippetLicenseConcluded": scalar(inSnippet, func(s *snippetElement) **string { return &s.LicenseConcluded }),
	"LicenseInfoInSnippet":    list(inSnippet, func(s *snippetElement) *[]string { return &s.LicenseInfo }),
	"SnippetLicenseComments":  scalar(inSnippet, func(s *snippetElement) **string { return &s.LicenseComments }),
	"SnippetCopyrightText":    scalar(inSnippet, func(s *snippetElement) **string { return &s.Copyright }),
	"SnippetComment":          scalar(inSnippet, func(s *snippetElement) **string { return &s.Comment }),
	"SnippetName":             scalar(inSnippet, func(s *snippetElement) **string { return &s.Name }),
	"SnippetAttributionText":  list(inSnippet, func(s *snippetElement) *[]string { return &s.Attributions }),
}

// rangeTag reads "first:last".
func rangeTag(set func(*pointer, *int64)) tagFunc {
	return func(t *tagReader, value string) error {
		if t.snippet == nil {
			return bad("it is given before a snippet")
		}
		first, last, _ := strings.Cut(value, ":")
		from, err1 := strconv.ParseInt(strings.TrimSpace(first), 10, 64)
		to, err2 := strconv.ParseInt(strings.TrimSpace(last), 10, 64)
		if err1 != nil || err2 != nil {
			return bad("%.40q is not a range of numbers", value)
		}
		var r snippetRange
		set(&r.Start, &from)
		set(&r.End, &to)
		t.snippet.Ranges = append(t.snippet.Ranges, r)
		return nil
	}
}

var licenseTags = map[string]tagFunc{
	"LicenseID": begin(func(t *tagReader) *[]extractedLicense { return &t.w.Licenses }, func(t *tagReader) **extractedLicense { return &t.license },
		func(t *tagReader, l *extractedLicense, value string) error {
			l.ID, l.line = value, t.line
			return nil
		}),
	"ExtractedText":         scalar(inLicense, func(l *extractedLicense) **string { return &l.Text }),
	"LicenseName":           scalar(inLicense, func(l *extractedLicense) **string { return &l.Name }),
	"LicenseCrossReference": list(inLicense, func(l *extractedLicense) *[]string { return &l.SeeAlsos }),
	"LicenseComment":        scalar(inLicense, func(l *extractedLicense) **string { return &l.Comment }),
	"Reviewer": begin(func(t *tagReader) *[]review { return &t.w.Reviews }, func(t *tagReader) **review { return &t.review },
		func(t *tagReader, r *review, value string) error {
			r.Reviewer = &value
			return nil
		}),
	"ReviewDate": func(t *tagReader, value string) error {
		if t.review == nil || t.review.Date != "" {
			return bad("it is given twice, or before a Reviewer")
		}
		t.review.Date = value
		return nil
	},
	"ReviewComment": scalar(inReview, func(r *review) **string { return &r.Comment }),
}

// addChecksum reads "SHA1: 85ed…".
func addChecksum(list *[]checksum, value string) error {
	algorithm, digest, ok := strings.Cut(value, ":")
	if !ok {
		return bad("%.60q is not an algorithm and a digest", value)
	}
	*list = append(*list, checksum{Algorithm: strings.TrimSpace(algorithm), Value: strings.TrimSpace(digest)})
	return nil
}

// parseExternalDocument reads "DocumentRef-x https://… SHA1: 85ed…".
func parseExternalDocument(value string) (externalDocumentRef, error) {
	id, rest, _ := strings.Cut(value, " ")
	uri, sum, ok := strings.Cut(strings.TrimSpace(rest), " ")
	var sums []checksum
	if err := addChecksum(&sums, sum); !ok || err != nil {
		return externalDocumentRef{}, bad("%.60q is not an identifier, an address and a checksum", value)
	}
	return externalDocumentRef{ID: id, Document: uri, Checksum: &sums[0]}, nil
}

// parseExternalRef reads "SECURITY cpe23Type cpe:2.3:…".
func parseExternalRef(value string) (externalRef, error) {
	category, rest, _ := strings.Cut(value, " ")
	kind, locator, ok := strings.Cut(strings.TrimSpace(rest), " ")
	if !ok {
		return externalRef{}, bad("%.60q is not a category, a type and a locator", value)
	}
	return externalRef{Category: category, Type: kind, Locator: strings.TrimSpace(locator)}, nil
}

// parseVerificationCode reads "d6a7… (excludes: ./a, ./b)".
func parseVerificationCode(value string) *verificationCode {
	code, excluded, ok := strings.Cut(value, "(")
	v := &verificationCode{Value: strings.TrimSpace(code)}
	if ok {
		excluded = strings.TrimSuffix(strings.TrimSpace(excluded), ")")
		excluded = strings.TrimPrefix(strings.TrimSpace(excluded), "excludes:")
		for name := range strings.SplitSeq(excluded, ",") {
			if name = strings.TrimSpace(name); name != "" {
				v.Excluded = append(v.Excluded, name)
			}
		}
	}
	return v
}
