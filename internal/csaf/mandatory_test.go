package csaf_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/internal/csaf"
)

// edits are JSON values by pointer; "" removes, and "-" as last element
// appends.
type edits map[string]string

// edited applies edits to the document with all members.
func edited(t testing.TB, e edits) []byte {
	t.Helper()
	var doc any
	if err := json.Unmarshal([]byte(full), &doc); err != nil {
		t.Fatal(err)
	}
	for pointer, text := range e {
		var value any
		if text != "" {
			if err := json.Unmarshal([]byte(text), &value); err != nil {
				t.Fatal(pointer, err)
			}
		}
		doc = put(t, doc, strings.Split(pointer, "/")[1:], value, text == "")
	}
	out, err := json.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func put(t testing.TB, in any, path []string, value any, remove bool) any {
	t.Helper()
	if len(path) == 0 {
		return value
	}
	switch in := in.(type) {
	case map[string]any:
		if remove && len(path) == 1 {
			delete(in, path[0])
			return in
		}
		in[path[0]] = put(t, in[path[0]], path[1:], value, remove)
		return in
	case []any:
		if path[0] == "-" {
			return append(in, put(t, nil, path[1:], value, remove))
		}
		i := int(path[0][0] - '0')
		in[i] = put(t, in[i], path[1:], value, remove)
		return in
	case nil:
		return value
	}
	t.Fatalf("no place for %v", path)
	return nil
}

const (
	doc      = "/document"
	track    = "/document/tracking"
	history  = "/document/tracking/revision_history"
	tree     = "/product_tree"
	vuln     = "/vulnerabilities/0"
	cvss2    = "/vulnerabilities/0/scores/0/cvss_v2"
	cvss3    = "/vulnerabilities/0/scores/0/cvss_v3"
	versions = "/product_tree/branches/0/branches/0/branches"
)

// TestMandatory fails each mandatory test in the ways that its section
// describes, and comes close without failing it.
func TestMandatory(t *testing.T) {
	semantic := func(numbers ...string) string {
		var items []string
		for i, n := range numbers {
			items = append(items, `{"date":"2024-0`+string(rune('1'+i))+`-01T00:00:00Z","number":"`+n+`","summary":"s"}`)
		}
		return "[" + strings.Join(items, ",") + "]"
	}
	cases := []struct {
		name string
		edit edits
		want string // tests that fail, separated by spaces
	}{
		{"nothing", nil, ""},
		{"6.1.1 group", edits{tree + "/product_groups/0/product_ids/1": `"no"`}, "6.1.1"},
		{"6.1.1 relationship", edits{tree + "/relationships/0/relates_to_product_reference": `"no"`}, "6.1.1"},
		{"6.1.1 status", edits{vuln + "/product_status/recommended/0": `"no"`}, "6.1.1"},
		{"6.1.1 flag", edits{vuln + "/flags/0/product_ids/-": `"no"`}, "6.1.1"},
		{"6.1.1 score", edits{vuln + "/scores/0/products/-": `"no"`}, "6.1.1"},
		{"6.1.1 remediation", edits{vuln + "/remediations/0/product_ids/-": `"no"`}, "6.1.1"},
		{"6.1.1 threat", edits{vuln + "/threats/0/product_ids/-": `"no"`}, "6.1.1"},
		{"6.1.2 list and branch", edits{tree + "/full_product_names/-": `{"name":"x","product_id":"T1"}`}, "6.1.2"},
		{"6.1.2 relationship", edits{tree + "/full_product_names/-": `{"name":"x","product_id":"TS"}`}, "6.1.2"},
		{"6.1.3 itself", edits{tree + "/relationships/0/relates_to_product_reference": `"TS"`}, "6.1.3"},
		{"6.1.3 two", edits{tree + "/relationships/0/relates_to_product_reference": `"X"`,
			tree + "/relationships/-": `{"category":"installed_on","full_product_name":{"name":"x","product_id":"X"},"product_reference":"TS","relates_to_product_reference":"S"}`}, "6.1.3"},
		{"6.1.3 chain", edits{
			tree + "/relationships/-": `{"category":"installed_on","full_product_name":{"name":"x","product_id":"X"},"product_reference":"TS","relates_to_product_reference":"TS"}`}, ""},
		{"6.1.4 threat", edits{vuln + "/threats/0/group_ids/-": `"no"`}, "6.1.4"},
		{"6.1.4 remediation", edits{vuln + "/remediations/0/group_ids/-": `"no"`}, "6.1.4"},
		{"6.1.4 flag", edits{vuln + "/flags/0/group_ids/-": `"no"`}, "6.1.4"},
		{"6.1.5", edits{tree + "/product_groups/-": `{"group_id":"G","product_ids":["T0","S"]}`}, "6.1.5"},
		{"6.1.6 affected and fixed", edits{vuln + "/product_status/fixed/-": `"T0"`}, "6.1.6"},
		{"6.1.6 fixed and under investigation", edits{vuln + "/product_status/under_investigation/-": `"S"`}, "6.1.6"},
		{"6.1.6 recommended", edits{vuln + "/product_status/recommended/-": `"T0"`}, ""},
		{"6.1.7", edits{vuln + "/scores/1/products/-": `"T0"`, vuln + "/scores/1/cvss_v3/version": `"3.1"`, vuln + "/scores/1/cvss_v3/vectorString": `"CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"`}, "6.1.7"},
		{"6.1.7 other version", edits{vuln + "/scores/1/products/-": `"T0"`}, ""},
		{"6.1.8 severity", edits{cvss3 + "/baseSeverity": ``}, "6.1.8"},
		{"6.1.8 version", edits{cvss3 + "/version": `"4.0"`}, "6.1.8"},
		{"6.1.8 vector", edits{cvss2 + "/vectorString": `"AV:N"`, cvss2 + "/version": ``}, "6.1.8"},
		{"6.1.8 metric", edits{cvss3 + "/scope": `"BOTH"`}, "6.1.10 6.1.8"},
		{"6.1.9 base", edits{cvss3 + "/baseScore": `9.7`}, "6.1.9"},
		{"6.1.9 spelling", edits{cvss3 + "/baseScore": `98e-1`}, ""},
		{"6.1.9 base severity", edits{cvss3 + "/baseSeverity": `"HIGH"`}, "6.1.9"},
		{"6.1.9 temporal", edits{cvss3 + "/temporalScore": `9.8`}, "6.1.9"},
		{"6.1.9 environmental", edits{cvss3 + "/environmentalScore": `9.8`}, "6.1.9"},
		{"6.1.9 environmental severity", edits{cvss3 + "/environmentalSeverity": `"HIGH"`}, "6.1.9"},
		{"6.1.9 version 2", edits{cvss2 + "/temporalScore": `6.3`}, "6.1.9"},
		{"6.1.9 property adds", edits{cvss2 + "/targetDistribution": `"NONE"`, cvss2 + "/environmentalScore": `0`}, ""},
		{"6.1.9 vector alone", edits{cvss3 + "/modifiedScope": `"CHANGED"`}, ""},
		{"6.1.9 incomplete", edits{vuln + "/scores/1/cvss_v3/vectorString": `"CVSS:3.0/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H"`}, "6.1.9"},
		{"6.1.10", edits{cvss3 + "/attackVector": `"LOCAL"`}, "6.1.10"},
		{"6.1.10 temporal", edits{cvss2 + "/exploitability": `"HIGH"`}, "6.1.10"},
		{"6.1.11 name", edits{vuln + "/cwe/name": `"Improper Input Validation"`}, "6.1.11"},
		{"6.1.11 number", edits{vuln + "/cwe/id": `"CWE-999999"`}, "6.1.11"},
		{"6.1.11 category", edits{vuln + "/cwe": `{"id":"CWE-310","name":"Cryptographic Issues"}`}, "6.1.11"},
		{"6.1.12 region", edits{doc + "/lang": `"EZ"`}, "6.1.12"},
		{"6.1.12 source", edits{doc + "/source_lang": `"xx"`}, "6.1.12"},
		{"6.1.12 private", edits{doc + "/lang": `"qtx"`}, ""},
		{"6.1.13", edits{versions + "/0/product/product_identification_helper/purl": `"pkg:maven/@1.3.4"`}, "6.1.13"},
		{"6.1.13 namespace", edits{versions + "/0/product/product_identification_helper/purl": `"pkg:oci/library/nginx"`}, "6.1.13"},
		{"6.1.14", edits{history + "/0/date": `"2024-03-01T00:00:00Z"`}, "6.1.14 6.1.16 6.1.21"},
		{"6.1.14 zones", edits{history + "/0/date": `"2024-01-31T23:30:00Z"`, history + "/1/date": `"2024-02-01T00:00:00+01:00"`}, "6.1.14 6.1.16 6.1.21"},
		{"6.1.14 same date", edits{history + "/0/date": `"2024-02-01T00:00:00+01:00"`}, ""},
		{"6.1.15", edits{doc + "/publisher/category": `"translator"`, doc + "/source_lang": ``}, "6.1.15"},
		{"6.1.16", edits{track + "/version": `"1"`}, "6.1.16"},
		{"6.1.16 build", edits{history: semantic("1.0.0"), track + "/version": `"1.0.0+a"`}, ""},
		{"6.1.16 draft", edits{history: semantic("1.0.0"), track + "/version": `"1.0.0-rc"`, track + "/status": `"draft"`}, ""},
		{"6.1.16 no draft", edits{history: semantic("1.0.0"), track + "/version": `"1.0.0-rc"`, track + "/status": `"interim"`}, "6.1.16 6.1.17 6.1.20"},
		{"6.1.17 zero", edits{history: semantic("0.9.5"), track + "/version": `"0.9.5"`}, "6.1.17 6.1.18"},
		{"6.1.18", edits{history: semantic("0", "1"), track + "/version": `"1"`}, "6.1.18"},
		{"6.1.18 draft", edits{history: semantic("0", "1"), track + "/version": `"1"`, track + "/status": `"draft"`}, ""},
		{"6.1.19", edits{history: semantic("1.0.0-rc", "1.0.0"), track + "/version": `"1.0.0"`}, "6.1.19"},
		{"6.1.20", edits{history: semantic("1.0.0"), track + "/version": `"1.0.0-alpha"`}, "6.1.16 6.1.17 6.1.20"},
		{"6.1.21 gap", edits{history: semantic("1", "3"), track + "/version": `"3"`}, "6.1.21"},
		{"6.1.21 start", edits{history: semantic("2", "3"), track + "/version": `"3"`}, "6.1.21"},
		{"6.1.21 minor", edits{history: semantic("1.0.0", "1.4.7"), track + "/version": `"1.4.7"`}, ""},
		{"6.1.21 major", edits{history: semantic("1.0.0", "3.0.0"), track + "/version": `"3.0.0"`}, "6.1.21"},
		{"6.1.22", edits{history: semantic("1", "1"), track + "/version": `"1"`}, "6.1.22"},
		{"6.1.23", edits{"/vulnerabilities/-": `{"cve":"CVE-2024-0001","notes":[{"category":"other","text":"x"}],"product_status":{"fixed":["S"]}}`}, "6.1.23"},
		{"6.1.24", edits{vuln + "/involvements/-": `{"date":"2024-01-01T01:00:00+01:00","party":"vendor","status":"open"}`}, "6.1.24"},
		{"6.1.24 party", edits{vuln + "/involvements/-": `{"date":"2024-01-01T00:00:00Z","party":"user","status":"open"}`}, ""},
		{"6.1.24 date", edits{vuln + "/involvements/-": `{"party":"vendor","status":"open"}`}, ""},
		{"6.1.25", edits{versions + "/0/product/product_identification_helper/hashes/0/file_hashes/-": `{"algorithm":"sha256","value":"026a37919b182ef7c63791e82c9645e2f897a3f0b73c7a6028c7febf62e93838"}`}, "6.1.25"},
		{"6.1.26 name", edits{doc + "/category": `"Security  Advisory"`}, "6.1.26"},
		{"6.1.26 short", edits{doc + "/category": `"V_eX"`}, "6.1.26"},
		{"6.1.26 prefix", edits{doc + "/category": `"Csaf_a"`}, "6.1.26"},
		{"6.1.26 value", edits{doc + "/category": `"CSAF Security-Incident_Response"`}, "6.1.26"},
		{"6.1.26 own", edits{doc + "/category": `"Example Security Advisory"`}, ""},
		{"6.1.27.1", edits{doc + "/category": `"csaf_security_incident_response"`, doc + "/notes/0/category": `"legal_disclaimer"`}, "6.1.27.1"},
		{"6.1.27.2", edits{doc + "/category": `"csaf_security_incident_response"`, doc + "/references/1/category": `"self"`}, "6.1.27.2"},
		{"6.1.27.3", edits{doc + "/category": `"csaf_informational_advisory"`}, "6.1.27.3"},
		{"6.1.27.3 none", edits{doc + "/category": `"csaf_informational_advisory"`, "/vulnerabilities": ``}, ""},
		{"6.1.27.4", edits{tree: ``, "/vulnerabilities": ``}, "6.1.27.11 6.1.27.4"},
		{"6.1.27.5", edits{vuln + "/notes": ``}, "6.1.27.5"},
		{"6.1.27.6", edits{doc + "/category": `"csaf_security_advisory"`, vuln + "/product_status": ``}, "6.1.27.6"},
		{"6.1.27.7", edits{vuln + "/product_status": `{"recommended":["S"],"first_fixed":["S"]}`}, "6.1.27.7"},
		{"6.1.27.8", edits{vuln + "/cve": ``, vuln + "/ids": ``}, "6.1.27.8"},
		{"6.1.27.8 ids", edits{vuln + "/cve": ``}, ""},
		{"6.1.27.9", edits{vuln + "/flags": ``, vuln + "/threats/0/category": `"target_set"`}, "6.1.27.9"},
		{"6.1.27.9 threat", edits{vuln + "/flags": ``}, ""},
		{"6.1.27.9 flag", edits{vuln + "/threats": ``}, ""},
		{"6.1.27.10", edits{vuln + "/remediations": ``}, "6.1.27.10"},
		{"6.1.27.10 group", edits{vuln + "/remediations/0/product_ids": ``}, ""},
		{"6.1.27.11", edits{"/vulnerabilities": ``}, "6.1.27.11"},
		{"6.1.28", edits{doc + "/source_lang": `"en-US"`}, "6.1.28"},
		{"6.1.28 region", edits{doc + "/source_lang": `"en-GB"`}, ""},
		{"6.1.29", edits{vuln + "/remediations/-": `{"category":"none_available","details":"x"}`}, "6.1.29"},
		{"6.1.30", edits{history: semantic("1.0.0", "2"), track + "/version": `"2"`}, "6.1.30"},
		{"6.1.31 words", edits{versions + "/0/name": `"prior to 4.2"`}, "6.1.31"},
		{"6.1.31 sign", edits{versions + "/0/name": `"<=4.1"`}, "6.1.31"},
		{"6.1.31 part of a word", edits{versions + "/0/name": `"after-eight"`}, ""},
		{"6.1.32", edits{vuln + "/flags/-": `{"label":"component_not_present"}`}, "6.1.32"},
		{"6.1.33 group", edits{vuln + "/flags/-": `{"label":"vulnerable_code_not_present","product_ids":["T0"]}`}, "6.1.33"},
		{"6.1.33 once", edits{vuln + "/flags/0/product_ids/-": `"T0"`}, ""},
		{"schema", edits{doc + "/title": `""`}, "schema"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			decoded, err := csaf.Decode(edited(t, c.edit), nil)
			if err != nil {
				t.Fatal(err)
			}
			problems, err := csaf.Validate(decoded, "ex-2024_1.json", everything)
			if err != nil {
				t.Fatal(err)
			}
			got := testsOf(problems, func(p csaf.Problem) bool { return p.Mandatory })
			if d := cmp.Diff(strings.Fields(c.want), got); d != "" && c.want+strings.Join(got, "") != "" {
				t.Errorf("(-want +got):\n%s%v", d, problems)
			}
			if csaf.Valid(problems) != (c.want == "") {
				t.Error("Valid says otherwise")
			}
		})
	}
}
