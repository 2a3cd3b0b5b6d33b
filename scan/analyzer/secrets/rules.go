package secrets

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/stella-ops/stella/internal/sum"
)

// Rules are a bundle, compiled. They are made by [Default], [Parse], [Open] or [Compile],
// never change, and are safe for concurrent use.
type Rules struct {
	bundle    Bundle
	canonical []byte
	digest    string

	skip     *globs
	dummies  dummies
	list     []rule
	keywords *keywords
	signers  []string
}

// rule is a rule that can be run.
type rule struct {
	id, title string
	re        *regexp.Regexp
	group     int // whose text is the secret
	lines     int
	entropy   int
	max       int
	paths     *globs // nil is all
	not       *globs
	dummies   dummies
}

// dummies tell what only looks like a secret.
type dummies struct {
	words []string // lower case
	allow []*regexp.Regexp
}

// maxStopword is how much of a secret stopwords are looked for in: in a long one a short
// word turns up by chance.
const maxStopword = 200

func (d *dummies) has(secret []byte) bool {
	if len(d.words) > 0 {
		start := secret[:min(len(secret), maxStopword)]
		folded := make([]byte, len(start))
		for i, c := range start {
			folded[i] = lower(c)
		}
		text := string(folded)
		if slices.ContainsFunc(d.words, func(w string) bool { return strings.Contains(text, w) }) {
			return true
		}
	}
	return slices.ContainsFunc(d.allow, func(re *regexp.Regexp) bool { return re.Match(secret) })
}

// Digest returns the SHA-256 digest of the canonical bundle, "sha256:…". It is part of the
// analyzer's identity: facts that other rules gave are not used.
func (r *Rules) Digest() string { return r.digest }

// JSON returns the bundle as canonical JSON (RFC 8785), which is what is signed.
func (r *Rules) JSON() []byte { return slices.Clone(r.canonical) }

// Name returns the name of the bundle and its version, such as "stella 2026.11".
func (r *Rules) Name() string { return r.bundle.Name + " " + r.bundle.Version }

// Signers returns the ids of the keys that signed the bundle, sorted; nil where it was not
// read from an envelope.
func (r *Rules) Signers() []string { return slices.Clone(r.signers) }

// Rules returns the rules in their order. The lists in them are not to be changed.
func (r *Rules) Rules() []Rule { return slices.Clone(r.bundle.Rules) }

// canonicalJSON writes a bundle down so that equal bundles are equal bytes.
func canonicalJSON(b *Bundle) ([]byte, string, error) {
	text, err := json.Marshal(b)
	if err != nil {
		return nil, "", err
	}
	v := jsontext.Value(text)
	if err := v.Canonicalize(); err != nil {
		return nil, "", err
	}
	if len(v) > MaxBundle {
		return nil, "", fmt.Errorf("%d bytes as JSON, at most %d: %w", len(v), MaxBundle, ErrLimit)
	}
	return v, sum.Of(v), nil
}
