package spdx

// The types of this file mirror those classes and properties of SPDX 3.0.1 that
// are written, under the names of its JSON-LD context.

// context3 is the context of SPDX 3.0.1. It is named, never fetched.
const context3 = "https://spdx.org/rdf/3.0.1/spdx-context.jsonld"

// graph3 is a document: all its elements.
type graph3 struct {
	Context string      `json:"@context"`
	Graph   []*element3 `json:"@graph"`
}

// element3 is an element of any class, or a CreationInfo.
type element3 struct {
	ID           string `json:"spdxId,omitzero"`
	BlankID      string `json:"@id,omitzero"`
	Type         string `json:"type"`
	CreationInfo string `json:"creationInfo,omitzero"`

	// CreationInfo
	SpecVersion  string   `json:"specVersion,omitzero"`
	Created      string   `json:"created,omitzero"`
	CreatedBy    []string `json:"createdBy,omitzero"`
	CreatedUsing []string `json:"createdUsing,omitzero"`

	// Element, Artifact
	Name                string        `json:"name,omitzero"`
	Summary             string        `json:"summary,omitzero"`
	Description         string        `json:"description,omitzero"`
	Comment             string        `json:"comment,omitzero"`
	VerifiedUsing       []hash3       `json:"verifiedUsing,omitzero"`
	ExternalIdentifiers []identifier3 `json:"externalIdentifier,omitzero"`
	ExternalRefs        []ref3        `json:"externalRef,omitzero"`
	SuppliedBy          string        `json:"suppliedBy,omitzero"`
	OriginatedBy        []string      `json:"originatedBy,omitzero"`
	ReleaseTime         string        `json:"releaseTime,omitzero"`
	BuiltTime           string        `json:"builtTime,omitzero"`
	ValidUntilTime      string        `json:"validUntilTime,omitzero"`

	// software
	Version      string   `json:"software_packageVersion,omitzero"`
	PackageURL   string   `json:"software_packageUrl,omitzero"`
	Download     string   `json:"software_downloadLocation,omitzero"`
	Homepage     string   `json:"software_homePage,omitzero"`
	SourceInfo   string   `json:"software_sourceInfo,omitzero"`
	Copyright    string   `json:"software_copyrightText,omitzero"`
	Attributions []string `json:"software_attributionText,omitzero"`
	Purpose      string   `json:"software_primaryPurpose,omitzero"`
	SnippetFile  string   `json:"software_snippetFromFile,omitzero"`
	ByteRange    *range3  `json:"software_byteRange,omitzero"`
	LineRange    *range3  `json:"software_lineRange,omitzero"`

	// Relationship, LifecycleScopedRelationship
	From             string   `json:"from,omitzero"`
	RelationshipType string   `json:"relationshipType,omitzero"`
	To               []string `json:"to,omitzero"`
	Scope            string   `json:"scope,omitzero"`

	// Annotation
	AnnotationType string `json:"annotationType,omitzero"`
	Subject        string `json:"subject,omitzero"`
	Statement      string `json:"statement,omitzero"`
	ContentType    string `json:"contentType,omitzero"`

	// simplelicensing
	Expression  string   `json:"simplelicensing_licenseExpression,omitzero"`
	ListVersion string   `json:"simplelicensing_licenseListVersion,omitzero"`
	CustomIDs   []entry3 `json:"simplelicensing_customIdToUri,omitzero"`
	LicenseText string   `json:"simplelicensing_licenseText,omitzero"`

	// SpdxDocument, software_Sbom
	Profiles     []string `json:"profileConformance,omitzero"`
	DataLicense  string   `json:"dataLicense,omitzero"`
	Imports      []map3   `json:"import,omitzero"`
	RootElements []string `json:"rootElement,omitzero"`
	Elements     []string `json:"element,omitzero"`
}

// hash3 is a Hash or a PackageVerificationCode.
type hash3 struct {
	Type      string   `json:"type"`
	Algorithm string   `json:"algorithm"`
	Value     string   `json:"hashValue"`
	Excluded  []string `json:"packageVerificationCodeExcludedFile,omitzero"`
}

type identifier3 struct {
	Type       string `json:"type"` // ExternalIdentifier
	Kind       string `json:"externalIdentifierType"`
	Identifier string `json:"identifier"`
	Comment    string `json:"comment,omitzero"`
}

type ref3 struct {
	Type    string   `json:"type"` // ExternalRef
	Kind    string   `json:"externalRefType"`
	Locator []string `json:"locator"`
	Comment string   `json:"comment,omitzero"`
}

type range3 struct {
	Type  string `json:"type"` // PositiveIntegerRange
	Begin int64  `json:"beginIntegerRange"`
	End   int64  `json:"endIntegerRange"`
}

