package console_test

import (
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/stella-ops/stella/attest"
	"github.com/stella-ops/stella/services/auth"
)

// TestProofs exports a scan, reads what was signed about it, and has it verified, as it is
// and tampered with.
func TestProofs(t *testing.T) {
	s := newSite(t, "")
	p := s.admin()
	p.has("/console/proofs/exports", "statements about each export, with a receipt of the log", "spdx, cyclonedx, sarif")
	at := p.scanned(s.push("app:1", "P:bolt\nV:1.8-r0\nA:x86_64\n\n"))
	id := strings.TrimPrefix(at, "/console/scans/")
	exports := at + "/exports"
	p.took(exports, url.Values{"format": {"evidence"}}, "The export was asked for.")
	p.refused(exports, url.Values{"format": {"floppy"}}, http.StatusNotFound, "floppy")
	text := ""
	p.until("all is exported and logged", func() bool {
		text = p.has(exports)
		return strings.Count(text, "completed</span>") == 4 && strings.Contains(text, exports+"/evidence?signed=1") && !strings.Contains(text, "is to come")
	})
	status, document, _ := p.get(exports + "/spdx")
	if status != http.StatusOK || !strings.Contains(document, "SPDX") {
		t.Errorf("the document: %d\n%s", status, document)
	}
	status, lines, _ := p.get(exports + "/evidence?signed=1")
	if status != http.StatusOK || strings.Count(lines, "\n") < 2 {
		t.Fatalf("the signed statements: %d\n%s", status, lines)
	}
	if status, _, _ := p.get(exports + "/csv"); status == http.StatusOK {
		t.Error("what nobody asked for is there")
	}

	t.Run("attestations", func(t *testing.T) {
		list := p.has("/console/proofs?scan="+id, "spdxjson", "evidence", "log</span>", at)
		one := regexp.MustCompile(`/console/proofs/sha256:[0-9a-f]{64}`).FindString(list)
		page := p.has(one, "What it says", "About", "All that it says", "stella verify", "Size of the tree")
		if !strings.Contains(page, "stella.internal") {
			t.Errorf("the entry of the log is not there:\n%s", page)
		}
		status, bundle, _ := p.get(one + "/bundle")
		if status != http.StatusOK || !strings.Contains(bundle, "application/vnd.dev.sigstore.bundle") {
			t.Errorf("the bundle: %d %s", status, bundle)
		}
		if _, text := p.upload("/console/proofs/verify", "file", "one.json", []byte(bundle), nil); !strings.Contains(text, "Verified: one.json") {
			t.Errorf("the bundle is not verified:\n%s", text)
		}
		subject := regexp.MustCompile(`/console/proofs\?subject=(sha256[^"]+)`).FindStringSubmatch(list)
		p.has("/console/proofs?subject="+subject[1], "spdxjson")
		p.has("/console/proofs?type=evidence", "evidence")
		p.lacks("/console/proofs?type=evidence", ">spdxjson<")
		for _, q := range []string{"subject=x", "type=a+b", "scan=none"} {
			if status, text, _ := p.get("/console/proofs?" + q); status >= 500 || status == 200 && !strings.Contains(text, "There are none") {
				t.Errorf("%s: %d\n%s", q, status, text)
			}
		}
		for _, bad := range hostile {
			if status, text, _ := p.get("/console/proofs?subject=" + url.QueryEscape(bad)); status >= 500 || strings.Contains(text, "<script>alert") || strings.Contains(text, "<img src=x") {
				t.Errorf("%q: %d\n%s", bad, status, text)
			}
		}
		if status, _, _ := p.get("/console/proofs/sha256:none"); status != http.StatusNotFound {
			t.Errorf("an attestation that is none: %d", status)
		}
	})
	t.Run("trust root", func(t *testing.T) {
		p.has("/console/proofs/trust-root", "no end", "stella.internal")
		_, text, _ := p.get("/console/proofs/trust-root/file")
		root, err := attest.DecodeRoot([]byte(text))
		if err != nil || len(root.Keys.Members) != 1 || len(root.Logs.Logs) != 1 {
			t.Errorf("the file: %v\n%s", err, text)
		}
	})
	t.Run("verify", func(t *testing.T) { s.verify(p, lines) })
	t.Run("settings", func(t *testing.T) { s.exportSettings(p) })
	t.Run("rights", func(t *testing.T) {
		q := s.someone("reader", auth.ScannerRead, auth.AttestRead)
		q.lacks("/console/proofs", "/console/proofs/exports\">exports")
		q.has(exports, "You have no right to read this.")
		q.lacks(exports, "<button>Export")
		q.refused(exports, url.Values{"format": {"csv"}}, http.StatusForbidden)
		if status, _, _ := q.get(exports + "/spdx"); status != http.StatusForbidden {
			t.Errorf("an export for somebody without the right: %d", status)
		}
		n := s.someone("stranger", auth.ScannerRead)
		for _, path := range []string{"/console/proofs", "/console/proofs/trust-root", "/console/proofs/exports"} {
			if status, text, _ := n.get(path); status != http.StatusForbidden || !strings.Contains(text, "You have no right") {
				t.Errorf("%s: %d\n%s", path, status, text)
			}
		}
		if status, _ := n.upload("/console/proofs/verify", "file", "x.jsonl", []byte(lines), nil); status != http.StatusForbidden {
			t.Errorf("a stranger's file: %d", status)
		}
	})
}

