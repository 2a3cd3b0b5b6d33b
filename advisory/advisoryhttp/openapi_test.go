package advisoryhttp_test

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/advisory/advisoryhttp"
	"github.com/stella-ops/stella/internal/openapitest"
	"github.com/stella-ops/stella/store/event"
)

const (
	documentFile = "../../docs/openapi/concelier.yaml"
	pageFile     = "../../docs/modules/concelier.md"
)

// TestRoutesAreDocumented: the handler serves what the document has, and nothing
// else.
func TestRoutesAreDocumented(t *testing.T) {
	openapitest.Open(t, documentFile).CheckRoutes(t, advisoryhttp.Routes())
}

// TestAnswersMatchDocument validates the exchanges of the golden file.
func TestAnswersMatchDocument(t *testing.T) {
	_, exchanges := play(t)
	d := openapitest.Open(t, documentFile)
	d.Check(t, exchanges)
	// Each type of problem is shown.
	types, _ := d.At("components", "schemas", "Problem", "properties", "type", "enum")
	for _, name := range types.([]any) {
		if !slices.ContainsFunc(exchanges, func(x openapitest.Exchange) bool {
			return strings.Contains(string(x.Body), fmt.Sprintf(`"type":%q`, name))
		}) {
			t.Errorf("no exchange shows %s", name)
		}
	}
}

// TestReasons: the document has the reasons of explanations that there are.
func TestReasons(t *testing.T) {
	text, err := os.ReadFile("../finding/explanation.go")
	if err != nil {
		t.Fatal(err)
	}
	want := map[string][]string{}
	for _, m := range regexp.MustCompile(`\s(Reason|Conclusion) = "([a-z_]+)"`).FindAllSubmatch(text, -1) {
		want[string(m[1])] = append(want[string(m[1])], string(m[2]))
	}
	d := openapitest.Open(t, documentFile)
	for name, path := range map[string][]string{"Reason": {"components", "schemas", "Reason", "enum"}, "Conclusion": {"components", "schemas", "Explanation", "properties", "conclusion", "enum"}} {
		var got []string
		list, _ := d.At(path...)
		for _, v := range list.([]any) {
			got = append(got, v.(string))
		}
		if diff := cmp.Diff(want[name], got); diff != "" {
			t.Errorf("%s (-package +document)\n%s", name, diff)
		}
	}
}

// TestModulePage: the page for people names every route and problem type, and the
// limits of what travels.
func TestModulePage(t *testing.T) {
	text, err := os.ReadFile(pageFile)
	if err != nil {
		t.Fatal(err)
	}
	page := string(text)
	openapitest.Open(t, documentFile).CheckPage(t, page)
	delta := event.Delta{Head: 7, Digest: "sha256:b", Base: 6, BaseDigest: "sha256:a", Facts: 1204, Sources: []string{"debian", "ghsa"}}
	drift := event.Drift{Head: 7, Vulnerability: "CVE-2024-1234", Cause: "new", Severity: "critical", Summary: "A hole.",
		Scans: []event.DriftScan{{ScanID: "scan-1f", ImageRef: "alpine:latest", Owner: "ann"}, {ScanID: "scan-2f", ImageRef: "alpine:3"}}}
	for _, e := range []event.Event{{ID: "head/7", Type: event.AdvisoryDelta}, {ID: "drift/7/CVE-2024-1234/new/1", Type: event.AdvisoryDrift, Tenant: "acme"}} {
		e.Source, e.Time = "concelier", time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
		if e.Data, err = delta.Encode(); e.Type == event.AdvisoryDrift {
			e.Data, err = drift.Encode()
		}
		if err != nil {
			t.Fatal(err)
		}
		if body, err := e.Encode(); err != nil || !strings.Contains(page, "\n"+string(body)+"\n") {
			t.Errorf("the page does not show %s: %v", body, err)
		}
	}
	for _, n := range []int{advisoryhttp.MaxLookups, advisoryhttp.MaxTexts, advisoryhttp.MaxEntries, advisoryhttp.MaxKnown, advisoryhttp.MaxFacts, advisoryhttp.MaxRemembered} {
		if text := number(n); !strings.Contains(page, text) {
			t.Errorf("the page does not name the limit %s", text)
		}
	}
}

// number writes n as pages do: 1000, 100,000.
func number(n int) string {
	text := fmt.Sprint(n)
	if len(text) > 4 {
		text = text[:len(text)-3] + "," + text[len(text)-3:]
	}
	return text
}
