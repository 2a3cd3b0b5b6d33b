package csaf

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/stella-ops/stella/internal/csaf"
	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/lazyre"
	"github.com/stella-ops/stella/vex"
	"github.com/stella-ops/stella/vex/internal/vexdoc"
)

// builder puts a document together.
type builder struct {
	out *csaf.Document
	ids map[string]string // of products, by what they are
	at  map[string]int    // vulnerabilities, by name

	listed map[listed]bool // what the lists of products have
}

type listed struct{ vulnerability, list, product string }

// statement adds one statement.
func (b *builder) statement(s *vex.Statement) error {
	if err := vexdoc.Check(s); err != nil {
		return err
	}
	switch {
	case s.Status == vex.Affected && strings.TrimSpace(s.Action) == "":
		return fmt.Errorf("%s without an action statement: %w", s.Status, fault.Invalid)
	case s.Status == vex.NotAffected && s.Justification == "" && isSeverity(s.Impact):
		return fmt.Errorf("an impact statement that gives no reason: %w", fault.Invalid)
	}
	var ids []string
	seen := map[string]bool{}
	for i := range s.Products {
		for _, id := range b.products(&s.Products[i]) {
			if !seen[id] {
				seen[id] = true
				ids = append(ids, id)
			}
		}
	}
	v := b.vulnerability(s)
	switch s.Status {
	case vex.Affected:
		b.add(v, "status affected", &v.ProductStatus.KnownAffected, ids)
		b.remediate(v, remediation(s.Action), ids)
	case vex.NotAffected:
		b.add(v, "status not affected", &v.ProductStatus.KnownNotAffected, ids)
		b.excuse(v, s, ids)
	case vex.Fixed:
		b.add(v, "status fixed", &v.ProductStatus.Fixed, ids)
	case vex.UnderInvestigation:
		b.add(v, "status under investigation", &v.ProductStatus.UnderInvestigation, ids)
	}
	if strings.TrimSpace(s.Notes) != "" {
		v.Notes = append(v.Notes, csaf.Note{Category: "details", Text: s.Notes})
	}
	return nil
}

// excuse adds why products are not affected. Statements may give the same reason for
// the same product more than once.
func (b *builder) excuse(v *csaf.Vulnerability, s *vex.Statement, ids []string) {
	if label := string(s.Justification); label != "" {
		i := slices.IndexFunc(v.Flags, func(f csaf.Flag) bool { return f.Label == label })
		if i < 0 {
			i = len(v.Flags)
			v.Flags = append(v.Flags, csaf.Flag{Label: label})
		}
		b.add(v, "flag "+label, &v.Flags[i].ProductIDs, ids)
	}
	if details := s.Impact; !isSeverity(details) {
		i := slices.IndexFunc(v.Threats, func(t csaf.Threat) bool { return t.Details == details })
		if i < 0 {
			i = len(v.Threats)
			v.Threats = append(v.Threats, csaf.Threat{Category: "impact", Details: details})
		}
		b.add(v, "threat "+details, &v.Threats[i].ProductIDs, ids)
	}
}

// remediate adds what to do about products.
func (b *builder) remediate(v *csaf.Vulnerability, r csaf.Remediation, ids []string) {
	i := slices.IndexFunc(v.Remediations, func(x csaf.Remediation) bool { return x.Category == r.Category && x.Details == r.Details })
	if i < 0 {
		i = len(v.Remediations)
		v.Remediations = append(v.Remediations, r)
	}
	b.add(v, "remediation "+r.Category+" "+r.Details, &v.Remediations[i].ProductIDs, ids)
}

// add adds the ids to a list that are not there. name tells the vulnerability's lists
// apart.
func (b *builder) add(v *csaf.Vulnerability, name string, list *[]string, ids []string) {
	for _, id := range ids {
		key := listed{v.Notes[0].Text, name, id}
		if !b.listed[key] {
			b.listed[key] = true
			*list = append(*list, id)
		}
	}
}

