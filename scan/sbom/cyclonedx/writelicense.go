package cyclonedx

import (
	"cmp"
	"slices"

	"github.com/stella-ops/stella/scan/sbom"
)

// licenses writes the list of licences that version allows: until 1.6 either
// one expression or entries of id and name, from 1.7 both.
// What was found in texts is a property (see detected).
func (e *encoder) licenses(list []sbom.License) {
	list = stated(list)
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

// stated returns the licences that somebody states: all but those that were found
// in texts, for which acknowledgement has no word.
func stated(list []sbom.License) []sbom.License {
	if !slices.ContainsFunc(list, wasDetected) {
		return list
	}
	return slices.DeleteFunc(slices.Clone(list), wasDetected)
}

func wasDetected(l sbom.License) bool { return l.Kind == sbom.LicenseDetected }

// detected writes a property for each licence that was found in a text.
func (e *encoder) detected(list []sbom.License) {
	for _, l := range list {
		if !wasDetected(l) {
			continue
		}
		e.property(ownDetected, cmp.Or(l.Expression, l.Name))
		if l.URL != "" {
			e.lose("licenses", "the URL of a detected licence has no member")
		}
	}
}

// detectedLicense reads such a property.
func detectedLicense(value string) sbom.License {
	if validExpression(value) {
		return sbom.License{Kind: sbom.LicenseDetected, Expression: value}
	}
	return sbom.License{Kind: sbom.LicenseDetected, Name: value}
}
