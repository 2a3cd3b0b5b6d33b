package slsa_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/attest/intoto"
	"github.com/stella-ops/stella/attest/intoto/slsa"
)

var (
	at   = time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)
	hexA = strings.Repeat("a", 64)
	hexB = strings.Repeat("b", 64)
)

func provenance() *slsa.Provenance {
	return &slsa.Provenance{
		BuildType: "https://example.com/make/v1", External: []byte(`{"id":9007199254740993,"ref":"refs/heads/main"}`), Internal: []byte(`{"runner":"x"}`),
		Dependencies: []slsa.Resource{
			{URI: "git+https://example.com/app@refs/heads/main", Digests: map[string]string{"gitCommit": "7fd1a60b01f91b314f59955a4e4d4e80d8edf11d"}},
			{Name: "base", URI: "pkg:oci/base", Digests: map[string]string{"sha256": hexA}, DownloadLocation: "https://example.com/base", MediaType: "application/x", Content: []byte("c"), Annotations: []byte(`{"a":1.0}`)},
		},
		Builder:    slsa.Builder{ID: "https://example.com/builder", Versions: map[string]string{"b": "2", "a": "1"}, Dependencies: []slsa.Resource{{URI: "pkg:oci/orchestrator"}}},
		Invocation: "run-1", Started: at, Finished: at.Add(time.Minute), Byproducts: []slsa.Resource{{Content: []byte("log")}},
	}
}

const provenanceText = `{"buildDefinition":{"buildType":"https://example.com/make/v1","externalParameters":{"id":9007199254740993,"ref":"refs/heads/main"},"internalParameters":{"runner":"x"},"resolvedDependencies":[` +
	`{"digest":{"gitCommit":"7fd1a60b01f91b314f59955a4e4d4e80d8edf11d"},"uri":"git+https://example.com/app@refs/heads/main"},` +
	`{"annotations":{"a":1.0},"content":"Yw==","digest":{"sha256":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"},"downloadLocation":"https://example.com/base","mediaType":"application/x","name":"base","uri":"pkg:oci/base"}]},` +
	`"runDetails":{"builder":{"builderDependencies":[{"uri":"pkg:oci/orchestrator"}],"id":"https://example.com/builder","version":{"a":"1","b":"2"}},"byproducts":[{"content":"bG9n"}],` +
	`"metadata":{"finishedOn":"2026-11-29T12:01:00Z","invocationId":"run-1","startedOn":"2026-11-29T12:00:00Z"}}}`

