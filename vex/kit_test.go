package vex_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stella-ops/stella/vex"
)

var now = time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)

func day(n int) time.Time { return now.Add(time.Duration(n) * 24 * time.Hour) }

// parties is a trust with two issuers of the first tier, one of the second that need
// not sign, and one that may speak about something else.
var parties = &vex.Trust{Issuers: []vex.Issuer{
	{ID: "maker", Tier: 1, Identities: []string{"key:maker"}, Products: []string{"pkg:npm/*"}},
	{ID: "distro", Tier: 1, Identities: []string{"key:distro"}, Products: []string{"pkg:npm/*"}},
	{ID: "hub", Tier: 2, Sources: []string{"hub"}, Products: []string{"*"}, Unsigned: vex.Statuses, MaxAge: 10},
	{ID: "other", Tier: 1, Identities: []string{"key:other"}, Products: []string{"pkg:npm/foo-bar"}},
	{ID: "quiet", Tier: 1, Sources: []string{"quiet"}, Products: []string{"*"}, Unsigned: []vex.Status{vex.Affected}},
}}

// said describes a statement about npm's foo 1.0.0.
type said struct {
	who       string // an issuer, "nobody", or "forger"
	status    vex.Status
	bare      bool // without justification
	versioned bool
	at, until int // days from now; until 0 is for ever
	document  string
}

func (s said) statement(t testing.TB) *vex.Statement {
	t.Helper()
	out := &vex.Statement{Vulnerability: "CVE-2026-0001", Products: []vex.Product{{PURL: "pkg:npm/foo"}}, Status: s.status, Time: day(s.at)}
	if s.versioned {
		out.Products[0].PURL += "@1.0.0"
	}
	if s.status == vex.NotAffected && !s.bare {
		out.Justification = vex.CodeNotPresent
	}
	if s.until != 0 {
		out.Until = day(s.until)
	}
	out.Origin = vex.Origin{Document: "sha256:" + strings.Repeat("0", 60) + fmt.Sprintf("%4s", s.document), Format: "openvex"}
	switch s.who {
	case "hub", "quiet":
		out.Origin.Source = s.who
	case "forger":
		out.Origin.Signature = vex.Bad
	default:
		out.Origin.Signature, out.Origin.Signer = vex.Verified, "key:"+s.who
	}
	if err := out.Prepare(); err != nil {
		t.Fatal(err)
	}
	return out
}

// about is the query that all of them are about.
var about = vex.Query{Vulnerabilities: []string{"CVE-2026-0001"}, Package: vex.Part{PURL: "pkg:npm/foo@1.0.0"}}

func claims(t testing.TB, list ...said) []vex.Claim {
	t.Helper()
	var statements []*vex.Statement
	for _, s := range list {
		statements = append(statements, s.statement(t))
	}
	return about.Select(statements).Claims
}

func judge(t testing.TB, trust *vex.Trust) *vex.Judge {
	t.Helper()
	j, err := trust.Judge()
	if err != nil {
		t.Fatal(err)
	}
	return j
}

// universe is every kind of statement that makes a difference, or every stepth.
func universe(step int) (list []said) {
	n := 0
	for _, who := range []string{"maker", "distro", "hub", "other", "quiet", "nobody", "forger"} {
		for _, status := range vex.Statuses {
			for _, bare := range []bool{false, true} {
				for _, versioned := range []bool{false, true} {
					for _, at := range []int{-20, -5, -3, 2} {
						for _, until := range []int{0, -1, 3} {
							if bare && status != vex.NotAffected || until != 0 && until <= at {
								continue
							}
							if n++; n%step == 0 {
								list = append(list, said{who: who, status: status, bare: bare, versioned: versioned, at: at, until: until})
							}
						}
					}
				}
			}
		}
	}
	return list
}