// cve is the form of CVE ids in CSAF 2.0.
var cve = lazyre.New(`^CVE-[0-9]{4}-[0-9]{4,}$`)

// vulnerability returns the vulnerability that a statement is about.
func (b *builder) vulnerability(s *vex.Statement) *csaf.Vulnerability {
	i, ok := b.at[s.Vulnerability]
	if !ok {
		i = len(b.out.Vulnerabilities)
		b.at[s.Vulnerability] = i
		v := csaf.Vulnerability{
			ProductStatus: &csaf.ProductStatus{},
			Notes:         []csaf.Note{{Category: "description", Text: s.Vulnerability}},
		}
		if cve.Get().MatchString(s.Vulnerability) {
			v.CVE = s.Vulnerability
		} else {
			v.IDs = []csaf.ID{{SystemName: system(s.Vulnerability), Text: s.Vulnerability}}
		}
		b.out.Vulnerabilities = append(b.out.Vulnerabilities, v)
	}
	v := &b.out.Vulnerabilities[i]
	for _, alias := range s.Aliases {
		if alias != s.Vulnerability && !slices.ContainsFunc(v.IDs, func(id csaf.ID) bool { return id.Text == alias }) {
			v.IDs = append(v.IDs, csaf.ID{SystemName: system(alias), Text: alias})
		}
	}
	return v
}

// system names the system of an id by what is before its first hyphen.
func system(id string) string {
	if before, _, ok := strings.Cut(id, "-"); ok && before != "" {
		return before
	}
	return "other"
}

// products returns the ids of a product, or of its subcomponents within it.
func (b *builder) products(p *vex.Product) (ids []string) {
	whole := *p
	whole.Subcomponents = nil
	platform, name := b.product(&whole)
	if len(p.Subcomponents) == 0 {
		return []string{platform}
	}
	for i := range p.Subcomponents {
		part, partName := b.product(&p.Subcomponents[i])
		key := "relationship\x00" + part + "\x00" + platform
		id, ok := b.ids[key]
		if !ok {
			id = b.id(key)
			b.out.ProductTree.Relationships = append(b.out.ProductTree.Relationships, csaf.Relationship{
				Category: "default_component_of", ProductReference: part, RelatesToProductReference: platform,
				FullProductName: csaf.FullProductName{Name: partName + " as a component of " + name, ProductID: id},
			})
		}
		ids = append(ids, id)
	}
	return ids
}

// id makes the id of what has none.
func (b *builder) id(key string) string {
	id := "P" + strconv.Itoa(len(b.ids)+1)
	b.ids[key] = id
	return id
}

// product returns id and name of a product without subcomponents.
func (b *builder) product(p *vex.Product) (id, name string) {
	for _, text := range append([]string{p.Name, p.PURL, p.CPE}, p.Digests...) {
		if name == "" {
			name = text
		}
	}
	if name == "" {
		name = "unnamed"
	}
	key := strings.Join(append([]string{p.Name, p.PURL, p.CPE, p.Versions}, p.Digests...), "\x00")
	if id, ok := b.ids[key]; ok {
		return id, name
	}
	id = b.id(key)
	full := csaf.FullProductName{Name: name, ProductID: id}
	if p.PURL != "" || p.CPE != "" || len(p.Digests) > 0 {
		full.Helper = &csaf.Helper{PURL: p.PURL, CPE: p.CPE}
		var file csaf.FileHashes
		for _, d := range p.Digests {
			algorithm, value, _ := strings.Cut(d, ":")
			file.FileHashes = append(file.FileHashes, csaf.FileHash{Algorithm: algorithm, Value: value})
		}
		if len(file.FileHashes) > 0 {
			file.Filename = name
			full.Helper.Hashes = []csaf.FileHashes{file}
		}
	}
	if p.Versions != "" {
		b.out.ProductTree.Branches = append(b.out.ProductTree.Branches, csaf.Branch{Category: "product_version_range", Name: p.Versions, Product: &full})
	} else {
		b.out.ProductTree.FullProductNames = append(b.out.ProductTree.FullProductNames, full)
	}
	return id, name
}
