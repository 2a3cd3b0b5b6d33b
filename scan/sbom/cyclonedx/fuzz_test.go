package cyclonedx

import (
	"bytes"
	"path"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/internal/testdata"
)

// fuzzSeeds adds the documents of the CycloneDX project that are small, and
// what else they do not have.
func fuzzSeeds(f *testing.F, ext string) {
	for name, b := range testdata.Open(f, docsPack) {
		if path.Ext(name) == ext && len(b) < 6<<10 {
			f.Add(b)
		}
	}
}

// check decodes in; what can be read must be written in every version, the
// same twice, and come back as it was.
func check(t *testing.T, in []byte) {
	limits := &DecodeOptions{MaxBytes: 1 << 20, MaxDepth: 100, MaxComponents: 1000}
	d, err := Decode(bytes.NewReader(in), limits)
	if err != nil {
		if !strings.HasPrefix(err.Error(), "decode CycloneDX: ") {
			t.Errorf("error %q", err)
		}
		return
	}
	for _, o := range []EncodeOptions{{Version: "1.7"}, {Version: "1.4"}, {Version: "1.6", XML: true}, {Version: "1.4", XML: true, Indent: true}} {
		var one, two, three bytes.Buffer
		losses, err := Encode(&one, d, &o)
		if err != nil {
			t.Fatalf("%+v: %v", o, err)
		}
		if _, err := Encode(&two, d, &o); err != nil || !bytes.Equal(one.Bytes(), two.Bytes()) {
			t.Fatalf("%+v: not the same twice (%v)", o, err)
		}
		back, err := Decode(bytes.NewReader(one.Bytes()), &DecodeOptions{MaxDepth: 1000})
		if err != nil {
			t.Fatalf("%+v: %v\n%s", o, err, one.Bytes())
		}
		if len(losses) > 0 || bytes.Contains(in, []byte(`"#`)) {
			continue // what is told may differ, and so may names that are reserved
		}
		if _, err := Encode(&three, back, &o); err != nil {
			t.Fatalf("%+v: %v", o, err)
		}
		diff := cmp.Diff(one.String(), three.String())
		if o.XML && diff != "" { // an absent text is an empty one there, and may change the order
			diff = cmp.Diff(flatXML(t, one.Bytes()), flatXML(t, three.Bytes()))
		}
		if diff != "" {
			t.Fatalf("%+v: decoded and encoded again it differs:\n%s", o, diff)
		}
	}
}

func FuzzDecodeJSON(f *testing.F) {
	fuzzSeeds(f, ".json")
	f.Fuzz(check)
}

func FuzzDecodeXML(f *testing.F) {
	fuzzSeeds(f, ".xml")
	f.Fuzz(check)
}
