package replay_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/policy"
	"github.com/stella-ops/stella/policy/replay"
	"github.com/stella-ops/stella/scan/purl"
	"github.com/stella-ops/stella/scan/sbom"
	"github.com/stella-ops/stella/scan/sbom/format"
	"github.com/stella-ops/stella/vex"
)

var at = time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)

// shelf keeps objects in memory.
type shelf map[string][]byte

func (s shelf) put(digest string, content []byte) error { s[digest] = content; return nil }

func (s shelf) Object(_ context.Context, digest string) ([]byte, error) {
	if s[digest] == nil {
		return nil, replay.ErrNotFound
	}
	return s[digest], nil
}

func (s shelf) Statements(ctx context.Context, set string, ids []string) ([]*vex.Statement, error) {
	text, err := s.Object(ctx, set)
	if err != nil {
		return nil, err
	}
	var list []*vex.Statement
	if err := json.Unmarshal(text, &list, json.RejectUnknownMembers(true)); err != nil {
		return nil, err
	}
	for _, st := range list {
		if err := st.Prepare(); err != nil {
			return nil, err
		}
	}
	all := vex.NewSet(list)
	if all.Digest() != set {
		return nil, replay.ErrMismatch
	}
	if ids == nil {
		return all.All(), nil
	}
	return all.Statements(ctx, ids)
}

// world is everything that a verdict follows from; changing a part of it changes that
// input alone.
type world struct {
	packages   []string // names of npm packages, all of version 1.0
	findings   []string // "package CVE severity"
	safe       []string // vulnerabilities that the maker says nobody has
	block      finding.Severity
	exceptions []string // vulnerabilities
	expires    time.Time
	at         time.Time
	secrets    []string // paths; nil where nobody looked and no rule asks
	files      []string // paths of programs without a package
	reached    bool     // what is started leads to the packages
}

func base() world {
	return world{packages: []string{"a", "b"}, findings: []string{"a CVE-1 high", "b CVE-2 low"}, block: finding.High, at: at}
}

func (w world) record(t testing.TB) *replay.Record {
	t.Helper()
	doc := &sbom.Document{Name: "web", Subject: sbom.Subject{Name: "web"}}
	for _, name := range w.packages {
		doc.Packages = append(doc.Packages, sbom.Package{Name: name, Version: "1.0", PURL: purl.PackageURL{Type: "npm", Name: name, Version: "1.0"}})
	}
	for i := range doc.Packages {
		if doc.Packages[i].Usage = (&sbom.Usage{State: sbom.Unreached}); w.reached {
			doc.Packages[i].Usage.State = sbom.Reached
		}
	}
	for _, p := range w.secrets {
		doc.Secrets = append(doc.Secrets, sbom.Secret{Rule: "aws", Path: p})
	}
	for _, p := range w.files {
		doc.Packages = append(doc.Packages, sbom.Package{Type: sbom.TypeFile, Name: p, Properties: []sbom.Property{{Name: "file:kind", Value: "script"}}})
	}
	doc.Normalize()
	var text bytes.Buffer
	if _, err := format.Encode(&text, doc, format.StellaJSON, nil); err != nil {
		t.Fatal(err)
	}
	r := &replay.Record{Document: text.Bytes(), Policy: &policy.Policy{ID: "p", Version: 1, Semantics: policy.Semantics, Gates: policy.Gates{Threshold: policy.Threshold{Block: w.block}}}}
	if w.secrets != nil {
		r.Policy.Rules = []policy.Rule{
			{ID: "secrets", About: policy.AboutSecret, Action: policy.ActionBlock, Because: "everybody has it"},
			{ID: "files", About: policy.AboutFile, Action: policy.ActionWarn, Because: "nobody knows it"},
			{ID: "unused", Action: policy.ActionAllow, Because: "nothing leads there", Conditions: []policy.Condition{{Field: "usage", Operator: policy.Is, Values: []string{"unreached"}}}},
		}
	}
	r.Trust = &vex.Trust{Issuers: []vex.Issuer{{ID: "maker", Tier: 1, Sources: []string{"maker"}, Products: []string{"*"}, Unsigned: vex.Statuses}}}
	in := &policy.Inputs{At: w.at}
	in.Of(doc)
	for _, line := range w.findings {
		f := strings.Fields(line)
		if i := slices.IndexFunc(doc.Packages, func(p sbom.Package) bool { return p.Name == f[0] }); i >= 0 {
			in.Findings = append(in.Findings, finding.Finding{Package: doc.Packages[i].ID, Name: f[0], Version: "1.0", PURL: doc.Packages[i].PURL.String(), Vulnerability: f[1], Severity: finding.Severity(f[2])})
		}
	}
	for _, id := range w.safe {
		s := &vex.Statement{Vulnerability: id, Status: vex.NotAffected, Justification: vex.CodeNotPresent, Products: []vex.Product{{PURL: "pkg:npm/a"}, {PURL: "pkg:npm/b"}, {PURL: "pkg:npm/c"}}, Origin: vex.Origin{Source: "maker"}}
		if err := s.Prepare(); err != nil {
			t.Fatal(err)
		}
		in.Statements = append(in.Statements, s)
	}
	for _, id := range w.exceptions {
		in.Exceptions = append(in.Exceptions, policy.Exception{ID: id, Owner: "ann", Reason: "later", Effect: policy.Suppress, Created: at.AddDate(0, 0, -1), Expires: w.expires, Scope: policy.ExceptionScope{Vulnerabilities: []string{id}}})
	}
	var err error
	if in.Judge, err = r.Trust.Judge(); err != nil {
		t.Fatal(err)
	}
	set := vex.NewSet(in.Statements)
	r.Sets = []*vex.Set{set}
	in.Digests = policy.Digests{SBOM: sum(text.Bytes()), Advisories: fmt.Sprint("of ", w.findings), VEX: []string{set.Digest()}}
	r.Inputs = in
	in.Digests.Report = policy.ReportDigest(in.Findings, in.Gaps)
	return r
}

