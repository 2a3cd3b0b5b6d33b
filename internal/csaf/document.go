package csaf

import "github.com/stella-ops/stella/internal/csaf/shape"

// The versions of CSAF that are read.
const (
	Version20 = "2.0"
	Version21 = "2.1"
)

// Document is one CSAF document, of version 2.0 or 2.1. Members that only one
// version has say so. Dates are as written (RFC 3339); see [Time]. A decoded
// Document may be shared between goroutines that do not change it.
//
// Source: CSAF 2.0, section 3.2; CSAF 2.1 (draft), section 3.2.
type Document struct {
	Head            Head            `json:"document"`
	ProductTree     *ProductTree    `json:"product_tree,omitzero"`
	Vulnerabilities []Vulnerability `json:"vulnerabilities,omitzero"`

	structure *shape.Report // against the schema, by Decode
	bytes     int           // of the text
}

// Size is the number of bytes that the document was decoded from.
func (d *Document) Size() int { return d.bytes }

// Head is what the document says of itself: the member "document".
type Head struct {
	Acknowledgments   []Acknowledgment   `json:"acknowledgments,omitzero"`
	AggregateSeverity *AggregateSeverity `json:"aggregate_severity,omitzero"`
	Category          string             `json:"category"`
	CSAFVersion       string             `json:"csaf_version"`
	Distribution      *Distribution      `json:"distribution,omitzero"`
	Lang              string             `json:"lang,omitzero"`
	License           string             `json:"license_expression,omitzero"` // 2.1
	Notes             []Note             `json:"notes,omitzero"`
	Publisher         Publisher          `json:"publisher"`
	References        []Reference        `json:"references,omitzero"`
	SourceLang        string             `json:"source_lang,omitzero"`
	Title             string             `json:"title"`
	Tracking          Tracking           `json:"tracking"`
}

// Acknowledgment thanks somebody.
type Acknowledgment struct {
	Names        []string `json:"names,omitzero"`
	Organization string   `json:"organization,omitzero"`
	Summary      string   `json:"summary,omitzero"`
	URLs         []string `json:"urls,omitzero"`
}

// AggregateSeverity is the publisher's word for how bad the whole document is.
type AggregateSeverity struct {
	Namespace string `json:"namespace,omitzero"`
	Text      string `json:"text"`
}

// Distribution says who may have the document.
type Distribution struct {
	SharingGroup *SharingGroup `json:"sharing_group,omitzero"` // 2.1
	Text         string        `json:"text,omitzero"`
	TLP          *TLP          `json:"tlp,omitzero"`
}

// SharingGroup names those who share a document of CSAF 2.1.
type SharingGroup struct {
	ID   string `json:"id"`
	Name string `json:"name,omitzero"`
}

// TLP is the Traffic Light Protocol's label: of version 1 in CSAF 2.0 (WHITE,
// GREEN, AMBER, RED), of version 2 in 2.1 (CLEAR, GREEN, AMBER, AMBER+STRICT,
// RED).
type TLP struct {
	Label string `json:"label"`
	URL   string `json:"url,omitzero"`
}

// Note is text of some category.
type Note struct {
	Audience   string   `json:"audience,omitzero"`
	Category   string   `json:"category"`
	GroupIDs   []string `json:"group_ids,omitzero"`   // 2.1
	ProductIDs []string `json:"product_ids,omitzero"` // 2.1
	Text       string   `json:"text"`
	Title      string   `json:"title,omitzero"`
}

// Publisher is who issued the document. Namespace and [Tracking.ID] together
// name a document for all the world.
type Publisher struct {
	Category         string `json:"category"`
	ContactDetails   string `json:"contact_details,omitzero"`
	IssuingAuthority string `json:"issuing_authority,omitzero"`
	Name             string `json:"name"`
	Namespace        string `json:"namespace"`
}

// Reference is a link. An empty Category means "external".
type Reference struct {
	Category string `json:"category,omitzero"`
	Summary  string `json:"summary"`
	URL      string `json:"url"`
}

// External reports whether r leads to another document.
func (r Reference) External() bool { return r.Category == "" || r.Category == "external" }

// Tracking is the document's identity and history.
type Tracking struct {
	Aliases            []string   `json:"aliases,omitzero"`
	CurrentReleaseDate string     `json:"current_release_date"`
	Generator          *Generator `json:"generator,omitzero"`
	ID                 string     `json:"id"`
	InitialReleaseDate string     `json:"initial_release_date"`
	RevisionHistory    []Revision `json:"revision_history"`
	Status             string     `json:"status"`
	Version            string     `json:"version"`
}

// Generator is the program that wrote the document.
type Generator struct {
	Date   string `json:"date,omitzero"`
	Engine Engine `json:"engine"`
}

// Engine is a program and its version.
type Engine struct {
	Name    string `json:"name"`
	Version string `json:"version,omitzero"`
}

// Revision is one entry of the history.
type Revision struct {
	Date          string `json:"date"`
	LegacyVersion string `json:"legacy_version,omitzero"`
	Number        string `json:"number"`
	Summary       string `json:"summary"`
}

// Label returns the document's TLP label, or "" if it has none.
func (d *Document) Label() string {
	if d.Head.Distribution == nil || d.Head.Distribution.TLP == nil {
		return ""
	}
	return d.Head.Distribution.TLP.Label
}
