package harbor_test

import (
	"strings"
	"testing"

	"github.com/stella-ops/stella/scan/harbor"
	"github.com/stella-ops/stella/scan/image"
)

// FuzzParse reads requests. One that is taken names an image of a registry by its digest,
// and nothing that is said of one that is refused has what its registry is asked with.
func FuzzParse(f *testing.F) {
	digest := "sha256:" + strings.Repeat("ab", 32)
	f.Add([]byte(`{"registry":{"url":"https://core.harbor.domain","authorization":"Basic `+fuzzSecret+`"},"artifact":{"repository":"library/mongo","digest":"`+digest+`","tag":"3.14","mime_type":"application/vnd.oci.image.manifest.v1+json"}}`), true)
	f.Add([]byte(`{"registry":{"url":"http://[::1%25eth0]:0"},"artifact":{"repository":"..","digest":"sha512:0"},"enabled_capabilities":[{"type":"sbom","parameters":{"sbom_media_types":["application/spdx+json"]}}]}`), false)
	f.Add([]byte(`{"registry":{"url":"https://a","authorization":"`+fuzzSecret+`"},"artifact":[]}`), true)
	f.Add([]byte(`nul`), true)
	f.Fuzz(func(t *testing.T, body []byte, plain bool) {
		q, err := harbor.Parse(body, plain)
		if err != nil {
			if strings.Contains(err.Error(), fuzzSecret) && strings.Count(string(body), fuzzSecret) == 1 && strings.Contains(string(body), `"authorization":"Basic `+fuzzSecret) {
				t.Fatalf("the error has the secret: %v", err)
			}
			return
		}
		r, err := image.ParseRemote(q.Image)
		if err != nil || r.Digest == "" || q.PlainHTTP && !plain || q.StoreLayers || q.Owner != "" {
			t.Fatalf("%v: %+v", err, q)
		}
		if text, err := q.Hash(); err != nil || text == "" {
			t.Fatal(err)
		}
	})
}

const fuzzSecret = "Y2FuYXJ5OmNhbmFyeQ=="

// FuzzNegotiate reads Accept headers.
func FuzzNegotiate(f *testing.F) {
	for _, s := range []string{vulns, sbomType, "*/*;q=0", "a/b, c/d;x=\"", ",,,", "application/vnd.security.vulnerability.report; version=1.1; version=1.0"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, accept string) {
		got, err := harbor.Negotiate([]string{accept})
		if (err == nil) != (got == vulns || got == vulnsOld || got == sbomType) {
			t.Fatalf("%q: %q, %v", accept, got, err)
		}
	})
}
