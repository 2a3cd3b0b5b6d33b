package console_test

import (
	"fmt"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/stella-ops/stella/services/auth"
)

// policyAs is a policy that warns of, or blocks, what can be repaired.
func policyAs(version int, action, title string) string {
	quoted, _ := json.Marshal(title)
	return fmt.Sprintf("id: release\nversion: %d\ntitle: %s\nexceptions:\n  max_days: 30\nrules:\n  - id: repairable\n    match: {fix: available}\n    action: %s\n    because: a repaired version is there\n", version, quoted, action)
}

// installed is an apk database with a package that has a vulnerability and one that has none.
const installed = "P:bolt\nV:1.8-r0\nA:x86_64\n\nP:nut\nV:2.0-r0\nA:x86_64\n\n"

const boltKnown = `{"pkg":{"name":"bolt","secfixes":{"1.9-r3":["CVE-2024-10001"]}}}`

// TestPolicies writes policies, tries them, puts them in force and ends them.
func TestPolicies(t *testing.T) {
	s := newSite(t, boltKnown)
	p := s.admin()
	p.informed()
	p.has("/console/policies", "No policy is in force", "There are none.")
	p.has("/console/policies/activations", "There was none.")
	p.has("/console/policies/simulate", "id: default", "Keep it as a version", "Try it")

	simulated := p.refused("/console/policies/simulate", url.Values{"text": {"  "}}, http.StatusUnprocessableEntity, "There is no text")
	if strings.Contains(simulated, "What would move") {
		t.Errorf("no text was simulated:\n%s", simulated)
	}
	p.took("/console/policies/simulate", url.Values{"text": {policyAs(1, "block", "One")}}, "There is no scan yet")
	image := s.push("app:1", installed)
	at := p.scanned(image)

	broken := strings.Replace(policyAs(1, "block", hostile[0]), "action: block", "action: explode", 1)
	for _, path := range []string{"/console/policies", "/console/policies/simulate"} {
		text := p.refused(path, url.Values{"text": {strings.ReplaceAll(broken, "\n", "\r\n")}, "count": {"50"}}, http.StatusUnprocessableEntity, "explode", "cannot be used", ":9:", html.EscapeString(broken[strings.Index(broken, "rules:"):]))
		if strings.Contains(text, "<script>alert") {
			t.Errorf("%s shows a title as it is:\n%s", path, text)
		}
	}
	p.has("/console/policies", "There are none.")

	where := p.took("/console/policies", url.Values{"text": {policyAs(1, "block", hostile[0])}}, "The version was kept.")
	if where.Path != "/console/policies/release/1" {
		t.Errorf("a version that was kept is at %s", where)
	}
	p.took("/console/policies", url.Values{"text": {policyAs(1, "block", hostile[0])}}, "kept before")
	p.refused("/console/policies", url.Values{"text": {policyAs(1, "warn", "Other")}}, http.StatusConflict, "version 1", html.EscapeString("action: warn"))
	p.tame("/console/policies")
	p.tame("/console/policies/release")
	p.has("/console/policies/release/1", "no environment", html.EscapeString("id: release"), "Put it in force")
	p.lacks("/console/policies/release/1", "What changed since")
	for _, path := range []string{"/console/policies/none", "/console/policies/release/2", "/console/policies/release/0", "/console/policies/release/01", "/console/policies/release/x", "/console/policies/release/2/text", "/console/policies/simulate?policy=none"} {
		if status, text, _ := p.get(path); status != http.StatusNotFound {
			t.Errorf("%s: %d\n%s", path, status, text)
		}
	}
	p.moves(at, image)
	p.history()
}

