package cyclonedx

import (
	"slices"

	"github.com/stella-ops/stella/scan/sbom"
)

// licenses writes the list of licences that version allows: until 1.6 either
// one expression or entries of id and name, from 1.7 both.
func (e *encoder) licenses(list []sbom.License) {
	if e.version < 6 {
		list = slices.DeleteFunc(slices.Clone(list), func(l sbom.License) bool {
			if l.Kind == sbom.LicenseConcluded {
				e.lose("licenses", "concluded licence "+quote(l.Expression+l.Name)+": told apart only since CycloneDX 1.6")
			}
			return l.Kind == sbom.LicenseConcluded
		})
	}
	if len(list) == 0 {
		return
	}
	e.key("licenses")
	e.begin('[')
	for _, l := range list {
		alone := len(list) == 1 || e.version >= 7
		e.license(l, alone)
	}
	e.end(']')
}

func (e *encoder) license(l sbom.License, alone bool) {
	e.begin('{')
	isID := licenseIDs()[l.Expression]
	if l.Expression != "" && !isID && alone && validExpression(l.Expression) {
		e.text("expression", l.Expression)
		e.concluded(l)
		if l.URL != "" {
			e.lose("licenses", "the URL of an expression has no member")
		}
		e.end('}')
		return
	}
	e.key("license")
	e.begin('{')
	switch {
	case isID:
		e.text("id", l.Expression)
	case l.Expression != "": // read again as an expression if it is one
		e.text("name", l.Expression)
	default:
		e.key("name")
		e.quote(l.Name)
	}
	if l.URL != "" && fitURI(l.URL) {
		e.text("url", l.URL)
	} else if l.URL != "" {
		e.lose("licenses", "the URL of a licence is not a URI")
	}
	e.concluded(l)
	e.end('}')
	e.end('}')
}

func (e *encoder) concluded(l sbom.License) {
	if l.Kind == sbom.LicenseConcluded {
		e.text("acknowledgement", "concluded")
	}
}
