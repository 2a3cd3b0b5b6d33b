package vex

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/stella-ops/stella/internal/fault"
)

// Status is what a statement says about products, in the words of OpenVEX.
type Status string

// The statuses (OpenVEX 0.2.0, "Status Labels").
const (
	NotAffected        Status = "not_affected"
	Affected           Status = "affected"
	Fixed              Status = "fixed"
	UnderInvestigation Status = "under_investigation"
)

// Justification says why a product is not affected.
type Justification string

// The justifications (OpenVEX 0.2.0, "Status Justifications"; CSAF flags have the
// same labels).
const (
	ComponentNotPresent    Justification = "component_not_present"
	CodeNotPresent         Justification = "vulnerable_code_not_present"
	CodeNotInExecutePath   Justification = "vulnerable_code_not_in_execute_path"
	CodeNotControllable    Justification = "vulnerable_code_cannot_be_controlled_by_adversary"
	InlineMitigationsExist Justification = "inline_mitigations_already_exist"
)

// Statuses and Justifications are the known ones, in the order of the
// specification.
var (
	Statuses       = []Status{NotAffected, Affected, Fixed, UnderInvestigation}
	Justifications = []Justification{ComponentNotPresent, CodeNotPresent, CodeNotInExecutePath, CodeNotControllable, InlineMitigationsExist}
)

// The bounds of a statement.
const (
	MaxAliases       = 1000
	MaxProducts      = 100_000
	MaxSubcomponents = 100_000
	MaxText          = 64 << 10 // bytes of each text; what is longer is cut by the codecs
)

// Statement is what one document says about one vulnerability. It is immutable
// after [Statement.Prepare], and safe for concurrent use from then on.
type Statement struct {
	// ID is the digest of the whole statement, Content that of what it claims
	// without where it came from: copies have the same. Prepare sets both.
	ID      string `json:"-"`
	Content string `json:"-"`

	// Vulnerability is the id that the document uses, Aliases are its others,
	// sorted.
	Vulnerability string   `json:"vulnerability"`
	Aliases       []string `json:"aliases,omitempty"`
	// Products are what it is about, in the document's order; at least one.
	Products []Product `json:"products"`
	Status   Status    `json:"status"`
	// Justification and Impact say why NotAffected: one of them is required.
	Justification Justification `json:"justification,omitempty"`
	Impact        string        `json:"impact,omitempty"`
	// Action says what to do about Affected. It is required there, and a statement
	// without one counts all the same: it warns.
	Action string `json:"action,omitempty"`
	Notes  string `json:"notes,omitempty"`
	// Time is when it was made or last changed, in UTC; zero where the document
	// has no time at all, which counts as the oldest.
	Time time.Time `json:"time,omitzero"`
	// Until is from when on it is no longer valid; zero means always.
	Until time.Time `json:"until,omitzero"`
	// Origin is where it came from.
	Origin Origin `json:"origin"`
}

// Product is a thing that a statement names, by one identifier or several, which
// must then all be of the same thing.
type Product struct {
	PURL string `json:"purl,omitempty"` // as the document writes it
	CPE  string `json:"cpe,omitempty"`  // formatted string or URI
	// Digests are "sha256:" and 64 hex digits, or another algorithm's name.
	Digests []string `json:"digests,omitempty"`
	// Versions is a VERS range of the versions that are meant, where the
	// identifiers name none.
	Versions string `json:"versions,omitempty"`
	// Name is what people call it. It identifies nothing.
	Name string `json:"name,omitempty"`
	// Subcomponents are the parts of the product that the statement is about.
	// None means the product itself, and everything in it.
	Subcomponents []Product `json:"subcomponents,omitempty"`

	id identity
}

// Origin is where a statement came from.
type Origin struct {
	// Document is the digest of the document's bytes, "sha256:" and 64 hex digits.
	Document string `json:"document"`
	// ID and Version are as the document gives them; they may be empty.
	ID      string `json:"id,omitempty"`
	Version string `json:"version,omitempty"`
	Format  string `json:"format"` // "openvex", "csaf" or "cyclonedx"
	// Author is whom the document says that it is from. Nobody checked that.
	Author string `json:"author,omitempty"`
	// Pointer is where in the document the statement stands, as a JSON pointer.
	Pointer string `json:"pointer,omitempty"`
	// Source is the name of the source that brought the document.
	Source string `json:"source,omitempty"`
	// Signature is what came of checking a signature, and Signer the identity of
	// its key, where it is Verified: "key:sha256:…" for a key, "pgp:…" for an
	// OpenPGP fingerprint, "sigstore:ISSUER|SUBJECT" for a certificate.
	Signature Signature `json:"signature,omitempty"`
	Signer    string    `json:"signer,omitempty"`
}