// moves tries a policy where none is in force and then where another one is, and puts two in
// force.
func (p *person) moves(at, image string) {
	p.Helper()
	p.took("/console/policies/simulate", url.Values{"text": {policyAs(2, "block", "Two")}, "count": {"200"}, "environment": {"production"}}, "1 of 1 images were decided about by the text: 1 block, 0 error, 0 not assessed, 0 warn, 0 pass. 1 move.")
	p.took("/console/policies/release/1/activate", url.Values{"environment": {"production"}, "controls": {"waf, seccomp"}, "reason": {hostile[1]}}, "put in force")
	p.until("a verdict", func() bool {
		_, text, _ := p.get(at)
		return strings.Contains(text, `<span class="tag o-block">block</span>`) && !strings.Contains(text, "being decided anew")
	})
	p.took("/console/policies/simulate", url.Values{"text": {policyAs(2, "block", "Two")}, "environment": {"production"}}, "1 of 1 images were decided about by the text: 1 block, 0 error, 0 not assessed, 0 warn, 0 pass. 0 move.")
	status, text, _ := p.post("/console/policies/simulate", url.Values{"text": {policyAs(2, "warn", "Two")}, "environment": {"production"}})
	if status != http.StatusOK || !strings.Contains(text, "0 block, 0 error, 0 not assessed, 1 warn, 0 pass. 1 move.") {
		p.Fatalf("a text that moves something: %d\n%s", status, text)
	}
	row := regexp.MustCompile(`(?s)<a href="` + regexp.QuoteMeta(at) + `"><bdi>` + regexp.QuoteMeta(image) + `</bdi></a></td><td><span class="tag o-block">block</span>.*?<span class="tag o-warn">warn</span></td><td class="name"><bdi>([^<]+)</bdi>`).FindStringSubmatch(text)
	if row == nil || !strings.Contains(row[1], "a repaired version is there") {
		p.Errorf("no row says what moves from where to where, and why: %q\n%s", row, text)
	}
	if !strings.Contains(text, html.EscapeString("action: warn")) {
		p.Errorf("the text that was tried is not kept:\n%s", text)
	}
	p.has("/console/policies/simulate?policy=release&version=1", "version: 2", `value="production"`)
	p.took("/console/policies", url.Values{"text": {policyAs(2, "warn", "Two")}}, "The version was kept.")
	page := p.has("/console/policies/release/2", "What changed since version", "−<span class=\"unseen\"> taken out</span>", "+<span class=\"unseen\"> put in</span>", "action: warn", "action: block")
	if strings.Contains(page, "max_days: 30</bdi></code></td></tr>\n<tr class=\"put-in") {
		p.Errorf("a line that is the same is said to be put in:\n%s", page)
	}
	p.took("/console/policies/release/2/activate", url.Values{"environment": {"production"}}, "put in force")
	p.has("/console/policies", "version 2")
	p.refused("/console/policies/release/1/activate", url.Values{"environment": {"production"}}, http.StatusConflict, "It was not put in force", `value="production"`)
	p.refused("/console/policies/release/1/activate", url.Values{"environment": {"production"}, "rollback": {"yes"}}, http.StatusUnprocessableEntity, "need a reason")
	p.took("/console/policies/release/1/activate", url.Values{"environment": {"production"}, "rollback": {"yes"}, "reason": {"two was worse"}}, "put in force")
	p.has("/console/policies/activations", "back to an older one", "two was worse", "waf")
}

// history ends a policy, and looks at what was in force with few rights and with some.
func (p *person) history() {
	p.Helper()
	reader := p.someone("reader", auth.PolicyRead, auth.ScannerRead)
	reader.has("/console/policies", "release")
	reader.lacks("/console/policies", "End it")
	reader.lacks("/console/policies/release/1", "Put it in force")
	reader.lacks("/console/policies/simulate", "Keep it as a version")
	reader.took("/console/policies/simulate", url.Values{"text": {policyAs(2, "warn", "Two")}}, "1 of 1 images")
	reader.refused("/console/policies", url.Values{"text": {policyAs(3, "warn", "Three")}}, http.StatusForbidden, "You have no right to this")
	reader.refused("/console/policies/release/1/activate", url.Values{"environment": {"x"}}, http.StatusForbidden, "You have no right to this")
	reader.refused("/console/policies/deactivate", url.Values{"environment": {"production"}, "reason": {"x"}}, http.StatusForbidden, "You have no right to this")
	p.refused("/console/policies/deactivate", url.Values{"environment": {"production"}}, http.StatusBadRequest, "give a reason")
	p.took("/console/policies/deactivate", url.Values{"environment": {"production"}, "reason": {"over"}}, "No policy is in force")
	p.tame("/console/policies/activations")
	p.has("/console/policies/activations", "none any more", "over")
	blind := p.someone("blind", auth.AttestRead)
	for _, path := range []string{"/console/policies", "/console/advisories", "/console/vex"} {
		blind.has(path, "You have no right to read this.")
	}
	for _, path := range []string{"/console/exceptions", "/console/policies/activations", "/console/policies/release", "/console/vex/trust", "/console/advisories/CVE-2024-10001"} {
		if status, text, _ := blind.get(path); status != http.StatusForbidden || !strings.Contains(text, "You have no right to this") {
			p.Errorf("%s: %d\n%s", path, status, text)
		}
	}
}

