package console_test

import (
	"fmt"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"

	"github.com/stella-ops/stella/services/auth"
)

// openVEX is a document with one statement.
func openVEX(author, status, more string) []byte {
	quoted, _ := json.Marshal(author)
	return fmt.Appendf(nil, `{"@context":"https://openvex.dev/ns/v0.2.0","@id":"https://acme.example/vex/%x","author":%s,"timestamp":"2026-05-01T00:00:00Z","version":1,"statements":[{"vulnerability":{"name":"CVE-2024-10001"},"products":[{"@id":"pkg:apk/wolfi/bolt@1.8-r0"}],"status":"%s"%s}]}`, author, quoted, status, more)
}

// believed is a trust document of issuers whose uploads count.
func believed(authors ...string) string {
	var b strings.Builder
	b.WriteString("issuers:\n")
	for i, a := range authors {
		quoted, _ := json.Marshal(a)
		fmt.Fprintf(&b, "  - id: issuer%d\n    tier: 1\n    sources: [upload]\n    authors: [%s]\n    products: [\"*\"]\n    unsigned: [not_affected, affected, fixed, under_investigation]\n", i, quoted)
	}
	return b.String()
}

var baseOf = regexp.MustCompile(`name="base" value="([^"]*)"`)

// TestVEX uploads documents, looks up what they say, and says whom to believe.
func TestVEX(t *testing.T) {
	s := newSite(t, boltKnown)
	p := s.admin()
	p.has("/console/vex", "Whose VEX is believed", "of your organisation", "Nothing was read yet.", "Upload a document", "Change it")
	p.has("/console/vex?scope=public", "Newest set of statements")
	author := "Acme " + hostile[0] + hostile[2]
	safe := openVEX(author, "not_affected", `,"justification":"vulnerable_code_not_present","impact_statement":"`+`\"><img src=x onerror=alert(1)>`+`"`)
	status, text := p.upload("/console/vex/documents", "document", "acme.json", safe, map[string]string{"scope": "own"})
	if status != http.StatusOK || !strings.Contains(text, "1 statements, which count with the next head") || !strings.Contains(text, "acme.json") {
		t.Fatalf("an upload: %d\n%s", status, text)
	}
	p.trusts(author)
	status, text = p.upload("/console/vex/documents", "document", "other.json", openVEX("Other", "affected", `,"action_statement":"update"`), map[string]string{"name": "team/other.json"})
	if status != http.StatusOK || !strings.Contains(text, "team/other.json") {
		t.Fatalf("an upload: %d\n%s", status, text)
	}
	look := "/console/vex?vulnerability=CVE-2024-10001"
	p.until("a decision that is disputed", func() bool {
		_, text, _ := p.get(look)
		return strings.Contains(text, `<span class="tag o-block">disputed</span>`)
	})
	p.tame(look)
	decided := p.has(look, "What is decided about", "pkg:apk/wolfi/bolt", "Other</bdi> says affected", "says not affected", "vulnerable code not present", "/console/documents/"+digestOf(safe))
	if n := strings.Count(decided, `<span class="tag">unsigned</span>`); n != 2 {
		t.Errorf("%d statements are said to be unsigned, want 2:\n%s", n, decided)
	}
	p.has(look+"&product=pkg:npm/none", "Nothing is decided.", "Nobody says anything.")
	p.has("/console/vex?vulnerability=CVE-1999-1", "Nothing is decided.")
	p.has(look+"&scope=public", "Nothing is decided.", `href="/console/vex?scope=public" aria-current="true"`)
	p.tame("/console/vex?vulnerability=" + url.QueryEscape(hostile[0]) + "&product=" + url.QueryEscape(hostile[1]))
	p.has("/console/documents/"+digestOf(safe), "a VEX document of yours", html.EscapeString(`"author"`))
	p.tame("/console/documents/" + digestOf(safe))
	p.uploads()
}

// trusts changes whom the organisation believes, and tries to in ways that are refused.
func (p *person) trusts(author string) {
	p.Helper()
	form := func() url.Values {
		found := baseOf.FindStringSubmatch(p.has("/console/vex/trust", "<textarea"))
		if found == nil {
			p.Fatal("a form has no digest of what it changes")
		}
		return url.Values{"base": {found[1]}, "scope": {"own"}}
	}
	wrong := form()
	wrong.Set("text", "issuers:\r\n  - id: vendor\r\n    teir: 1\r\n    products: [\"pkg:npm/foo*\"]\r\n    sources: [vendor]\r\n")
	p.refused("/console/vex/trust", wrong, http.StatusUnprocessableEntity, "trust:3:5", "did you mean", "stands for a whole segment", "teir: 1", "It was not put in force")
	wrong.Set("text", "")
	p.refused("/console/vex/trust", wrong, http.StatusUnprocessableEntity, "it is empty")
	good := form()
	good.Set("text", believed(author, "Other"))
	p.took("/console/vex/trust", good, "The trust was put in force.")
	p.has("/console/vex", "issuer0", "issuer1", "documents of")
	p.tame("/console/vex")
	again := p.refused("/console/vex/trust", good, http.StatusConflict, "somebody else changed the trust meanwhile", "issuer1")
	if strings.Contains(again, "<script>alert") {
		p.Errorf("the form has an author as it is:\n%s", again)
	}
	p.tame("/console/vex/trust")
	reader := p.someone("reader", auth.VEXRead)
	reader.lacks("/console/vex", "Upload a document", "Change it")
	good.Set("base", form().Get("base"))
	good.Set("text", believed("Eve"))
	reader.refused("/console/vex/trust", good, http.StatusForbidden, "You have no right to this")
	if status, text := reader.upload("/console/vex/documents", "document", "x.json", openVEX("Eve", "fixed", ""), nil); status != http.StatusForbidden {
		p.Errorf("an upload without a right: %d\n%s", status, text)
	}
	p.has("/console/vex", "issuer0")
}

// uploads sends what is no VEX.
func (p *person) uploads() {
	p.Helper()
	status, text := p.upload("/console/vex/documents", "document", `<script>alert(1)</script>.json`, []byte(`{"what":"this"}`), nil)
	if status != http.StatusUnprocessableEntity || !strings.Contains(text, "it is none of OpenVEX, CSAF") || strings.Contains(text, "<script>alert") {
		p.Errorf("what is no VEX: %d\n%s", status, text)
	}
	status, text = p.upload("/console/vex/documents", "other", "x.json", []byte("{}"), nil)
	if status != http.StatusBadRequest || !strings.Contains(text, "Choose a file") {
		p.Errorf("a form without a file: %d\n%s", status, text)
	}
	status, text = p.upload("/console/vex/documents", "document", "x.json", nil, nil)
	if status < 400 || status >= 500 {
		p.Errorf("an empty file: %d\n%s", status, text)
	}
	status, text = p.upload("/console/vex/documents", "document", "x.json", []byte("{}"), map[string]string{"name": "../x"})
	if status < 400 || status >= 500 {
		p.Errorf("a name that leads elsewhere: %d\n%s", status, text)
	}
}
