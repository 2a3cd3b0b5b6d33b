package csaf_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/internal/csaf"
)

// TestOptional adds to or removes from the tests of 6.2 and 6.3 that the
// document with all members fails.
func TestOptional(t *testing.T) {
	always := []string{"6.2.16", "6.3.10", "6.3.2", "6.3.9"}
	helper := versions + "/0/product/product_identification_helper"
	md5 := `{"algorithm":"md5","value":"6ae24620ea9656230f49234efd078935"}`
	sha1 := `{"algorithm":"sha1","value":"e067035314dd8673fe1c9fc6b01414fe0950fdc4"}`
	for _, c := range []struct {
		name string
		edit edits
		more string
	}{
		{"nothing", nil, ""},
		{"6.2.1", edits{tree + "/full_product_names/-": `{"name":"x","product_id":"X"}`}, "6.2.1"},
		{"6.2.2", edits{vuln + "/remediations/0/group_ids": ``}, "6.2.2"},
		{"6.2.3", edits{vuln + "/product_status/last_affected/-": `"TS"`, vuln + "/product_status/known_not_affected": ``, vuln + "/remediations/0/product_ids/-": `"TS"`}, "6.2.3"},
		{"6.2.4", edits{history + "/0/number": `"1.0.0+a"`, history + "/1/number": `"2.0.0"`, track + "/version": `"2.0.0"`}, "6.2.4"},
		{"6.2.5", edits{track + "/initial_release_date": `"2023-12-31T00:00:00Z"`}, "6.2.5"},
		{"6.2.6", edits{track + "/current_release_date": `"2024-01-31T22:00:00Z"`}, "6.2.6"},
		{"6.2.7", edits{vuln + "/involvements/0/date": ``}, "6.2.7"},
		{"6.2.8", edits{helper + "/hashes/0/file_hashes": `[` + md5 + `]`}, "6.2.8 6.3.5"},
		{"6.2.8 two", edits{helper + "/hashes/0/file_hashes": `[` + md5 + `,` + sha1 + `]`}, "6.3.5"},
		{"6.2.9", edits{helper + "/hashes/0/file_hashes": `[` + sha1 + `]`}, "6.2.9 6.3.5"},
		{"6.2.10", edits{doc + "/distribution/tlp": ``}, "6.2.10"},
		{"6.2.11", edits{doc + "/references/0/category": `"external"`}, "6.2.11"},
		{"6.2.12", edits{doc + "/lang": ``}, "6.2.12"},
		{"6.2.14 language", edits{doc + "/lang": `"qtx"`}, "6.2.14"},
		{"6.2.14 script", edits{doc + "/lang": `"en-Qaaa"`}, "6.2.14"},
		{"6.2.14 region", edits{doc + "/lang": `"en-QM"`}, "6.2.14"},
		{"6.2.14 extension", edits{doc + "/lang": `"en-x-a"`}, "6.2.14"},
		{"6.2.15", edits{doc + "/source_lang": `"i-default"`}, "6.2.15"},
		{"6.2.17", edits{vuln + "/ids/0/text": `"CVE-2021-44228"`}, "6.2.17"},
		{"6.2.18", edits{versions + "/1/name": `">4.2"`}, "6.2.18"},
		{"6.2.19", edits{vuln + "/scores/1/products/-": `"S"`}, "6.2.19"},
		{"6.2.19 zero", edits{vuln + "/scores/1/products/-": `"S"`, vuln + "/scores/1/cvss_v3/environmentalScore": `0.0`, vuln + "/scores/1/cvss_v3/vectorString": `"CVSS:3.0/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H/MC:N/MI:N/MA:N"`}, ""},
		{"6.2.20", edits{doc + "/custom": `1`}, "6.2.20"},
		{"6.2.20 of 2.1", edits{vuln + "/metrics": `1`}, "6.2.20"},
		{"6.3.1", edits{vuln + "/scores/0/cvss_v3": ``}, "6.3.1"},
		{"6.3.3", edits{vuln + "/cve": ``}, "6.3.3"},
		{"6.3.4", edits{vuln + "/cwe": ``}, "6.3.4"},
		{"6.3.11", edits{versions + "/0/name": `"v1.0"`}, "6.3.11"},
	} {
		t.Run(c.name, func(t *testing.T) {
			problems := validate(t, "ex-2024_1.json", edited(t, c.edit))
			want := append(slices.Clone(always), strings.Fields(c.more)...)
			slices.Sort(want)
			if d := cmp.Diff(want, testsOf(problems, func(csaf.Problem) bool { return true })); d != "" {
				t.Errorf("(-want +got):\n%s%v", d, problems)
			}
		})
	}
}

func TestSorting(t *testing.T) {
	text := strings.Replace(full, `"category": "csaf_vex", "csaf_version": "2.0"`, `"csaf_version": "2.0", "category": "csaf_vex"`, 1)
	var got []string
	for _, p := range validate(t, "ex-2024_1.json", []byte(text)) {
		if p.Test == "6.2.13" && strings.HasPrefix(p.Pointer, "/document/") {
			got = append(got, p.Pointer)
		}
	}
	if d := cmp.Diff([]string{"/document/category"}, got); d != "" {
		t.Error(d)
	}
}

func TestValidateWithoutCalculator(t *testing.T) {
	d, err := csaf.Decode([]byte(full), nil)
	if err != nil {
		t.Fatal(err)
	}
	problems, err := csaf.Validate(d, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := testsOf(problems, func(csaf.Problem) bool { return true }); !slices.Equal(got, []string{"6.1.9"}) || csaf.Valid(problems) {
		t.Errorf("scores that were not computed pass: %v", problems)
	}
	if _, err := csaf.Validate(&csaf.Document{}, "", nil); err == nil {
		t.Error("a document that was not decoded passes")
	}
}

func TestFilename(t *testing.T) {
	for id, want := range map[string]string{
		"Example Company - 2019-YH3234": "example_company_-_2019-yh3234.json",
		"RHBA-2019:0024":                "rhba-2019_0024.json",
		"cisco-sa-20190513-secureboot":  "cisco-sa-20190513-secureboot.json",
		"2022_#01-A":                    "2022_01-a.json",
		"a+b":                           "a+b.json",
		"K\u212Aé":                      "kk_.json", // the Kelvin sign is a small k
	} {
		if got := csaf.Filename(id); got != want {
			t.Errorf("%q: %q, want %q", id, got, want)
		}
	}
}