// verify has lines verified, and what somebody made of them.
func (s *site) verify(p *person, lines string) {
	const path = "/console/proofs/verify"
	send := func(name, text string, more map[string]string, status int, want ...string) string {
		p.Helper()
		got, page := p.upload(path, "file", name, []byte(text), more)
		if got != status {
			p.Errorf("%s: %d, want %d:\n%s", name, got, status, page)
		}
		for _, w := range want {
			if !strings.Contains(page, w) {
				p.Errorf("%s has no %q:\n%s", name, w, page)
			}
		}
		return page
	}
	all := strings.Split(strings.TrimSpace(lines), "\n")
	page := send("bundle.jsonl", lines, nil, http.StatusOK, "Verified: bundle.jsonl", "every line", "Signed by", "Logged", "stella verify ./bundle.jsonl --trust-root trust.json")
	if n := strings.Count(page, `<span class="tag o-pass">verified</span></h2>`); n != len(all) {
		p.Errorf("%d lines are verified, of %d", n, len(all))
	}
	send("bundle.jsonl", lines, map[string]string{"evidence": "1", "logged": "1"}, http.StatusOK, "Verified", "--logged --type evidence")
	subject := regexp.MustCompile(`<dt>About</dt><dd>(?:<bdi>[^<]*</bdi> )?<code>(sha256:[0-9a-f]{64})`).FindStringSubmatch(page)
	send("bundle.jsonl", lines, map[string]string{"subject": subject[1]}, http.StatusOK, "Verified", "--subject "+subject[1])
	send("bundle.jsonl", lines, map[string]string{"subject": "sha256:" + strings.Repeat("0", 64)}, http.StatusUnprocessableEntity, "refused</span>", "subject")
	send("bundle.jsonl", strings.Join(all[1:], "\n")+"\n", map[string]string{"evidence": "1"}, http.StatusUnprocessableEntity, "Refused: bundle.jsonl")

	// Another signature on one line: that line has the name of what is wrong, the others hold.
	i := strings.Index(all[0], `"sig":"`) + len(`"sig":"`)
	other := "A"
	if all[0][i] == 'A' {
		other = "B"
	}
	bad := all[0][:i] + other + all[0][i+1:]
	page = send("bad.jsonl", strings.Join(append([]string{bad}, all[1:]...), "\n")+"\n", nil, http.StatusUnprocessableEntity, "Refused: bad.jsonl", "not signed by whom it must be", "It claims:")
	if n := strings.Count(page, `<span class="tag o-block">refused</span></h2>`); n != 1 {
		p.Errorf("%d lines are refused, want 1:\n%s", n, page)
	}
	if n := strings.Count(page, `<span class="tag o-pass">verified</span></h2>`); n != len(all)-1 {
		p.Errorf("%d lines are verified, want %d", n, len(all)-1)
	}
	send("one.json", bad, nil, http.StatusUnprocessableEntity, "not signed by whom it must be")
	send("garbage.bin", "\x00\x01garbage", nil, http.StatusUnprocessableEntity, "malformed")
	send("empty", "", nil, http.StatusBadRequest, "The file is empty")
	for _, name := range hostile {
		status, page := p.upload(path, "file", name, []byte(bad), nil)
		if status != http.StatusUnprocessableEntity && !strings.Contains(page, "There is no file") { // a name that no header may have
			p.Errorf("%q: %d\n%s", name, status, page)
		}
		for _, raw := range []string{"<script>alert", "<img src=x", "\u202e", "\u0007"} {
			if strings.Contains(page, raw) {
				p.Errorf("a file's name comes as %q:\n%s", raw, page)
			}
		}
	}
	p.refused(path, url.Values{"file": {"x"}}, http.StatusBadRequest, "There is no file")
}

