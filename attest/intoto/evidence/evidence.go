// Package evidence reads and builds statements of the predicate type
// [intoto.PredicateEvidence]: which documents and statements about an image belong
// together.
//
// Each document of a scan can be signed for itself, and then nothing says that all are
// there, or that the verdict beside an SBOM is the one that was decided on it. Evidence
// lists them by digest, so that one signature binds the whole bundle. docs/predicates/evidence-v1.md
// says the same for people, and evidence-v1.schema.json beside it for programs.
package evidence

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/stella-ops/stella/attest/intoto"
	"github.com/stella-ops/stella/attest/intoto/internal/wire"
	"github.com/stella-ops/stella/attest/intoto/verdict"
	"github.com/stella-ops/stella/internal/fault"
)

// The kinds of error that this package returns, for errors.Is.
var (
	ErrInvalid     error = fault.Invalid
	ErrUnsupported error = fault.Unsupported
	ErrLimit       error = fault.Limit
	ErrMismatch    error = fault.Mismatch
)

// Schema names the form of the predicate, in its member "schema".
const Schema = "https://stella-ops.dev/schema/evidence/v1"

// The limits of a predicate.
const (
	MaxPredicate = 8 << 20 // bytes
	MaxItems     = 10_000
	MaxText      = 4 << 10 // bytes of a name or a type
	MaxSize      = 1 << 50 // bytes of a document
)

// Role says what a document is to the others.
type Role string

// The roles.
const (
	SBOM       Role = "sbom"       // in any format
	Findings   Role = "findings"   // what matching found
	Advisories Role = "advisories" // the snapshot
	VEX        Role = "vex"        // a set of statements
	Trust      Role = "trust"      // whom to believe
	Policy     Role = "policy"
	Exceptions Role = "exceptions"
	Verdict    Role = "verdict"
	Trace      Role = "trace"     // of a verdict
	Statement  Role = "statement" // the payload of a signed statement
	Export     Role = "export"    // what was rendered of the others, such as SARIF
)

// Roles are all of them, in the order in which items stand.
func Roles() []Role {
	return []Role{SBOM, Findings, Advisories, VEX, Trust, Policy, Exceptions, Verdict, Trace, Statement, Export}
}

// Evidence lists what belongs together.
type Evidence struct {
	Schema string `json:"schema"` // [Schema]
	// Image are the image's digests, sorted; empty for what is no image.
	Image []string `json:"image,omitempty"`
	// At is as of when it is evidence, in UTC: the time of the scan's results. It says
	// nothing about when it was put together.
	At time.Time `json:"at"`
	// Items are the documents, at least one, ordered by role, name, media type and
	// digest.
	Items []Item `json:"items"`
}

// Item is a document.
type Item struct {
	Role Role `json:"role"`
	// Name tells items of one role apart, for people, such as a file's name or an
	// environment; it may be empty.
	Name string `json:"name,omitempty"`
	// MediaType is the document's; PredicateType is a statement's.
	MediaType     string `json:"media_type,omitempty"`
	PredicateType string `json:"predicate_type,omitempty"`
	// Digest is of the document's bytes, "sha256:" and 64 hexadecimal digits.
	Digest string `json:"digest"`
	// Size is in bytes, 0 where it is not known.
	Size int64 `json:"size,omitzero"`
	// Included says that the document itself is in the bundle: it is damaged without
	// it. Others are named only.
	Included bool `json:"included,omitzero"`
}

func compareItems(a, b Item) int {
	roles := Roles()
	return cmp.Or(
		cmp.Compare(slices.Index(roles, a.Role), slices.Index(roles, b.Role)),
		cmp.Compare(a.Name, b.Name), cmp.Compare(a.MediaType, b.MediaType), cmp.Compare(a.Digest, b.Digest),
	)
}