// TestExceptions makes an exception of a finding, looks at it, and takes it back.
func TestExceptions(t *testing.T) {
	s := newSite(t, boltKnown)
	p := s.admin()
	p.informed()
	p.took("/console/policies", url.Values{"text": {policyAs(1, "block", "One")}}, "The version was kept.")
	p.took("/console/policies/release/1/activate", url.Values{"environment": {"production"}}, "put in force")
	at := p.scanned(s.push("app:1", installed))
	finding := at + "/finding?vulnerability=CVE-2024-10001"
	p.until("a finding that blocks", func() bool {
		status, text, _ := p.get(finding)
		return status == http.StatusOK && strings.Contains(text, `<span class="tag o-block">block</span>`)
	})
	found := regexp.MustCompile(`href="(/console/exceptions\?[^"]+)">Except this finding…`).FindStringSubmatch(p.has(finding))
	if found == nil {
		t.Fatal("a finding's page leads to no exception")
	}
	form := p.has(html.UnescapeString(found[1]), "CVE-2024-10001", "pkg:apk/wolfi/bolt@1.8-r0", "app:1", "CVE-2024-10001 unknown fix\n</textarea>")
	draft := url.Values{}
	for _, m := range regexp.MustCompile(`(?s)<textarea[^>]* name="([a-z]+)"[^>]*>\n(.*?)</textarea>`).FindAllStringSubmatch(form, -1) {
		draft.Set(m[1], strings.ReplaceAll(html.UnescapeString(m[2]), "\n", "\r\n"))
	}
	draft.Set("key", regexp.MustCompile(`name="key" value="([^"]+)"`).FindStringSubmatch(form)[1])
	draft.Set("effect", "suppress")
	draft.Set("reason", hostile[0]+hostile[2]+hostile[3])
	draft.Set("last", time.Now().UTC().AddDate(0, 0, 7).Format(time.DateOnly))
	draft.Set("control", "waf")
	p.refused("/console/exceptions", draft, http.StatusUnprocessableEntity, "control: require_control has one", `value="waf"`, "CVE-2024-10001 unknown fix", "aria-describedby")
	draft.Set("control", "")
	where := p.took("/console/exceptions", draft, "The exception was made.")
	if again := p.took("/console/exceptions", draft, "The exception was made."); again.Path != where.Path {
		t.Errorf("a form that is sent twice made %s and %s", where, again)
	}
	p.has(where.Path, `<span class="tag o-warn">in force</span>`, "CVE-2024-10001", "pkg:apk/wolfi/bolt@1.8-r0", "It counts for these vulnerabilities alone", "created", "Revoke")
	p.tame(where.Path)
	p.tame("/console/exceptions")
	p.until("a finding that passes", func() bool {
		_, text, _ := p.get(finding)
		return strings.Contains(text, `<span class="tag o-pass">pass</span>`)
	})
	p.drafts()
	reader := s.someone("reader", auth.PolicyRead, auth.ScannerRead)
	reader.lacks(where.Path, "Revoke")
	reader.lacks("/console/exceptions", "Make an exception")
	reader.lacks(finding, "Except this finding")
	reader.refused("/console/exceptions", draft, http.StatusForbidden, "You have no right to this")
	reader.refused(where.Path+"/revoke", url.Values{"reason": {"x"}}, http.StatusForbidden, "You have no right to this")
	if status, _, _ := reader.get("/console/exceptions?new=1"); status != http.StatusForbidden {
		t.Errorf("the form is shown to who may not send it: %d", status)
	}
	p.refused(where.Path+"/revoke", url.Values{"reason": {""}}, http.StatusBadRequest, "reason")
	p.took(where.Path+"/revoke", url.Values{"reason": {hostile[1]}}, "The exception was revoked.")
	p.has(where.Path, "revoked")
	p.tame(where.Path)
	p.lacks(where.Path, "Take it back")
	p.until("a finding that blocks again", func() bool {
		_, text, _ := p.get(finding)
		return strings.Contains(text, `<span class="tag o-block">block</span>`)
	})
	p.many(101)
	p.pages("/console/exceptions", regexp.MustCompile(`href="/console/exceptions/(exc-many-\d+)"`), 101)
}

