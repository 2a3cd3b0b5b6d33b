package policyhttp_test

import (
	"bytes"
	"reflect"
	"testing"

	"github.com/stella-ops/stella/internal/httpjson"
	"github.com/stella-ops/stella/policy/policyhttp"
)

// FuzzBodies reads bodies of strangers: what is accepted is written and read again as
// the same.
func FuzzBodies(f *testing.F) {
	for _, seed := range []string{
		`{"scan_id":"scan-1","policy":"id: a","environment":"p","at":"2026-11-29T12:00:00Z","trace":true}`,
		`{"scope":{"images":["a*"],"packages":["pkg:npm/*"],"vulnerabilities":["CVE-1"],"environments":[""],"paths":["/"]},"effect":"suppress","reason":"r","expires":"2026-11-29T12:00:00.000001Z","basis":[{"vulnerability":"CVE-1","severity":"high","exploited":true}]}`,
		`{"environment":"","controls":["waf"],"rollback":true,"reason":"x"}`, `{"reason":""}`, `{"reason":1}`, `{"reason":"a","reason":"b"}`, `{}`, `[`, "",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, v := range policyhttp.Bodies() {
			if httpjson.Decode(bytes.NewReader(body), policyhttp.MaxBody, v) != nil {
				continue
			}
			text, err := httpjson.Encode(v)
			if err != nil {
				continue // a time that cannot be written
			}
			again := reflect.New(reflect.TypeOf(v).Elem()).Interface()
			if err := httpjson.Decode(bytes.NewReader(text), 2*policyhttp.MaxBody, again); err != nil {
				t.Fatalf("%s is read as %s, and not again: %v", body, text, err)
			}
			if twice, err := httpjson.Encode(again); err != nil || !bytes.Equal(text, twice) {
				t.Errorf("%s is %s, and then %s, %v", body, text, twice, err)
			}
		}
	})
}
