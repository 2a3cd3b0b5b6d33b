package slsa

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/stella-ops/stella/attest/intoto/internal/wire"
	"github.com/stella-ops/stella/internal/fault"
)

// Summary says what somebody verified about an artifact (a verification summary
// attestation, VSA).
type Summary struct {
	Verifier Verifier
	// Verified is when, in UTC; zero where that is not said.
	Verified time.Time
	// Resource is the URI that the artifact is to be fetched from; required.
	Resource string
	// Policy is what was verified against. Its URI is required.
	Policy Resource
	// Inputs are the attestations that were used, all of them or none; each has
	// digests.
	Inputs []Resource
	Passed bool
	// Levels are what was verified, such as "SLSA_BUILD_LEVEL_3", no more than one level
	// of each track; at least one. Where it failed this is "FAILED".
	Levels []string
	// Dependencies counts transitive dependencies by level. Nil says nothing about
	// them, empty that there are none.
	Dependencies map[string]int64
	// Version is that of SLSA, such as "1.0"; "" for some version of 1.
	Version string
}

// Verifier is who verified.
type Verifier struct {
	ID       string            // a URI; required
	Versions map[string]string // of its parts, by their names
}

// Failed is the level of what failed.
const Failed = "FAILED"

// The members of the predicate.
type summary struct {
	Verifier           *verifier         `json:"verifier,omitempty"`
	TimeVerified       string            `json:"timeVerified,omitempty"`
	ResourceURI        string            `json:"resourceUri"`
	Policy             *resource         `json:"policy,omitempty"`
	InputAttestations  []resource        `json:"inputAttestations,omitempty"`
	VerificationResult string            `json:"verificationResult"`
	VerifiedLevels     []string          `json:"verifiedLevels"`
	DependencyLevels   *map[string]int64 `json:"dependencyLevels,omitzero"`
	SLSAVersion        string            `json:"slsaVersion,omitempty"`
}

type verifier struct {
	ID      string            `json:"id"`
	Version map[string]string `json:"version,omitempty"`
}

// Encode returns the predicate of type [intoto.PredicateVSA]: equal summaries give equal
// bytes. Levels are sorted. What [DecodeSummary] would refuse is refused.
func (s *Summary) Encode() ([]byte, error) {
	w := &summary{
		Verifier: &verifier{s.Verifier.ID, s.Verifier.Versions}, ResourceURI: s.Resource, Policy: &wireResources([]Resource{s.Policy})[0], InputAttestations: wireResources(s.Inputs),
		VerificationResult: "FAILED", VerifiedLevels: slices.Sorted(slices.Values(s.Levels)), SLSAVersion: s.Version,
	}
	if s.Passed {
		w.VerificationResult = "PASSED"
	}
	if s.Dependencies != nil {
		w.DependencyLevels = &s.Dependencies
	}
	var err error
	if w.TimeVerified, err = wire.FormatTime("timeVerified", s.Verified); err != nil {
		return nil, fmt.Errorf("verification summary: %w", err)
	}
	text, err := wire.Encode("verification summary", w)
	if err != nil {
		return nil, err
	}
	if _, err := DecodeSummary(text); err != nil {
		return nil, err
	}
	return text, nil
}

// DecodeSummary reads a predicate of type [intoto.PredicateVSA]. Refused is one that
// lacks what SLSA requires, has two levels of one track, or contradicts itself: a level
// "FAILED" of what passed, or none of what did not. An error wraps ErrInvalid or
// ErrLimit.
func DecodeSummary(predicate []byte) (*Summary, error) {
	var w summary
	if err := wire.Decode("verification summary", predicate, &w); err != nil {
		return nil, err
	}
	s, err := w.read()
	if err != nil {
		return nil, fmt.Errorf("verification summary: %w", err)
	}
	return s, nil
}

