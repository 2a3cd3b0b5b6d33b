package advisoryhttp_test

import (
	"bytes"
	"net/http/httptest"
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/stella-ops/stella/advisory/advisoryhttp"
	"github.com/stella-ops/stella/internal/httpjson"
)

var bodySeeds = []string{
	`{"run":4}`, `{"run":-1}`, `{"run":9223372036854775807}`,
	`{"purl":"pkg:npm/p1@1.4.0","vulnerability":"CVE-2024-0002"}`,
	`{"purl":"pkg:deb/debian/openssl@3.0.11-1?distro=debian-12&epoch=1&upstream=a@b","vulnerability":"GHSA-0004"}`,
	`{"purl":"pkg:rpm/a@1?upstream=a-b-c.src.rpm","vulnerability":" "}`,
	`{"affected":[{"ecosystem":"npm","name":"p1"}],"records":[{"ref":"3"}],"texts":[{"ref":"4"}],"named":["GHSA-0004"],"signals":["CVE-2024-0002"]}`,
	`{"records":[{"ref":"18446744073709551615"}]}`, `{"records":[{"ref":"-1"}]}`, `{"records":[{"ref":1}]}`, `{"named":[""]}`,
	`{"bomFormat":"CycloneDX","specVersion":"1.5","components":[{"type":"library","name":"p1","version":"1.4.0","purl":"pkg:npm/p1@1.4.0"}]}`,
	`{"spdxVersion":"SPDX-2.3","SPDXID":"SPDXRef-DOCUMENT","name":"a","packages":[]}`,
	`<bom xmlns="http://cyclonedx.org/schema/bom/1.5"/>`, "SPDXVersion: SPDX-2.3\n",
	`{"affected":null}`, `[]`, `{`, `nul`, `{"named":[[[[`, "\xff",
}

// FuzzBodies reads each kind of body. What is read is the same after it was
// written and read again.
func FuzzBodies(f *testing.F) {
	for _, s := range bodySeeds {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		for _, into := range advisoryhttp.Bodies() {
			if httpjson.Decode(bytes.NewReader(text), advisoryhttp.MaxBody, into) != nil {
				continue
			}
			b, err := httpjson.Encode(into)
			if err != nil {
				t.Fatal(err)
			}
			again := reflect.New(reflect.TypeOf(into).Elem()).Interface()
			if err := httpjson.Decode(bytes.NewReader(b), 4*advisoryhttp.MaxBody+1000, again); err != nil {
				t.Fatalf("%T: %v of %s", into, err, b)
			}
			all := cmp.Exporter(func(reflect.Type) bool { return true })
			if diff := cmp.Diff(into, again, all, cmpopts.EquateEmpty()); diff != "" {
				t.Fatalf("%T: %s", into, diff)
			}
		}
	})
}

// FuzzHandler sends any body to each route, over a real snapshot. The service
// never breaks, and answers only with statuses that it documents.
func FuzzHandler(f *testing.F) {
	for _, s := range bodySeeds {
		for i := range advisoryhttp.Routes() {
			f.Add(i, []byte(s))
		}
	}
	b := newBackend(f) // all inputs of this process share it
	h, paths := b.handler(), b.paths()
	f.Fuzz(func(t *testing.T, n int, text []byte) {
		r := paths[uint(n)%uint(len(paths))]
		q := httptest.NewRequest(r[0], r[1], bytes.NewReader(text))
		q.Header.Set("Authorization", "Bearer operator")
		q.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, q)
		switch w.Code {
		case 200, 202, 204, 400, 404, 409, 413, 422:
		default:
			t.Fatalf("%s %s answers %d %s", r[0], r[1], w.Code, w.Body)
		}
	})
}
