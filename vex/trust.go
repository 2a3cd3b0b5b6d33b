package vex

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/stella-ops/stella/internal/fault"
)

// Trust says whom an organisation believes, about what. The zero Trust believes
// nobody. Package trust reads it from a document.
type Trust struct {
	Issuers []Issuer `json:"issuers"`
}

// Issuer is somebody whose statements count.
type Issuer struct {
	// ID names the issuer, such as "redhat": letters, digits and ".-_".
	ID string `json:"id"`
	// Tier is its rank: 1 decides before 2. 1 to 99.
	Tier int `json:"tier"`
	// Identities are the signers that speak for it, as Origin.Signer has them. An
	// identity belongs to one issuer. A trailing "*" of a sigstore subject stands
	// for any rest.
	Identities []string `json:"identities,omitempty"`
	// Sources are the sources whose unsigned documents are its; where Authors is
	// not empty, only those that give one of these authors.
	Sources []string `json:"sources,omitempty"`
	Authors []string `json:"authors,omitempty"`
	// Products are patterns of what it may speak about: see [Pattern].
	Products []string `json:"products"`
	// Unsigned are the statuses that count without a verified signature.
	Unsigned []Status `json:"unsigned,omitempty"`
	// MaxAge is for how many days a claim that lowers risk is valid; 0 means
	// without end.
	MaxAge int `json:"max_age,omitzero"`
}

// The bounds of a trust document.
const (
	MinTier    = 1
	MaxTier    = 99
	MaxIssuers = 10_000
)

// Digest returns the digest of the trust as canonical JSON, with issuers by id.
func (t *Trust) Digest() string {
	sorted := Trust{Issuers: slices.Clone(t.Issuers)}
	slices.SortFunc(sorted.Issuers, func(a, b Issuer) int { return strings.Compare(a.ID, b.ID) })
	d, _ := digestOf(&sorted) // of texts and small numbers: it cannot fail
	return d
}

// Judge is a Trust that is ready to be asked. It is safe for concurrent use.
type Judge struct {
	digest   string
	issuers  []issuer // by tier and id
	signers  map[string]int
	subjects []subject        // sigstore identities with an open end
	sources  map[string][]int // issuers by tier and id
}

type issuer struct {
	Issuer
	products []Pattern
	unsigned uint8 // bits by statusBit
	maxAge   int64 // nanoseconds
}

// subject is a signer that is known by its beginning.
type subject struct {
	prefix string
	issuer int
}

// Judge checks the trust and makes it ready. An error wraps ErrInvalid or
// ErrLimit, and names the issuer.
func (t *Trust) Judge() (*Judge, error) {
	if len(t.Issuers) > MaxIssuers {
		return nil, &fault.LimitError{What: "issuers", Where: "trust", Max: MaxIssuers, Seen: int64(len(t.Issuers))}
	}
	j := &Judge{digest: t.Digest(), signers: map[string]int{}, sources: map[string][]int{}}
	for _, i := range t.Issuers {
		ready, err := i.ready()
		if err != nil {
			return nil, fmt.Errorf("issuer %.64q: %w", i.ID, err)
		}
		j.issuers = append(j.issuers, ready)
	}
	slices.SortFunc(j.issuers, func(a, b issuer) int { return cmp.Or(a.Tier-b.Tier, strings.Compare(a.ID, b.ID)) })
	ids := map[string]bool{}
	for n := range j.issuers {
		if err := j.index(n, ids); err != nil {
			return nil, err
		}
	}
	return j, nil
}

// index makes the nth issuer known by its names.
func (j *Judge) index(n int, ids map[string]bool) error {
	i := &j.issuers[n]
	if ids[i.ID] {
		return fmt.Errorf("issuer %q is there twice: %w", i.ID, fault.Invalid)
	}
	ids[i.ID] = true
	for _, signer := range i.Identities {
		if other, taken := j.signers[signer]; taken {
			return fmt.Errorf("issuers %q and %q have the same identity %q: %w", j.issuers[other].ID, i.ID, signer, fault.Invalid)
		}
		j.signers[signer] = n
		if prefix, open := strings.CutSuffix(signer, "*"); open {
			j.subjects = append(j.subjects, subject{prefix, n})
		}
	}
	for _, s := range i.Sources {
		j.sources[s] = append(j.sources[s], n)
	}
	return nil
}

