package main

import (
	"cmp"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"

	"github.com/stella-ops/stella/scan/purl"
)

// id is a package as all tools would write it.
type id struct{ ecosystem, name, version string }

func (i id) String() string { return i.name + "@" + i.version }

// set is what one tool found.
type set map[id]bool

// separators are what PEP 503 folds.
var separators = regexp.MustCompile(`[-_.]+`)

// normalize writes a package under one name, whatever a tool calls it: case is folded where
// registries do, epochs and the "v" of Go are left out.
func normalize(ecosystem, name, version string) id {
	switch ecosystem {
	case "golang":
		name, version = strings.ToLower(name), strings.TrimPrefix(version, "v")
	case "pypi":
		name = separators.ReplaceAllString(strings.ToLower(name), "-")
	case "npm", "nuget", "composer", "cargo", "gem", "pub", "hex":
		name = strings.ToLower(name)
	case "deb", "rpm", "apk":
		if epoch, rest, ok := strings.Cut(version, ":"); ok && strings.Trim(epoch, "0123456789") == "" {
			version = rest
		}
		name = strings.ToLower(name)
	case "cocoapods":
		name, _, _ = strings.Cut(name, "/")
	}
	return id{ecosystem, name, version}
}

// fromPURL returns the package of a package URL, and false where it is none. Distributions
// are not part of the name, nor are qualifiers.
func fromPURL(text string) (id, bool) {
	u, err := purl.Parse(text)
	if err != nil {
		return id{}, false
	}
	name := u.Name
	if sep := "/"; u.Namespace != "" && u.Type != "deb" && u.Type != "rpm" && u.Type != "apk" && u.Type != "alpm" {
		if u.Type == "maven" {
			sep = ":"
		}
		name = u.Namespace + sep + name
	}
	return normalize(u.Type, name, u.Version), true
}

// ecosystems are the words of osv-scanner by the types of package URLs.
var ecosystems = map[string]string{
	"go": "golang", "npm": "npm", "pypi": "pypi", "maven": "maven", "crates.io": "cargo", "packagist": "composer", "nuget": "nuget", "rubygems": "gem",
	"pub": "pub", "hex": "hex", "conancenter": "conan", "swifturl": "swift", "hackage": "hackage", "cran": "cran", "bioconductor": "bioconductor", "ghc": "hackage",
	"debian": "deb", "ubuntu": "deb", "alpine": "apk", "chainguard": "apk", "wolfi": "apk", "alpaquita": "apk",
	"red hat": "rpm", "rocky linux": "rpm", "almalinux": "rpm", "suse": "rpm", "opensuse": "rpm", "mageia": "rpm", "photon os": "rpm", "openeuler": "rpm",
	"github actions": "github", "julia": "julia", "homebrew": "brew",
}

// fromOSV returns the package of a name, version and ecosystem of osv-scanner ("Debian:12").
func fromOSV(name, version, ecosystem string) id {
	word, _, _ := strings.Cut(strings.ToLower(ecosystem), ":")
	return normalize(cmp.Or(ecosystems[word], word), name, version)
}

// report writes what each tool has in each ecosystem, and what only some of them have.
func report(w io.Writer, subject string, tools []tool, found []set, each int) {
	by := map[string][]int{}
	for i, s := range found {
		for p := range s {
			if by[p.ecosystem] == nil {
				by[p.ecosystem] = make([]int, len(found))
			}
			by[p.ecosystem][i]++
		}
	}
	var words []string
	for e := range by {
		words = append(words, e)
	}
	slices.Sort(words)
	for _, e := range words {
		fmt.Fprintf(w, "%s | %s |", subject, e)
		for i, n := range by[e] {
			fmt.Fprintf(w, " %s %d", tools[i].name, n)
		}
		fmt.Fprintln(w)
		for i := 1; i < len(found); i++ {
			list(w, "  "+tools[i].name+" has and we do not", minus(found[i], found[0], e), each)
			if by[e][i] > 0 {
				list(w, "  we have and "+tools[i].name+" does not", minus(found[0], found[i], e), each)
			}
		}
	}
}

// minus returns what of one ecosystem is in a and not in b, sorted.
func minus(a, b set, ecosystem string) []string {
	var out []string
	for p := range a {
		if p.ecosystem == ecosystem && !b[p] {
			out = append(out, p.String())
		}
	}
	slices.Sort(out)
	return out
}

func list(w io.Writer, what string, names []string, each int) {
	if len(names) == 0 {
		return
	}
	more := ""
	if len(names) > each {
		more = " …"
	}
	fmt.Fprintf(w, "%s (%d): %s%s\n", what, len(names), strings.Join(names[:min(each, len(names))], " "), more)
}