// exportSettings changes what is exported.
func (s *site) exportSettings(p *person) {
	const path = "/console/proofs/exports"
	for text, want := range map[string]string{"mode: loud\nformats: [spdx]\n": "loud", "mode: sign\nformats: [floppy]\n": "floppy", "mode: sign\ncolour: red\n": "colour", "{": "JSON",
		"mode: sign\nformats: [spdx]\ntargets: [{name: x, url: 'ftp://x'}]\n": "ftp"} {
		page := p.refused(path, url.Values{"number": {"0"}, "text": {text}}, http.StatusUnprocessableEntity, want)
		if got := p.area(page, "text"); got != text {
			p.Errorf("the text was %q and is %q", text, got)
		}
	}
	p.took(path, url.Values{"number": {"0"}, "text": {"mode: sign\nformats: [spdx]\ntargets:\n- {name: archive, url: 'https://archive.example/in', secret: 'file:archive'}\n"}}, "revision 1")
	p.has(path, "statements about each export</dd>", "archive.example", "secret of", "by <bdi>admin (")
	p.refused(path, url.Values{"number": {"0"}, "text": {"mode: off\n"}}, http.StatusConflict, "Somebody else changed it")
}

// once reads what is shown once.
func (p *person) once(text string) string {
	p.Helper()
	found := regexp.MustCompile(`(?s)This is shown once.*?<pre>(.*?)</pre>`).FindStringSubmatch(text)
	if found == nil {
		p.Fatalf("nothing is shown once:\n%s", text)
	}
	return html.UnescapeString(found[1])
}

