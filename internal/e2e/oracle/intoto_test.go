//lint:file-ignore SA1019 these deprecated types are the ones that others still write and read

package oracle

import (
	stdjson "encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	provenance1 "github.com/in-toto/attestation/go/predicates/provenance/v1"
	vsa1 "github.com/in-toto/attestation/go/predicates/vsa/v1"
	vulns02 "github.com/in-toto/attestation/go/predicates/vulns/v02"
	attestation "github.com/in-toto/attestation/go/v1"
	"github.com/in-toto/in-toto-golang/in_toto"
	golang02 "github.com/in-toto/in-toto-golang/in_toto/slsa_provenance/v0.2"
	golang1 "github.com/in-toto/in-toto-golang/in_toto/slsa_provenance/v1"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/stella-ops/stella/attest/intoto"
	"github.com/stella-ops/stella/attest/intoto/slsa"
	"github.com/stella-ops/stella/attest/intoto/vulns"
)

// The oracles for statements and predicates are in-toto's own two libraries: attestation,
// of protocol buffers, and in-toto-golang, of structs for encoding/json.

var (
	inTotoAt  = time.Date(2026, 11, 29, 12, 0, 0, 520_000_000, time.UTC)
	inTotoHex = strings.Repeat("a", 64)
)

func inTotoStatement(predicateType, predicate string) *intoto.Statement {
	return &intoto.Statement{
		Type: intoto.TypeV1, PredicateType: predicateType, Predicate: []byte(predicate),
		Subjects: []intoto.Subject{
			{Digests: map[string]string{"sha256": strings.Repeat("b", 64)}}, {Name: "app <&é\u2028>", URI: "pkg:oci/app", Digests: map[string]string{"sha256": inTotoHex, "sha512": inTotoHex + inTotoHex, "own": "x"}},
		},
	}
}

// lenient is how protocol buffers are read where they lack fields of the specification.
var lenient = protojson.UnmarshalOptions{DiscardUnknown: true}

func TestInTotoReadsOurs(t *testing.T) {
	for _, kind := range intoto.Kinds() {
		s := inTotoStatement(kind.Type(), `{"b": [1.5, null, "é"], "a": {"x": true}}`)
		text, err := s.Encode()
		if err != nil {
			t.Fatal(err)
		}
		var theirs attestation.Statement
		if err := protojson.Unmarshal(text, &theirs); err != nil {
			t.Fatal(err)
		}
		if err := theirs.Validate(); err != nil {
			t.Error(err)
		}
		var golang in_toto.Statement
		if err := stdjson.Unmarshal(text, &golang); err != nil {
			t.Fatal(err)
		}
		if theirs.GetType() != s.Type || theirs.GetPredicateType() != s.PredicateType || golang.Type != s.Type || golang.PredicateType != s.PredicateType {
			t.Errorf("%v and %+v of %s", &theirs, golang, text)
		}
		for i, want := range s.Subjects {
			got := theirs.GetSubject()[i]
			if got.GetName() != want.Name || got.GetUri() != want.URI || !cmp.Equal(got.GetDigest(), want.Digests) || golang.Subject[i].Name != want.Name || !cmp.Equal(map[string]string(golang.Subject[i].Digest), want.Digests) {
				t.Errorf("subject %d: %v and %+v", i, got, golang.Subject[i])
			}
		}
		var want any
		if err := stdjson.Unmarshal(s.Predicate, &want); err != nil {
			t.Fatal(err)
		}
		if !cmp.Equal(want, any(theirs.GetPredicate().AsMap())) || !cmp.Equal(want, golang.Predicate) {
			t.Errorf("predicate %v and %v", theirs.GetPredicate(), golang.Predicate)
		}
	}
}

