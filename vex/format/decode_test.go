package format_test

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/stella-ops/stella/internal/testdata"
	"github.com/stella-ops/stella/vex"
	"github.com/stella-ops/stella/vex/format"
)

var (
	hexA, hexB = strings.Repeat("a", 64), strings.Repeat("b", 64)
	repository = "registry.example.com/team/app"
)

func openVEX(status string, products string) string {
	if products != "" {
		products = `"products":` + products + ","
	}
	why := ""
	if status == "not_affected" {
		why = `"justification":"component_not_present",`
	}
	return `{"@context":"https://openvex.dev/ns/v0.2.0","@id":"https://example.com/1","author":"Team","timestamp":"2026-01-01T00:00:00Z","version":1,` +
		`"statements":[{"vulnerability":{"name":"CVE-2026-1"},` + products + why + `"status":"` + status + `"}]}`
}

func attestation(predicateType, predicate string, subjects ...string) string {
	return `{"_type":"https://in-toto.io/Statement/v1","subject":[` + strings.Join(subjects, ",") + `],"predicateType":"` + predicateType + `","predicate":` + predicate + `}`
}

func subject(name, hex string) string {
	return fmt.Sprintf(`{"name":%q,"digest":{"sha256":%q}}`, name, hex)
}

// collect returns what a document says, and its errors.
func collect(name, text string, opts *format.Options) (out []*vex.Statement, broken []*vex.StatementError, last error) {
	for s, err := range format.Decode(name, []byte(text), opts) {
		var b *vex.StatementError
		switch {
		case errors.As(err, &b):
			broken = append(broken, b)
		case err != nil:
			last = err
		default:
			out = append(out, s)
		}
	}
	return out, broken, last
}

