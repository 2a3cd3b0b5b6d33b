package validate

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/stella-ops/stella/scan/sbom/format"
	"github.com/stella-ops/stella/scan/sbom/license"
)

// words are the members of one format by what they mean.
type words struct {
	ids, refs, expressions []string
	known                  []string // that every document may name
	outside                func(ref string) bool
}

var cyclonedxWords = words{
	ids: []string{"bom-ref"}, refs: []string{"ref", "dependsOn", "provides", "assemblies", "dependencies", "vulnerabilities", "subjects"}, expressions: []string{"expression"},
	outside: func(ref string) bool { return strings.HasPrefix(ref, "urn:cdx:") },
}

var spdxWords = words{
	ids:         []string{"SPDXID", "licenseId"},
	refs:        []string{"spdxElementId", "relatedSpdxElement", "documentDescribes", "hasFiles", "snippetFromFile"},
	expressions: []string{"licenseDeclared", "licenseConcluded", "licenseInfoFromFiles", "licenseInfoInFiles"},
	known:       []string{"NONE", "NOASSERTION"},
	outside:     func(ref string) bool { return strings.HasPrefix(ref, "DocumentRef-") },
}

var spdx3Words = words{
	ids: []string{"spdxId", "@id", "externalSpdxId"}, expressions: []string{"simplelicensing_licenseExpression"},
	refs: []string{"creationInfo", "createdBy", "createdUsing", "from", "to", "subject", "element", "rootElement", "dataLicense", "suppliedBy", "originatedBy"},
	known: []string{"NoneElement", "NoAssertionElement", "SpdxOrganization", "expandedlicensing_NoneLicense", "expandedlicensing_NoAssertionLicense",
		"https://spdx.org/rdf/3.0.1/terms/Core/NoneElement", "https://spdx.org/rdf/3.0.1/terms/Core/NoAssertionElement", "https://spdx.org/rdf/3.0.1/terms/Core/SpdxOrganization",
		"https://spdx.org/rdf/3.0.1/terms/ExpandedLicensing/NoneLicense", "https://spdx.org/rdf/3.0.1/terms/ExpandedLicensing/NoAssertionLicense"},
	outside: func(ref string) bool { return strings.HasPrefix(ref, "https://spdx.org/licenses/") },
}

// references finds what the schema of a format cannot say: identifiers that occur
// twice, references to no identifier, and licences that are no expressions.
func references(name string, object map[string]any) []Problem {
	f, version, _ := strings.Cut(name, "@")
	w := &finder{ids: map[string]string{}}
	switch {
	case f == format.CycloneDXJSON:
		w.words = &cyclonedxWords
	case f == format.SPDXJSON && strings.HasPrefix(version, "3"):
		w.words = &spdx3Words
	case f == format.SPDXJSON:
		w.words = &spdxWords
	default:
		return nil
	}
	for _, id := range w.words.known {
		w.ids[id] = ""
	}
	w.object(object, "")
	for _, r := range w.refs {
		if _, known := w.ids[r.text]; !known && !w.words.outside(r.text) {
			w.out = append(w.out, Problem{r.at, RuleReference, fmt.Sprintf("no element of the document is %.200q", r.text)})
		}
	}
	return w.out
}

// finder walks through a document, by members in the order of their names.
type finder struct {
	words *words
	path  []string          // of the value that is looked at
	ids   map[string]string // pointers by identifier
	refs  []reference
	out   []Problem
}

type reference struct{ at, text string }

// object looks at one object; in is the member that holds it, or the list of it.
func (w *finder) object(o map[string]any, in string) {
	for _, name := range slices.Sorted(maps.Keys(o)) {
		w.path = append(w.path, name)
		w.value(o[name], in, name)
		w.path = w.path[:len(w.path)-1]
	}
}

func (w *finder) value(v any, in, name string) {
	switch v := v.(type) {
	case map[string]any:
		w.object(v, name)
	case []any:
		for i := range v {
			w.path = append(w.path, strconv.Itoa(i))
			w.value(v[i], in, name)
			w.path = w.path[:len(w.path)-1]
		}
	case string:
		w.text(v, in, name)
	}
}

func (w *finder) text(s, in, name string) {
	at := func() string { return pointer(w.path) }
	switch {
	case slices.Contains(w.words.ids, name):
		if name == "licenseId" && in != "hasExtractedLicensingInfos" {
			return
		}
		if first, taken := w.ids[s]; taken && first != "" && name != "externalSpdxId" {
			w.out = append(w.out, Problem{at(), RuleIdentifier, fmt.Sprintf("%.200q is already that of %s", s, first)})
			return
		}
		w.ids[s] = at()
	case slices.Contains(w.words.refs, name) && w.isReference(in, name, s):
		w.refs = append(w.refs, reference{at(), s})
	case slices.Contains(w.words.expressions, name):
		if what := noExpression(s); what != "" {
			w.out = append(w.out, Problem{at(), RuleLicense, what})
		}
	}
}

// isReference reports whether a member of that name is a reference where it is, inside
// of the member in.
func (w *finder) isReference(in, name, s string) bool {
	if w.words != &cyclonedxWords {
		return s != ""
	}
	switch name {
	case "ref":
		return in == "dependencies" || in == "affects"
	case "dependsOn", "provides":
		return in == "dependencies"
	case "assemblies", "dependencies", "vulnerabilities":
		return in == "compositions"
	}
	return name == "subjects" && in == "annotations"
}

// noExpression says why s is no SPDX licence expression, or nothing where it is one,
// or says that nothing is known.
func noExpression(s string) string {
	switch strings.TrimSpace(s) {
	case "", "NONE", "NOASSERTION":
		return ""
	}
	if err := license.Parse(s); err != nil {
		return oneLine(fmt.Sprintf("%.200q is no SPDX licence expression: %v", s, err))
	}
	return ""
}