func TestInTotoReadByUs(t *testing.T) {
	predicate, err := structpb.NewStruct(map[string]any{"a": 1.5, "b": []any{"x", nil}})
	if err != nil {
		t.Fatal(err)
	}
	text, err := protojson.Marshal(&attestation.Statement{
		Type: attestation.StatementTypeUri, PredicateType: intoto.PredicateVulns, Predicate: predicate,
		Subject: []*attestation.ResourceDescriptor{{
			Name: "app", Uri: "pkg:oci/app", Digest: map[string]string{"sha256": inTotoHex}, MediaType: "application/x", Content: []byte("x"), DownloadLocation: "https://example.com", Annotations: predicate,
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	golang, err := stdjson.Marshal(in_toto.Statement{
		StatementHeader: in_toto.StatementHeader{Type: in_toto.StatementInTotoV01, PredicateType: intoto.PredicateVuln, Subject: []in_toto.Subject{{Name: "app", Digest: map[string]string{"sha256": inTotoHex}}}},
		Predicate:       map[string]any{"a": 1.5},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		text []byte
		want intoto.Statement
	}{
		{text, intoto.Statement{Type: intoto.TypeV1, PredicateType: intoto.PredicateVulns, Subjects: []intoto.Subject{{Name: "app", URI: "pkg:oci/app", Digests: map[string]string{"sha256": inTotoHex}}}}},
		{golang, intoto.Statement{Type: intoto.TypeV01, PredicateType: intoto.PredicateVuln, Subjects: []intoto.Subject{{Name: "app", Digests: map[string]string{"sha256": inTotoHex}}}}},
	} {
		got, err := intoto.Decode(intoto.PayloadType, tc.text)
		if err != nil {
			t.Fatal(err)
		}
		if !stdjson.Valid(got.Predicate) {
			t.Errorf("predicate %s", got.Predicate)
		}
		got.Predicate = nil
		if diff := cmp.Diff(&tc.want, got); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	}
}

// What the protocol buffers' validation refuses is refused here, or is listed: digests
// by algorithms that nobody should compare by are left alone.
func TestInTotoRefusedByBoth(t *testing.T) {
	text, err := inTotoStatement(intoto.PredicateVulns, `{"a":1}`).Encode()
	if err != nil {
		t.Fatal(err)
	}
	both := 0
	for _, tc := range []struct {
		name, old, new string
		ours, theirs   bool // accepted
	}{
		{"as it is", "", "", true, true},
		{"another type", "Statement/v1", "Statement/v2", false, false},
		{"no subjects", `"subject":[`, `"subject":[],"x":[`, false, false},
		{"no digest", `{"sha256":"` + strings.Repeat("b", 64) + `"}`, `{}`, false, false},
		{"short digest", strings.Repeat("b", 64), strings.Repeat("b", 62), false, false},
		{"no hexadecimal", strings.Repeat("b", 64), strings.Repeat("z", 64), false, false},
		{"capitals", strings.Repeat("b", 64), strings.Repeat("B", 64), false, true}, // two spellings of one digest
		{"short SHA-1", `"own":"x"`, `"sha1":"ab"`, true, false},
		{"no predicate type", `"predicateType":"https://in-toto.io/attestation/vulns/v0.2"`, `"predicateType":""`, false, false},
		{"no predicate", `"predicate":{"a":1}`, `"predicate":null`, true, false}, // the specification has it optional; Of and Expect refuse
		{"predicate that is a list", `{"a":1}`, `[1]`, false, false},
		{"predicate with a name twice", `{"a":1}`, `{"a":1,"a":2}`, false, false},
		{"predicate twice", `"predicate":{"a":1}`, `"predicate":{"a":1},"predicate":{"a":2}`, false, false},
		{"half a surrogate", `{"a":1}`, `{"a":"\ud800"}`, false, false},
		{"text after it", `"pkg:oci/app"}]}`, `"pkg:oci/app"}]} {}`, false, false},
		{"member in another case", `"predicate":`, `"Predicate":{"a":2},"predicate":`, false, true}, // ignored there; encoding/json takes the last
	} {
		t.Run(tc.name, func(t *testing.T) {
			changed := strings.Replace(string(text), tc.old, tc.new, 1)
			if tc.old != "" && changed == string(text) {
				t.Fatalf("%s does not occur in %s", tc.old, text)
			}
			_, err := intoto.Decode(intoto.PayloadType, []byte(changed))
			if (err == nil) != tc.ours {
				t.Errorf("ours: %v", err)
			}
			var s attestation.Statement
			theirs := lenient.Unmarshal([]byte(changed), &s)
			if theirs == nil {
				theirs = s.Validate()
			}
			if (theirs == nil) != tc.theirs {
				t.Errorf("theirs: %v", theirs)
			}
			if err != nil && theirs != nil {
				both++
			}
		})
	}
	if both != 11 {
		t.Errorf("both refuse %d", both)
	}
}

// Why a predicate is kept byte for byte, and why their types are not used: numbers.
func TestInTotoNumbers(t *testing.T) {
	s := inTotoStatement(intoto.PredicateCycloneDX, `{"n":9007199254740993}`)
	text, err := s.Encode()
	if err != nil {
		t.Fatal(err)
	}
	var theirs attestation.Statement
	if err := protojson.Unmarshal(text, &theirs); err != nil {
		t.Fatal(err)
	}
	var golang in_toto.Statement
	if err := stdjson.Unmarshal(text, &golang); err != nil {
		t.Fatal(err)
	}
	ours, err := intoto.Decode(intoto.PayloadType, text)
	if err != nil {
		t.Fatal(err)
	}
	if theirs.GetPredicate().AsMap()["n"] != float64(9007199254740992) || !cmp.Equal(golang.Predicate, any(map[string]any{"n": float64(9007199254740992)})) || string(ours.Predicate) != `{"n":9007199254740993}` {
		t.Errorf("theirs %v and %v, ours %s", theirs.GetPredicate(), golang.Predicate, ours.Predicate)
	}
}

// reread has ours read by them, written by them and read by us again.
func reread(t *testing.T, ours []byte, theirs proto.Message) []byte {
	t.Helper()
	if err := lenient.Unmarshal(ours, theirs); err != nil {
		t.Fatalf("%s: %v", ours, err)
	}
	text, err := protojson.Marshal(theirs)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestInTotoVulns(t *testing.T) {
	want := &vulns.Report{
		Scanner: vulns.Scanner{URI: "https://stella-ops.dev", Version: "1", DB: vulns.Database{URI: "https://example.com/db", Version: "2", Updated: inTotoAt.Add(-time.Hour)}},
		Results: []vulns.Result{{ID: "CVE-1", Severities: []vulns.Severity{{Method: "nvd", Score: "high"}}, Annotations: [][]byte{vulns.Annotation(map[string]string{"purl": "pkg:a/b"})}}},
		Started: inTotoAt, Finished: inTotoAt.Add(time.Minute),
	}
	text, err := want.Encode()
	if err != nil {
		t.Fatal(err)
	}
	var theirs vulns02.Vulns
	got, err := vulns.Decode(reread(t, text, &theirs))
	if diff := cmp.Diff(want, got, compact); err != nil || diff != "" {
		t.Errorf("%v, -want +got:\n%s", err, diff)
	}
	if r := theirs.GetScanner().GetResult(); len(r) != 1 || r[0].GetId() != "CVE-1" || r[0].GetSeverity()[0].GetScore() != "high" || !proto.Equal(theirs.GetMetadata().GetScanStartedOn(), timestamppb.New(inTotoAt)) || !proto.Equal(theirs.GetScanner().GetDb().GetLastUpdate(), timestamppb.New(want.Scanner.DB.Updated)) {
		t.Errorf("%v", &theirs)
	}
	// Their writer leaves an empty list out, which the specification requires: here that
	// is no report, because a list that was lost would look the same.
	theirs.Scanner.Result = nil
	empty, err := protojson.Marshal(&theirs)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := vulns.Decode(empty); !errors.Is(err, vulns.ErrInvalid) || !strings.Contains(err.Error(), "not an empty one") {
		t.Errorf("%s: %v", empty, err)
	}
}

func inTotoProvenance() *slsa.Provenance {
	return &slsa.Provenance{
		BuildType: "https://example.com/make/v1", External: []byte(`{"ref":"main"}`), Internal: []byte(`{"os":"x"}`),
		Dependencies: []slsa.Resource{{Name: "base", URI: "pkg:oci/base", Digests: map[string]string{"sha256": inTotoHex}, Content: []byte{0, 0xff}, DownloadLocation: "https://example.com", MediaType: "application/x", Annotations: []byte(`{"a":true}`)}},
		Builder:      slsa.Builder{ID: "https://example.com/builder", Versions: map[string]string{"a": "1"}, Dependencies: []slsa.Resource{{URI: "pkg:oci/o"}}},
		Invocation:   "run-1", Started: inTotoAt, Finished: inTotoAt.Add(time.Minute), Byproducts: []slsa.Resource{{URI: "https://example.com/log"}},
	}
}

// compact compares raw objects by what they say: their writer puts spaces at random.
var compact = cmp.Transformer("compact", func(b []byte) any {
	var v any
	if stdjson.Unmarshal(b, &v) != nil {
		return string(b)
	}
	return v
})

func TestInTotoProvenance(t *testing.T) {
	want := inTotoProvenance()
	text, err := want.Encode()
	if err != nil {
		t.Fatal(err)
	}
	var theirs provenance1.Provenance
	got, err := slsa.DecodeProvenance(intoto.PredicateProvenance, reread(t, text, &theirs))
	if diff := cmp.Diff(want, got, compact); err != nil || diff != "" {
		t.Errorf("%v, -want +got:\n%s", err, diff)
	}
	if err := theirs.Validate(); err != nil {
		t.Error(err)
	}
	var golang golang1.ProvenancePredicate
	if err := stdjson.Unmarshal(text, &golang); err != nil {
		t.Fatal(err)
	}
	again, err := stdjson.Marshal(golang)
	if err != nil {
		t.Fatal(err)
	}
	got, err = slsa.DecodeProvenance(intoto.PredicateProvenance, again)
	if diff := cmp.Diff(want, got, compact); err != nil || diff != "" {
		t.Errorf("in-toto-golang: %v, -want +got:\n%s", err, diff)
	}
	for name, change := range map[string][2]string{
		"no build type": {`"buildType":"https://example.com/make/v1"`, `"buildType":""`}, "no builder": {`"id":"https://example.com/builder"`, `"id":""`}, "no parameters": {`"externalParameters":{"ref":"main"},`, ``},
		"no definition": {`"buildDefinition":`, `"x":`}, "short digest": {inTotoHex, inTotoHex[2:]}, "no run": {`"runDetails":`, `"x":`},
	} {
		changed := []byte(strings.Replace(string(text), change[0], change[1], 1))
		var p provenance1.Provenance
		if err := lenient.Unmarshal(changed, &p); err == nil && p.Validate() == nil {
			t.Errorf("theirs take %s", name)
		}
		if _, err := slsa.DecodeProvenance(intoto.PredicateProvenance, changed); err == nil {
			t.Errorf("ours take %s", name)
		}
	}
}

// TestInTotoProvenance02 reads what in-toto-golang writes in the older form.
func TestInTotoProvenance02(t *testing.T) {
	text, err := stdjson.Marshal(golang02.ProvenancePredicate{
		Builder: golang02.ProvenanceBuilder{ID: "https://example.com/builder"}, BuildType: "https://example.com/make/v1",
		Invocation: golang02.ProvenanceInvocation{ConfigSource: golang02.ConfigSource{URI: "git+https://example.com/app", Digest: golang02.DigestSet{"sha1": "c0ffee"}, EntryPoint: "all"}, Parameters: map[string]any{"opt": 1}, Environment: map[string]any{"os": "x"}},
		Metadata:   &golang02.ProvenanceMetadata{BuildInvocationID: "run-1", BuildStartedOn: &inTotoAt}, Materials: []golang02.ProvenanceMaterial{{URI: "pkg:oci/base", Digest: golang02.DigestSet{"sha256": inTotoHex}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	got, err := slsa.DecodeProvenance(intoto.PredicateProvenance02, text)
	want := &slsa.Provenance{
		BuildType: "https://example.com/make/v1", Builder: slsa.Builder{ID: "https://example.com/builder"}, Invocation: "run-1", Started: inTotoAt,
		External: []byte(`{"entryPoint":"all","opt":1,"source":"git+https://example.com/app"}`), Internal: []byte(`{"os":"x"}`),
		Dependencies: []slsa.Resource{{URI: "pkg:oci/base", Digests: map[string]string{"sha256": inTotoHex}}, {URI: "git+https://example.com/app", Digests: map[string]string{"sha1": "c0ffee"}}},
	}
	if diff := cmp.Diff(want, got, compact); err != nil || diff != "" {
		t.Errorf("%v, -want +got:\n%s", err, diff)
	}
}

func TestInTotoSummary(t *testing.T) {
	want := &slsa.Summary{
		Verifier: slsa.Verifier{ID: "https://example.com/verifier"}, Verified: inTotoAt, Resource: "pkg:oci/app", Policy: slsa.Resource{URI: "https://example.com/policy", Digests: map[string]string{"sha256": inTotoHex}},
		Inputs: []slsa.Resource{{URI: "https://example.com/att", Digests: map[string]string{"sha256": inTotoHex}}}, Passed: true, Levels: []string{"SLSA_BUILD_LEVEL_3"}, Version: "1.2",
	}
	text, err := want.Encode()
	if err != nil {
		t.Fatal(err)
	}
	var theirs vsa1.VerificationSummary
	got, err := slsa.DecodeSummary(reread(t, text, &theirs))
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v, -want +got:\n%s", err, diff)
	}
	if theirs.GetVerificationResult() != "PASSED" || theirs.GetVerifiedLevels()[0] != "SLSA_BUILD_LEVEL_3" || theirs.GetResourceUri() != "pkg:oci/app" || theirs.GetPolicy().GetDigest()["sha256"] != inTotoHex {
		t.Errorf("%v", &theirs)
	}
	// Counts of dependencies are 64-bit numbers, which protocol buffers write as texts
	// and the specification as integers.
	theirs.DependencyLevels = map[string]uint64{"SLSA_BUILD_LEVEL_1": 2}
	asText, err := protojson.Marshal(&theirs)
	if err != nil {
		t.Fatal(err)
	}
	if s, err := slsa.DecodeSummary(asText); err == nil {
		t.Errorf("%s: %+v", asText, s)
	}
}
