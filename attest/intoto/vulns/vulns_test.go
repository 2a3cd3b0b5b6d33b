package vulns_test

import (
	"bytes"
	"errors"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/attest/intoto/vulns"
	"github.com/stella-ops/stella/internal/testdata"
)

var at = time.Date(2021, 8, 6, 17, 45, 50, 520_000_000, time.UTC)

func report() *vulns.Report {
	return &vulns.Report{
		Scanner: vulns.Scanner{
			URI: "https://stella-ops.dev", Version: "1.2.3",
			DB: vulns.Database{URI: "https://example.com/db", Version: "sha256:1", Updated: at.Add(-time.Hour)},
		},
		Results: []vulns.Result{
			{ID: "CVE-2", Severities: []vulns.Severity{{"nvd", "medium"}, {"cvss_score", "5.2"}}, Annotations: [][]byte{vulns.Annotation(map[string]string{"purl": "pkg:deb/debian/zlib1g@1", "fix": ""}), []byte(`{"n":9007199254740993}`)}},
			{ID: "CVE-1"},
		},
		Started: at, Finished: at.Add(time.Minute),
	}
}

const reportText = `{"metadata":{"scanFinishedOn":"2021-08-06T17:46:50.52Z","scanStartedOn":"2021-08-06T17:45:50.52Z"},` +
	`"scanner":{"db":{"lastUpdate":"2021-08-06T16:45:50.52Z","uri":"https://example.com/db","version":"sha256:1"},"result":[` +
	`{"annotations":[{"fix":"","purl":"pkg:deb/debian/zlib1g@1"},{"n":9007199254740993}],"id":"CVE-2","severity":[{"method":"nvd","score":"medium"},{"method":"cvss_score","score":"5.2"}]},` +
	`{"id":"CVE-1","severity":[]}],"uri":"https://stella-ops.dev","version":"1.2.3"}}`

func TestReport(t *testing.T) {
	text, err := report().Encode()
	if diff := cmp.Diff(reportText, string(text)); err != nil || diff != "" {
		t.Fatalf("%v, -want +got:\n%s", err, diff)
	}
	got, err := vulns.Decode(text)
	if diff := cmp.Diff(report(), got); err != nil || diff != "" {
		t.Errorf("%v, -want +got:\n%s", err, diff)
	}
	none := report()
	none.Results = nil
	if text, err = none.Encode(); err != nil || !strings.Contains(string(text), `"result":[]`) {
		t.Errorf("nothing was found: %s, %v", text, err)
	}
	if got, err = vulns.Decode(text); err != nil || len(got.Results) != 0 {
		t.Errorf("nothing was found: %+v, %v", got, err)
	}
}