// TestAttested: what an attestation says is about its subjects.
func TestAttested(t *testing.T) {
	a, b := "sha256:"+hexA, "sha256:"+hexB
	here := "pkg:oci/app?repository_url=" + strings.ReplaceAll(repository, "/", "%2F")
	one, both := []string{subject(repository, hexA)}, []string{subject("x", hexA), subject("y", hexB)}
	foo := vex.Product{PURL: "pkg:npm/foo@1"}
	for _, tc := range []struct {
		name, status, products string
		subjects               []string
		repository             string
		want                   []vex.Product
		err                    error
	}{
		{"no product", "not_affected", "", one, "", []vex.Product{{Digests: []string{a}, Name: repository}}, nil},
		{"no product, at a place", "not_affected", "", one, repository, []vex.Product{{PURL: here, Digests: []string{a}, Name: repository}}, nil},
		{"no product, two subjects", "fixed", "", both, "", []vex.Product{{Digests: []string{a}, Name: "x"}, {Digests: []string{b}, Name: "y"}}, nil},
		{"no product, a package as subject", "not_affected", "", []string{subject("pkg:apk/wolfi/git@2", hexA)}, "", []vex.Product{{PURL: "pkg:apk/wolfi/git@2", Digests: []string{a}}}, nil},
		{"a package", "not_affected", `[{"@id":"pkg:npm/foo@1"}]`, both, "", []vex.Product{{Digests: []string{a, b}, Subcomponents: []vex.Product{foo}}}, nil},
		{"a package, at a place", "affected", `[{"@id":"pkg:npm/foo@1"}]`, one, repository, []vex.Product{{PURL: here, Digests: []string{a}, Subcomponents: []vex.Product{foo}}}, nil},
		{"the image by its digest", "not_affected", `[{"@id":"pkg:oci/app@` + a + `","subcomponents":[{"@id":"pkg:npm/foo@1"}]}]`, one, repository, []vex.Product{{PURL: strings.Replace(here, "?", "@sha256:"+hexA+"?", 1), Digests: []string{a}, Subcomponents: []vex.Product{foo}}}, nil},
		{"the image by its name", "not_affected", `[{"@id":"pkg:oci/app?repository_url=other.example/app"}]`, both, repository, []vex.Product{{PURL: "pkg:oci/app?repository_url=other.example/app", Digests: []string{a, b}}}, nil},
		{"another image", "not_affected", `[{"@id":"pkg:oci/app@` + b + `"}]`, one, "", nil, format.ErrInvalid},
		{"another image that is affected", "affected", `[{"@id":"pkg:oci/app@` + b + `"}]`, one, "", nil, format.ErrInvalid},
		{"one of two is another", "not_affected", `[{"@id":"pkg:npm/foo@1"},{"@id":"pkg:oci/app@` + b + `"}]`, one, "", nil, format.ErrInvalid},
		{"a file of another digest", "not_affected", `[{"@id":"pkg:npm/foo@1","hashes":{"sha-256":"` + hexB + `"}}]`, one, "", nil, format.ErrInvalid},
		{"a package with parts", "not_affected", `[{"@id":"pkg:golang/example.com/app@v1","subcomponents":[{"@id":"pkg:npm/foo@1"}]}]`, one, "", nil, format.ErrUnsupported},
		{"a package with parts that are affected", "affected", `[{"@id":"pkg:golang/example.com/app@v1","subcomponents":[{"@id":"pkg:npm/foo@1"}]}]`, one, "", []vex.Product{{Digests: []string{a}, Subcomponents: []vex.Product{foo}}}, nil},
		{"a subject by its name", "not_affected", `[{"@id":"pkg:apk/wolfi/git@2"}]`, []string{subject("pkg:apk/wolfi/git@2", hexA), subject("pkg:apk/wolfi/vim@1", hexB)}, "", []vex.Product{{PURL: "pkg:apk/wolfi/git@2", Digests: []string{a}}}, nil},
		{"only digests that nobody relies on", "not_affected", `[{"@id":"pkg:npm/foo@1"}]`, []string{`{"digest":{"sha1":"x"}}`}, "", nil, format.ErrUnsupported},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, broken, last := collect("d", attestation("https://openvex.dev/ns/v0.2.0", openVEX(tc.status, tc.products), tc.subjects...), &format.Options{Repository: tc.repository})
			if last != nil {
				t.Fatal(last)
			}
			if tc.err != nil {
				if len(got) != 0 || len(broken) != 1 || !errors.Is(broken[0], tc.err) || !strings.HasPrefix(broken[0].Pointer, "/predicate/statements/0") {
					t.Fatalf("got %v, broken %v", got, broken)
				}
				return
			}
			if len(got) != 1 || len(broken) != 0 {
				t.Fatalf("got %v, broken %v", got, broken)
			}
			if diff := cmp.Diff(tc.want, got[0].Products, cmpopts.IgnoreUnexported(vex.Product{}), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if got[0].ID == "" || got[0].Origin.Author != "Team" || got[0].Origin.Pointer != "/predicate/statements/0" {
				t.Errorf("%+v", got[0].Origin)
			}
		})
	}
}

// TestAttestedStaysThere: what an attestation of one image says applies to no other.
func TestAttestedStaysThere(t *testing.T) {
	a, b := "sha256:"+hexA, "sha256:"+hexB
	for _, products := range []string{"", `[{"@id":"pkg:npm/foo@1"}]`, `[{"@id":"pkg:oci/app?repository_url=` + repository + `"}]`, `[{"@id":"pkg:oci/app@` + a + `"}]`} {
		list, _, err := collect("d", attestation("https://openvex.dev/ns", openVEX("not_affected", products), subject(repository, hexA)), &format.Options{Repository: repository})
		if err != nil || len(list) != 1 {
			t.Fatal(list, err)
		}
		for digest, want := range map[string]int{a: 1, b: 0, "": 0} {
			q := &vex.Query{Vulnerabilities: []string{"CVE-2026-1"}, Package: vex.Part{PURL: "pkg:npm/foo@1"}, Image: vex.Image{Names: []string{repository + ":1"}}}
			if digest != "" {
				q.Image.Digests = []string{digest}
			}
			if got := len(q.Select(list).Claims); got != want {
				t.Errorf("products %s, image %q: %d claims, want %d", products, digest, got, want)
			}
		}
	}
}

