package policyfile

import (
	"fmt"

	"go.yaml.in/yaml/v3"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/policy"
	"github.com/stella-ops/stella/vex"
)

// ParseExceptions reads a file of exceptions: a mapping with the one member
// "exceptions", a list. The members of each are those of policy.Exception; those of
// its scope are its own, "vulnerabilities", "packages", "images", "environments" and
// "paths". name is the file's, for messages. The error is a *DocumentError with
// everything that is wrong, or wraps ErrLimit.
func ParseExceptions(name string, text []byte) ([]policy.Exception, error) {
	r, root, err := open(name, text)
	if err != nil {
		return nil, err
	}
	var out []policy.Exception
	if root != nil {
		f := r.fields(root, "", "exceptions")
		list := r.list(f["exceptions"], "exceptions")
		if len(list) > policy.MaxExceptions {
			return nil, fmt.Errorf("%s: %w", name, &fault.LimitError{What: "exceptions", Where: "document", Max: policy.MaxExceptions, Seen: int64(len(list))})
		}
		ids := map[string]bool{}
		for i, n := range list {
			path := fmt.Sprintf("exceptions[%d]", i)
			e, ok := r.exception(n, path)
			if !ok {
				continue
			}
			if ids[e.ID] {
				r.bad(n, path+".id", "%.128q is there twice", e.ID)
			}
			ids[e.ID] = true
			out = append(out, e)
		}
	}
	if err := r.errors(); err != nil {
		return nil, err
	}
	return out, nil
}

func (r *reader) exception(n *yaml.Node, at string) (policy.Exception, bool) {
	f := r.fields(n, at, "id", "effect", "severity", "control", "owner", "approver", "reason", "justification", "created", "expires", "revoked", "basis",
		"vulnerabilities", "packages", "images", "environments", "paths")
	if f == nil {
		return policy.Exception{}, false
	}
	e := policy.Exception{
		ID: r.text(f["id"], at+".id", 128), Effect: policy.Effect(r.oneOf(f["effect"], at+".effect", strs(policy.Effects))),
		Severity: r.severity(f["severity"], at+".severity"), Control: r.text(f["control"], at+".control", 128),
		Owner: r.text(f["owner"], at+".owner", 256), Approver: r.text(f["approver"], at+".approver", 256), Reason: r.text(f["reason"], at+".reason", policy.MaxText),
		Justification: vex.Justification(r.oneOf(f["justification"], at+".justification", strs(vex.Justifications))),
		Created:       r.time(f["created"], at+".created"), Expires: r.time(f["expires"], at+".expires"), Revoked: r.time(f["revoked"], at+".revoked"),
		Scope: policy.ExceptionScope{
			Vulnerabilities: r.texts(f["vulnerabilities"], at+".vulnerabilities", nil), Packages: r.texts(f["packages"], at+".packages", nil),
			Images: r.texts(f["images"], at+".images", nil), Environments: r.texts(f["environments"], at+".environments", nil), Paths: r.texts(f["paths"], at+".paths", nil),
		},
	}
	for i, b := range r.list(f["basis"], at+".basis") {
		path := fmt.Sprintf("%s.basis[%d]", at, i)
		g := r.fields(b, path, "vulnerability", "severity", "exploited", "fix_available")
		if g == nil {
			continue
		}
		e.Basis = append(e.Basis, policy.Basis{
			Vulnerability: r.text(g["vulnerability"], path+".vulnerability", 128), Severity: r.severity(g["severity"], path+".severity"),
			Exploited: r.flag(g["exploited"], path+".exploited"), FixAvailable: r.flag(g["fix_available"], path+".fix_available"),
		})
	}
	if err := e.Check(); err != nil {
		r.bad(n, at, "%s", err)
		return e, false
	}
	return e, true
}
