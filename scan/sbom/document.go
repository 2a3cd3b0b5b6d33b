// Package sbom is the neutral model of a software bill of materials: a
// Document of Packages and the Relationships between them, with what could not
// be assessed. Codecs for CycloneDX, SPDX and syft-json are sub-packages.
//
// A Document that was normalised has the same bytes in every encoding for the
// same content: identifiers are derived from content, lists are sorted, and
// nothing depends on a clock, on randomness or on the place of the input.
package sbom

// Document says what is inside one subject, usually a container image.
// The zero value is an empty document. A Document is not safe for concurrent
// modification; concurrent reads are fine.
type Document struct {
	// Name is a human name for the document; empty means the subject's name.
	Name string `json:"name,omitempty"`
	// Namespace is the identity a decoded document carried (CycloneDX
	// serialNumber, SPDX documentNamespace). Empty means: derive it from the
	// content.
	Namespace string `json:"namespace,omitempty"`
	// Created is when the subject was made, RFC 3339 in UTC with seconds, or
	// empty where it is unknown. It is never the time of the scan.
	Created string `json:"created,omitempty"`
	// Tools made the document, in the order they were given.
	Tools []Tool `json:"tools,omitempty"`
	// Subject is what the document is about.
	Subject Subject `json:"subject"`
	// Packages are sorted by ID after Normalize.
	Packages []Package `json:"packages"`
	// Relationships are sorted after Normalize; they name packages by ID and
	// the subject by its ID.
	Relationships []Relationship `json:"relationships,omitempty"`
	// Secrets are what rules for secrets found, sorted. Empty may also mean that
	// nobody looked: Tools name the rules that were used.
	Secrets []Secret `json:"secrets,omitempty"`
	// Gaps are what was seen but not assessed. Empty means that nothing known
	// was left out.
	Gaps []Gap `json:"gaps,omitempty"`
	// Composition says how the document was put together from layers; nil for
	// documents that were decoded.
	Composition *Composition `json:"composition,omitempty"`
	// Source says where the subject was read from. It is the only part that
	// differs between a registry, an archive and a layout of one image, and it
	// can be removed without changing anything else.
	Source *Source `json:"source,omitempty"`
	// Foreign holds members of a decoded document that the model has no place
	// for, restored when the same family of formats is encoded.
	Foreign Foreign `json:"foreign,omitempty"`
}

// SubjectKind says what kind of thing a document describes.
type SubjectKind string

// The kinds of subject.
const (
	SubjectImage     SubjectKind = "image"     // a container image
	SubjectDirectory SubjectKind = "directory" // a root filesystem or a project folder
	SubjectOther     SubjectKind = "other"     // anything else a decoded document describes
)

// Subject is what a document describes.
type Subject struct {
	// ID is the identifier that relationships use; set by Normalize when empty.
	ID   string      `json:"id,omitempty"`
	Kind SubjectKind `json:"kind,omitempty"`
	// Name and Version are as the user or a decoded document gave them. For an
	// image Name is the config digest: tags are part of Source.
	Name    string `json:"name,omitempty"`
	Version string `json:"version,omitempty"`
	// ConfigDigest is the image's identity ("sha256:…"); empty for others.
	ConfigDigest string `json:"config_digest,omitempty"`
	// Platform is os/architecture[/variant], as in the OCI image config.
	Platform string `json:"platform,omitempty"`
	// OS is the distribution found inside; nil where there is none.
	OS *OS `json:"os,omitempty"`
	// Labels are those of the image's configuration, sorted by name.
	Labels []Property `json:"labels,omitempty"`
	// Layers are in order, base first.
	Layers []Layer `json:"layers,omitempty"`
	// Package carries what a decoded document said of its root component beyond
	// the fields above; nil otherwise.
	Package *Package `json:"package,omitempty"`
}

// OS is a distribution as os-release(5) describes it.
type OS struct {
	ID         string   `json:"id"`                    // "debian", "alpine", "rocky"
	IDLike     []string `json:"id_like,omitempty"`     // parents, closest first
	Name       string   `json:"name,omitempty"`        // "Debian GNU/Linux"
	PrettyName string   `json:"pretty_name,omitempty"` // for people
	VersionID  string   `json:"version_id,omitempty"`  // "12", "3.20.1"
	Codename   string   `json:"codename,omitempty"`    // "bookworm"
	CPE        string   `json:"cpe,omitempty"`         // CPE_NAME
	BuildID    string   `json:"build_id,omitempty"`    // BUILD_ID of rolling releases
	VariantID  string   `json:"variant_id,omitempty"`  // VARIANT_ID
}

// Layer is one layer of an image.
type Layer struct {
	DiffID    string `json:"diff_id"`              // digest of the uncompressed tar
	CreatedBy string `json:"created_by,omitempty"` // the history line of the image config
}

// Tool is a program that took part in making a document.
type Tool struct {
	Vendor  string `json:"vendor,omitempty"`
	Name    string `json:"name"`
	Version string `json:"version,omitempty"`
}

// Source is where an image was read from.
type Source struct {
	Reference      string       `json:"reference,omitempty"`       // as the user wrote it
	Index          string       `json:"index,omitempty"`           // digest of the index that was resolved, if any
	Manifest       string       `json:"manifest,omitempty"`        // digest of the image manifest
	MediaType      string       `json:"media_type,omitempty"`      // of the manifest
	Tags           []string     `json:"tags,omitempty"`            // names the source itself gives the image
	Layers         []Descriptor `json:"layers,omitempty"`          // as stored, base first
	PlatformChoice string       `json:"platform_choice,omitempty"` // why this platform was taken from an index
}

// Descriptor is a blob as a manifest names it (OCI image-spec, descriptor.md).
type Descriptor struct {
	MediaType string `json:"media_type,omitempty"`
	Digest    string `json:"digest"`
	Size      int64  `json:"size"` // bytes
}

// Composition is the recipe a document was composed by. Anyone who holds the
// fragments can repeat it and compare the root.
type Composition struct {
	Fragments []FragmentRef `json:"fragments"`   // in layer order, base first
	Root      string        `json:"merkle_root"` // over the fragment digests, see MerkleRoot
}

// FragmentRef names the fragment of one layer.
type FragmentRef struct {
	DiffID string `json:"diff_id"`
	Digest string `json:"digest"` // SHA-256 of the fragment's canonical bytes
}

// Foreign holds members that the model has no place for, by format family
// ("cyclonedx", "spdx", "syft"), each a canonical JSON object.
type Foreign map[string]RawObject

// RawObject is the text of one JSON object.
type RawObject string

// MarshalJSON returns the object itself.
func (r RawObject) MarshalJSON() ([]byte, error) {
	if r == "" {
		return []byte("{}"), nil
	}
	return []byte(r), nil
}

// UnmarshalJSON keeps the bytes as they are.
func (r *RawObject) UnmarshalJSON(b []byte) error { *r = RawObject(b); return nil }

// Loss is something that an encoding could not carry.
type Loss struct {
	Where string `json:"where"` // the package, relationship or document member
	What  string `json:"what"`  // what was left out
}
