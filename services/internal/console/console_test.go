package console_test

import (
	"net/http"
	"strings"
	"testing"
)

// TestConsole walks from a login to the reason of a verdict.
func TestConsole(t *testing.T) {
	s := newSite(t, `{"pkg":{"name":"bolt","secfixes":{"1.9-r3":["CVE-2024-10001"]}}}`)
	image := s.push("app:1", "P:bolt\nV:1.8-r0\nA:x86_64\n\nP:nut\nV:2.0-r0\nA:x86_64\n\n")
	p := s.admin()
	p.has("/console/", "Overview", "Queue")
	p.informed()
	at := p.scanned(image)
	p.has(at, "bolt", "CVE-2024-10001", "1.9-r3")
	for _, tab := range []string{"packages", "layers", "changes", "evidence", "documents", "verdicts"} {
		p.has(at+"?view="+tab, "<h1>")
	}
	p.has("/console/scans?text=APP", image)
	p.has("/console/images", image)
	status, _, _ := p.get(at + "?view=none")
	if status != http.StatusNotFound {
		t.Errorf("an unknown tab has status %d", status)
	}
	status, text, _ := p.get("/console/scans/scan-none")
	if status != http.StatusNotFound || !strings.Contains(text, "There is no such thing") {
		t.Errorf("a scan that is not there: %d\n%s", status, text)
	}
}
