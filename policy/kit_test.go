package policy_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/policy"
	"github.com/stella-ops/stella/scan/purl"
	"github.com/stella-ops/stella/scan/sbom"
	"github.com/stella-ops/stella/vex"
)

var at = time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)

func day(n int) time.Time { return at.Add(time.Duration(n) * 24 * time.Hour) }

// dice makes random policies and inputs: everything that makes a difference, and
// little that does not.
type dice struct{ *rand.Rand }

func roll[T any](d dice, list ...T) T { return list[d.IntN(len(list))] }

func (d dice) chance(percent int) bool { return d.IntN(100) < percent }

func some[T any](d dice, n int, make func(int) T) (out []T) {
	for i := range d.IntN(n + 1) {
		out = append(out, make(i))
	}
	return out
}

var severities = []finding.Severity{"", "none", "low", "medium", "high", "critical"}

func (d dice) gates() policy.Gates {
	g := policy.Gates{
		Evidence: policy.Evidence{
			Gaps: roll(d, "", policy.NotAssessed, policy.Warn, policy.Block), Unknown: roll(d, "", policy.NotAssessed, policy.Warn, policy.Block), Unrated: roll(d, "", "", "", finding.Medium),
		},
		VEX: policy.VEX{Disputed: roll(d, "", policy.Distrust, policy.DisputedWarn, policy.DisputedBlock), Require: d.requirement(), Ignore: d.chance(10)},
	}
	if d.chance(70) {
		g.Threshold.Block = roll(d, severities...)
	}
	if d.chance(50) {
		g.Threshold.Warn = roll(d, severities...)
	}
	if t := g.Threshold; t.Block != "" && t.Warn.Rank() > t.Block.Rank() {
		g.Threshold.Warn = t.Block
	}
	return g
}

func (d dice) requirement() policy.Requirement {
	if d.chance(60) {
		return policy.Requirement{}
	}
	q := policy.Requirement{Tier: d.IntN(3), Signed: d.chance(30)}
	if d.chance(30) {
		q.Issuers = []string{roll(d, "maker", "hub")}
	}
	if d.chance(30) {
		q.Justifications = []vex.Justification{roll(d, vex.CodeNotPresent, vex.ComponentNotPresent)}
	}
	return q
}

func (d dice) policy() *policy.Policy {
	p := &policy.Policy{ID: "p", Version: 1 + d.IntN(3), Semantics: policy.Semantics, Gates: d.gates()}
	p.Rules = some(d, 8, func(i int) policy.Rule {
		r := policy.Rule{ID: fmt.Sprintf("r%d", i), Action: roll(d, policy.Actions...), Because: "reason " + fmt.Sprint(i), Final: d.chance(15), DespiteVEX: d.chance(20)}
		if r.Action == policy.ActionIgnore && d.chance(50) {
			r.Until = day(roll(d, -1, 0, 3))
		}
		if r.Action == policy.ActionRequireVEX {
			r.Require = d.requirement()
		}
		r.Conditions = some(d, 3, func(int) policy.Condition { return d.condition() })
		return r
	})
	if d.chance(30) {
		p.Profiles = []policy.Profile{{Environment: "prod", Gates: d.gates()}}
	}
	if d.chance(30) {
		p.Exceptions = policy.Grant{MaxDays: roll(d, 0, 2, 90), Approver: d.chance(50), Severity: roll(d, severities...)}
		if d.chance(30) {
			p.Exceptions.Effects = []policy.Effect{policy.Suppress, policy.Downgrade}
		}
	}
	return p
}

