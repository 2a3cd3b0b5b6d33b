package conan

import (
	"fmt"
	"strings"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/analyzer/internal/locked"
	"github.com/stella-ops/stella/scan/purl"
	"github.com/stella-ops/stella/scan/sbom"
)

// reference is how Conan names a recipe or a binary package of it:
// "name/version@user/channel#recipe-revision:package-id#package-revision".
type reference struct {
	name, version, user, channel string
	recipe, binary               string // revisions
}

// parse reads a reference. A time may follow the recipe's revision ("%1675278904.07"); "_"
// stands for no user and no channel, and a revision of 0 for none.
func parse(text string) (reference, error) {
	fail := func() (reference, error) {
		return reference{}, fmt.Errorf("%.80q is not a package reference: %w", text, fault.Invalid)
	}
	var r reference
	rest, id, _ := strings.Cut(text, ":")
	_, r.binary, _ = strings.Cut(id, "#")
	rest, r.recipe, _ = strings.Cut(rest, "#")
	r.recipe, _, _ = strings.Cut(r.recipe, "%")
	rest, _, _ = strings.Cut(rest, "%")
	rest, owner, _ := strings.Cut(rest, "@")
	name, version, ok := strings.Cut(rest, "/")
	user, channel, _ := strings.Cut(owner, "/")
	if !ok || strings.ContainsAny(version, "/ ") || version == "" || name == "" || strings.ContainsAny(name, " []") || strings.Contains(channel, "/") {
		return fail()
	}
	none := func(word, mark string) string {
		if word == mark {
			return ""
		}
		return word
	}
	r.name, r.version, r.user, r.channel = name, version, none(user, "_"), none(channel, "_")
	r.recipe, r.binary = none(r.recipe, "0"), none(r.binary, "0")
	return r, nil
}

// String writes what tells one recipe from others.
func (r reference) String() string {
	s := r.name + "/" + r.version
	if r.user != "" {
		s += "@" + r.user
		if r.channel != "" {
			s += "/" + r.channel
		}
	}
	if r.recipe != "" {
		s += "#" + r.recipe
	}
	return s
}

// url returns the package URL (purl-spec, types/conan-definition.json).
func (r reference) url() purl.PackageURL {
	u := locked.URL("conan", "", r.name, r.version)
	if u.IsZero() {
		return u
	}
	return u.With("user", r.user).With("channel", r.channel).With("rrev", r.recipe).With("prev", r.binary)
}

func (r reference) pack() sbom.Package {
	return sbom.Package{Name: r.name, Version: r.version, PURL: r.url()}
}
