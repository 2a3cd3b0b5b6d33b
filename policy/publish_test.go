package policy_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/stella-ops/stella/policy"
	"github.com/stella-ops/stella/vex"
)

// TestStatements: what can be published says what the exception says, and applies to
// what the exception covers.
func TestStatements(t *testing.T) {
	base := policy.Exception{
		ID: "e", Effect: policy.Suppress, Owner: "ann", Reason: "never called", Justification: vex.CodeNotInExecutePath, Created: day(-3), Expires: day(30),
		Scope: policy.ExceptionScope{Vulnerabilities: []string{"CVE-1", "CVE-2"}, Packages: []string{"pkg:npm/foo@1.0"}},
	}
	with := func(change func(*policy.Exception)) *policy.Exception { e := base; change(&e); return &e }
	for name, c := range map[string]struct {
		e    *policy.Exception
		want []vex.Product // nil for what cannot be published
		says string
	}{
		"package": {&base, []vex.Product{{PURL: "pkg:npm/foo@1.0"}}, ""},
		"image": {with(func(e *policy.Exception) { e.Scope.Images = []string{"registry.example.com/team/web:1"} }),
			[]vex.Product{{PURL: "pkg:oci/web?repository_url=registry.example.com%2Fteam%2Fweb&tag=1", Subcomponents: []vex.Product{{PURL: "pkg:npm/foo@1.0"}}}}, ""},
		"digest": {with(func(e *policy.Exception) {
			e.Scope.Images, e.Scope.Packages = []string{"sha256:" + strings.Repeat("a", 64)}, nil
		}), []vex.Product{{Digests: []string{"sha256:" + strings.Repeat("a", 64)}}}, ""},
		"defer":       {with(func(e *policy.Exception) { e.Effect = policy.Defer }), nil, "risk"},
		"no reason":   {with(func(e *policy.Exception) { e.Justification = "" }), nil, "justification"},
		"wildcard":    {with(func(e *policy.Exception) { e.Scope.Vulnerabilities = []string{"CVE-*"} }), nil, "several"},
		"packages":    {with(func(e *policy.Exception) { e.Scope.Packages = []string{"pkg:npm/*"} }), nil, "not one package"},
		"images":      {with(func(e *policy.Exception) { e.Scope.Images = []string{"registry.example.com/*"} }), nil, "not one image"},
		"bare image":  {with(func(e *policy.Exception) { e.Scope.Images = []string{"team/web"} }), nil, "registry"},
		"paths":       {with(func(e *policy.Exception) { e.Scope.Paths = []string{"usr"} }), nil, "paths"},
		"environment": {with(func(e *policy.Exception) { e.Scope.Environments = []string{"prod"} }), nil, "environments"},
		"everything":  {with(func(e *policy.Exception) { e.Scope.Vulnerabilities = nil }), nil, "no vulnerability"},
		"revoked":     {with(func(e *policy.Exception) { e.Revoked = day(-1) }), nil, "revoked"},
	} {
		list, err := c.e.Statements()
		if c.want == nil {
			if !errors.Is(err, policy.ErrUnsupported) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if err != nil || len(list) != 2 {
			t.Errorf("%s: %d statements, %v", name, len(list), err)
			continue
		}
		if diff := cmp.Diff(c.want, list[0].Products, cmpopts.IgnoreUnexported(vex.Product{})); diff != "" || !list[0].Until.Equal(base.Expires) || list[0].Impact != "never called" {
			t.Errorf("%s: %+v\n%s", name, list[0], diff)
		}
	}
	list, err := with(func(e *policy.Exception) { e.Scope.Images = []string{"registry.example.com/team/web:1"} }).Statements()
	if err != nil {
		t.Fatal(err)
	}
	q := vex.Query{Vulnerabilities: []string{"CVE-2"}, Package: vex.Part{PURL: "pkg:npm/foo@1.0"}, Image: vex.Image{Names: []string{"registry.example.com/team/web:1"}}}
	if got := q.Select(list); len(got.Claims) != 1 {
		t.Errorf("it does not apply to what it is about: %+v", got)
	}
	q.Image.Names = []string{"registry.example.com/team/db:1"}
	if got := q.Select(list); len(got.Claims) != 0 {
		t.Errorf("it applies to another image: %+v", got)
	}
}
