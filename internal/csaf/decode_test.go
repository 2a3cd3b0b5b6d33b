package csaf_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/stella-ops/stella/internal/csaf"
)

func TestDecodeRefuses(t *testing.T) {
	nested := strings.Repeat(`{"category":"vendor","name":"x","branches":[`, 80) + strings.Repeat(`]}`, 80)
	for _, c := range []struct {
		name, text string
		kind       error
		where      string
	}{
		{"empty", ``, csaf.ErrInvalid, "read JSON"},
		{"not JSON", `{"document":{"csaf_version":"2.0",}}`, csaf.ErrInvalid, `"/document"`},
		{"more", full + "x", csaf.ErrInvalid, "byte"},
		{"name twice", strings.Replace(full, `"lang"`, `"title":"x","lang"`, 1), csaf.ErrInvalid, "/document/title"},
		{"not UTF-8", strings.Replace(full, "A flaw", "\xff", 1), csaf.ErrInvalid, "/vulnerabilities/0/title"},
		{"an array", `[]`, csaf.ErrInvalid, ""},
		{"null", `null`, csaf.ErrInvalid, "csaf_version"},
		{"no version", `{"document":{}}`, csaf.ErrInvalid, "csaf_version"},
		{"other version", `{"document":{"csaf_version":"1.2"}}`, csaf.ErrUnsupported, "csaf_version"},
		{"wrong type", strings.Replace(full, `"cve": "CVE-2024-0001"`, `"cve": 1`, 1), csaf.ErrInvalid, "/vulnerabilities/0/cve"},
		{"deep", `{"document":{"csaf_version":"2.0"},"product_tree":{"branches":[` + nested + `]}}`, csaf.ErrLimit, "/product_tree/branches/0/branches/0"},
		{"deep elsewhere", `{"document":{"csaf_version":"2.0"},"x":` + strings.Repeat(`[`, 900) + strings.Repeat(`]`, 900) + `}`, csaf.ErrLimit, "/x/0/0"},
	} {
		_, err := csaf.Decode([]byte(c.text), nil)
		if !errors.Is(err, c.kind) || !strings.Contains(err.Error(), c.where) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func TestDecodeLimits(t *testing.T) {
	for name, o := range map[string]*csaf.Options{
		"bytes": {MaxBytes: 100}, "products": {MaxProducts: 3}, "levels of branches": {MaxBranchDepth: 2},
	} {
		if _, err := csaf.Decode([]byte(full), o); !errors.Is(err, csaf.ErrLimit) || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
	two := strings.Replace(full, `"vulnerabilities": [{`, `"vulnerabilities": [{"title":"x"},{`, 1)
	if _, err := csaf.Decode([]byte(two), &csaf.Options{MaxVulnerabilities: 1}); !errors.Is(err, csaf.ErrLimit) {
		t.Error("vulnerabilities:", err)
	}
	if _, err := csaf.Read(strings.NewReader(full), &csaf.Options{MaxBytes: 100}); !errors.Is(err, csaf.ErrLimit) {
		t.Error("reader:", err)
	}
	if d, err := csaf.Read(bytes.NewReader([]byte(full)), nil); err != nil || d.Size() != len(full) || d.Label() != "WHITE" {
		t.Error("reader:", err)
	}
}

const version21 = `{"$schema":"https://docs.oasis-open.org/csaf/csaf/v2.1/schema/csaf.json",
"document":{"category":"csaf_vex","csaf_version":"2.1","distribution":{"tlp":{"label":"AMBER+STRICT"}},"license_expression":"CC-BY-4.0",
 "publisher":{"category":"multiplier","name":"Example","namespace":"https://example.com"},"title":"t",
 "tracking":{"current_release_date":"2024-01-01T00:00:00Z","id":"X","initial_release_date":"2024-01-01T00:00:00Z","revision_history":[{"date":"2024-01-01T00:00:00Z","number":"1","summary":"s"}],"status":"final","version":"1"}},
"product_tree":{"full_product_names":[{"name":"a","product_id":"a","product_identification_helper":{"purls":["pkg:npm/a@1","pkg:npm/b@1"]}},{"name":"b","product_id":"b"}],
 "product_paths":[{"beginning_product_reference":"a","full_product_name":{"name":"ab","product_id":"ab"},"subpaths":[{"category":"installed_on","next_product_reference":"b"}]}]},
"vulnerabilities":[{"cve":"CVE-2024-0001","cwe":{"id":"CWE-1","name":"of 2.0"},"cwes":[{"id":"CWE-79","name":"n","version":"4.13"}],"disclosure_date":"2024-01-01T00:00:00Z",
 "metrics":[{"content":{"cvss_v4":{"version":"4.0","vectorString":"CVSS:4.0/AV:N","baseScore":9.3,"baseSeverity":"CRITICAL","attackVector":"NETWORK"},"epss":{"percentile":"0.1","probability":"0.2","timestamp":"2024-01-01T00:00:00Z"},"ssvc_v2":{"x":1}},"products":["ab"],"source":"https://example.com"}],
 "product_status":{"unknown":["ab"]}}]}`

func TestDecode21(t *testing.T) {
	d, err := csaf.Decode([]byte(version21), nil)
	if err != nil {
		t.Fatal(err)
	}
	v := d.Vulnerabilities[0]
	m := v.Metrics[0].Content
	if d.Label() != "AMBER+STRICT" || v.Released() != "2024-01-01T00:00:00Z" || len(v.Weaknesses()) != 1 || v.Weaknesses()[0].ID != "CWE-79" ||
		m.CVSSv4.Vector != "CVSS:4.0/AV:N" || m.CVSSv4.Property("attackVector") != "NETWORK" || m.EPSS.Probability != "0.2" || string(m.SSVC) != `{"x":1}` {
		t.Errorf("%+v", d)
	}
	if n, ok := m.CVSSv4.BaseScore.Tenths(); n != 93 || !ok {
		t.Error(n, ok)
	}
	r, err := csaf.NewProducts(d.ProductTree).Resolve("ab")
	if err != nil || r.Component.ID != "a" || r.Platform().ID != "b" || len(r.PackageURLs()) != 2 {
		t.Error(r, err)
	}
	if lists := v.ProductStatus.Lists(); len(lists) != 1 || lists[0].Name != "unknown" || lists[0].Group != csaf.NoGroup {
		t.Error(lists)
	}
	if _, err := csaf.Validate(d, "", nil); !errors.Is(err, csaf.ErrUnsupported) {
		t.Error(err)
	}
}

func TestTenths(t *testing.T) {
	for text, want := range map[string]int{"0": 0, "9.8": 98, "10": 100, "10.0": 100, "1e1": 100, "98e-1": 98, "0.5": 5, "-1": -10, "0.0e9": 0, "100.00": 1000, "9.80000": 98} {
		if n, ok := csaf.Decimal(text).Tenths(); n != want || !ok {
			t.Errorf("%s: %d %v", text, n, ok)
		}
	}
	for _, text := range []string{"", "9.85", "1e9", "1e99999", "101", "1e-9", "0.01", "123456789"} {
		if n, ok := csaf.Decimal(text).Tenths(); ok {
			t.Errorf("%s: %d", text, n)
		}
	}
}
