package policyfile

import (
	"fmt"
	"slices"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/stella-ops/stella/advisory/cvss"
	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/internal/sum"
	"github.com/stella-ops/stella/policy"
	"github.com/stella-ops/stella/scan/purl"
	"github.com/stella-ops/stella/scan/sbom"
	"github.com/stella-ops/stella/vex"
)

// baseLayer and ownLayer are the two layers that the image of a test has.
const (
	baseLayer = "sha256:0000000000000000000000000000000000000000000000000000000000000000"
	ownLayer  = "sha256:1111111111111111111111111111111111111111111111111111111111111111"
)

// image reads what is known of the image.
func (x *fixtures) image(in *policy.Inputs, n *yaml.Node, path string) {
	s := &in.Subject
	if n == nil {
		return
	}
	f := x.fields(n, path, "names", "digests", "labels", "base", "created", "os")
	s.Image.Names = x.texts(f["names"], path+".names", nil)
	s.Image.Digests = x.texts(f["digests"], path+".digests", nil)
	s.Base = x.texts(f["base"], path+".base", nil)
	s.OS = x.text(f["os"], path+".os", 128)
	if t := x.time(f["created"], path+".created"); !t.IsZero() {
		s.Created = t.Format(time.RFC3339)
	}
	if labels := f["labels"]; labels != nil {
		s.Labels = map[string]string{}
		for i := 0; labels.Kind == yaml.MappingNode && i+1 < len(labels.Content); i += 2 {
			s.Labels[labels.Content[i].Value] = x.text(labels.Content[i+1], path+".labels", 1024)
		}
		if labels.Kind != yaml.MappingNode {
			x.bad(labels, path+".labels", "want a mapping")
		}
	}
}

// finding reads the finding with its package.
func (x *fixtures) finding(in *policy.Inputs, n *yaml.Node, path string) {
	if n == nil {
		return
	}
	f := x.fields(n, path, "vulnerability", "aliases", "advisory", "ecosystem", "severity", "cvss", "epss", "exploited", "fixed", "fix", "published",
		"package", "scope", "usage", "licenses", "paths", "in_base")
	for _, name := range []string{"vulnerability", "package"} {
		if f != nil && f[name] == nil {
			x.bad(n, path+"."+name, "it is missing")
		}
	}
	out := finding.Finding{
		Package: "package-1", Vulnerability: x.text(f["vulnerability"], path+".vulnerability", 128), Aliases: x.texts(f["aliases"], path+".aliases", nil),
		PURL: x.text(f["package"], path+".package", 1024), Severity: x.severity(f["severity"], path+".severity"),
		Advisory: x.text(f["advisory"], path+".advisory", 128), EPSS: x.text(f["epss"], path+".epss", 40), Fixed: x.texts(f["fixed"], path+".fixed", nil),
		FixStatus: x.oneOf(f["fix"], path+".fix", []string{"will_not_fix", "fix_deferred", "end_of_life", "under_investigation", "unimportant"}),
	}
	out.Evidence.Ecosystem = x.text(f["ecosystem"], path+".ecosystem", 128)
	if out.Advisory == "" {
		out.Advisory = out.Vulnerability
	}
	if out.EPSS != "" {
		if _, ok := policy.Decimal(out.EPSS, 6); !ok {
			x.bad(f["epss"], path+".epss", "%.40q is no number", out.EPSS)
		}
	}
	if x.flag(f["exploited"], path+".exploited") {
		out.Exploited = in.At.Format(time.DateOnly)
	}
	if vector := x.text(f["cvss"], path+".cvss", 256); vector != "" {
		if _, err := cvss.Parse(vector); err != nil {
			x.bad(f["cvss"], path+".cvss", "%s", err)
		}
		out.Scores = []finding.Score{{Type: "CVSS", Value: vector}}
	}
	if t := x.time(f["published"], path+".published"); !t.IsZero() {
		out.Published = t.Format(time.RFC3339)
	}
	p := sbom.Package{ID: out.Package, Scope: sbom.Scope(x.oneOf(f["scope"], path+".scope", []string{"runtime", "dev", "optional"}))}
	switch u := x.oneOf(f["usage"], path+".usage", valuesOf("usage")); u {
	case "", "unknown":
	default:
		p.Usage = &sbom.Usage{State: sbom.UsageState(u)}
	}
	if out.PURL != "" {
		u, err := purl.Parse(out.PURL)
		if err != nil {
			x.bad(f["package"], path+".package", "%s", err)
			return
		}
		p.PURL, p.Name, p.Version = u, u.Name, u.Version
		out.Name, out.Version = u.Name, u.Version
	}
	x.place(in, &p, f, path)
	in.Packages, in.Findings = []sbom.Package{p}, []finding.Finding{out}
}

// place reads where the package lies and what licences it has.
func (x *fixtures) place(in *policy.Inputs, p *sbom.Package, f map[string]*yaml.Node, path string) {
	if string(p.Scope) == "runtime" {
		p.Scope = ""
	}
	for _, l := range x.texts(f["licenses"], path+".licenses", nil) {
		p.Licenses = append(p.Licenses, sbom.License{Expression: l})
	}
	layer := x.layer(in, f["in_base"], path+".in_base")
	paths := x.texts(f["paths"], path+".paths", nil)
	if len(paths) == 0 && layer != "" {
		paths = []string{"lib/" + p.Name}
	}
	for _, where := range paths {
		p.Locations = append(p.Locations, sbom.Location{Path: where, Layer: layer})
	}
}