// Named returns the digests of what a statement of the evidence may be about, sorted:
// those of the image and of its SBOMs.
func (e *Evidence) Named() []string {
	out := slices.Clone(e.Image)
	for i := range e.Items {
		if e.Items[i].Role == SBOM {
			out = append(out, e.Items[i].Digest)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// Encode returns the predicate as canonical JSON (RFC 8785), whatever the order of
// digests and items; an empty Schema means [Schema]. What [Decode] would refuse is
// refused. e is not changed.
func (e *Evidence) Encode() ([]byte, error) {
	out := *e
	out.Schema = cmp.Or(out.Schema, Schema)
	out.At = out.At.UTC()
	out.Image = slices.Clone(e.Image)
	slices.Sort(out.Image)
	out.Items = slices.Clone(e.Items)
	slices.SortFunc(out.Items, compareItems)
	text, err := wire.Canonical(out)
	if err != nil {
		return nil, fmt.Errorf("evidence: %v: %w", err, fault.Invalid)
	}
	if _, err := Decode(text); err != nil {
		return nil, err
	}
	return text, nil
}

// Decode reads a predicate. It is refused where it is not in its one canonical form,
// has a member or a role that is not known, lists nothing, or lists a document twice or
// out of order. An error wraps ErrInvalid, ErrLimit, or ErrUnsupported for another
// schema.
func Decode(predicate []byte) (*Evidence, error) {
	e := new(Evidence)
	if err := wire.DecodeCanonical("evidence", predicate, MaxPredicate, Schema, e, e.check); err != nil {
		return nil, err
	}
	return e, nil
}

// New returns the statement of evidence about things with the digests, of which there
// must be one; each is one that it names.
func New(e *Evidence, digests ...string) (*intoto.Statement, error) {
	predicate, err := e.Encode()
	if err != nil {
		return nil, err
	}
	s, err := intoto.NewStatement(intoto.PredicateEvidence, predicate, digests...)
	if err != nil {
		return nil, fmt.Errorf("evidence: %w", err)
	}
	if _, err := Read(s); err != nil {
		return nil, err
	}
	return s, nil
}

// Read returns the evidence of a statement. Beside what [Decode] refuses, it refuses
// another predicate type, no predicate, and a subject with a digest that the evidence
// does not name. An error wraps ErrInvalid, ErrUnsupported, ErrLimit or ErrMismatch.
func Read(s *intoto.Statement) (*Evidence, error) {
	predicate, err := s.Of(intoto.PredicateEvidence)
	if err != nil {
		return nil, fmt.Errorf("evidence: %w", err)
	}
	e, err := Decode(predicate)
	if err != nil {
		return nil, err
	}
	if err := s.Within(e.Named()); err != nil {
		return nil, fmt.Errorf("evidence: %w", err)
	}
	return e, nil
}

// Binds checks that the evidence covers a verdict with that digest: that it lists
// the verdict, its trace and every input that the verdict names, each in its role, and
// is about the same image. An error wraps ErrMismatch and says what is not there.
func (e *Evidence) Binds(v *verdict.Verdict, digest string) error {
	type want struct {
		role   Role
		digest string
	}
	in := &v.Inputs
	list := []want{
		{Verdict, digest}, {Trace, v.Trace}, {SBOM, in.SBOM}, {Findings, in.Report}, {Advisories, in.Advisories}, {Trust, in.Trust}, {Policy, in.Policy}, {Exceptions, in.Exceptions},
	}
	for _, d := range in.VEX {
		list = append(list, want{VEX, d})
	}
	for _, w := range list {
		if w.digest != "" && !slices.ContainsFunc(e.Items, func(i Item) bool { return i.Role == w.role && i.Digest == w.digest }) {
			return fmt.Errorf("evidence: there is no %s %s, which the verdict names: %w", w.role, w.digest, fault.Mismatch)
		}
	}
	for _, d := range v.Subject.Image.Digests {
		if !slices.Contains(e.Image, d) {
			return fmt.Errorf("evidence: it is not about image %s, which the verdict is about: %w", d, fault.Mismatch)
		}
	}
	return nil
}
