package console

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/policy"
	"github.com/stella-ops/stella/policy/policyfile"
	"github.com/stella-ops/stella/services/auth"
)

var policyRoutes = []route{
	{pattern: "GET policies", serve: policiesPage},
	{pattern: "POST policies", large: true, serve: keepPolicy},
	{pattern: "GET policies/activations", serve: activationsPage},
	{pattern: "POST policies/deactivate", serve: deactivate},
	{pattern: "GET policies/simulate", serve: editPolicy},
	{pattern: "POST policies/simulate", large: true, serve: simulate},
	{pattern: "GET policies/{policy}", serve: policyPage},
	{pattern: "GET policies/{policy}/{version}", serve: policyPage},
	{pattern: "GET policies/{policy}/{version}/text", serve: policyText},
	{pattern: "POST policies/{policy}/{version}/activate", serve: activate},
}

// policiesView is what decides, and what could.
type policiesView struct {
	Force     section[*forceView]
	Revisions section[[]policy.Revision]
	Next      string
	Author    bool
}

// forceView are the policies in force.
type forceView struct {
	List []policy.Activation // by environment
	// More says that there were more changes than were looked at: an environment whose last
	// is older is missing, where no version on the first page of the list names it.
	More bool
}

// inForce finds which policy is in force in each environment: by the newest changes, and by
// what versions say of themselves.
func (a *api) inForce(ctx context.Context, list []policy.Revision) (*forceView, error) {
	changes, next, err := a.policies.Activations(ctx, 0)
	if err != nil {
		return nil, err
	}
	out := &forceView{More: next > 0}
	seen := map[string]bool{}
	for _, c := range changes {
		if seen[c.Environment] {
			continue
		}
		seen[c.Environment] = true
		if c.Policy != (policy.Named{}) {
			out.List = append(out.List, c)
		}
	}
	for i := range list {
		for _, e := range list[i].Environments {
			if !seen[e] {
				seen[e] = true
				out.List = append(out.List, policy.Activation{Environment: e, Policy: policy.Named{ID: list[i].ID, Version: list[i].Version}, Digest: list[i].Digest})
			}
		}
	}
	slices.SortFunc(out.List, func(a, b policy.Activation) int { return strings.Compare(a.Environment, b.Environment) })
	return out, nil
}

func policiesPage(v *visit) error {
	d := &policiesView{Author: v.Can(auth.PolicyAuthor)}
	next := ""
	read(v, &d.Revisions, func(ctx context.Context) (list []policy.Revision, err error) {
		list, next, err = v.api.policies.Policies(ctx, v.form("after"))
		return list, err
	})()
	read(v, &d.Force, func(ctx context.Context) (*forceView, error) { return v.api.inForce(ctx, d.Revisions.Value) })()
	d.Next = v.onward(next)
	return v.show(http.StatusOK, "policies", "Policies", d)
}

// activationsView is what was put in force, the newest first.
type activationsView struct {
	List []policy.Activation
	Next string
}

func activationsPage(v *visit) error {
	after, _ := strconv.ParseInt(v.form("after"), 10, 64)
	list, next, err := v.api.policies.Activations(v.ctx(), max(after, 0))
	if err != nil {
		return err
	}
	return v.show(http.StatusOK, "activations", "What was in force", &activationsView{list, v.onward(strconv.FormatInt(next, 10))})
}

// policyView is one version of a policy.
type policyView struct {
	Revision     *policy.Revision
	Text         string
	Before       int // the version that it is compared with; 0 for none
	Hunks        []hunk
	Environments []string // where something is in force
	Author       bool
	Wrong        []string // with a form that was sent
	Form         policy.Activation
	Controls     string
}