type entry3 struct {
	Type  string `json:"type"` // DictionaryEntry
	Key   string `json:"key"`
	Value string `json:"value"`
}

type map3 struct {
	Type     string  `json:"type"` // ExternalMap
	ID       string  `json:"externalSpdxId"`
	Location string  `json:"locationHint,omitzero"`
	Verified []hash3 `json:"verifiedUsing,omitzero"`
}

// lifecycle3 is how a relationship type of SPDX 2 reads in SPDX 3.
type lifecycle3 struct {
	kind     string
	reversed bool
	scope    string // of a LifecycleScopedRelationship
}

// relationships3 are the relationship types of SPDX 2.3. DESCRIBES and DESCRIBED_BY
// become root elements.
var relationships3 = map[string]lifecycle3{
	"AMENDS":                      {"amendedBy", true, ""},
	"ANCESTOR_OF":                 {"ancestorOf", false, ""},
	"BUILD_DEPENDENCY_OF":         {"dependsOn", true, "build"},
	"BUILD_TOOL_OF":               {"usesTool", true, "build"},
	"CONTAINED_BY":                {"contains", true, ""},
	"CONTAINS":                    {"contains", false, ""},
	"COPY_OF":                     {"copiedTo", true, ""},
	"DATA_FILE_OF":                {"hasDataFile", true, ""},
	"DEPENDENCY_MANIFEST_OF":      {"hasDependencyManifest", true, ""},
	"DEPENDENCY_OF":               {"dependsOn", true, ""},
	"DEPENDS_ON":                  {"dependsOn", false, ""},
	"DESCENDANT_OF":               {"descendantOf", false, ""},
	"DEV_DEPENDENCY_OF":           {"dependsOn", true, "development"},
	"DEV_TOOL_OF":                 {"usesTool", true, "development"},
	"DISTRIBUTION_ARTIFACT":       {"hasDistributionArtifact", false, ""},
	"DOCUMENTATION_OF":            {"hasDocumentation", true, ""},
	"DYNAMIC_LINK":                {"hasDynamicLink", false, ""},
	"EXAMPLE_OF":                  {"hasExample", true, ""},
	"EXPANDED_FROM_ARCHIVE":       {"expandsTo", true, ""},
	"FILE_ADDED":                  {"hasAddedFile", true, ""},
	"FILE_DELETED":                {"hasDeletedFile", true, ""},
	"FILE_MODIFIED":               {"modifiedBy", true, ""},
	"GENERATED_FROM":              {"generates", true, ""},
	"GENERATES":                   {"generates", false, ""},
	"HAS_PREREQUISITE":            {"hasPrerequisite", false, ""},
	"METAFILE_OF":                 {"hasMetadata", true, ""},
	"OPTIONAL_COMPONENT_OF":       {"hasOptionalComponent", true, ""},
	"OPTIONAL_DEPENDENCY_OF":      {"hasOptionalDependency", true, ""},
	"OTHER":                       {"other", false, ""},
	"PACKAGE_OF":                  {"packagedBy", true, ""},
	"PATCH_APPLIED":               {"patchedBy", true, ""},
	"PATCH_FOR":                   {"patchedBy", true, ""},
	"PREREQUISITE_FOR":            {"hasPrerequisite", true, ""},
	"PROVIDED_DEPENDENCY_OF":      {"hasProvidedDependency", true, ""},
	"REQUIREMENT_DESCRIPTION_FOR": {"hasRequirement", true, ""},
	"RUNTIME_DEPENDENCY_OF":       {"dependsOn", true, "runtime"},
	"SPECIFICATION_FOR":           {"hasSpecification", true, ""},
	"STATIC_LINK":                 {"hasStaticLink", false, ""},
	"TEST_CASE_OF":                {"hasTestCase", true, ""},
	"TEST_DEPENDENCY_OF":          {"dependsOn", true, "test"},
	"TEST_OF":                     {"hasTest", true, ""},
	"TEST_TOOL_OF":                {"usesTool", true, "test"},
	"VARIANT_OF":                  {"hasVariant", true, ""},
}

// purposes3 are the purposes whose names are not just in lower case.
var purposes3 = map[string]string{"OPERATING_SYSTEM": "operatingSystem", "OPERATING-SYSTEM": "operatingSystem"}

// identifiers3 and refs3 are the types of external references of SPDX 2.3.
var (
	identifiers3 = map[string]string{"purl": "packageUrl", "cpe23Type": "cpe23", "cpe22Type": "cpe22", "swid": "swid", "swh": "swhid", "gitoid": "gitoid"}
	refs3        = map[string]string{"advisory": "securityAdvisory", "fix": "securityFix", "url": "securityOther",
		"maven-central": "mavenCentral", "npm": "npm", "nuget": "nuget", "bower": "bower"}
)
