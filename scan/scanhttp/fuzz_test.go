package scanhttp_test

import (
	"bytes"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/stella-ops/stella/internal/httpjson"
	"github.com/stella-ops/stella/scan/scanhttp"
)

var bodySeeds = []string{
	`{"image_ref":"alpine","platform":"linux/amd64","formats":["spdx-json"],"priority":9,"store_layers":true,"labels":{"team":"payments"}}`,
	`{"reason":"\u0000"}`,
	`{"holder":"w","message":"m","length_ns":15000000000}`,
	`{"lease":{"epoch":1,"holder":"w","length_ns":-9223372036854775808,"attempt":1,"manifest":{"job_id":"scan-1","reference":"a","inputs":{"a":"b"}}}}`,
	`{"lease":{"epoch":9223372036854775807},"digest":"sha256:1"}`,
	`{"lease":{"epoch":1},"cause":"x","permanent":true}`,
	`{"lease":{"epoch":1},"results":{"sbom_digest":"sha256:1","documents":[{"format":"stella-json","media_type":"a/b","name":"n","digest":"sha256:1","size":-1,"chunks":"AA==","content":"AA=="}],"fragments":[{"digest":"","size":1}],"packages":[{"id":"p","name":"n"}],"report":{"findings":[{"scores":[{}],"evidence":{}}],"gaps":[{}]},"inputs":{"a":"b"}}}`,
	`{"lease":null,"results":null}`, `[]`, `{`, `nul`, `{"lease":[[[[`, "\xff",
}

// FuzzBodies reads each kind of body. What is read is the same after it was
// written and read again.
func FuzzBodies(f *testing.F) {
	for _, s := range bodySeeds {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		for _, into := range scanhttp.Bodies() {
			if httpjson.Decode(bytes.NewReader(text), scanhttp.MaxBody, into) != nil {
				continue
			}
			b, err := httpjson.Encode(into)
			if err != nil {
				t.Fatal(err)
			}
			again := reflect.New(reflect.TypeOf(into).Elem()).Interface()
			if err := httpjson.Decode(bytes.NewReader(b), 4*scanhttp.MaxBody+1000, again); err != nil {
				t.Fatalf("%T: %v of %s", into, err, b)
			}
			all := cmp.Exporter(func(reflect.Type) bool { return true })
			if diff := cmp.Diff(into, again, all, cmpopts.EquateEmpty()); diff != "" {
				t.Fatalf("%T: %s", into, diff)
			}
		}
	})
}

// FuzzHandler sends any body to each route, over a real store. The service never
// breaks, and answers only with statuses that it documents.
func FuzzHandler(f *testing.F) {
	for i, s := range bodySeeds {
		f.Add(i, []byte(s))
	}
	g := newRig(f) // all inputs of this process share it
	id := g.submit(f, "acme", "alpine")
	f.Fuzz(func(t *testing.T, n int, text []byte) {
		routes := scanhttp.Routes()
		r := routes[uint(n)%uint(len(routes))]
		path := strings.NewReplacer("{scan_id}", id, "{format}", "stella-json").Replace(r[1])
		q := httptest.NewRequest(r[0], path, bytes.NewReader(text))
		q.Header.Set("Authorization", "Bearer acme/w/worker")
		q.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		g.handler.ServeHTTP(w, q)
		switch w.Code {
		case 200, 202, 204, 400, 404, 409, 413, 422:
		default:
			t.Fatalf("%s %s answers %d %s", r[0], path, w.Code, w.Body)
		}
	})
}