func (i Issuer) ready() (issuer, error) {
	out := issuer{Issuer: i, maxAge: int64(i.MaxAge) * 24 * 3600 * 1e9}
	switch {
	case i.ID == "" || len(i.ID) > 64 || strings.Trim(i.ID, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_") != "":
		return out, fmt.Errorf("id: want 1 to 64 letters, digits, '.', '-' or '_': %w", fault.Invalid)
	case i.Tier < MinTier || i.Tier > MaxTier:
		return out, fmt.Errorf("tier %d: want %d to %d: %w", i.Tier, MinTier, MaxTier, fault.Invalid)
	case i.MaxAge < 0 || i.MaxAge > 36500:
		return out, fmt.Errorf("max_age of %d days: want 0 to 36500: %w", i.MaxAge, fault.Invalid)
	case len(i.Products) == 0:
		return out, fmt.Errorf("it may speak about no product: want a pattern, such as \"pkg:npm/foo\" or \"*\": %w", fault.Invalid)
	case len(i.Identities) == 0 && len(i.Sources) == 0:
		return out, fmt.Errorf("nothing says what is from it: want identities or sources: %w", fault.Invalid)
	case len(i.Authors) > 0 && len(i.Sources) == 0:
		return out, fmt.Errorf("authors are what documents claim: want sources beside them: %w", fault.Invalid)
	}
	for _, id := range i.Identities {
		if err := checkIdentity(id); err != nil {
			return out, err
		}
	}
	for _, p := range i.Products {
		pattern, err := ParsePattern(p)
		if err != nil {
			return out, err
		}
		out.products = append(out.products, pattern)
	}
	for _, s := range i.Unsigned {
		bit := statusBit(s)
		if bit == 0 {
			return out, fmt.Errorf("unsigned: status %.40q is none of %v: %w", s, Statuses, fault.Invalid)
		}
		out.unsigned |= bit
	}
	return out, nil
}

func checkIdentity(id string) error {
	kind, rest, _ := strings.Cut(id, ":")
	star := strings.IndexByte(id, '*')
	switch {
	case kind != "key" && kind != "pgp" && kind != "sigstore" || rest == "":
		return fmt.Errorf("identity %.80q: want key:…, pgp:… or sigstore:ISSUER|SUBJECT: %w", id, fault.Invalid)
	case kind == "sigstore" && (strings.IndexByte(rest, '|') <= 0 || star >= 0 && (star != len(id)-1 || star-1 <= strings.IndexByte(id, '|'))):
		return fmt.Errorf("identity %.80q: want sigstore:ISSUER|SUBJECT, with a '*' at the end of a subject at most: %w", id, fault.Invalid)
	case kind != "sigstore" && star >= 0:
		return fmt.Errorf("identity %.80q: only a sigstore subject may end in '*': %w", id, fault.Invalid)
	}
	return nil
}

// Digest returns the digest of the trust.
func (j *Judge) Digest() string { return j.digest }

// signer returns the issuer of a verified signature, -1 for none.
func (j *Judge) signer(id string) int {
	if n, ok := j.signers[id]; ok && !strings.HasSuffix(id, "*") {
		return n
	}
	best, length := -1, -1
	for _, s := range j.subjects { // the longest beginning is the most precise
		if strings.HasPrefix(id, s.prefix) && len(s.prefix) > length {
			best, length = s.issuer, len(s.prefix)
		}
	}
	return best
}

func statusBit(s Status) uint8 {
	switch s {
	case NotAffected:
		return 1
	case Affected:
		return 2
	case Fixed:
		return 4
	case UnderInvestigation:
		return 8
	}
	return 0
}