func TestProvenance(t *testing.T) {
	text, err := provenance().Encode()
	if diff := cmp.Diff(provenanceText, string(text)); err != nil || diff != "" {
		t.Fatalf("%v, -want +got:\n%s", err, diff)
	}
	got, err := slsa.DecodeProvenance(intoto.PredicateProvenance, text)
	if diff := cmp.Diff(provenance(), got); err != nil || diff != "" {
		t.Errorf("%v, -want +got:\n%s", err, diff)
	}
	least := &slsa.Provenance{BuildType: "x:y", External: []byte(`{}`), Builder: slsa.Builder{ID: "x:b"}}
	if text, err = least.Encode(); err != nil || string(text) != `{"buildDefinition":{"buildType":"x:y","externalParameters":{}},"runDetails":{"builder":{"id":"x:b"}}}` {
		t.Errorf("%s, %v", text, err)
	}
	// What is unset, null and empty is the same (SLSA, "Parsing rules").
	nulls := `{"buildDefinition":{"buildType":"x:y","externalParameters":{},"internalParameters":null,"resolvedDependencies":null},"runDetails":{"builder":{"id":"x:b","version":{},"builderDependencies":[]},"metadata":{"invocationId":""},"byproducts":[],"ext_field":1}}`
	if got, err = slsa.DecodeProvenance(intoto.PredicateProvenance, []byte(nulls)); err != nil || !cmp.Equal(least, got) {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestProvenanceRefused(t *testing.T) {
	for _, tc := range []struct {
		name, old, new, says string
	}{
		{"no definition", `"buildDefinition"`, `"definition"`, `provenance: buildDefinition or runDetails.builder is missing: invalid input`},
		{"no builder", `"builder":`, `"built":`, `provenance: buildDefinition or runDetails.builder is missing: invalid input`},
		{"no builder id", `"id":"https://example.com/builder"`, `"id":""`, `provenance: the builder's id is missing: invalid input`},
		{"no build type", `"buildType":"https://example.com/make/v1"`, `"buildType":""`, `provenance: the build type is missing: invalid input`},
		{"no parameters", `"externalParameters"`, `"parameters"`, `provenance: external parameters are missing: invalid input`},
		{"null parameters", `{"id":9007199254740993,"ref":"refs/heads/main"}`, `null`, `provenance: external parameters are missing: invalid input`},
		{"parameters in a list", `{"id":9007199254740993,"ref":"refs/heads/main"}`, `["x"]`, `provenance: externalParameters: want an object: invalid input`},
		{"internal parameters in a text", `{"runner":"x"}`, `"x"`, `provenance: internalParameters: want an object: invalid input`},
		{"parameter twice", `"ref":`, `"id":1,"ref":`, ""},
		{"builder in another case too", `"builder":`, `"Builder":{"id":"x:z"},"builder":`, ""},
		{"parameters in another case too", `"externalParameters":`, `"externalparameters":{},"externalParameters":`, ""},
		{"resource of nothing", `{"content":"bG9n"}`, `{"name":"log"}`, `provenance: byproducts[0]: want a uri, a digest or content: invalid input`},
		{"digest in capitals", hexA, strings.ToUpper(hexA), ""},
		{"empty digest", `7fd1a60b01f91b314f59955a4e4d4e80d8edf11d`, ``, `provenance: resolvedDependencies[0]: digest: an algorithm or a value is empty: invalid input`},
		{"annotations that are no object", `{"a":1.0}`, `[]`, `provenance: resolvedDependencies[1]: annotations: want an object: invalid input`},
		{"content that is no base64", `"Yw=="`, `"Yw"`, ""},
		{"ends before it starts", `"finishedOn":"2026`, `"finishedOn":"2025`, `provenance: the build finishes before it starts: invalid input`},
		{"time elsewhere", `12:01:00Z`, `13:01:00+01:00`, `provenance: finishedOn: "2026-11-29T13:01:00+01:00": want a time in UTC: invalid input`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			text := strings.Replace(provenanceText, tc.old, tc.new, 1)
			if text == provenanceText {
				t.Fatalf("%s does not occur", tc.old)
			}
			p, err := slsa.DecodeProvenance(intoto.PredicateProvenance, []byte(text))
			if p != nil || !errors.Is(err, slsa.ErrInvalid) {
				t.Fatalf("got %+v, %v", p, err)
			}
			if tc.says != "" && err.Error() != tc.says {
				t.Errorf("says %s\nwant %s", err, tc.says)
			}
		})
	}
	if _, err := slsa.DecodeProvenance("https://slsa.dev/provenance/v2", []byte(provenanceText)); !errors.Is(err, slsa.ErrUnsupported) {
		t.Error(err)
	}
	for name, break_ := range map[string]func(p *slsa.Provenance){
		"parameters that add a member": func(p *slsa.Provenance) { p.External = []byte(`{},"x":{}`) }, "no parameters": func(p *slsa.Provenance) { p.External = nil }, "internal": func(p *slsa.Provenance) { p.Internal = []byte("1") },
		"year": func(p *slsa.Provenance) { p.Started = time.Date(12345, 1, 1, 0, 0, 0, 0, time.UTC) }, "finish": func(p *slsa.Provenance) { p.Finished = time.Date(12345, 1, 1, 0, 0, 0, 0, time.UTC) },
		"resource": func(p *slsa.Provenance) { p.Byproducts = []slsa.Resource{{}} }, "UTF-8": func(p *slsa.Provenance) { p.Invocation = "\xff" },
	} {
		p := provenance()
		break_(p)
		if text, err := p.Encode(); !errors.Is(err, slsa.ErrInvalid) {
			t.Errorf("%s: %s, %v", name, text, err)
		}
	}
	p := provenance()
	p.Dependencies = make([]slsa.Resource, slsa.MaxResources+1)
	if _, err := p.Encode(); !errors.Is(err, slsa.ErrLimit) {
		t.Error(err)
	}
}

const provenance02 = `{"builder":{"id":"https://example.com/builder"},"buildType":"https://example.com/make/v1",
	"invocation":{"configSource":{"uri":"git+https://example.com/app","digest":{"sha1":"c0ffee"},"entryPoint":"build.yaml:all"},"parameters":{"opt":9007199254740993},"environment":{"os":"x"}},
	"buildConfig":{"steps":[1]},"metadata":{"buildInvocationId":"run-1","buildStartedOn":"2026-11-29T13:00:00+01:00","completeness":{"parameters":true},"reproducible":false},
	"materials":[{"uri":"pkg:oci/base","digest":{"sha256":"` + "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" + `"}}]}`

// SLSA says how v0.2 becomes v1. What it drops, the build configuration, is a parameter
// here, so that nobody accepts it unseen.
func TestProvenance02(t *testing.T) {
	got, err := slsa.DecodeProvenance(intoto.PredicateProvenance02, []byte(provenance02))
	want := &slsa.Provenance{
		BuildType: "https://example.com/make/v1", Builder: slsa.Builder{ID: "https://example.com/builder"}, Invocation: "run-1", Started: at,
		External:     []byte(`{"buildConfig":{"steps":[1]},"entryPoint":"build.yaml:all","opt":9007199254740993,"source":"git+https://example.com/app"}`),
		Internal:     []byte(`{"os":"x"}`),
		Dependencies: []slsa.Resource{{URI: "pkg:oci/base", Digests: map[string]string{"sha256": hexA}}, {URI: "git+https://example.com/app", Digests: map[string]string{"sha1": "c0ffee"}}},
	}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v, -want +got:\n%s", err, diff)
	}
	for name, change := range map[string][2]string{
		"a parameter that would be hidden": {`"opt":`, `"source":`}, "an entry point that would be hidden": {`"opt":`, `"entryPoint":`}, "a configuration that would be hidden": {`"opt":`, `"buildConfig":`},
		"parameters in a list": {`{"opt":9007199254740993}`, `[1]`}, "environment in a text": {`{"os":"x"}`, `"x"`}, "no builder": {`"builder":`, `"by":`}, "material of nothing": {`"uri":"pkg:oci/base","digest"`, `"sum"`},
		"two invocations": {`"buildInvocationId":`, `"buildInvocationID":"run-2","buildInvocationId":`}, "time that is none": {`13:00:00+01:00`, `13:00`}, "no build type": {`"buildType"`, `"type"`},
	} {
		p, err := slsa.DecodeProvenance(intoto.PredicateProvenance02, []byte(strings.Replace(provenance02, change[0], change[1], 1)))
		if !errors.Is(err, slsa.ErrInvalid) {
			t.Errorf("%s: %+v, %v", name, p, err)
		}
	}
}

