package ubuntu_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/advisory/advisorytest"
	"github.com/stella-ops/stella/advisory/ubuntu"
	"github.com/stella-ops/stella/internal/testdata"
)

func TestSource(t *testing.T) {
	advisorytest.TestSource(t, ubuntu.New(), "testdata/ubuntu.txtar")
}

// read collects what a document says.
func read(name string, content []byte) (records []*advisory.Record, broken []string, fatal error) {
	for st, err := range ubuntu.New().Parse(&advisory.Document{Name: name, Content: content}) {
		var b *advisory.RecordError
		switch {
		case errors.As(err, &b):
			broken = append(broken, err.Error())
		case err != nil:
			fatal = err
		default:
			records = append(records, st.(*advisory.Record))
		}
	}
	return records, broken, fatal
}

func TestDamage(t *testing.T) {
	for _, tt := range []struct {
		name, text string
		fatal      error
	}{
		{"vex/cve/x.json", "", ubuntu.ErrInvalid},
		{"vex/cve/x.json", "{}", ubuntu.ErrUnsupported},
		{"vex/cve/x.json", `{"@context":"https://openvex.dev/ns/v0.2.0","statements":[{}]}`, ubuntu.ErrInvalid},
		{"vex/cve/x.json", `{"@context":"https://openvex.dev/ns/v0.2.0","timestamp":"2024-02-03T15:02:47Z","statements":[]}`, ubuntu.ErrInvalid},
		{"other/x.json", "{}", ubuntu.ErrUnsupported},
	} {
		if records, broken, err := read(tt.name, []byte(tt.text)); !errors.Is(err, tt.fatal) || records != nil || broken != nil {
			t.Errorf("%s %s: %v, %v", tt.name, tt.text, broken, err)
		}
	}
	if _, broken, err := read("osv/cve/x.json", []byte(`{"id":"UBUNTU-CVE-2024-1"}`)); err != nil || len(broken) != 1 {
		t.Errorf("%v, %v", broken, err)
	}
}

const pack, root = "advisories/providers-vunnel.tar.gz", "tests/unit/providers/ubuntu/test-fixtures/"

// TestRealVEX reads real documents of thousands of products. They were read by
// hand: whom they name as source packages, and what they decide.
func TestRealVEX(t *testing.T) {
	files := testdata.Open(t, pack)
	decided := func(name string) (out []string, r *advisory.Record) {
		records, broken, err := read("vex/cve/"+name, files[root+"vex/cve/"+name])
		if err != nil || broken != nil || len(records) != 1 {
			t.Fatal(len(records), broken, err)
		}
		for _, a := range records[0].Affected {
			out = append(out, a.Ecosystem+" "+a.Name+" "+string(a.Status))
		}
		return out, records[0]
	}
	got, r := decided("2023/CVE-2023-38545.json")
	want := []string{"Ubuntu:16.04:LTS curl end_of_life", "Ubuntu:Pro:14.04:LTS curl not_affected", "Ubuntu:Pro:16.04:LTS curl not_affected", "Ubuntu:Pro:18.04:LTS curl not_affected", "Ubuntu:Pro:20.04:LTS curl not_affected"}
	if diff := cmp.Diff(want, got); diff != "" || r.ID != "UBUNTU-CVE-2023-38545" || r.Modified != "2026-05-20T15:02:47Z" {
		t.Errorf("%s %s:\n%s", r.ID, r.Modified, diff)
	}
	got, _ = decided("2016/CVE-2016-20013.json")
	sources := strings.Count(string(files[root+"vex/cve/2016/CVE-2016-20013.json"]), "arch=source")
	for _, line := range got {
		if !strings.HasSuffix(line, " will_not_fix") && line != "Ubuntu:24.04:LTS zabbix not_affected" {
			t.Errorf("%s", line)
		}
	}
	if len(got) != sources || sources < 30 {
		t.Errorf("%d of %d source packages", len(got), sources)
	}
	t.Logf("%d source packages", sources)
}

// TestRealCombined: what OSV and OpenVEX say about one CVE are parts of one
// record, which has the versions of the one and the decisions of the other.
func TestRealCombined(t *testing.T) {
	files := testdata.Open(t, pack)
	fromOSV, _, err := read("osv/x.json", files[root+"osv/cve/2016/UBUNTU-CVE-2016-20013.json"])
	if err != nil {
		t.Fatal(err)
	}
	fromVEX, _, err := read("vex/x.json", files[root+"vex/cve/2016/CVE-2016-20013.json"])
	if err != nil {
		t.Fatal(err)
	}
	r := advisory.Combine(fromOSV[0], fromVEX[0])
	if err := r.Validate(); err != nil {
		t.Fatal(err)
	}
	both := 0
	for _, a := range r.Affected {
		if a.Status == advisory.WillNotFix && a.Versions != "" {
			both++
			if len(a.Ranges) != 1 {
				t.Errorf("%s %s has %d ranges", a.Ecosystem, a.Name, len(a.Ranges))
			}
		}
	}
	if both < 20 || len(r.Affected) < len(fromOSV[0].Affected) || r.Affected[0].Ecosystem == "" {
		t.Errorf("%d packages of %d have both", both, len(r.Affected))
	}
	t.Logf("%d packages from OSV, %d from OpenVEX, %d in all, %d have versions and a status", len(fromOSV[0].Affected), len(fromVEX[0].Affected), len(r.Affected), both)
}