// vex reads what suppliers say about the finding, and believes them as it says.
func (x *fixtures) vex(in *policy.Inputs, n *yaml.Node, path string) {
	if n == nil || len(in.Findings) == 0 {
		return
	}
	about := &in.Findings[0]
	trust := &vex.Trust{}
	for i, e := range x.list(n, path) {
		at := fmt.Sprintf("%s[%d]", path, i)
		f := x.fields(e, at, "status", "justification", "issuer", "tier", "signed", "about")
		s := &vex.Statement{
			Vulnerability: about.Vulnerability, Status: vex.Status(x.oneOf(f["status"], at+".status", strs(vex.Statuses))),
			Justification: vex.Justification(x.oneOf(f["justification"], at+".justification", strs(vex.Justifications))),
			Products:      []vex.Product{{PURL: about.PURL}}, Time: in.At.Add(-time.Hour),
		}
		if f == nil || s.Status == "" {
			continue
		}
		if other := x.text(f["about"], at+".about", 1024); other != "" {
			s.Products[0].PURL = other
		}
		if s.Status == vex.NotAffected && s.Justification == "" {
			s.Impact = "no reason is given"
		}
		issuer := x.text(f["issuer"], at+".issuer", 64)
		if issuer == "" {
			issuer = fmt.Sprintf("supplier-%d", i+1)
		}
		s.Origin = vex.Origin{Document: sum.Of([]byte(at)), Format: "openvex", Source: issuer}
		if x.flag(f["signed"], at+".signed") {
			s.Origin.Signature, s.Origin.Signer = vex.Verified, "key:"+sum.Of([]byte(issuer))
		}
		if err := s.Prepare(); err != nil {
			x.bad(e, at, "%s", err)
			continue
		}
		in.Statements = append(in.Statements, s)
		if !slices.ContainsFunc(trust.Issuers, func(i vex.Issuer) bool { return i.ID == issuer }) {
			trust.Issuers = append(trust.Issuers, vex.Issuer{
				ID: issuer, Tier: max(x.number(f["tier"], at+".tier", vex.MinTier, vex.MaxTier), vex.MinTier), Products: []string{"*"},
				Identities: []string{"key:" + sum.Of([]byte(issuer))}, Sources: []string{issuer}, Unsigned: vex.Statuses,
			})
		}
	}
	judge, err := trust.Judge()
	if err != nil {
		x.bad(n, path, "%s", err)
		return
	}
	in.Judge = judge
}

// exceptions reads exceptions, about the finding's vulnerability where they do not say
// what else they are about.
func (x *fixtures) exceptions(in *policy.Inputs, n *yaml.Node, path string) {
	if n == nil || len(in.Findings) == 0 {
		return
	}
	for i, e := range x.list(n, path) {
		at := fmt.Sprintf("%s[%d]", path, i)
		f := x.fields(e, at, "id", "effect", "severity", "control", "approver", "created", "expires", "vulnerabilities", "packages", "images", "environments", "paths")
		if f == nil {
			continue
		}
		out := policy.Exception{
			ID: x.text(f["id"], at+".id", 128), Owner: "owner", Reason: "a test", Effect: policy.Effect(x.oneOf(f["effect"], at+".effect", strs(policy.Effects))),
			Severity: x.severity(f["severity"], at+".severity"), Control: x.text(f["control"], at+".control", 128), Approver: x.text(f["approver"], at+".approver", 128),
			Created: x.time(f["created"], at+".created"), Expires: x.time(f["expires"], at+".expires"),
			Scope: policy.ExceptionScope{
				Vulnerabilities: x.texts(f["vulnerabilities"], at+".vulnerabilities", nil), Packages: x.texts(f["packages"], at+".packages", nil),
				Images: x.texts(f["images"], at+".images", nil), Environments: x.texts(f["environments"], at+".environments", nil), Paths: x.texts(f["paths"], at+".paths", nil),
			},
		}
		if out.ID == "" {
			out.ID = fmt.Sprintf("exception-%d", i+1)
		}
		if out.Created.IsZero() {
			out.Created = in.At.Add(-24 * time.Hour)
		}
		if s := &out.Scope; len(s.Vulnerabilities)+len(s.Packages)+len(s.Images)+len(s.Paths) == 0 {
			s.Vulnerabilities = []string{in.Findings[0].Vulnerability}
		}
		if err := out.Check(); err != nil {
			x.bad(e, at, "%s", err)
			continue
		}
		in.Exceptions = append(in.Exceptions, out)
	}
}

// gaps reads codes of what was not assessed; all are blocking.
func (x *fixtures) gaps(in *policy.Inputs, n *yaml.Node, path string) {
	for _, code := range x.texts(n, path, valuesOf("gap")) {
		in.Gaps = append(in.Gaps, sbom.Gap{Code: sbom.GapCode(code), Blocking: true, Where: "test", What: "the test says so"})
	}
}