func TestRefused(t *testing.T) {
	for _, tc := range []struct {
		name, old, new, says string
	}{
		{"no list of results", `"result":[`, `"results":[`, `vulns: scanner.result is missing, which is not an empty one: invalid input`},
		{"null for a list", reportText[strings.Index(reportText, `"result":`):strings.Index(reportText, `,"uri":"https://stella`)], `"result":null`, `vulns: scanner.result is missing, which is not an empty one: invalid input`},
		{"no scanner", `"scanner":`, `"tool":`, `vulns: scanner.uri is missing: invalid input`},
		{"no URI", `"uri":"https://stella-ops.dev"`, `"url":"x"`, `vulns: scanner.uri is missing: invalid input`},
		{"data of unknown age", `"lastUpdate":"2021-08-06T16:45:50.52Z",`, ``, `vulns: scanner.db.lastUpdate is missing: invalid input`},
		{"data updated elsewhere", `16:45:50.52Z`, `16:45:50.52+01:00`, `vulns: scanner.db.lastUpdate: "2021-08-06T16:45:50.52+01:00": want a time in UTC: invalid input`},
		{"no start", `"scanStartedOn"`, `"buildStartedOn"`, `vulns: metadata.scanStartedOn or scanFinishedOn is missing: invalid input`},
		{"no metadata", `"metadata"`, `"meta"`, `vulns: metadata.scanStartedOn or scanFinishedOn is missing: invalid input`},
		{"ends before it starts", `"scanFinishedOn":"2021`, `"scanFinishedOn":"2020`, `vulns: metadata: the scan finishes before it starts: invalid input`},
		{"time that is none", `"scanFinishedOn":"2021-08-06`, `"scanFinishedOn":"2021-08-32`, `vulns: metadata.scanFinishedOn: "2021-08-32T17:46:50.52Z": want a time of RFC 3339: invalid input`},
		{"no id", `"id":"CVE-1"`, `"id":""`, `vulns: scanner.result[1]: id is missing: invalid input`},
		{"no severity", `,"severity":[]`, ``, `vulns: scanner.result[1]: severity is missing: invalid input`},
		{"no method", `"method":"nvd",`, ``, `vulns: scanner.result[0]: severity[0]: want a method and a score: invalid input`},
		{"no score", `,"score":"5.2"`, ``, `vulns: scanner.result[0]: severity[1]: want a method and a score: invalid input`},
		{"score that is a number", `"score":"5.2"`, `"score":5.2`, ""},
		{"annotation that is no object", `{"n":9007199254740993}`, `"n"`, `vulns: scanner.result[0]: annotations[1]: want an object: invalid input`},
		{"results in another case too", `"result":[`, `"Result":[],"result":[`, ""},
		{"results in another case", `"result":[`, `"RESULT":[`, `vulns: it says something else to readers that fold the case of members: invalid input`},
		{"results twice", `"result":[`, `"result":[],"result":[`, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			text := strings.Replace(reportText, tc.old, tc.new, 1)
			if text == reportText {
				t.Fatalf("%s does not occur", tc.old)
			}
			r, err := vulns.Decode([]byte(text))
			if r != nil || !errors.Is(err, vulns.ErrInvalid) {
				t.Fatalf("got %+v, %v", r, err)
			}
			if tc.says != "" && err.Error() != tc.says {
				t.Errorf("says %s\nwant %s", err, tc.says)
			}
		})
	}
	for name, break_ := range map[string]func(r *vulns.Report){
		"no scanner": func(r *vulns.Report) { r.Scanner.URI = "" }, "no start": func(r *vulns.Report) { r.Started = time.Time{} }, "a year of five digits": func(r *vulns.Report) { r.Finished = time.Date(12345, 1, 1, 0, 0, 0, 0, time.UTC) },
		"no update": func(r *vulns.Report) { r.Scanner.DB.Updated = time.Time{} }, "annotation": func(r *vulns.Report) { r.Results[0].Annotations = [][]byte{[]byte("1")} }, "broken annotation": func(r *vulns.Report) { r.Results[0].Annotations = [][]byte{[]byte("{")} },
		"not UTF-8": func(r *vulns.Report) { r.Results[0].ID = "\xff" },
	} {
		r := report()
		break_(r)
		if text, err := r.Encode(); !errors.Is(err, vulns.ErrInvalid) {
			t.Errorf("%s: %s, %v", name, text, err)
		}
	}
	if _, err := (&vulns.Report{Results: make([]vulns.Result, vulns.MaxResults+1)}).Encode(); !errors.Is(err, vulns.ErrLimit) {
		t.Error(err)
	}
}

func record() *vulns.Record {
	return &vulns.Record{
		Invocation: vulns.Invocation{Parameters: []byte(`["--format=json"]`), URI: "https://example.com/runs/1", EventID: "1", BuilderID: "ci"},
		Scanner:    vulns.RecordScanner{URI: "https://stella-ops.dev", Version: "1.2.3", DBURI: "https://example.com/db", DBVersion: "sha256:1"},
		Result:     []byte(`{"a":9007199254740993,"b":[1.0]}`), Started: at, Finished: at,
	}
}

const recordText = `{"invocation":{"builder.id":"ci","event_id":"1","parameters":["--format=json"],"uri":"https://example.com/runs/1"},` +
	`"metadata":{"scanFinishedOn":"2021-08-06T17:45:50.52Z","scanStartedOn":"2021-08-06T17:45:50.52Z"},` +
	`"scanner":{"db":{"uri":"https://example.com/db","version":"sha256:1"},"result":{"a":9007199254740993,"b":[1.0]},"uri":"https://stella-ops.dev","version":"1.2.3"}}`