// many makes exceptions by the API: more than one page of the list has.
func (p *person) many(n int) {
	p.Helper()
	api := p.caller()
	for i := range n {
		body := fmt.Sprintf(`{"id":"exc-many-%03d","scope":{"vulnerabilities":["CVE-2001-%04d"],"environments":["test"]},"effect":"defer","reason":"r"}`, i, i)
		r, err := http.NewRequest(http.MethodPost, p.url+"/api/v1/exceptions", strings.NewReader(body))
		if err != nil {
			p.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/json")
		resp, err := api.RoundTrip(r)
		if err != nil {
			p.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusCreated {
			p.Fatalf("exception %d: %d", i, resp.StatusCode)
		}
	}
}

// drafts sends what makes no exception, and makes one that counts for nothing.
func (p *person) drafts() {
	p.Helper()
	for name, test := range map[string]struct {
		form url.Values
		want string
	}{
		"nothing":     {url.Values{"effect": {"suppress"}, "reason": {"r"}}, "scope: want an image, a package, a path or a vulnerability"},
		"no reason":   {url.Values{"effect": {"suppress"}, "vulnerability": {"CVE-1"}}, "owner and reason"},
		"bad package": {url.Values{"effect": {"suppress"}, "reason": {"r"}, "package": {"bolt"}}, "scope.packages"},
		"bad day":     {url.Values{"effect": {"suppress"}, "reason": {"r"}, "vulnerability": {"CVE-1"}, "last": {"tomorrow"}}, "want a day such as"},
		"past day":    {url.Values{"effect": {"suppress"}, "reason": {"r"}, "vulnerability": {"CVE-1"}, "last": {"2020-01-01"}}, "created and expires"},
		"bad facts":   {url.Values{"effect": {"suppress"}, "reason": {"r"}, "vulnerability": {"CVE-1"}, "basis": {"CVE-1 high\r\nCVE-2 high low"}}, "facts, line 2"},
		"bad name":    {url.Values{"effect": {"suppress"}, "reason": {"r"}, "vulnerability": {"CVE-1"}, "id": {"a/b"}}, "without a slash"},
		"hostile":     {url.Values{"effect": {hostile[0]}, "reason": {hostile[1]}, "vulnerability": {hostile[0]}}, "effect"},
	} {
		text := p.refused("/console/exceptions", test.form, http.StatusUnprocessableEntity, test.want)
		if strings.Contains(text, "<script>alert") || strings.Contains(text, "<img src=x") {
			p.Errorf("%s: a page has a hostile text as it is:\n%s", name, text)
		}
	}
	p.took("/console/exceptions", url.Values{"id": {"exc-elsewhere"}, "effect": {"downgrade"}, "severity": {"low"}, "reason": {"r"}, "vulnerability": {"CVE-2000-1"}, "environment": {"staging"}, "owner": {"team"}}, "no policy is in force where it would count")
	p.has("/console/exceptions", "exc-elsewhere", "CVE-2000-1")
	strict := strings.Replace(policyAs(2, "block", "Two"), "max_days: 30", "effects: [defer]", 1)
	p.took("/console/policies", url.Values{"text": {strict}}, "The version was kept.")
	p.took("/console/policies/release/2/activate", url.Values{"environment": {"staging"}}, "put in force")
	p.has("/console/exceptions/exc-elsewhere", `<span class="tag o-block">void</span>`, "policy release version 2: it grants no downgrade", "downgrade to")
	if status, _, _ := p.get("/console/exceptions/none"); status != http.StatusNotFound {
		p.Errorf("an exception that is not there: %d", status)
	}
}
