// Package verdict reads and builds statements of the predicate type
// [intoto.PredicateVerdict]: what stella decided about an image, and on what.
//
// The predicate is the canonical JSON of the verdict itself, as package policy makes
// it, byte for byte. There is no second spelling of it: the digest of the predicate is
// the digest that the verdict has everywhere else, and its trace can be checked against
// it by package policy/verify. It names every input by digest: the SBOM, what matching
// found, the advisory snapshot, the sets of VEX statements, the trust, the policy, the
// exceptions, the trace, and the semantics of the engine.
//
// This package imports nothing that decides: it is what a verifier needs and no more.
// docs/predicates/verdict-v1.md says the same for people, and verdict-v1.schema.json
// beside it for programs.
package verdict

import (
	"fmt"
	"slices"
	"time"

	"github.com/stella-ops/stella/attest/intoto"
	"github.com/stella-ops/stella/attest/intoto/internal/wire"
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
const Schema = "https://stella-ops.dev/schema/verdict/v1"

// MaxPredicate is how many bytes a predicate may have.
const MaxPredicate = 8 << 20

// Outcome is what was decided.
type Outcome string

// The outcomes, from the best to the worst.
const (
	Pass        Outcome = "pass"
	Warn        Outcome = "warn"
	NotAssessed Outcome = "not_assessed" // nobody can say: never a pass
	Block       Outcome = "block"
	Error       Outcome = "error" // the evaluation failed: never a pass
)

// Allows reports whether an image with this outcome may be used.
func (o Outcome) Allows() bool { return o == Pass || o == Warn }

// rank orders outcomes; -1 for what is none.
func (o Outcome) rank() int {
	return slices.Index([]Outcome{Pass, Warn, NotAssessed, Block, Error}, o)
}

// Verdict is what was decided about one image in one environment.
type Verdict struct {
	Schema  string  `json:"schema"`
	Outcome Outcome `json:"outcome"`
	// Because is the reason, for people.
	Because     string `json:"because,omitempty"`
	Environment string `json:"environment,omitempty"`
	// At is the evaluation time, which is an input as all others are: not when somebody
	// happened to evaluate.
	At time.Time `json:"at"`
	// NextChange is the earliest time at which the same inputs may give another
	// verdict; zero means never. Who goes by the verdict later should ask again.
	NextChange time.Time `json:"next_change_at,omitzero"`
	Subject    Subject   `json:"subject"`
	Counts     Counts    `json:"counts"`
	Inputs     Inputs    `json:"inputs"`
	Policy     Policy    `json:"policy"`
	Engine     Engine    `json:"engine"`
	// Trace is the digest of the trace, from which the verdict can be recomputed.
	Trace string `json:"trace"`
}

// Subject is what was decided about.
type Subject struct {
	Image Image `json:"image,omitzero"`
	// Name is for people: what was scanned.
	Name       string            `json:"name,omitempty"`
	Base       []string          `json:"base,omitempty"` // names of the base image
	BaseLayers int               `json:"base_layers,omitzero"`
	Labels     map[string]string `json:"labels,omitempty"`
	Created    string            `json:"created,omitempty"`
	OS         string            `json:"os,omitempty"`     // such as "debian-12"
	Layers     []string          `json:"layers,omitempty"` // diffIDs, base first
}

// Image is an image by what identifies it.
type Image struct {
	// Digests are those of its configuration, manifest and index, as far as they were
	// known, without saying which is which.
	Digests []string `json:"digests,omitempty"`
	Names   []string `json:"names,omitempty"`
	CPEs    []string `json:"cpes,omitempty"`
}

// Counts says how many findings there are of each outcome, and how many gaps kept
// something from being assessed.
type Counts struct {
	Findings    int `json:"findings"`
	Pass        int `json:"pass"`
	Warn        int `json:"warn"`
	NotAssessed int `json:"not_assessed"`
	Block       int `json:"block"`
	Error       int `json:"error"`
	Gaps        int `json:"gaps"`
	// Items are secrets, files that no package accounts for, and the image, as far as
	// rules of the policy are about them.
	Items Tally `json:"items,omitzero"`
}

// Tally says how many items there are of each outcome.
type Tally struct {
	Pass        int `json:"pass"`
	Warn        int `json:"warn"`
	NotAssessed int `json:"not_assessed"`
	Block       int `json:"block"`
	Error       int `json:"error"`
}

// Inputs names what the verdict follows from, each by "sha256:" and 64 hexadecimal
// digits.
type Inputs struct {
	SBOM       string   `json:"sbom,omitempty"`       // the neutral document; "" where there was none
	Report     string   `json:"report"`               // what matching found
	Advisories string   `json:"advisories,omitempty"` // the snapshot; "" where there was none, which is no pass
	VEX        []string `json:"vex,omitempty"`        // sets of statements: public, then the tenant's
	Trust      string   `json:"trust,omitempty"`      // whom to believe
	Policy     string   `json:"policy"`
	Exceptions string   `json:"exceptions"`
	Subject    string   `json:"subject"` // the subject, the controls and the signals
}

// Policy is the policy by its names.
type Policy struct {
	ID      string `json:"id"`
	Version int    `json:"version"`
}

// Engine says what evaluated: Semantics grows with whatever may change a verdict.
type Engine struct {
	Semantics int    `json:"semantics"`
	Version   string `json:"version,omitempty"`
}

// Named returns the digests of what the verdict is about, in its order: those of the
// image, then that of the SBOM. A statement may be about these and nothing else.
func (v *Verdict) Named() []string {
	out := slices.Clone(v.Subject.Image.Digests)
	if v.Inputs.SBOM != "" {
		out = append(out, v.Inputs.SBOM)
	}
	return out
}

// Decode reads a predicate. It is refused where it is not in its one canonical form,
// has a member that is not known, which nobody would check, names an input by what is
// no digest, or contradicts itself: an outcome that is better than that of a finding, of
// a gap, or of missing advisories. An error wraps ErrInvalid, ErrLimit, or
// ErrUnsupported for another schema.
func Decode(predicate []byte) (*Verdict, error) {
	v := new(Verdict)
	if err := wire.DecodeCanonical("verdict", predicate, MaxPredicate, Schema, v, v.check); err != nil {
		return nil, err
	}
	return v, nil
}

// New returns the statement that a verdict makes about things with the digests, of
// which there must be one: the verdict is given as its canonical JSON, and each digest is
// one that it names.
//
// Take the image's manifest, not its index: a verdict is about one platform, and a
// statement about an index would vouch for all of them.
func New(body []byte, digests ...string) (*intoto.Statement, error) {
	s, err := intoto.NewStatement(intoto.PredicateVerdict, body, digests...)
	if err != nil {
		return nil, fmt.Errorf("verdict: %w", err)
	}
	if _, err := Read(s); err != nil {
		return nil, err
	}
	return s, nil
}

// Read returns the verdict of a statement. Beside what [Decode] refuses, it refuses
// another predicate type, no predicate, and a subject with a digest that the verdict
// does not name: it was decided about something else. An error wraps ErrInvalid,
// ErrUnsupported, ErrLimit or ErrMismatch.
func Read(s *intoto.Statement) (*Verdict, error) {
	predicate, err := s.Of(intoto.PredicateVerdict)
	if err != nil {
		return nil, fmt.Errorf("verdict: %w", err)
	}
	v, err := Decode(predicate)
	if err != nil {
		return nil, err
	}
	if err := s.Within(v.Named()); err != nil {
		return nil, fmt.Errorf("verdict: %w", err)
	}
	return v, nil
}
