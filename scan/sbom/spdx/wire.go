package spdx

//lint:file-ignore SA5008 staticcheck does not know the tag option "embed" of JSON v2 yet

import "github.com/go-json-experiment/json/jsontext"

// The wire types mirror the JSON form of SPDX 2.3, which is a superset of 2.2.
// Scalars that may be absent are pointers, because a member that is there and
// empty is not the same as one that is absent, and lists that are there and
// empty are not nil. What the specification does not name is kept in Rest. The
// tag-value and YAML forms are read into the same types.

// document is a whole document.
type document struct {
	SPDXVersion       *string               `json:"spdxVersion,omitzero"`
	DataLicense       *string               `json:"dataLicense,omitzero"`
	SPDXID            *string               `json:"SPDXID,omitzero"`
	Name              *string               `json:"name,omitzero"`
	Namespace         *string               `json:"documentNamespace,omitzero"`
	Comment           *string               `json:"comment,omitzero"`
	CreationInfo      *creationInfo         `json:"creationInfo,omitzero"`
	ExternalDocuments []externalDocumentRef `json:"externalDocumentRefs,omitzero"`
	Describes         []string              `json:"documentDescribes,omitzero"`
	Packages          []packageElement      `json:"packages,omitzero"`
	Files             []fileElement         `json:"files,omitzero"`
	Snippets          []snippetElement      `json:"snippets,omitzero"`
	Licenses          []extractedLicense    `json:"hasExtractedLicensingInfos,omitzero"`
	Relationships     []relationship        `json:"relationships,omitzero"`
	Annotations       []annotation          `json:"annotations,omitzero"`
	Reviews           []review              `json:"revieweds,omitzero"`
	Rest              jsontext.Value        `json:",embed"`

	ext      *extension // of our own annotations, see extension.go
	notes    []note     // of irregularities met while reading
	tagValue bool       // read from the tag-value form
}

// note is a tolerated irregularity.
type note struct{ where, what string }

type creationInfo struct {
	Created            *string        `json:"created,omitzero"`
	Creators           []string       `json:"creators,omitzero"`
	LicenseListVersion *string        `json:"licenseListVersion,omitzero"`
	Comment            *string        `json:"comment,omitzero"`
	Rest               jsontext.Value `json:",embed"`
}

type externalDocumentRef struct {
	ID       string         `json:"externalDocumentId,omitzero"`
	Document string         `json:"spdxDocument,omitzero"`
	Checksum *checksum      `json:"checksum,omitzero"`
	Rest     jsontext.Value `json:",embed"`
}

type checksum struct {
	Algorithm string         `json:"algorithm,omitzero"`
	Value     string         `json:"checksumValue,omitzero"`
	Rest      jsontext.Value `json:",embed"`
}

type annotation struct {
	Date      string         `json:"annotationDate,omitzero"`
	Type      string         `json:"annotationType,omitzero"`
	Annotator string         `json:"annotator,omitzero"`
	Comment   string         `json:"comment,omitzero"`
	Rest      jsontext.Value `json:",embed"`
}

type review struct {
	Date     string         `json:"reviewDate,omitzero"`
	Reviewer *string        `json:"reviewer,omitzero"`
	Comment  *string        `json:"comment,omitzero"`
	Rest     jsontext.Value `json:",embed"`
}

type relationship struct {
	From    string         `json:"spdxElementId,omitzero"`
	Type    string         `json:"relationshipType,omitzero"`
	To      string         `json:"relatedSpdxElement,omitzero"`
	Comment *string        `json:"comment,omitzero"`
	Rest    jsontext.Value `json:",embed"`
}

type packageElement struct {
	SPDXID           string            `json:"SPDXID,omitzero"`
	Name             *string           `json:"name,omitzero"`
	Version          *string           `json:"versionInfo,omitzero"`
	FileName         *string           `json:"packageFileName,omitzero"`
	Supplier         *string           `json:"supplier,omitzero"`
	Originator       *string           `json:"originator,omitzero"`
	Download         *string           `json:"downloadLocation,omitzero"`
	FilesAnalyzed    *bool             `json:"filesAnalyzed,omitzero"`
	VerificationCode *verificationCode `json:"packageVerificationCode,omitzero"`
	Checksums        []checksum        `json:"checksums,omitzero"`
	Homepage         *string           `json:"homepage,omitzero"`
	SourceInfo       *string           `json:"sourceInfo,omitzero"`
	LicenseConcluded *string           `json:"licenseConcluded,omitzero"`
	LicenseFromFiles []string          `json:"licenseInfoFromFiles,omitzero"`
	LicenseDeclared  *string           `json:"licenseDeclared,omitzero"`
	LicenseComments  *string           `json:"licenseComments,omitzero"`
	Copyright        *string           `json:"copyrightText,omitzero"`
	Summary          *string           `json:"summary,omitzero"`
	Description      *string           `json:"description,omitzero"`
	Comment          *string           `json:"comment,omitzero"`
	ExternalRefs     []externalRef     `json:"externalRefs,omitzero"`
	Attributions     []string          `json:"attributionTexts,omitzero"`
	Purpose          *string           `json:"primaryPackagePurpose,omitzero"`
	ReleaseDate      *string           `json:"releaseDate,omitzero"`
	BuiltDate        *string           `json:"builtDate,omitzero"`
	ValidUntilDate   *string           `json:"validUntilDate,omitzero"`
	HasFiles         []string          `json:"hasFiles,omitzero"`
	Annotations      []annotation      `json:"annotations,omitzero"`
	Rest             jsontext.Value    `json:",embed"`

	ext  *extension // of our own annotations
	line int        // of the tag-value form
}

