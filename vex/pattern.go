package vex

import (
	"fmt"
	"slices"
	"strings"

	"github.com/stella-ops/stella/advisory/cpe"
	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/purl"
)

// Pattern says which products an issuer may speak about:
//
//   - every product
//     pkg:npm/lodash            one package, in every version
//     pkg:npm/lodash@4.17.21    one version of it
//     pkg:npm/%40babel/*        every package right in a namespace
//     pkg:golang/k8s.io/**      everything below a namespace
//     pkg:deb/debian/**?arch=amd64  with these qualifiers
//     pkg:oci/*?repository_url=registry.example.com/team/**
//     cpe:2.3:a:redhat:*        every product whose name begins so
//     sha256:…                  what is named by this digest and nothing else
//
// Segments are compared whole: pkg:npm/foo does not cover pkg:npm/foo-bar. The zero
// Pattern covers nothing.
type Pattern struct {
	text     string
	all      bool
	typ      string
	segments []string // of namespace and name, unescaped; "*" and a last "**" are wild
	version  string
	where    []purl.Qualifier
	cpe      []string // components after the binding
	digest   string
}

// ParsePattern reads a pattern. An error wraps ErrInvalid.
func ParsePattern(s string) (Pattern, error) {
	p := Pattern{text: s}
	bad := func(why string) (Pattern, error) {
		return Pattern{}, fmt.Errorf("product pattern %.200q: %s: %w", s, why, fault.Invalid)
	}
	switch {
	case s == "*":
		p.all = true
		return p, nil
	case strings.HasPrefix(s, "cpe:2.3:"):
		p.cpe = strings.Split(strings.ToLower(strings.TrimPrefix(s, "cpe:2.3:")), ":")
		if len(p.cpe) < 2 || p.cpe[0] == "*" || p.cpe[1] == "*" {
			return bad("want at least the part and the vendor, as in cpe:2.3:a:vendor:*")
		}
		return p, nil
	case strings.HasPrefix(s, "sha256:"):
		if p.digest = s; len(s) != len("sha256:")+64 {
			return bad("want 64 hex digits")
		}
		return p, nil
	case !strings.HasPrefix(s, "pkg:"):
		return bad("want pkg:…, cpe:2.3:…, sha256:… or *")
	}
	return p, p.parsePURL(s, bad)
}

func (p *Pattern) parsePURL(s string, bad func(string) (Pattern, error)) error {
	fail := func(why string) error { _, err := bad(why); return err }
	path, query, _ := strings.Cut(strings.TrimPrefix(s, "pkg:"), "?")
	typ, rest, ok := strings.Cut(path, "/")
	if !ok || typ == "" || strings.Contains(typ, "*") {
		return fail("want a type and a name, as in pkg:npm/name")
	}
	wild := strings.Contains(rest, "*")
	if wild && strings.Contains(rest, "@") {
		return fail("a version beside a wildcard")
	}
	// The rules of the type apply to what stands there; wild segments are put back.
	const star, stars = "wild-segment-1", "wild-segment-2"
	segments := strings.Split(rest, "/")
	for i, g := range segments {
		switch {
		case g == "*":
			segments[i] = star
		case g == "**" && i == len(segments)-1:
			segments[i] = stars
		case strings.Contains(g, "*"):
			return fail("'*' stands for a whole segment, and '**' for the last ones")
		case g == "":
			return fail("an empty segment")
		}
	}
	u, err := purl.Parse("pkg:" + typ + "/" + strings.Join(segments, "/"))
	if err != nil {
		return fail(err.Error())
	}
	u = fold(u)
	p.typ, p.version = u.Type, u.Version
	p.segments = segmentsOf(u)
	for i, g := range p.segments {
		switch strings.ReplaceAll(strings.ToLower(g), "_", "-") {
		case star:
			p.segments[i] = "*"
		case stars:
			p.segments[i] = "**"
		}
	}
	for pair := range strings.SplitSeq(query, "&") {
		if pair == "" {
			continue
		}
		key, value, ok := strings.Cut(pair, "=")
		if !ok || key == "" || value == "" {
			return fail("want qualifiers as key=value")
		}
		p.where = append(p.where, purl.Qualifier{Key: strings.ToLower(key), Value: value})
	}
	return nil
}

func segmentsOf(u purl.PackageURL) []string {
	if u.Namespace == "" {
		return []string{u.Name}
	}
	return append(strings.Split(u.Namespace, "/"), u.Name)
}

// Type returns the type of the package URLs that it covers, "" where that is any, or
// none.
func (p *Pattern) Type() string { return p.typ }

// String returns the pattern as it was written.
func (p Pattern) String() string { return p.text }

// Covers reports whether the pattern is of a product: of each of its identifiers
// that it can be compared with, and of one at least. The product must be prepared.
func (p *Pattern) Covers(product *Product) bool {
	switch {
	case p.all:
		return true
	case p.digest != "":
		return p.coversDigests(product)
	case p.cpe != nil:
		return product.id.hasCPE && !product.id.hasPURL && p.coversCPE(product.id.cpe)
	}
	return product.id.hasPURL && p.coversPURL(product.id.purl)
}

// coversDigests holds what a product can be matched by to the digest: each of its
// digests, and no name that would do without.
func (p *Pattern) coversDigests(product *Product) bool {
	other := func(d string) bool { return !strings.EqualFold(d, p.digest) }
	switch {
	case slices.ContainsFunc(product.Digests, other):
		return false
	case product.id.isImage:
		return !other(product.id.purl.Version)
	}
	return len(product.Digests) > 0 && !product.id.hasPURL && !product.id.hasCPE
}

func (p *Pattern) coversCPE(n cpe.Name) bool {
	parts := strings.Split(strings.TrimPrefix(n.String(), "cpe:2.3:"), ":")
	for i, want := range p.cpe {
		if want != "*" && (i >= len(parts) || parts[i] != want) {
			return false
		}
	}
	return true
}

func (p *Pattern) coversPURL(u purl.PackageURL) bool {
	if p.typ != u.Type || p.version != "" && p.version != u.Version {
		return false
	}
	has := segmentsOf(u)
	if !coversSegments(p.segments, has) {
		return false
	}
	for _, q := range p.where {
		value := u.Qualifier(q.Key)
		if q.Key == "repository_url" {
			if !coversSegments(strings.Split(canonicalRepository(q.Value), "/"), strings.Split(repositoryOf(u), "/")) {
				return false
			}
		} else if value != q.Value {
			return false
		}
	}
	return true
}

func coversSegments(pattern, has []string) bool {
	for i, want := range pattern {
		if want == "**" && i == len(pattern)-1 {
			return len(has) > i
		}
		if i >= len(has) || want != "*" && want != has[i] {
			return false
		}
	}
	return len(pattern) == len(has)
}
