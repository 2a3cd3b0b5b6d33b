package cyclonedx

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/stella-ops/stella/advisory/cpe"
	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/vex"
	"github.com/stella-ops/stella/vex/internal/vexdoc"
)

// builder puts a document together.
type builder struct {
	out        *documentOut
	components map[string]*componentOut // by what they are, and in what
}

// words are what CycloneDX calls the statuses, of an analysis and of a version.
var words = map[vex.Status][2]string{
	vex.NotAffected: {"not_affected", "unaffected"}, vex.Affected: {"exploitable", "affected"},
	vex.Fixed: {"resolved", "unaffected"}, vex.UnderInvestigation: {"in_triage", "unknown"},
}

// justifications are words that are true where those of VEX are. Where they are not
// equal, a property has the right one.
var justifications = map[vex.Justification]string{
	vex.ComponentNotPresent: "code_not_present", vex.CodeNotPresent: "code_not_present", vex.CodeNotInExecutePath: "code_not_reachable",
	vex.InlineMitigationsExist: "protected_by_mitigating_control",
}

func (b *builder) statement(s *vex.Statement, issued time.Time) error {
	if err := vexdoc.Check(s); err != nil {
		return err
	}
	v := vulnerabilityOut{ID: s.Vulnerability, Analysis: analysisOut{State: words[s.Status][0], Detail: s.Notes}}
	for _, alias := range s.Aliases {
		name, _, _ := strings.Cut(alias, "-")
		v.References = append(v.References, referenceOut{alias, entity{name}})
	}
	if !s.Time.IsZero() && !s.Time.Equal(issued) {
		v.Analysis.LastUpdated = s.Time.UTC().Format(time.RFC3339Nano)
	}
	switch s.Status {
	case vex.Affected:
		v.Recommendation = s.Action
	case vex.NotAffected:
		v.Analysis.Detail = s.Impact
		if v.Analysis.Justification = justifications[s.Justification]; reasons[v.Analysis.Justification] != s.Justification {
			v.Properties = append(v.Properties, property{justificationProperty, string(s.Justification)})
		}
		if s.Notes != "" {
			v.Properties = append(v.Properties, property{notesProperty, s.Notes})
		}
	}
	for i := range s.Products {
		if err := b.affects(&v, &s.Products[i], s.Status); err != nil {
			return fmt.Errorf("product %d: %w", i, err)
		}
	}
	var err error
	v.Affects, err = vexdoc.Unique(v.Affects)
	b.out.Vulnerabilities = append(b.out.Vulnerabilities, v)
	return err
}

// affects adds a product, or its subcomponents within it, to a vulnerability.
func (b *builder) affects(v *vulnerabilityOut, p *vex.Product, status vex.Status) error {
	whole, err := b.component(p, nil)
	if err != nil {
		return err
	}
	if len(p.Subcomponents) == 0 {
		v.Affects = addTo(v.Affects, whole.Ref, p.Versions, status)
		return nil
	}
	if p.Versions != "" {
		return fmt.Errorf("CycloneDX has no range of versions of what contains a component: %w", fault.Unsupported)
	}
	for i := range p.Subcomponents {
		part, err := b.component(&p.Subcomponents[i], whole)
		if err != nil {
			return fmt.Errorf("subcomponent %d: %w", i, err)
		}
		v.Affects = addTo(v.Affects, part.Ref, p.Subcomponents[i].Versions, status)
	}
	return nil
}

func addTo(list []affectsOut, ref, versions string, status vex.Status) []affectsOut {
	a := affectsOut{Ref: ref}
	if versions != "" {
		a.Versions = []versionOut{{versions, words[status][1]}}
	}
	return append(list, a)
}

// component returns the component for a product within another one.
func (b *builder) component(p *vex.Product, in *componentOut) (*componentOut, error) {
	key := strings.Join(append([]string{p.PURL, p.CPE, p.Name}, p.Digests...), "\x00")
	if in != nil {
		key = in.Ref + "\x00in\x00" + key
	}
	if c := b.components[key]; c != nil {
		return c, nil
	}
	c := &componentOut{Type: "library", Ref: "component-" + strconv.Itoa(len(b.components)+1), Name: p.Name, PURL: p.PURL, CPE: p.CPE}
	u, ok := vexdoc.PURL(p.PURL)
	if ok {
		c.Version = u.Version
		if c.Name == "" {
			c.Name = u.Name
		}
	}
	if in == nil {
		c.Type = "application"
		if u.Type == "oci" || u.Type == "docker" {
			c.Type = "container"
		}
	}
	if n, ok := vexdoc.CPE(p.CPE); ok && c.Name == "" {
		c.Name, c.Version = cpe.Text(n.Product), n.FullVersion()
	}
	for _, d := range p.Digests {
		algorithm, value, _ := strings.Cut(d, ":")
		word := algorithms[algorithm]
		if word == "" {
			return nil, fmt.Errorf("CycloneDX has no digests %.64q: %w", d, fault.Unsupported)
		}
		if !digest.Get().MatchString(value) {
			return nil, fmt.Errorf("%.140q is no digest: %w", d, fault.Invalid)
		}
		c.Hashes = append(c.Hashes, hash{word, value})
		if c.Name == "" {
			c.Name = d
		}
	}
	if c.Name == "" {
		c.Name = "unnamed"
	}
	b.components[key] = c
	if in != nil {
		in.Components = append(in.Components, c)
	} else {
		b.out.Components = append(b.out.Components, c)
	}
	return c, nil
}

// algorithms are the names that CycloneDX has.
var algorithms = map[string]string{
	"md5": "MD5", "sha1": "SHA-1", "sha256": "SHA-256", "sha384": "SHA-384", "sha512": "SHA-512", "sha3-256": "SHA3-256", "sha3-384": "SHA3-384",
	"sha3-512": "SHA3-512", "blake2b-256": "BLAKE2b-256", "blake2b-384": "BLAKE2b-384", "blake2b-512": "BLAKE2b-512", "blake3": "BLAKE3",
}
