package cran

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/analyzer/internal/stanza"
	"github.com/stella-ops/stella/scan/sbom"
)

// library is the name space of installed packages; their keys are the library's folder and
// their name.
const library = "library"

// maxNeeds bounds the dependencies of one package.
const maxNeeds = 10_000

// readDescription reads the DESCRIPTION of an installed package (Writing R Extensions, "The
// DESCRIPTION file").
func readDescription(file string, data []byte) ([]analyzer.Fact, error) {
	r := record{}
	err := stanza.Read(data, r.field, func(int) {})
	name, version := r["Package"], r["Version"]
	switch {
	case !strings.HasPrefix(r["Built"], "R ") && !inLibrary(file):
		return nil, nil // sources, or no file of R at all
	case name == "" || version == "":
		return nil, cmp.Or(err, fmt.Errorf("a package without a name or version: %w", fault.Invalid))
	}
	p := sbom.Package{
		Name: name, Version: version, Description: r["Title"], Licenses: licences(r["License"]),
		Homepage: homepage(r["URL"]), Originator: cmp.Or(r["Author"], r["Maintainer"]), Copyright: r["Copyright"],
	}
	if strings.EqualFold(r["Priority"], "base") {
		p.Properties = []sbom.Property{{Name: "cran:priority", Value: "base"}}
	} else {
		r.locate(&p, nil)
	}
	f := analyzer.Fact{Kind: analyzer.KindPackage, Scope: library, Key: path.Dir(path.Dir(file)) + "/" + name, Package: &p, Holds: []string{"./"}}
	for _, key := range []string{"Depends", "Imports", "LinkingTo"} {
		f.DependsOn = append(f.DependsOn, names(r[key])...)
	}
	slices.Sort(f.DependsOn)
	f.DependsOn = slices.Compact(f.DependsOn)
	return []analyzer.Fact{f}, err
}

// inLibrary reports whether a file is where installed packages are.
func inLibrary(file string) bool {
	base := path.Base(path.Dir(path.Dir(file)))
	return base == "library" || base == "site-library"
}

// keysOf returns the keys of the installed packages that f needs.
func keysOf(f analyzer.Located, here map[string]bool, anywhere map[string]string) (keys []string) {
	folder := path.Dir(path.Dir(f.Path))
	for _, name := range f.DependsOn {
		if key := folder + "/" + name; here[key] {
			keys = append(keys, key)
		} else if key := anywhere[name]; key != "" {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}

// record are the fields of a stanza that count.
type record map[string]string

// wanted are the fields that are kept.
var wanted = []string{
	"Author", "biocViews", "Built", "Copyright", "Depends", "GithubRepo", "GithubSHA1", "GithubSha1", "GithubUsername", "Imports", "License",
	"LinkingTo", "Maintainer", "Package", "PackratFormat", "Priority", "RemoteHost", "RemoteRepo", "RemoteRepos", "RemoteSha",
	"RemoteType", "RemoteUrl", "RemoteUsername", "Repos", "Repository", "Requires", "Source", "Title", "URL", "Version",
}

// field keeps a field; of several with one name the first counts.
func (r record) field(name, value []byte) {
	if len(value) > 0 && slices.Contains(wanted, string(name)) {
		if _, known := r[string(name)]; !known {
			r[string(name)] = stanza.Line(value)
		}
	}
}

// names takes the packages out of "R (>= 3.5), methods, rlang (>= 1.0)". R itself is none.
func names(list string) (out []string) {
	for one := range strings.SplitSeq(list, ",") {
		name, _, _ := strings.Cut(strings.TrimSpace(one), "(")
		if name = strings.TrimSpace(name); name != "" && name != "R" && len(out) < maxNeeds {
			out = append(out, name)
		}
	}
	return out
}

// homepage is the first of the addresses in a field.
func homepage(text string) string {
	first := strings.FieldsFunc(text, func(c rune) bool { return c == ',' || c == ' ' })
	if len(first) == 0 {
		return ""
	}
	return first[0]
}
