package export_test

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/attest/export"
	"github.com/stella-ops/stella/attest/intoto"
	"github.com/stella-ops/stella/attest/intoto/evidence"
	"github.com/stella-ops/stella/attest/intoto/verdict"
	"github.com/stella-ops/stella/internal/sum"
	"github.com/stella-ops/stella/scan/sbom"
	"github.com/stella-ops/stella/scan/sbom/format"
	"github.com/stella-ops/stella/vex"
	"github.com/stella-ops/stella/vex/csaf"
	"github.com/stella-ops/stella/vex/openvex"
)

func TestRender(t *testing.T) {
	for _, f := range export.Formats() {
		if f == export.Evidence {
			continue
		}
		text, err := material(t).Render(f)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := material(t).Render(f); err != nil || !bytes.Equal(text, again) {
			t.Errorf("%s: other bytes the second time, %v", f, err)
		}
		if f.MediaType() == "" || f.FileName() == "" || len(text) == 0 {
			t.Errorf("%s: type %q, name %q, %d bytes", f, f.MediaType(), f.FileName(), len(text))
		}
	}
	if _, err := material(t).Render(export.Evidence); !errors.Is(err, export.ErrUnsupported) {
		t.Error(err)
	}
	m := material(t)
	m.Verdict = nil
	if _, err := m.Render(export.SARIF); !errors.Is(err, export.ErrNotFound) {
		t.Errorf("without a verdict: %v", err)
	}
	m = material(t)
	m.Verdict.Body = append(m.Verdict.Body, ' ')
	if _, err := m.Render(export.SARIF); !errors.Is(err, export.ErrMismatch) {
		t.Errorf("a verdict that is not its digest's: %v", err)
	}
}

// What is kept is exported as it is kept, and what is written is what would be kept.
func TestSBOM(t *testing.T) {
	m := material(t)
	text, err := m.SBOM(export.SPDX)
	if err != nil {
		t.Fatal(err)
	}
	d, name, err := format.Decode(bytes.NewReader(text))
	if err != nil || name != "spdx-json@2.3" || len(d.Packages) != len(m.Document.Packages) {
		t.Errorf("%s, %v", name, err)
	}
	m.Kept = map[export.Format][]byte{export.SPDX: []byte(`{"kept":true}`)}
	if got, err := m.SBOM(export.SPDX); err != nil || string(got) != `{"kept":true}` {
		t.Errorf("%s, %v", got, err)
	}
}

// The statements say of each finding what holds: excused by a supplier, affected, or
// what nobody can name is under investigation, never better.
func TestStatements(t *testing.T) {
	list, err := material(t).Statements()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]vex.Status{}
	for _, s := range list {
		got[s.Vulnerability] = s.Status
		if !s.Products[0].Identified() || s.Products[0].Digests[0] != digest("manifest") {
			t.Errorf("%s is about %+v", s.Vulnerability, s.Products)
		}
		if s.Status == vex.NotAffected && (s.Justification != vex.CodeNotInExecutePath || len(s.Products[0].Subcomponents) != 1) {
			t.Errorf("%+v", s)
		}
	}
	byName := map[string]string{}
	for _, f := range material(t).Report.Findings {
		byName[f.Name] = f.Vulnerability
	}
	if diff := cmp.Diff(map[string]vex.Status{byName["openssl"]: vex.Affected, byName["zlib"]: vex.NotAffected, byName["nameless"]: got[byName["nameless"]]}, got); diff != "" {
		t.Error(diff)
	}
	if s := got[byName["nameless"]]; s != vex.UnderInvestigation && s != vex.Affected {
		t.Errorf("a package that nothing names is %s", s)
	}
	for f, decode := range map[export.Format]func([]byte) int{
		export.OpenVEX: func(text []byte) (n int) {
			for _, err := range openvex.Decode("x", text, nil) {
				if err != nil {
					t.Error(err)
				}
				n++
			}
			return n
		},
		export.CSAF: func(text []byte) (n int) {
			for _, err := range csaf.Decode("x", text, nil) {
				if err != nil {
					t.Error(err)
				}
				n++
			}
			return n
		},
	} {
		text, err := material(t).Render(f)
		if n := decode(text); err != nil || n != 3 {
			t.Errorf("%s: %d statements are read back, %v", f, n, err)
		}
	}
}

func TestFacts(t *testing.T) {
	m := material(t)
	for _, p := range m.Predicates() {
		f, err := m.Fact(p)
		if err != nil {
			t.Fatalf("%s: %v", p, err)
		}
		s := export.Statement(f)
		payload, err := s.Encode()
		if err != nil {
			t.Fatalf("%s: %v", p, err)
		}
		if !s.About(digest("manifest")) || !s.About(digest("config")) || s.About(digest("index")) {
			t.Errorf("%s is about %v", p, s.Digests())
		}
		read, err := intoto.Decode(intoto.PayloadType, payload)
		if err != nil {
			t.Fatal(err)
		}
		switch intoto.KindOf(p) {
		case intoto.Verdict:
			v, err := verdict.Read(read)
			if err != nil || v.Inputs.SBOM != sum.Of(m.Neutral) || f.Digest != m.Verdict.Digest {
				t.Errorf("%+v, %v", v, err)
			}
		case intoto.Evidence:
			e, err := evidence.Read(read)
			if err != nil {
				t.Fatal(err)
			}
			v, err := verdict.Decode(m.Verdict.Body)
			if err != nil {
				t.Fatal(err)
			}
			if err := e.Binds(v, m.Verdict.Digest); err != nil {
				t.Error(err)
			}
		}
	}
	if _, err := m.Fact(intoto.PredicateProvenance); !errors.Is(err, export.ErrUnsupported) {
		t.Errorf("provenance of a scan: %v", err)
	}
}

// What was not assessed is never told as nothing found.
func TestNotAssessed(t *testing.T) {
	for name, change := range map[string]func(m *export.Material){
		"no report":          func(m *export.Material) { m.Report = nil },
		"no advisories":      func(m *export.Material) { m.Report.Snapshot = "" },
		"a gap of matching":  func(m *export.Material) { m.Report.Gaps = []sbom.Gap{{Code: "stale", Blocking: true}} },
		"a gap of the image": func(m *export.Material) { m.Document.Gaps = []sbom.Gap{{Code: "unread", Blocking: true}} },
	} {
		m := material(t)
		m.Verdict, m.Trace = nil, nil
		m.Report = &finding.Report{Snapshot: digest("snapshot"), Findings: []finding.Finding{}}
		if _, err := m.Fact(intoto.PredicateVulns); err != nil {
			t.Fatalf("everything was assessed: %v", err)
		}
		change(m)
		if _, err := m.Fact(intoto.PredicateVulns); !errors.Is(err, export.ErrNotFound) || slices.Contains(m.Predicates(), intoto.PredicateVulns) {
			t.Errorf("%s: %v, %v", name, m.Predicates(), err)
		}
	}
}
