package export

import (
	"cmp"
	"slices"
	"strings"

	"github.com/stella-ops/stella/policy"
	"github.com/stella-ops/stella/vex"
)

// product is the image with the package as its part: what is said here holds of this
// image, and not of the package elsewhere.
func (m *Material) product(d *policy.Decided) []vex.Product {
	part := vex.Product{PURL: d.PURL, Name: strings.TrimSpace(d.Name + " " + d.Version)}
	digest := m.Document.Subject.ConfigDigest
	if s := m.Document.Source; s != nil && s.Manifest != "" {
		digest = s.Manifest
	}
	if digest == "" {
		return []vex.Product{part}
	}
	image := vex.Product{PURL: "pkg:oci/" + imageName(m.Image) + "@" + strings.Replace(digest, ":", "%3A", 1), Name: m.Image, Digests: []string{digest}}
	if part.PURL != "" {
		image.Subcomponents = []vex.Product{part}
	}
	return []vex.Product{image}
}

// imageName is the last part of a reference's repository, as package URLs of type oci
// have it.
func imageName(reference string) string {
	name, _, _ := strings.Cut(reference, "@")
	name = name[strings.LastIndexByte(name, '/')+1:]
	name, _, _ = strings.Cut(name, ":")
	name = strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || strings.ContainsRune("._-", r) {
			return r
		}
		return -1
	}, strings.ToLower(name))
	return cmp.Or(name, "image")
}

// status says what holds of a finding. A package without a package URL cannot be told
// from the rest of the image, so nothing that lowers risk can be said of it.
func (m *Material) status(s *vex.Statement, d *policy.Decided, fixed []string) {
	h := d.VEX
	switch {
	case h != nil && h.Excused && d.PURL == "":
		s.Status, s.Notes = vex.UnderInvestigation, d.Name+" has no package URL to name it by"
	case h != nil && h.Excused && h.Status == string(vex.NotAffected):
		s.Status, s.Justification = vex.NotAffected, ""
		var issuers []string
		for _, i := range h.Deciding {
			c := &h.Claims[i]
			if s.Justification == "" {
				s.Justification = vex.Justification(c.Reason)
			}
			issuers = append(issuers, cmp.Or(c.Issuer, "an unsigned document"))
		}
		slices.Sort(issuers)
		s.Impact = "as stated by " + strings.Join(slices.Compact(issuers), ", ")
		if !slices.Contains(vex.Justifications, s.Justification) {
			s.Justification = ""
		}
	case h != nil && h.Excused && h.Status == string(vex.Fixed):
		s.Status = vex.Fixed
	case h != nil && h.Disputed:
		s.Status, s.Notes = vex.UnderInvestigation, d.Because
	default:
		s.Status, s.Action = vex.Affected, action(d, fixed)
	}
}

// action says what to do about a finding.
func action(d *policy.Decided, fixed []string) string {
	todo := "No version that repairs it is known."
	if len(fixed) > 0 {
		todo = "Update " + d.Name + " to " + fixed[0] + "."
	}
	if d.Exception != "" {
		return todo + " Accepted for now by exception " + d.Exception + ": " + cmp.Or(d.Because, "no reason given") + "."
	}
	return todo
}