type verificationCode struct {
	Value    string         `json:"packageVerificationCodeValue,omitzero"`
	Excluded []string       `json:"packageVerificationCodeExcludedFiles,omitzero"`
	Rest     jsontext.Value `json:",embed"`
}

type externalRef struct {
	Category string         `json:"referenceCategory,omitzero"`
	Type     string         `json:"referenceType,omitzero"`
	Locator  string         `json:"referenceLocator,omitzero"`
	Comment  *string        `json:"comment,omitzero"`
	Rest     jsontext.Value `json:",embed"`
}

type fileElement struct {
	SPDXID           string         `json:"SPDXID,omitzero"`
	Name             *string        `json:"fileName,omitzero"`
	Types            []string       `json:"fileTypes,omitzero"`
	Checksums        []checksum     `json:"checksums,omitzero"`
	LicenseConcluded *string        `json:"licenseConcluded,omitzero"`
	LicenseInfo      []string       `json:"licenseInfoInFiles,omitzero"`
	LicenseComments  *string        `json:"licenseComments,omitzero"`
	Copyright        *string        `json:"copyrightText,omitzero"`
	Comment          *string        `json:"comment,omitzero"`
	Notice           *string        `json:"noticeText,omitzero"`
	Contributors     []string       `json:"fileContributors,omitzero"`
	Dependencies     []string       `json:"fileDependencies,omitzero"`
	Attributions     []string       `json:"attributionTexts,omitzero"`
	ArtifactOfs      jsontext.Value `json:"artifactOfs,omitzero"`
	Annotations      []annotation   `json:"annotations,omitzero"`
	Rest             jsontext.Value `json:",embed"`

	line int // of the tag-value form
}

type snippetElement struct {
	SPDXID           string         `json:"SPDXID,omitzero"`
	Name             *string        `json:"name,omitzero"`
	File             *string        `json:"snippetFromFile,omitzero"`
	Ranges           []snippetRange `json:"ranges,omitzero"`
	LicenseConcluded *string        `json:"licenseConcluded,omitzero"`
	LicenseInfo      []string       `json:"licenseInfoInSnippets,omitzero"`
	LicenseComments  *string        `json:"licenseComments,omitzero"`
	Copyright        *string        `json:"copyrightText,omitzero"`
	Comment          *string        `json:"comment,omitzero"`
	Attributions     []string       `json:"attributionTexts,omitzero"`
	Annotations      []annotation   `json:"annotations,omitzero"`
	Rest             jsontext.Value `json:",embed"`

	line int
}

type snippetRange struct {
	Start pointer        `json:"startPointer"`
	End   pointer        `json:"endPointer"`
	Rest  jsontext.Value `json:",embed"`
}

type pointer struct {
	Reference string         `json:"reference,omitzero"`
	Offset    *int64         `json:"offset,omitzero"`
	Line      *int64         `json:"lineNumber,omitzero"`
	Rest      jsontext.Value `json:",embed"`
}

type extractedLicense struct {
	ID        string         `json:"licenseId,omitzero"`
	Text      *string        `json:"extractedText,omitzero"`
	Name      *string        `json:"name,omitzero"`
	SeeAlsos  []string       `json:"seeAlsos,omitzero"`
	Comment   *string        `json:"comment,omitzero"`
	CrossRefs jsontext.Value `json:"crossRefs,omitzero"`
	Rest      jsontext.Value `json:",embed"`

	line int
}

// text returns what p points to, or "".
func text(p *string) string {
	if p == nil {
		return ""
	}
	return *p
}

// asserted returns what p says: "" where it is absent or says that nothing is
// said ("NOASSERTION") or that there is nothing ("NONE").
func asserted(p *string) string {
	if s := text(p); s != noAssertion && s != none {
		return s
	}
	return ""
}

// The words of the specification for "nothing is said" and "there is none".
const (
	noAssertion = "NOASSERTION"
	none        = "NONE"
)