func evaluate(t testing.TB, r *replay.Record) *policy.Result {
	t.Helper()
	e, err := policy.Compile(r.Policy, &policy.Options{Version: "v1"})
	if err != nil {
		t.Fatal(err)
	}
	out, err := e.Evaluate(r.Inputs)
	if err != nil {
		t.Fatal(err)
	}
	r.Verdict = out.Verdict
	return out
}

func options() *replay.Options {
	return &replay.Options{
		Compile: func(p *policy.Policy, version string) (*policy.Engine, error) {
			return policy.Compile(p, &policy.Options{Version: version})
		},
		Decode: func(text []byte) (*sbom.Document, error) {
			d, _, err := format.Decode(bytes.NewReader(text))
			return d, err
		},
	}
}

// TestRun: what was saved gives identical bytes again; a missing or changed object is
// named.
func TestRun(t *testing.T) {
	w := base()
	w.safe, w.exceptions, w.secrets, w.files = []string{"CVE-1"}, []string{"CVE-2"}, []string{}, []string{"usr/bin/x"}
	r := w.record(t)
	was := evaluate(t, r)
	kept := shelf{}
	if err := r.Save(kept.put); err != nil {
		t.Fatal(err)
	}
	again, err := replay.Run(t.Context(), was.Body, was.Trace, kept, options())
	if err != nil || !bytes.Equal(again.Trace, was.Trace) {
		t.Fatalf("replayed: %v", err)
	}
	d := was.Verdict.Inputs
	for what, digest := range map[string]string{"SBOM": d.SBOM, "report": d.Report, "statements": d.VEX[0], "trust": d.Trust, "policy": d.Policy, "exceptions": d.Exceptions, "subject": d.Subject} {
		content := kept[digest]
		delete(kept, digest)
		if _, err := replay.Run(t.Context(), was.Body, nil, kept, options()); !errors.Is(err, replay.ErrNotFound) || !strings.Contains(err.Error(), what) {
			t.Errorf("without %s: %v", what, err)
		}
		for i := range content {
			if i%7 != 0 {
				continue
			}
			kept[digest] = bytes.Clone(content)
			kept[digest][i] ^= 1
			if _, err := replay.Run(t.Context(), was.Body, nil, kept, options()); err == nil || !strings.Contains(err.Error(), what) {
				t.Errorf("%s changed at %d: %v", what, i, err)
			}
		}
		kept[digest] = content
	}
	forged := bytes.Replace(was.Body, []byte(`"outcome":"not_assessed"`), []byte(`"outcome":"warn"`), 1)
	if _, err := replay.Run(t.Context(), forged, nil, kept, options()); !errors.Is(err, replay.ErrMismatch) || !strings.Contains(err.Error(), "decided warn, and now not_assessed") {
		t.Errorf("forged verdict: %v", err)
	}
}