func TestRecord(t *testing.T) {
	text, err := record().Encode()
	if diff := cmp.Diff(recordText, string(text)); err != nil || diff != "" {
		t.Fatalf("%v, -want +got:\n%s", err, diff)
	}
	got, err := vulns.DecodeRecord(text)
	if diff := cmp.Diff(record(), got); err != nil || diff != "" {
		t.Errorf("%v, -want +got:\n%s", err, diff)
	}
	least := &vulns.Record{Result: []byte("[]"), Started: at, Finished: at}
	if text, err = least.Encode(); err != nil {
		t.Fatal(err)
	}
	if got, err = vulns.DecodeRecord(text); err != nil || !cmp.Equal(least, got) {
		t.Errorf("%+v, %v", got, err)
	}
	elsewhere := strings.ReplaceAll(recordText, "17:45:50.52Z", "19:45:50.52+02:00")
	if got, err = vulns.DecodeRecord([]byte(elsewhere)); err != nil || !cmp.Equal(record(), got) {
		t.Errorf("in another zone: %+v, %v", got, err)
	}
}

func TestRecordRefused(t *testing.T) {
	for _, tc := range []struct {
		name, old, new, says string
	}{
		{"no report", `"result":`, `"results":`, `vuln: scanner.result is missing: invalid input`},
		{"null for a report", `{"a":9007199254740993,"b":[1.0]}`, `null`, `vuln: scanner.result is missing: invalid input`},
		{"the draft's list", `"scanner":`, `"scanners":`, `vuln: scanner.result is missing: invalid input`},
		{"no times", `"metadata":`, `"meta":`, `vuln: metadata.scanStartedOn or scanFinishedOn is missing: invalid input`},
		{"times of the specification's text", `scanStartedOn`, `buildStartedOn`, `vuln: metadata.scanStartedOn or scanFinishedOn is missing: invalid input`},
		{"in another case", `"result":`, `"Result":`, `vuln: it says something else to readers that fold the case of members: invalid input`},
		{"a name twice in the report", `{"a":`, `{"b":1,"a":`, ""},
		{"text after it", recordText, recordText + "x", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r, err := vulns.DecodeRecord([]byte(strings.Replace(recordText, tc.old, tc.new, 1)))
			if r != nil || !errors.Is(err, vulns.ErrInvalid) {
				t.Fatalf("got %+v, %v", r, err)
			}
			if tc.says != "" && err.Error() != tc.says {
				t.Errorf("says %s\nwant %s", err, tc.says)
			}
		})
	}
	for _, break_ := range []func(r *vulns.Record){
		func(r *vulns.Record) { r.Result = nil }, func(r *vulns.Record) { r.Result = []byte("{") }, func(r *vulns.Record) { r.Invocation.Parameters = []byte("{}{}") }, func(r *vulns.Record) { r.Started = time.Time{} },
	} {
		r := record()
		break_(r)
		if text, err := r.Encode(); !errors.Is(err, vulns.ErrInvalid) {
			t.Errorf("%s, %v", text, err)
		}
	}
}

// TestPublished reads the example of the specification.
func TestPublished(t *testing.T) {
	text := testdata.Open(t, "conformance/in-toto.tar.gz")["spec/predicates/vulns_02.md"]
	m := regexp.MustCompile(`(?s)"predicate": (\{.*?\n  \})\n\}`).FindSubmatch(text)
	if m == nil {
		t.Fatal("the example is not there")
	}
	r, err := vulns.Decode(bytes.Replace(m[1], []byte("},\n        {...}"), []byte("}"), 1))
	if err != nil {
		t.Fatal(err)
	}
	if r.Scanner.Version != "0.19.2" || len(r.Results) != 1 || r.Results[0].Severities[1] != (vulns.Severity{Method: "cvss_score", Score: "5.2"}) || !r.Started.Equal(at) {
		t.Errorf("%+v", r)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(reportText))
	f.Add([]byte(recordText))
	f.Fuzz(func(t *testing.T, text []byte) {
		if r, err := vulns.Decode(text); err == nil {
			again, err := r.Encode()
			if err != nil {
				t.Fatal(err)
			}
			same, err := vulns.Decode(again)
			if err != nil {
				t.Fatal(err)
			}
			if third, err := same.Encode(); err != nil || !bytes.Equal(third, again) {
				t.Errorf("%v\n%s\n%s", err, again, third)
			}
		} else if !errors.Is(err, vulns.ErrInvalid) && !errors.Is(err, vulns.ErrLimit) {
			t.Errorf("not a kind: %v", err)
		}
		if r, err := vulns.DecodeRecord(text); err == nil {
			if _, err := r.Encode(); err != nil {
				t.Error(err)
			}
		} else if !errors.Is(err, vulns.ErrInvalid) && !errors.Is(err, vulns.ErrLimit) {
			t.Errorf("not a kind: %v", err)
		}
	})
}