func (w *summary) read() (*Summary, error) {
	switch {
	case w.Verifier == nil || w.Verifier.ID == "":
		return nil, fmt.Errorf("verifier.id is missing: %w", fault.Invalid)
	case w.ResourceURI == "":
		return nil, fmt.Errorf("resourceUri is missing: %w", fault.Invalid)
	case w.Policy == nil || w.Policy.URI == "":
		return nil, fmt.Errorf("policy.uri is missing: %w", fault.Invalid)
	case w.VerificationResult != "PASSED" && w.VerificationResult != "FAILED":
		return nil, fmt.Errorf("verificationResult %.40q: want PASSED or FAILED: %w", w.VerificationResult, fault.Invalid)
	}
	s := &Summary{Verifier: Verifier{ID: w.Verifier.ID}, Resource: w.ResourceURI, Passed: w.VerificationResult == "PASSED", Levels: w.VerifiedLevels, Version: w.SLSAVersion}
	if len(w.Verifier.Version) > 0 {
		s.Verifier.Versions = w.Verifier.Version
	}
	var err error
	if s.Verified, err = wire.ParseTime("timeVerified", w.TimeVerified); err != nil {
		return nil, err
	}
	if s.Policy, err = w.Policy.read(); err != nil {
		return nil, fmt.Errorf("policy: %w", err)
	}
	if s.Inputs, err = readResources("inputAttestations", w.InputAttestations); err != nil {
		return nil, err
	}
	for i := range s.Inputs {
		if len(s.Inputs[i].Digests) == 0 {
			return nil, fmt.Errorf("inputAttestations[%d]: it has no digest: %w", i, fault.Invalid)
		}
	}
	if w.DependencyLevels != nil {
		s.Dependencies = *w.DependencyLevels
		for _, level := range slices.Sorted(maps.Keys(s.Dependencies)) {
			if n := s.Dependencies[level]; n < 0 || n > math.MaxInt32 {
				return nil, fmt.Errorf("dependencyLevels: %.80q is %d: %w", level, n, fault.Invalid)
			}
		}
	}
	return s, s.checkLevels()
}

func (s *Summary) checkLevels() error {
	if len(s.Levels) == 0 {
		return fmt.Errorf("verifiedLevels is empty: %w", fault.Invalid)
	}
	if failed := slices.Contains(s.Levels, Failed); failed == s.Passed {
		return fmt.Errorf("verifiedLevels %.200q of what passed or not (%v): %w", s.Levels, s.Passed, fault.Invalid)
	}
	tracks := map[string]bool{}
	for _, l := range s.Levels {
		track, _, ok := parseLevel(l)
		if !ok {
			track = l
		}
		if tracks[track] || l == "" {
			return fmt.Errorf("verifiedLevels: %.80q is empty or the second of its track: %w", l, fault.Invalid)
		}
		tracks[track] = true
	}
	return nil
}

// parseLevel reads "SLSA_BUILD_LEVEL_3". "SLSA_BUILD_LEVEL_UNEVALUATED" is level -1.
func parseLevel(text string) (track string, level int, ok bool) {
	rest, isSLSA := strings.CutPrefix(text, "SLSA_")
	track, number, ok := strings.Cut(rest, "_LEVEL_")
	if !isSLSA || !ok || track == "" {
		return "", 0, false
	}
	if number == "UNEVALUATED" {
		return track, -1, true
	}
	n, err := strconv.Atoi(number)
	if err != nil || n < 0 || n > 99 || strconv.Itoa(n) != number {
		return "", 0, false
	}
	return track, n, true
}

// has reports whether a level is verified: itself, or a higher one of its track.
func (s *Summary) has(want string) bool {
	track, level, ok := parseLevel(want)
	return slices.ContainsFunc(s.Levels, func(have string) bool {
		if have == want {
			return true
		}
		t, l, isLevel := parseLevel(have)
		return ok && isLevel && t == track && level >= 0 && l >= level
	})
}