// tests are conditions that may hold of what inputs has.
var tests = []policy.Condition{
	{Field: "severity", Operator: policy.AtLeast, Values: []string{"high"}}, {Field: "severity", Operator: policy.Below, Values: []string{"medium"}},
	{Field: "severity", Operator: policy.Is, Values: []string{"critical", "low"}}, {Field: "kev", Operator: policy.Is, Values: []string{"true"}},
	{Field: "kev", Operator: policy.Is, Values: []string{"false"}}, {Field: "epss", Operator: policy.AtLeast, Values: []string{"0.1"}},
	{Field: "cvss", Operator: policy.Above, Values: []string{"7.0"}}, {Field: "fix", Operator: policy.Is, Values: []string{"available"}},
	{Field: "fix", Operator: policy.Is, Values: []string{"none", "will_*"}}, {Field: "age", Operator: policy.AtMost, Values: []string{"30"}},
	{Field: "name", Operator: policy.Is, Values: []string{"lib*"}}, {Field: "purl", Operator: policy.Matches, Values: []string{"pkg:npm/**"}},
	{Field: "type", Operator: policy.Is, Values: []string{"deb"}}, {Field: "path", Operator: policy.Is, Values: []string{"usr/*"}},
	{Field: "scope", Operator: policy.Is, Values: []string{"dev"}}, {Field: "license", Operator: policy.Is, Values: []string{"*GPL*"}},
	{Field: "in_base", Operator: policy.Is, Values: []string{"true"}}, {Field: "layer", Operator: policy.Is, Values: []string{"0", "2"}},
	{Field: "vex", Operator: policy.Is, Values: []string{"affected"}}, {Field: "vex_disputed", Operator: policy.Is, Values: []string{"true"}},
	{Field: "vex_issuer", Operator: policy.Is, Values: []string{"maker"}}, {Field: "vulnerability", Operator: policy.Is, Values: []string{"cve-2026-*2"}},
	{Field: "environment", Operator: policy.Is, Values: []string{"prod"}}, {Field: "label", Operator: policy.Is, Values: []string{"team=pay*"}},
	{Field: "image", Operator: policy.Is, Values: []string{"*/web*"}}, {Field: "gap", Operator: policy.Is, Values: []string{"stale"}},
	{Field: "severities", Operator: policy.Is, Values: []string{"nvd=*"}}, {Field: "os", Operator: policy.Is, Values: []string{"debian-*"}},
}

func (d dice) condition() policy.Condition {
	if d.chance(10) {
		return policy.Condition{Expression: roll(d, "severity", "broken", "epss")}
	}
	c := roll(d, tests...)
	c.Negate = d.chance(20)
	return c
}

// expressions stand for CEL: named after what they do.
func expressions(text string) (policy.Expression, error) { return expression(text), nil }

type expression string

func (e expression) Reads() []string {
	if e == "broken" {
		return []string{"name"}
	}
	return []string{string(e)}
}

func (e expression) Eval(f policy.Facts) (bool, error) {
	v, ok := f.Value(e.Reads()[0])
	if !ok {
		return false, fmt.Errorf("%s was asked of what is unknown", e)
	}
	if e == "broken" {
		if strings.HasSuffix(v.(string), "b") {
			return false, fmt.Errorf("%s is too much", v)
		}
		return true, nil
	}
	return v.(int64)%2 == 0, nil
}

// parties is whom the inputs believe.
var parties = &vex.Trust{Issuers: []vex.Issuer{
	{ID: "maker", Tier: 1, Identities: []string{"key:maker"}, Products: []string{"*"}},
	{ID: "second", Tier: 1, Identities: []string{"key:second"}, Products: []string{"*"}},
	{ID: "hub", Tier: 2, Sources: []string{"hub"}, Products: []string{"*"}, Unsigned: vex.Statuses, MaxAge: 10},
}}

var names = []string{"liba", "libb", "tool"}

func (d dice) inputs(t testing.TB) *policy.Inputs {
	judge, err := parties.Judge()
	if err != nil {
		t.Fatal(err)
	}
	in := &policy.Inputs{At: at, Judge: judge, Environment: roll(d, "", "prod"), Digests: policy.Digests{Advisories: roll(d, "sha256:a", "sha256:a", "sha256:a", ""), Report: "sha256:r"}}
	in.Subject = policy.Subject{Name: "web", Layers: []string{"l0", "l1", "l2"}, BaseLayers: d.IntN(3), OS: roll(d, "", "debian-12")}
	if d.chance(70) {
		in.Subject.Image.Names = []string{"docker.io/team/web:1"}
	}
	if d.chance(50) {
		in.Subject.Labels = map[string]string{"team": roll(d, "payments", "search"), "\ue000": "x", "\U00010000": "y"}
	}
	for _, s := range []string{"kev", "epss"} {
		if d.chance(60) {
			in.Signals = append(in.Signals, s)
		}
	}
	in.Controls = some(d, 1, func(int) string { return "waf" })
	in.Gaps = some(d, 2, func(int) sbom.Gap {
		return sbom.Gap{Code: roll(d, sbom.GapStale, sbom.GapNoData), Blocking: d.chance(50), Where: "x", What: roll(d, "old", "gone")}
	})
	for i, name := range names {
		p := sbom.Package{ID: fmt.Sprint("p", i), Name: name, Version: "1.0", PURL: purl.PackageURL{Type: roll(d, "npm", "deb"), Name: name, Version: "1.0"}.Normalize(), Scope: roll(d, sbom.ScopeRuntime, sbom.ScopeDev)}
		p.Locations = some(d, 1, func(int) sbom.Location {
			return sbom.Location{Path: roll(d, "usr/lib/x", "app/y"), Layer: roll(d, "l0", "l2", "")}
		})
		p.Licenses = some(d, 1, func(int) sbom.License { return sbom.License{Expression: roll(d, "MIT", "AGPL-3.0-only")} })
		in.Packages = append(in.Packages, p)
	}
	in.Findings = some(d, 6, func(i int) finding.Finding { return d.finding(in) })
	in.Statements = some(d, 6, func(i int) *vex.Statement { return d.statement(t, i) })
	in.Exceptions = some(d, 4, d.exception)
	return in
}