// named reads which version a path is about; 0 is the newest.
func (v *visit) named() (id string, version int, err error) {
	text := v.r.PathValue("version")
	if text == "" {
		return v.r.PathValue("policy"), 0, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || strconv.Itoa(n) != text {
		return "", 0, &pageError{http.StatusNotFound, "There is no such version."}
	}
	return v.r.PathValue("policy"), n, nil
}

func policyPage(v *visit) error { return v.showPolicy(http.StatusOK, &policyView{}) }

// showPolicy reads a version, its text and the text of the version before, around what a form
// came to.
func (v *visit) showPolicy(status int, d *policyView) error {
	id, version, err := v.named()
	if err != nil {
		return err
	}
	ctx := v.ctx()
	if d.Revision, err = v.api.policies.Policy(ctx, id, version); err != nil {
		return err
	}
	d.Author = v.Can(auth.PolicyAuthor)
	text, err := v.api.policies.Source(ctx, id, d.Revision.Version)
	if err != nil {
		return err
	}
	d.Text = string(text)
	if err := d.compare(v); err != nil {
		return err
	}
	if force, err := v.api.inForce(ctx, nil); err == nil {
		for _, f := range force.List {
			d.Environments = append(d.Environments, f.Environment)
		}
	}
	return v.show(status, "policy", clip(id, 100)+" version "+strconv.Itoa(d.Revision.Version), d)
}

// maxSkipped bounds how many versions may be missing before one that is looked for.
const maxSkipped = 10

// compare compares the text with that of the version before, or of the one that is asked for.
func (d *policyView) compare(v *visit) error {
	first, last := d.Revision.Version-1, max(d.Revision.Version-maxSkipped, 1)
	if n, err := strconv.Atoi(v.form("against")); err == nil && n > 0 && v.r.Method == http.MethodGet {
		first, last = n, n
	}
	for n := first; n >= last; n-- {
		before, err := v.api.policies.Source(v.ctx(), d.Revision.ID, n)
		if errors.Is(err, fault.NotFound) {
			continue
		}
		if err != nil {
			return err
		}
		d.Before, d.Hunks = n, diffLines(string(before), d.Text)
		return nil
	}
	return nil
}

// policyText gives out the text of a version as it was written.
func policyText(v *visit) error {
	id, version, err := v.named()
	if err != nil {
		return err
	}
	text, err := v.api.policies.Source(v.ctx(), id, version)
	if err != nil {
		return err
	}
	return v.download(fmt.Sprintf("%s-%d.yaml", id, version), text)
}

// activate puts a version in force.
func activate(v *visit) error {
	id, version, err := v.named()
	if err != nil {
		return err
	}
	d := &policyView{Controls: v.form("controls"), Form: policy.Activation{
		Environment: v.form("environment"), Policy: policy.Named{ID: id, Version: version}, Controls: nameList(v.form("controls")),
		Rollback: v.form("rollback") != "", Reason: v.form("reason"),
	}}
	if _, err := v.api.policies.Activate(v.ctx(), d.Form); err != nil {
		lines, status, ok := said(err)
		if !ok {
			return err
		}
		d.Wrong = lines
		return v.showPolicy(status, d)
	}
	v.redirect(link("policies", id, version) + "?done=activated")
	return nil
}

// nameList reads the names of a list with commas or spaces between them; none for none.
func nameList(list string) []string {
	return strings.FieldsFunc(list, func(r rune) bool { return r == ',' || unicode.IsSpace(r) })
}

// deactivate has no policy in force in an environment any more.
func deactivate(v *visit) error {
	reason := v.form("reason")
	if reason == "" {
		return &pageError{http.StatusBadRequest, "Why shall nothing decide there any more? Go back and give a reason. Nothing was changed."}
	}
	if _, err := v.api.policies.Deactivate(v.ctx(), v.form("environment"), reason); err != nil {
		return err
	}
	v.redirect(Root + "policies?done=deactivated")
	return nil
}

// area is the text of a field with many lines, as it was written; browsers send CRLF.
func area(v *visit, name string) string {
	return strings.ReplaceAll(v.r.FormValue(name), "\r\n", "\n")
}

// versionLine is where a policy's text says its version.
var versionLine = regexp.MustCompile(`(?m)^version:[ \t]*[0-9]+[ \t]*(#.*)?$`)

// editPolicy shows the text of a policy to be changed and tried: that of a version, with the
// number of the version that it would be, or the one that decides where nobody wrote another.
func editPolicy(v *visit) error {
	d := v.editor()
	id := v.form("policy")
	if id == "" {
		_, text, err := policyfile.Default()
		if err != nil {
			return err
		}
		d.Text = string(text)
		return d.show(v, http.StatusOK)
	}
	version, _ := strconv.Atoi(v.form("version"))
	newest, err := v.api.policies.Policy(v.ctx(), id, 0)
	if err != nil {
		return err
	}
	if version < 1 {
		version = newest.Version
	}
	text, err := v.api.policies.Source(v.ctx(), id, version)
	if err != nil {
		return err
	}
	d.Text = versionLine.ReplaceAllString(string(text), "version: "+strconv.Itoa(newest.Version+1))
	if len(newest.Environments) > 0 {
		d.Environment = newest.Environments[0]
	}
	return d.show(v, http.StatusOK)
}

// keepPolicy keeps the text as a version. What is wrong with it is said beside it.
func keepPolicy(v *visit) error {
	d := v.editor()
	r, repeated, err := v.api.policies.Add(v.ctx(), []byte(d.Text))
	if err != nil {
		lines, status, ok := said(err)
		if !ok {
			return err
		}
		d.Wrong = lines
		return d.show(v, status)
	}
	done := "kept"
	if repeated {
		done = "kept-before"
	}
	v.redirect(link("policies", r.ID, r.Version) + "?done=" + done)
	return nil
}
