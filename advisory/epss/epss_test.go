package epss_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/advisory/advisorytest"
	"github.com/stella-ops/stella/advisory/epss"
	"github.com/stella-ops/stella/internal/testdata"
)

func read(name string, text []byte) (signals []advisory.Signal, broken []string, fatal error) {
	for s, err := range (epss.Source{}).Parse(&advisory.Document{Name: name, Content: text}) {
		var b *advisory.RecordError
		switch {
		case errors.As(err, &b):
			broken = append(broken, fmt.Sprintf("%s:%d", b.ID, b.Line))
		case err != nil:
			fatal = err
		default:
			signals = append(signals, *s.(*advisory.Signal))
		}
	}
	return signals, broken, fatal
}

const head = "#model_version:v2025.03.14,score_date:2025-08-22T00:00:00+0000\ncve,epss,percentile\n"

func TestSource(t *testing.T) {
	advisorytest.TestSource(t, epss.Source{}, "testdata/epss.txtar")
}

func TestForms(t *testing.T) {
	one := advisory.Signal{Vulnerability: "CVE-2021-44228", EPSS: "0.94358", Percentile: "0.99958", Day: "2025-08-22"}
	early := one
	early.Percentile = ""
	for _, tt := range []struct {
		name, doc, text string
		want            advisory.Signal
	}{
		{"as published", "epss_scores-current.csv", head + "CVE-2021-44228,0.94358,0.99958\n", one},
		{"CRLF, no end", "x", strings.ReplaceAll(head, "\n", "\r\n") + "CVE-2021-44228,0.94358,0.99958", one},
		{"other columns", "x", "#score_date:2025-08-22T12:55:00Z\npercentile,new,cve,epss\n0.99958,1,CVE-2021-44228,0.94358\n", one},
		{"of 2021", "epss_scores-2025-08-22.csv.gz", "cve,epss\nCVE-2021-44228,0.94358\n", early},
	} {
		got, broken, err := read(tt.doc, []byte(tt.text))
		if err != nil || broken != nil {
			t.Errorf("%s: %v, %v", tt.name, broken, err)
		}
		if diff := cmp.Diff([]advisory.Signal{tt.want}, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}

func TestDamage(t *testing.T) {
	for _, tt := range []struct {
		name, text string
		broken     []string
		fatal      error
	}{
		{"rows", head + "CVE-2021-44228,1.00001,0.9\nCVE-2021-44229,-0.1,0.9\nCVE-2021-44230,4e-05,0.1\nCVE-2021-44231\nGHSA-x,0.1,0.2\nCVE-2021-44232,0.1,NaN\n",
			[]string{"CVE-2021-44228:3", "CVE-2021-44229:4", "CVE-2021-44230:5", "CVE-2021-44231:6", "GHSA-x:7", "CVE-2021-44232:8"}, nil},
		{"no day", "cve,epss,percentile\nCVE-2021-44228,0.1,0.2\n", nil, epss.ErrInvalid},
		{"no columns", "<html>\n<body>\n", nil, epss.ErrInvalid},
		{"nothing", "", nil, epss.ErrInvalid},
		{"long line", head + strings.Repeat("x", 5000), nil, epss.ErrLimit},
	} {
		signals, broken, fatal := read("x", []byte(tt.text))
		if len(signals) != 0 || !errors.Is(fatal, tt.fatal) || (fatal != nil) != (tt.fatal != nil) {
			t.Errorf("%s: %v, %v", tt.name, signals, fatal)
		}
		if diff := cmp.Diff(tt.broken, broken); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
	whole := zipped(t, generate(1000))
	if _, _, err := read("x", whole[:len(whole)/2]); !errors.Is(err, epss.ErrInvalid) {
		t.Errorf("cut short: %v", err)
	}
}

func TestRealScores(t *testing.T) {
	files := testdata.Open(t, "advisories/epss-kev-cvss-samples.tar.gz")
	signals, broken, err := read("x", files["enricher/epss/testdata/data.csv"])
	if err != nil || broken != nil || len(signals) != 29 {
		t.Errorf("%d signals, %v, %v", len(signals), broken, err)
	}
}

func zipped(t testing.TB, text []byte) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	w.Write(text)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// generate makes n rows of the form of the published file.
func generate(n int) []byte {
	var b bytes.Buffer
	b.WriteString(head)
	for i := range n {
		fmt.Fprintf(&b, "CVE-%d-%04d,0.%05d,0.%05d\n", 1999+i%27, 1+i/27, i*7919%100_000, i*104_729%100_000)
	}
	return b.Bytes()
}

// BenchmarkParse reads generated rows, as many as the published file has.
func BenchmarkParse(b *testing.B) {
	const rows = 300_000
	doc := &advisory.Document{Name: "epss_scores-current.csv", Content: generate(rows)}
	b.SetBytes(int64(len(doc.Content)))
	b.ReportAllocs()
	for b.Loop() {
		n := 0
		for _, err := range (epss.Source{}).Parse(doc) {
			if err != nil {
				b.Fatal(err)
			}
			n++
		}
		if n != rows {
			b.Fatalf("%d rows", n)
		}
	}
	b.ReportMetric(float64(rows*b.N)/b.Elapsed().Seconds(), "rows/s")
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(head + "CVE-2021-44228,0.94358,0.99958\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		signals, _, _ := read("epss_scores-2025-08-22.csv", text)
		for _, s := range signals {
			if err := s.Validate(); err != nil {
				t.Fatal(err)
			}
		}
	})
}