func (d dice) finding(in *policy.Inputs) finding.Finding {
	p := &in.Packages[d.IntN(len(in.Packages))]
	f := finding.Finding{
		Package: p.ID, Name: p.Name, Version: p.Version, PURL: p.PURL.String(), Vulnerability: fmt.Sprintf("CVE-2026-000%d", d.IntN(4)), Advisory: "A-1",
		Severity: roll(d, severities...), SeverityFrom: roll(d, "", "nvd"), EPSS: roll(d, "", "", "0.05", "0.97565"), Exploited: roll(d, "", "", "2026-01-01"),
		FixStatus: roll(d, "", "will_not_fix"), Published: roll(d, "", "2026-11-20T00:00:00Z", "2020-01-01T00:00:00Z", "soon"),
	}
	f.Evidence.Record = "sha256:e"
	if d.chance(40) {
		f.Fixed = []string{"1.1"}
	}
	if d.chance(20) {
		f.Aliases = []string{"GHSA-aaaa"}
	}
	if d.chance(40) {
		f.Scores = []finding.Score{{Type: "CVSS_V3", Value: "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", Source: "nvd"}}
	}
	if in.Packages[0].ID == p.ID && d.chance(30) {
		f.Package, f.PURL = "elsewhere", "" // not of the document
	}
	return f
}

func (d dice) statement(t testing.TB, i int) *vex.Statement {
	s := &vex.Statement{
		Vulnerability: roll(d, "CVE-2026-0001", "CVE-2026-0002", "ghsa-AAAA"), Status: roll(d, vex.Statuses...), Time: day(roll(d, -20, -5, -3, 1)),
		Products: []vex.Product{{PURL: "pkg:" + roll(d, "npm", "deb") + "/" + roll(d, names...) + roll(d, "", "@1.0")}},
		Origin:   vex.Origin{Document: fmt.Sprint("sha256:", i), Format: "openvex"},
	}
	if s.Status == vex.NotAffected {
		s.Justification = roll(d, vex.CodeNotPresent, vex.ComponentNotPresent, "")
	}
	if d.chance(20) {
		s.Until = s.Time.AddDate(0, 0, 7)
	}
	if who := roll(d, "maker", "second", "hub", "nobody"); who == "hub" {
		s.Origin.Source = who
	} else {
		s.Origin.Signature, s.Origin.Signer = vex.Verified, "key:"+who
	}
	if err := s.Prepare(); err != nil {
		t.Fatal(err)
	}
	return s
}

func (d dice) exception(i int) policy.Exception {
	e := policy.Exception{
		ID: fmt.Sprint("e", i), Effect: roll(d, policy.Effects...), Owner: "ann", Approver: roll(d, "", "ann", "bob"), Reason: "later",
		Created: day(roll(d, -10, -1, 1)), Scope: policy.ExceptionScope{Vulnerabilities: []string{roll(d, "CVE-2026-0001", "cve-2026-*", "GHSA-AAAA")}},
	}
	switch e.Effect {
	case policy.Downgrade:
		e.Severity = roll(d, finding.Low, finding.Medium)
	case policy.RequireControl:
		e.Control = roll(d, "waf", "edr")
	}
	if d.chance(40) {
		e.Scope.Packages = []string{roll(d, "pkg:npm/*", "pkg:deb/liba", "pkg:npm/libb@1.0")}
	}
	if d.chance(20) {
		e.Scope.Images = []string{"docker.io/team/*"}
	}
	if d.chance(20) {
		e.Scope.Environments = []string{"prod"}
	}
	if d.chance(20) {
		e.Scope.Paths = []string{"usr/*"}
	}
	if d.chance(50) {
		e.Expires = day(roll(d, 2, 5))
	}
	if d.chance(10) {
		e.Revoked = day(roll(d, -1, 1))
	}
	if d.chance(40) {
		e.Basis = []policy.Basis{{Vulnerability: roll(d, "CVE-2026-0001", "cve-2026-0002"), Severity: roll(d, severities...), Exploited: d.chance(50), FixAvailable: d.chance(50)}}
	}
	return e
}