func statement(t testing.TB, predicateType string, predicate []byte) *intoto.Statement {
	t.Helper()
	s, err := intoto.NewSubject("app", "sha256:"+hexA)
	if err != nil {
		t.Fatal(err)
	}
	return &intoto.Statement{Type: intoto.TypeV1, Subjects: []intoto.Subject{s}, PredicateType: predicateType, Predicate: predicate}
}

func TestBuildExpectation(t *testing.T) {
	expected := func() *slsa.BuildExpectation {
		return &slsa.BuildExpectation{
			Builders:   map[string][]string{"key-1": {"https://example.com/builder"}, "key-2": {"https://example.com/other"}},
			BuildTypes: []string{"https://example.com/make/v1"},
			Parameters: map[string][]string{"ref": {`"refs/heads/main"`, `"refs/tags/v1"`}, "id": {`9007199254740993`}, "note": nil},
			Source:     "git+https://example.com/app@refs/heads/main", SourceDigest: "gitCommit:7fd1a60b01f91b314f59955a4e4d4e80d8edf11d",
		}
	}
	for _, tc := range []struct {
		name   string
		change func(e *slsa.BuildExpectation, p *slsa.Provenance, s *intoto.Statement)
		signer string
		digest string
		says   string
	}{
		{name: "as expected"},
		{name: "unknown signer", signer: "key-3", says: `provenance: none of the signers ["key-3"] may vouch for builder "https://example.com/builder": content mismatch`},
		{name: "signer of another builder", signer: "key-2", says: `provenance: none of the signers ["key-2"] may vouch for builder "https://example.com/builder": content mismatch`},
		{name: "another builder", change: func(_ *slsa.BuildExpectation, p *slsa.Provenance, _ *intoto.Statement) { p.Builder.ID += "/" }, says: `provenance: none of the signers ["key-1"] may vouch for builder "https://example.com/builder/": content mismatch`},
		{name: "another artifact", digest: hexB, says: `provenance: statement: none of its 1 subjects is sha256:` + hexB + `: content mismatch`},
		{name: "another predicate", change: func(_ *slsa.BuildExpectation, _ *slsa.Provenance, s *intoto.Statement) {
			s.PredicateType = intoto.PredicateVSA
		}, says: `provenance: statement: predicate type "https://slsa.dev/verification_summary/v1", want "https://slsa.dev/provenance/v1": content mismatch`},
		{name: "another build type", change: func(_ *slsa.BuildExpectation, p *slsa.Provenance, _ *intoto.Statement) {
			p.BuildType = "https://example.com/make/v2"
		}, says: `provenance: build type "https://example.com/make/v2", want one of ["https://example.com/make/v1"]: content mismatch`},
		{name: "unknown parameter", change: func(_ *slsa.BuildExpectation, p *slsa.Provenance, _ *intoto.Statement) {
			p.External = []byte(`{"id":9007199254740993,"ref":"refs/heads/main","script":"curl"}`)
		}, says: `provenance: external parameter "script" is not expected: content mismatch`},
		{name: "parameter in another case", change: func(_ *slsa.BuildExpectation, p *slsa.Provenance, _ *intoto.Statement) {
			p.External = []byte(`{"id":9007199254740993,"Ref":"refs/heads/main"}`)
		}, says: `provenance: external parameter "Ref" is not expected: content mismatch`},
		{name: "another value", change: func(_ *slsa.BuildExpectation, p *slsa.Provenance, _ *intoto.Statement) {
			p.External = []byte(`{"id":9007199254740993,"ref":"refs/heads/evil"}`)
		}, says: `provenance: external parameter "ref" is "refs/heads/evil", want one of "refs/heads/main", "refs/tags/v1": content mismatch`},
		{name: "a number that is the same double", change: func(_ *slsa.BuildExpectation, p *slsa.Provenance, _ *intoto.Statement) {
			p.External = []byte(`{"id":9007199254740992,"ref":"refs/heads/main"}`)
		}, says: `provenance: external parameter "id" is 9007199254740992, want one of 9007199254740993: content mismatch`},
		{name: "missing parameter", change: func(_ *slsa.BuildExpectation, p *slsa.Provenance, _ *intoto.Statement) {
			p.External = []byte(`{"id":9007199254740993}`)
		}, says: `provenance: external parameter "ref" is missing: content mismatch`},
		{name: "parameter of any value", change: func(_ *slsa.BuildExpectation, p *slsa.Provenance, _ *intoto.Statement) {
			p.External = []byte(`{"id":9007199254740993,"note":[1],"ref":"refs/heads/main"}`)
		}},
		{name: "another source", change: func(_ *slsa.BuildExpectation, p *slsa.Provenance, _ *intoto.Statement) {
			p.Dependencies = p.Dependencies[1:]
		}, says: `provenance: it was not built from git+https://example.com/app@refs/heads/main gitCommit:7fd1a60b01f91b314f59955a4e4d4e80d8edf11d: content mismatch`},
		{name: "another commit", change: func(e *slsa.BuildExpectation, _ *slsa.Provenance, _ *intoto.Statement) {
			e.SourceDigest = "gitCommit:c0ffee"
		}, says: `provenance: it was not built from git+https://example.com/app@refs/heads/main gitCommit:c0ffee: content mismatch`},
		{name: "commit without a value", change: func(e *slsa.BuildExpectation, _ *slsa.Provenance, _ *intoto.Statement) { e.SourceDigest = "sha512:" }, says: `provenance: it was not built from git+https://example.com/app@refs/heads/main sha512:: content mismatch`},
		{name: "any source", change: func(e *slsa.BuildExpectation, p *slsa.Provenance, _ *intoto.Statement) {
			e.Source, e.SourceDigest, p.Dependencies = "", "", nil
		}},
		{name: "no expectation", change: func(e *slsa.BuildExpectation, _ *slsa.Provenance, _ *intoto.Statement) { *e = slsa.BuildExpectation{} }, says: `provenance: none of the signers ["key-1"] may vouch for builder "https://example.com/builder": content mismatch`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			e, p := expected(), provenance()
			s := statement(t, intoto.PredicateProvenance, nil)
			if tc.change != nil {
				tc.change(e, p, s)
			}
			var err error
			if s.Predicate, err = p.Encode(); err != nil {
				t.Fatal(err)
			}
			signer, digest := tc.signer, tc.digest
			if signer == "" {
				signer = "key-1"
			}
			if digest == "" {
				digest = hexA
			}
			got, err := e.Check(s, []string{signer}, "sha256:"+digest)
			switch {
			case tc.says == "" && (err != nil || !cmp.Equal(p, got)):
				t.Errorf("%+v, %v", got, err)
			case tc.says != "" && (err == nil || err.Error() != tc.says || !errors.Is(err, slsa.ErrMismatch) || got != nil):
				t.Errorf("says %v\nwant %s", err, tc.says)
			}
		})
	}
	if _, err := expected().Check(statement(t, intoto.PredicateProvenance, []byte(provenanceText)), nil, "sha256:"+hexA); !errors.Is(err, slsa.ErrMismatch) {
		t.Errorf("nobody signed: %v", err)
	}
	e := expected()
	e.Parameters, e.Source, e.SourceDigest = map[string][]string{"opt": nil, "entryPoint": nil, "source": nil}, "git+https://example.com/app", "sha1:c0ffee"
	if _, err := e.Check(statement(t, intoto.PredicateProvenance02, []byte(provenance02)), []string{"key-1"}, "sha256:"+hexA); err == nil || !strings.Contains(err.Error(), `"buildConfig" is not expected`) {
		t.Errorf("v0.2 with a configuration: %v", err)
	}
	e.Parameters["buildConfig"] = nil
	if _, err := e.Check(statement(t, intoto.PredicateProvenance02, []byte(provenance02)), []string{"key-1"}, "sha256:"+hexA); err != nil {
		t.Errorf("v0.2: %v", err)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(provenanceText))
	f.Add([]byte(provenance02))
	f.Add([]byte(summaryText))
	f.Fuzz(func(t *testing.T, text []byte) {
		kinds := func(err error) {
			if err != nil && !errors.Is(err, slsa.ErrInvalid) && !errors.Is(err, slsa.ErrLimit) {
				t.Errorf("not a kind: %v", err)
			}
		}
		for _, typ := range []string{intoto.PredicateProvenance, intoto.PredicateProvenance02} {
			p, err := slsa.DecodeProvenance(typ, text)
			kinds(err)
			if err != nil {
				continue
			}
			again, err := p.Encode()
			if err != nil {
				t.Fatal(err)
			}
			same, err := slsa.DecodeProvenance(intoto.PredicateProvenance, again)
			if err != nil {
				t.Fatal(err)
			}
			if third, err := same.Encode(); err != nil || !bytes.Equal(third, again) {
				t.Errorf("%v\n%s\n%s", err, again, third)
			}
		}
		s, err := slsa.DecodeSummary(text)
		kinds(err)
		if err == nil {
			if _, err := s.Encode(); err != nil {
				t.Error(err)
			}
		}
	})
}