func TestRefused(t *testing.T) {
	for name, tc := range map[string]struct {
		text string
		want error
	}{
		"nothing":                       {"", format.ErrInvalid},
		"other JSON":                    {"{}", format.ErrInvalid},
		"an envelope":                   {`{"payload":"","payloadType":"x"}`, format.ErrUnsupported},
		"a bundle":                      {`{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json"}`, format.ErrUnsupported},
		"another predicate":             {attestation("https://spdx.dev/Document", openVEX("affected", ""), subject("x", hexA)), format.ErrUnsupported},
		"a predicate type like one":     {attestation("https://openvex.dev/nsx", openVEX("affected", ""), subject("x", hexA)), format.ErrUnsupported},
		"a type without a version":      {attestation("https://openvex.dev/ns/", openVEX("affected", ""), subject("x", hexA)), format.ErrUnsupported},
		"a predicate of another format": {attestation("https://cyclonedx.org/bom", openVEX("affected", ""), subject("x", hexA)), format.ErrInvalid},
		"a predicate in a predicate":    {attestation("https://openvex.dev/ns", attestation("https://openvex.dev/ns", openVEX("affected", ""), subject("x", hexA)), subject("x", hexA)), format.ErrInvalid},
		"no predicate":                  {attestation("https://openvex.dev/ns", "null", subject("x", hexA)), format.ErrInvalid},
		"no subject":                    {attestation("https://openvex.dev/ns", openVEX("affected", "")), format.ErrInvalid},
	} {
		got, broken, err := collect("d", tc.text, nil)
		if len(got)+len(broken) != 0 || !errors.Is(err, tc.want) {
			t.Errorf("%s: %v, %v, %v", name, got, broken, err)
		}
	}
}

// TestDecodeReal reads the documents of the packs by their content alone.
func TestDecodeReal(t *testing.T) {
	for _, pack := range []string{"vex/openvex-aqua-vexhub.tar.gz", "vex/openvex-go-vex.tar.gz", "vex/csaf-vex-claircore.tar.gz", "vex/csaf-examples.tar.gz", "vex/cdx-vex.tar.gz"} {
		documents, statements, problems := 0, 0, 0
		testdata.Walk(t, pack, func(name string, r io.Reader) {
			text, err := io.ReadAll(r)
			if err != nil {
				t.Fatal(err)
			}
			if format.Detect(text) == format.Unknown {
				return
			}
			documents++
			got, broken, err := collect(name, string(text), nil)
			if err != nil && !errors.Is(err, format.ErrUnsupported) { // a BOM of CycloneDX 1.3
				t.Errorf("%s: %v", name, err)
			}
			statements, problems = statements+len(got), problems+len(broken)
		})
		t.Logf("%s: %d documents, %d statements, %d problems", pack, documents, statements, problems)
		if documents == 0 || statements == 0 {
			t.Errorf("%s: %d documents, %d statements", pack, documents, statements)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(attestation("https://openvex.dev/ns", openVEX("not_affected", `[{"@id":"pkg:npm/foo@1"}]`), subject("x", hexA)))
	f.Add(attestation("https://openvex.dev/ns", openVEX("affected", ""), subject("pkg:oci/app", hexA)))
	f.Fuzz(func(t *testing.T, text string) {
		got, _, _ := collect("d", text, &format.Options{Repository: repository})
		for _, s := range got {
			if format.Detect([]byte(text)) != format.InToto {
				continue
			}
			for _, p := range s.Products { // bound, or of no use
				if p.Identified() && len(p.Digests) == 0 {
					t.Errorf("%+v is not bound", p)
				}
			}
		}
	})
}