// TestSettings administers people and keys.
func TestSettings(t *testing.T) {
	s := newSite(t, "")
	p := s.admin()
	p.has("/console/settings", "<dd><bdi>admin</bdi></dd>", "manage users, clients and keys", "<summary><bdi>admin</bdi> · <bdi>default</bdi></summary>")
	const users = "/console/settings/users"
	status, text, _ := p.post(users, url.Values{"login": {"ann"}, "name": {"Ann"}, "email": {"ann@example.com"}, "scope": {auth.ScannerRead, auth.TimelineRead}})
	password := p.once(text)
	if status != http.StatusCreated || len(password) < 16 {
		t.Fatalf("the new user: %d %q", status, password)
	}
	one := regexp.MustCompile(users + `/[A-Z2-7]+`).FindString(text)
	p.has(users, "ann@example.com", one, "Administrator")
	p.lacks(one, password)
	ann := s.login("default", "ann", password)
	subject := strings.TrimPrefix(one, users+"/")
	ann.has("/console/settings", subject, "read the timeline", "<summary><bdi>"+subject[:8]+"…</bdi>", "Whoever administers your organisation")
	ann.lacks("/console/settings", "/console/settings/users", "manage users")
	p.has("/console/settings/journal", "user.put", "admin (", "ann ("+subject[:8]+"…)")
	t.Run("wrong", func(t *testing.T) {
		p.refused(users, url.Values{"login": {"ann"}}, http.StatusConflict, "This was not kept")
		text := p.refused(users, url.Values{"login": {""}, "name": {hostile[1]}, "scope": {auth.ScannerRead}}, http.StatusUnprocessableEntity, "login")
		if p.field(text, "name") != hostile[1] || !strings.Contains(text, `value="scanner:read" checked`) {
			t.Errorf("the form lost what it said:\n%s", text)
		}
		p.refused(users, url.Values{"login": {"bob"}, "scope": {"everything"}}, http.StatusUnprocessableEntity, "everything")
		p.refused(users, url.Values{"login": {"bob"}, "scope": {auth.ScannerWork}}, http.StatusForbidden)
	})
	t.Run("change", func(t *testing.T) {
		version := p.field(p.has(one, "version 1"), "version")
		p.took(one, url.Values{"version": {version}, "login": {"ann"}, "name": {hostile[0]}, "scope": {auth.ScannerRead}}, "It is kept.")
		p.tame(one)
		p.tame(users)
		p.refused(one, url.Values{"version": {version}, "login": {"anna"}, "scope": {auth.ScannerRead}}, http.StatusConflict, "Somebody else changed it", `value="anna"`)
		p.refused(one, url.Values{"login": {"anna"}}, http.StatusBadRequest, "load the page again")
		p.until("the right that was taken away does not hold any more", func() bool {
			_, text, at := ann.get("/console/timeline")
			return at.Path != "/console/timeline" || strings.Contains(text, "You have no right")
		})
		status, text, _ := p.post(one+"/password", nil)
		again := p.once(text)
		if status != http.StatusOK || again == password {
			t.Errorf("another password: %d %q", status, again)
		}
		s.login("default", "ann", again).has("/console/settings", subject)
		p.took(one, url.Values{"version": {p.field(p.has(one), "version")}, "login": {"ann"}, "disabled": {"1"}}, "disabled</span>")
		if status, _, _ := p.get(users + "/NOBODY"); status != http.StatusNotFound {
			t.Errorf("a user that is none: %d", status)
		}
	})
	t.Run("API keys", func(t *testing.T) {
		const keys = "/console/settings/api-keys"
		p.has(keys, "There are none.")
		p.lacks(keys, `value="authority:admin"`, `value="scanner:work"`)
		status, text, _ := p.post(keys, url.Values{"name": {hostile[0]}, "days": {"30"}, "scope": {auth.ScannerRead}})
		secret := p.once(text)
		if status != http.StatusCreated || !strings.HasPrefix(secret, "stella_") {
			t.Fatalf("the key: %d %q", status, secret)
		}
		p.lacks(keys, secret)
		text = p.tame(keys)
		if !strings.Contains(text, "admin (") || !strings.Contains(text, "holds</span>") {
			t.Errorf("the list of keys:\n%s", text)
		}
		p.refused(keys, url.Values{"name": {"x"}, "days": {"0"}, "scope": {auth.ScannerRead}}, http.StatusUnprocessableEntity, "For how many days")
		p.refused(keys, url.Values{"name": {"x"}, "days": {"3"}}, http.StatusUnprocessableEntity, "a key needs some")
		revoke := regexp.MustCompile(keys + `/[A-Z2-7]+/revoke`).FindString(text)
		p.took(revoke, nil, "The key is at its end.")
		p.has(keys, "ended</span>")
	})
	p.has("/console/settings/tenants", "<bdi>default</bdi>")
	p.has("/console/settings/keys", "in force", "ES256")
	p.has("/console/settings/clients", "Programs that ask for tokens")
	t.Run("rights", func(t *testing.T) {
		q := s.someone("reader", auth.ScannerRead)
		for _, path := range []string{"users", "users/" + subject, "api-keys", "clients", "tenants", "keys", "journal"} {
			if status, text, _ := q.get("/console/settings/" + path); status != http.StatusForbidden || !strings.Contains(text, "You have no right") {
				t.Errorf("%s: %d\n%s", path, status, text)
			}
		}
		q.refused(users, url.Values{"login": {"mallory"}, "scope": {auth.AuthorityAdmin}}, http.StatusForbidden)
		q.refused(one+"/password", nil, http.StatusForbidden)
	})
}