// TestRealOSV holds real records against what another collector publishes of
// them. One difference: for a package of which extended support alone has
// something to say it adds the plain release without a fix; here the plain
// release is matched with the data of extended support as well.
func TestRealOSV(t *testing.T) {
	files := testdata.Open(t, pack)
	n, compared, extended := 0, 0, 0
	records := map[string]*advisory.Record{}
	for name, text := range files {
		if !strings.HasPrefix(name, root+"osv") {
			continue
		}
		n++
		list, broken, err := read("osv/x.json", text)
		if err != nil || broken != nil || len(list) != 1 {
			t.Fatal(name, broken, err)
		}
		records[list[0].ID] = list[0]
		for _, note := range list[0].Notes() {
			t.Errorf("%s: %v", name, note)
		}
	}
	for name, text := range files {
		if !strings.HasPrefix(name, root+"snapshots/ubuntu-") {
			continue
		}
		var e struct {
			Item struct {
				ID       string `json:"id"`
				Affected []struct {
					Package struct {
						Ecosystem string `json:"ecosystem"`
						Name      string `json:"name"`
					} `json:"package"`
					Ranges []struct {
						Events []struct {
							Fixed string `json:"fixed"`
						} `json:"events"`
					} `json:"ranges"`
				} `json:"affected"`
			} `json:"item"`
		}
		if err := json.Unmarshal(text, &e); err != nil {
			t.Fatal(name, err)
		}
		r := records[e.Item.ID]
		if r == nil {
			t.Errorf("%s: there is no %s", name, e.Item.ID)
			continue
		}
		for _, want := range e.Item.Affected {
			find := func(ecosystem string) int {
				return slices.IndexFunc(r.Affected, func(a advisory.Affected) bool { return a.Ecosystem == ecosystem && a.Name == want.Package.Name })
			}
			i := find(want.Package.Ecosystem)
			if i < 0 && find(strings.Replace(want.Package.Ecosystem, "Ubuntu:", "Ubuntu:Pro:", 1)) >= 0 {
				extended++
				continue
			}
			if i < 0 {
				t.Errorf("%s: %s lacks %s %s", name, r.ID, want.Package.Ecosystem, want.Package.Name)
				continue
			}
			for j, rg := range want.Ranges {
				for k, event := range rg.Events {
					if got := r.Affected[i].Ranges[j].Events[k].Fixed; got != event.Fixed {
						t.Errorf("%s: %s %s fixed in %q, want %q", name, r.ID, want.Package.Name, got, event.Fixed)
					}
					compared++
				}
			}
		}
	}
	if n != 9 || compared == 0 {
		t.Errorf("%d documents, %d events", n, compared)
	}
	t.Logf("%d documents, %d events agree, %d packages are of extended support", n, compared, extended)
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"@context":"https://openvex.dev/ns/v0.2.0","timestamp":"2024-02-03T15:02:47Z","statements":[{"vulnerability":{"name":"CVE-2024-1000"},"products":[{"@id":"pkg:deb/ubuntu/a@1?arch=source&distro=jammy"}],"status":"affected","action_statement":"decided to not fix"}]}`))
	f.Fuzz(func(t *testing.T, content []byte) {
		ids := map[string]bool{}
		for s, err := range ubuntu.New().Parse(&advisory.Document{Name: "vex/cve/x.json", Content: content}) {
			if err != nil {
				continue
			}
			r := s.(*advisory.Record)
			if err := r.Validate(); err != nil {
				t.Fatal(err)
			}
			if ids[r.ID] {
				t.Fatalf("%s is there twice", r.ID)
			}
			ids[r.ID] = true
		}
	})
}

// OpenVEX tells what was decided about a package.
func Example() {
	const text = `{"@context": "https://openvex.dev/ns/v0.2.0", "timestamp": "2024-02-03T15:02:47Z", "statements": [{
		"vulnerability": {"name": "CVE-2024-10001"}, "status": "affected",
		"action_statement": "This package is vulnerable, but the Ubuntu Security Team decided to not fix it.",
		"products": [{"@id": "pkg:deb/ubuntu/bolt@1.2-3?arch=source&distro=jammy"}, {"@id": "pkg:deb/ubuntu/libbolt1@1.2-3?arch=amd64&distro=jammy"}]
	}]}`
	for s, err := range ubuntu.New().Parse(&advisory.Document{Name: "vex/cve/2024/CVE-2024-10001.json", Content: []byte(text)}) {
		if err != nil {
			fmt.Println(err)
			continue
		}
		r := s.(*advisory.Record)
		for _, a := range r.Affected {
			fmt.Println(r.ID, a.Ecosystem, a.Name, a.Status)
		}
	}
	// Output:
	// UBUNTU-CVE-2024-10001 Ubuntu:22.04:LTS bolt will_not_fix
}