// TestDiff: each change has the causes that explain it, and no more.
func TestDiff(t *testing.T) {
	type causes = []replay.Cause
	for name, c := range map[string]struct {
		before, after func(*world)
		want          map[string]causes // by package and vulnerability
	}{
		"nothing":   {nil, nil, map[string]causes{}},
		"advisory":  {nil, func(w *world) { w.findings = append(w.findings, "a CVE-3 critical") }, map[string]causes{"pkg:npm/a CVE-3": {replay.CauseAdvisories}}},
		"withdrawn": {nil, func(w *world) { w.findings = w.findings[1:] }, map[string]causes{"pkg:npm/a CVE-1": {replay.CauseAdvisories}}},
		"vex":       {nil, func(w *world) { w.safe = []string{"CVE-1"} }, map[string]causes{"pkg:npm/a CVE-1": {replay.CauseVEX}}},
		"policy":    {nil, func(w *world) { w.block = finding.Low }, map[string]causes{"pkg:npm/b CVE-2": {replay.CausePolicy}}},
		"exception": {nil, func(w *world) { w.exceptions = []string{"CVE-1"} }, map[string]causes{"pkg:npm/a CVE-1": {replay.CauseExceptions}}},
		"time": {func(w *world) { w.exceptions, w.expires = []string{"CVE-1"}, at.AddDate(0, 0, 2) },
			func(w *world) {
				w.exceptions, w.expires, w.at = []string{"CVE-1"}, at.AddDate(0, 0, 2), at.AddDate(0, 0, 3)
			}, map[string]causes{"pkg:npm/a CVE-1": {replay.CauseTime}}},
		"image": {func(w *world) { w.findings = append(w.findings, "c CVE-4 high") },
			func(w *world) { w.findings = append(w.findings, "c CVE-4 high"); w.packages = []string{"a", "b", "c"} }, map[string]causes{"pkg:npm/c CVE-4": {replay.CauseImage}}},
		"a secret more": {func(w *world) { w.secrets = []string{"a"} }, func(w *world) { w.secrets = []string{"a", "b"} }, map[string]causes{"secret aws in b ": {replay.CauseImage}}},
		"a file gone":   {func(w *world) { w.secrets, w.files = []string{"a"}, []string{"x"} }, func(w *world) { w.secrets = []string{"a"} }, map[string]causes{"file x ": {replay.CauseImage}}},
		"used now": {func(w *world) { w.secrets = []string{"a"} }, func(w *world) { w.secrets, w.reached = []string{"a"}, true },
			map[string]causes{"pkg:npm/a CVE-1": {replay.CauseImage}}},
		"image gone": {nil, func(w *world) { w.packages = []string{"b"} }, map[string]causes{"pkg:npm/a CVE-1": {replay.CauseImage}}},
		"policy or vex, both needed": {func(w *world) { w.findings = []string{"b CVE-2 low"}; w.block = finding.Low },
			func(w *world) {
				w.findings = []string{"b CVE-2 medium"}
				w.safe = []string{"CVE-2"}
				w.block = finding.Low
			}, map[string]causes{"pkg:npm/b CVE-2": {replay.CauseVEX}}},
		"two at once": {nil, func(w *world) { w.findings = append(w.findings, "a CVE-3 medium"); w.block = finding.Medium },
			map[string]causes{"pkg:npm/a CVE-3": {replay.CauseAdvisories, replay.CausePolicy}}},
		"each its own": {nil, func(w *world) { w.safe = []string{"CVE-1"}; w.block = finding.Low },
			map[string]causes{"pkg:npm/a CVE-1": {replay.CauseVEX}, "pkg:npm/b CVE-2": {replay.CausePolicy}}},
	} {
		x, y := base(), base()
		if c.before != nil {
			c.before(&x)
		}
		if c.after != nil {
			c.after(&y)
		}
		a, b := x.record(t), y.record(t)
		evaluate(t, a)
		evaluate(t, b)
		d, err := replay.Diff(t.Context(), a, b, options())
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		got := map[string]causes{}
		for _, ch := range d.Changes {
			got[ch.Package+" "+ch.Vulnerability] = ch.Causes
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		if (d.Before == d.After) != (len(d.Outcome) == 0) {
			t.Errorf("%s: %s became %s because of %v", name, d.Before, d.After, d.Outcome)
		}
	}
}

func sum(b []byte) string { return policy.ContentDigest(b) }