// Signature is the state of a document's signature.
type Signature string

// The states of a signature. The zero value is Unsigned.
const (
	Unsigned  Signature = ""
	Unchecked Signature = "unchecked" // there is one, and nobody could check it
	Verified  Signature = "verified"
	Bad       Signature = "bad" // there is one, and it is not of these bytes or of that key
)

// Prepare checks the statement and computes what others rely on. It must be called
// once, before the statement is used, and again after a change. An error wraps
// ErrInvalid or ErrLimit and says what is wrong; identifiers that cannot be read
// are none: they identify nothing.
func (s *Statement) Prepare() error {
	if err := s.check(); err != nil {
		return fmt.Errorf("statement about %.64q: %w", s.Vulnerability, err)
	}
	for i := range s.Products {
		s.Products[i].Prepare()
	}
	slices.Sort(s.Aliases)
	s.Aliases = slices.Compact(s.Aliases)
	var err error
	if s.ID, err = digestOf(s); err != nil {
		return err
	}
	claim := *s
	claim.Origin = Origin{Author: s.Origin.Author, Format: s.Origin.Format}
	s.Content, err = digestOf(&claim)
	return err
}

func (s *Statement) check() error {
	subs := 0
	for i := range s.Products {
		subs += len(s.Products[i].Subcomponents)
		for j := range s.Products[i].Subcomponents {
			if len(s.Products[i].Subcomponents[j].Subcomponents) > 0 {
				return fmt.Errorf("product %d: subcomponents of subcomponents: %w", i, fault.Invalid)
			}
		}
	}
	switch {
	case s.Vulnerability == "":
		return fmt.Errorf("it names no vulnerability: %w", fault.Invalid)
	case len(s.Products) == 0:
		return fmt.Errorf("it names no product: %w", fault.Invalid)
	case !slices.Contains(Statuses, s.Status):
		return fmt.Errorf("status %.40q is none of %v: %w", s.Status, Statuses, fault.Invalid)
	case s.Justification != "" && !slices.Contains(Justifications, s.Justification):
		return fmt.Errorf("justification %.60q is none of %v: %w", s.Justification, Justifications, fault.Invalid)
	case s.Justification != "" && s.Status != NotAffected:
		return fmt.Errorf("a justification with status %s: %w", s.Status, fault.Invalid)
	case len(s.Aliases) > MaxAliases:
		return &fault.LimitError{What: "aliases", Where: "statement", Max: MaxAliases, Seen: int64(len(s.Aliases))}
	case len(s.Products) > MaxProducts:
		return &fault.LimitError{What: "products", Where: "statement", Max: MaxProducts, Seen: int64(len(s.Products))}
	case subs > MaxSubcomponents:
		return &fault.LimitError{What: "subcomponents", Where: "statement", Max: MaxSubcomponents, Seen: int64(subs)}
	}
	return nil
}

// Names reports whether the statement is about a vulnerability with one of the
// ids. Ids are compared as they are written, in any case.
func (s *Statement) Names(ids []string) bool {
	for _, id := range ids {
		if equalFold(s.Vulnerability, id) || slices.ContainsFunc(s.Aliases, func(a string) bool { return equalFold(a, id) }) {
			return true
		}
	}
	return false
}

// Safe reports whether the statement lowers risk where it counts.
func (s *Statement) Safe() bool { return s.Status == NotAffected || s.Status == Fixed }

// digestOf returns the digest of v as canonical JSON (RFC 8785).
func digestOf(v any) (string, error) {
	text, err := json.Marshal(v, json.Deterministic(true), jsontext.AllowInvalidUTF8(true))
	if err == nil {
		err = (*jsontext.Value)(&text).Canonicalize()
	}
	if err != nil {
		return "", fmt.Errorf("encode: %v: %w", err, fault.Invalid)
	}
	sum := sha256.Sum256(text)
	return "sha256:" + hex.EncodeToString(sum[:]), nil
}

// equalFold compares ASCII texts in any case: ids of vulnerabilities are.
func equalFold(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range len(a) {
		x, y := a[i], b[i]
		if x == y {
			continue
		}
		if x |= 0x20; x < 'a' || x > 'z' || x != y|0x20 {
			return false
		}
	}
	return true
}
