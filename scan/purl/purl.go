// Package purl parses, normalises and compares package URLs, the identity by
// which packages are known across tools.
//
// The grammar and the per-type rules are those of the purl specification
// (https://github.com/package-url/purl-spec).
package purl

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	packageurl "github.com/package-url/packageurl-go"

	"github.com/stella-ops/stella/internal/fault"
)

// PackageURL is one package URL in parts, unescaped. The zero value stands for
// "no package URL" and prints as the empty string. Values are immutable by
// convention: the methods return changed copies.
type PackageURL struct {
	Type       string      // lower case, such as "deb", "npm", "golang"
	Namespace  string      // may be empty; segments separated by '/'
	Name       string      // required
	Version    string      // may be empty
	Qualifiers []Qualifier // sorted by key, keys unique and lower case
	Subpath    string      // may be empty; no leading or trailing '/'
}

// Qualifier is one key=value pair of a package URL.
type Qualifier struct {
	Key   string
	Value string
}

// Parse parses s and normalises it by the rules of its type. An error wraps
// the kind "invalid input" and quotes s.
func Parse(s string) (PackageURL, error) {
	p, err := packageurl.FromString(s)
	if err != nil {
		return PackageURL{}, fmt.Errorf("parse package URL %q: %v: %w", s, err, fault.Invalid)
	}
	u := PackageURL{Type: p.Type, Namespace: p.Namespace, Name: p.Name, Version: p.Version, Subpath: p.Subpath}
	for _, q := range p.Qualifiers {
		u.Qualifiers = append(u.Qualifiers, Qualifier{q.Key, q.Value})
	}
	return u.Normalize(), nil
}

// Normalize returns p with the rules of its type applied (case, name
// separators) and its qualifiers sorted; empty qualifiers are dropped.
func (p PackageURL) Normalize() PackageURL {
	p.Type = strings.ToLower(p.Type)
	switch p.Type {
	case "pypi":
		p.Name = strings.ReplaceAll(strings.ToLower(p.Name), "_", "-")
	case "deb", "apk", "rpm":
		p.Namespace = strings.ToLower(p.Namespace)
		if p.Type != "rpm" {
			p.Name = strings.ToLower(p.Name)
		}
	case "github", "bitbucket", "composer", "golang":
		p.Namespace, p.Name = strings.ToLower(p.Namespace), strings.ToLower(p.Name)
	}
	q := slices.DeleteFunc(slices.Clone(p.Qualifiers), func(q Qualifier) bool { return q.Value == "" })
	slices.SortFunc(q, func(a, b Qualifier) int { return cmp.Compare(a.Key, b.Key) })
	if len(q) == 0 {
		q = nil
	}
	p.Qualifiers = q
	return p
}

// Qualifier returns the value of key, or "" when p has none.
func (p PackageURL) Qualifier(key string) string {
	for _, q := range p.Qualifiers {
		if q.Key == key {
			return q.Value
		}
	}
	return ""
}

// With returns a copy of p whose qualifier key is value. An empty value
// removes the qualifier.
func (p PackageURL) With(key, value string) PackageURL {
	q := slices.DeleteFunc(slices.Clone(p.Qualifiers), func(q Qualifier) bool { return q.Key == key })
	if value != "" {
		q = append(q, Qualifier{key, value})
		slices.SortFunc(q, func(a, b Qualifier) int { return cmp.Compare(a.Key, b.Key) })
	}
	p.Qualifiers = q
	return p
}

// IsZero reports whether p names no package.
func (p PackageURL) IsZero() bool { return p.Type == "" && p.Name == "" }

// String returns the canonical form, or "" for the zero value.
func (p PackageURL) String() string {
	if p.IsZero() {
		return ""
	}
	q := make(packageurl.Qualifiers, len(p.Qualifiers))
	for i, x := range p.Qualifiers {
		q[i] = packageurl.Qualifier{Key: x.Key, Value: x.Value}
	}
	u := packageurl.PackageURL{Type: p.Type, Namespace: p.Namespace, Name: p.Name, Version: p.Version, Qualifiers: q, Subpath: p.Subpath}
	return u.ToString()
}

// MarshalText returns the canonical form; the zero value gives no text.
func (p PackageURL) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// UnmarshalText parses text; empty text gives the zero value.
func (p *PackageURL) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		*p = PackageURL{}
		return nil
	}
	u, err := Parse(string(text))
	if err != nil {
		return err
	}
	*p = u
	return nil
}

// Compare orders package URLs by their canonical form.
func Compare(a, b PackageURL) int { return strings.Compare(a.String(), b.String()) }

// Valid reports what keeps p from being a package URL: the required parts and
// the characters of type and qualifier keys (purl specification, "Rules for
// each purl component").
func (p PackageURL) Valid() error {
	if p.Name == "" {
		return fmt.Errorf("package URL of type %q without a name: %w", p.Type, fault.Invalid)
	}
	_, err := Parse(p.String())
	return err
}
