package csaf

import (
	"slices"
	"strings"
	"unicode"
)

// The categories that select a profile.
//
// Source: CSAF 2.0, section 4.
const (
	CategoryBase          = "csaf_base"
	CategoryIncident      = "csaf_security_incident_response"
	CategoryInformational = "csaf_informational_advisory"
	CategoryAdvisory      = "csaf_security_advisory"
	CategoryVEX           = "csaf_vex"
)

// profileNames are the names and categories of the profiles other than the
// base, folded.
var profileNames = []string{
	"securityincidentresponse", "informationaladvisory", "securityadvisory", "vex",
	"csafsecurityincidentresponse", "csafinformationaladvisory", "csafsecurityadvisory", "csafvex",
}

// testProfile performs 6.1.26, 6.1.27.1 to 6.1.27.11 and 6.1.28.
func (v *validator) testProfile() {
	head := &v.doc.Head
	switch head.Category {
	case CategoryIncident, CategoryInformational:
		v.informs()
	case CategoryAdvisory, CategoryVEX:
		v.advises()
	case CategoryBase:
	default:
		v.category(head.Category)
	}
	if head.Lang != "" && strings.EqualFold(head.Lang, head.SourceLang) {
		v.fail("6.1.28", "/document/source_lang", "it is the document's own language, %.32q", head.Lang)
	}
}

// category performs 6.1.26.
func (v *validator) category(category string) {
	folded := strings.Map(func(c rune) rune {
		if c == '_' || unicode.IsSpace(c) || unicode.Is(unicode.Pd, c) {
			return -1
		}
		return unicode.ToLower(c)
	}, category)
	switch {
	case slices.Contains(profileNames, folded):
		v.fail("6.1.26", "/document/category", "%.100q is the name of a profile, but not its category", category)
	case strings.HasPrefix(strings.ToLower(category), "csaf_"):
		v.fail("6.1.26", "/document/category", "%.100q has the prefix that is reserved for profiles", category)
	}
}

// informs performs the tests of the profiles "security incident response" and
// "informational advisory".
func (v *validator) informs() {
	head := &v.doc.Head
	if !slices.ContainsFunc(head.Notes, func(n Note) bool {
		return slices.Contains([]string{"description", "details", "general", "summary"}, n.Category)
	}) {
		v.fail("6.1.27.1", "/document/notes", "no note is a description, details, general or a summary")
	}
	if !slices.ContainsFunc(head.References, Reference.External) {
		v.fail("6.1.27.2", "/document/references", "no reference is external")
	}
	if head.Category == CategoryInformational && v.doc.Vulnerabilities != nil {
		v.fail("6.1.27.3", "/vulnerabilities", "an informational advisory has none")
	}
}

// advises performs the tests of the profiles "security advisory" and "VEX".
func (v *validator) advises() {
	vex := v.doc.Head.Category == CategoryVEX
	if v.doc.ProductTree == nil {
		v.fail("6.1.27.4", "/product_tree", "it is missing")
	}
	if v.doc.Vulnerabilities == nil {
		v.fail("6.1.27.11", "/vulnerabilities", "they are missing")
	}
	for i := range v.doc.Vulnerabilities {
		u := &v.doc.Vulnerabilities[i]
		pointer := at("vulnerabilities", i)
		if u.Notes == nil {
			v.fail("6.1.27.5", pointer+"/notes", "they are missing")
		}
		if !vex && u.ProductStatus == nil {
			v.fail("6.1.27.6", pointer+"/product_status", "it is missing")
		}
		if vex {
			v.exploitability(pointer, u)
		}
	}
}

// exploitability performs 6.1.27.7 to 6.1.27.10.
func (v *validator) exploitability(pointer string, u *Vulnerability) {
	s := u.ProductStatus
	if s == nil || s.Fixed == nil && s.KnownAffected == nil && s.KnownNotAffected == nil && s.UnderInvestigation == nil {
		v.fail("6.1.27.7", pointer+"/product_status", "no product is fixed, known_affected, known_not_affected or under_investigation")
	}
	if u.CVE == "" && u.IDs == nil {
		v.fail("6.1.27.8", pointer, "it has neither cve nor ids")
	}
	if s == nil {
		return
	}
	explained, acted := newCover(), newCover()
	for _, f := range u.Flags {
		v.add(explained, f.ProductIDs, f.GroupIDs)
	}
	for _, t := range u.Threats {
		if t.Category == "impact" {
			v.add(explained, t.ProductIDs, t.GroupIDs)
		}
	}
	for _, r := range u.Remediations {
		v.add(acted, r.ProductIDs, r.GroupIDs)
	}
	for j, id := range s.KnownNotAffected {
		if !explained.ids[id] {
			v.fail("6.1.27.9", pointer+at("product_status", "known_not_affected", j), "product %.200q has no impact statement", id)
		}
	}
	for j, id := range s.KnownAffected {
		if !acted.ids[id] {
			v.fail("6.1.27.10", pointer+at("product_status", "known_affected", j), "product %.200q has no action statement", id)
		}
	}
}

func isJustification(label string) bool { return slices.Contains(justifications, label) }
