// Package enrich adds to the packages of a document what other sources know of them:
// another document, or rules that somebody wrote. It fills what is empty and extends
// lists; it changes no package's name, version, package URL or identifier, and
// overwrites nothing unless it is told to. Each change, and each thing that a source
// says otherwise, is told with the source.
package enrich

import (
	"github.com/stella-ops/stella/scan/sbom"
)

// Source knows something of packages: a document, or rules.
type Source struct {
	Name     string         // for people, such as the name of a file
	Document *sbom.Document // normalised; nil where there are Rules
	Rules    []Rule
}

// Options say how. The zero value keeps everything that is there.
type Options struct {
	// Replace takes what a source says over what the document says where they
	// differ. Of several sources the first wins either way. A package URL is never
	// replaced: it is what the package is.
	Replace bool
}

// Field is what of a package was changed or disputed.
type Field string

// The fields.
const (
	Licenses    Field = "licenses" // of one kind
	CPEs        Field = "cpes"
	PURL        Field = "purl"
	Hashes      Field = "hashes"     // by one algorithm
	Properties  Field = "properties" // of one name
	Supplier    Field = "supplier"
	Originator  Field = "originator"
	Homepage    Field = "homepage"
	Download    Field = "download"
	Copyright   Field = "copyright"
	Description Field = "description"
)

// Change is one thing that a source says of a package.
type Change struct {
	Package string `json:"package"` // ID
	Name    string `json:"name"`    // and version, as "name@version"
	Field   Field  `json:"field"`
	Was     string `json:"was,omitempty"` // what the document said; empty where nothing
	Said    string `json:"said"`          // what the source says
	Source  string `json:"source"`        // its Name, with "#<n>" behind it for the nth rule
}

// Report is what enriching did.
type Report struct {
	// Changes were made, Conflicts were not: the document, or a source before, says
	// something else. Both are in the order of packages, then sources, then fields.
	Changes   []Change `json:"changes"`
	Conflicts []Change `json:"conflicts"`
	// Unused names rules that no package fits, in their order.
	Unused []string `json:"unused,omitempty"`
}

// Apply returns a document with what the sources add to doc, which must be normalised
// and is not changed; parts that stay the same are shared. The same input gives the
// same output. An error wraps ErrInvalid and names a rule that is none.
func Apply(doc *sbom.Document, opt Options, sources ...Source) (*sbom.Document, *Report, error) {
	r := &Report{Changes: []Change{}, Conflicts: []Change{}}
	var givers []giver
	for _, s := range sources {
		list, err := giversOf(s)
		if err != nil {
			return nil, nil, err
		}
		givers = append(givers, list...)
	}
	out := *doc
	out.Packages = append([]sbom.Package(nil), doc.Packages...)
	used := make([]bool, len(givers))
	for i := range out.Packages {
		t := newTaker(&out.Packages[i], opt.Replace, r)
		for n := range givers {
			if facts := givers[n].of(&doc.Packages[i]); facts != nil {
				used[n] = true
				t.take(facts, givers[n].name)
			}
		}
	}
	for n := range givers {
		if givers[n].rule != nil && !used[n] {
			r.Unused = append(r.Unused, givers[n].name)
		}
	}
	out.Normalize()
	return &out, r, nil
}
