package format_test

import (
	"bytes"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/sbom"
	"github.com/stella-ops/stella/scan/sbom/format"
)

// FuzzDecode: whatever is read is consistent, keeps its packages on the way
// through every format, and comes back whole from our own.
func FuzzDecode(f *testing.F) {
	for _, name := range readable[:len(readable)-2] {
		var b bytes.Buffer
		if _, err := format.Encode(&b, document(), name, nil); err != nil {
			f.Fatal(err)
		}
		f.Add(b.Bytes())
	}
	f.Add([]byte(`{"artifacts":[{"id":"a","name":"x","version":"1","purl":"pkg:npm/x@1"}],"schema":{"version":"16.0.2"},"source":{"id":"s","type":"directory"}}`))
	f.Add([]byte("spdxVersion: SPDX-2.3\nSPDXID: SPDXRef-DOCUMENT\npackages:\n- SPDXID: SPDXRef-a\n  name: x\n"))
	f.Fuzz(func(t *testing.T, in []byte) {
		d, name, err := format.Decode(bytes.NewReader(in))
		if err != nil {
			if fault.KindOf(err) == "" || d != nil {
				t.Fatalf("%q: %v, error without a kind: %v", name, d, err)
			}
			return
		}
		if problems := d.Check(); len(problems) > 0 {
			t.Fatalf("an inconsistent document was accepted: %v", problems)
		}
		for _, to := range format.Writable() {
			back := again(t, d, to)
			if diff := cmp.Diff(urls(d), urls(back)); diff != "" {
				t.Fatalf("by %s (-was +is):\n%s", to, diff)
			}
			if to != format.StellaJSON {
				continue
			}
			if diff := cmp.Diff(d, back, cmpopts.EquateEmpty()); diff != "" {
				t.Fatalf("by %s (-was +is):\n%s", to, diff)
			}
		}
	})
}

// again writes d and reads it again.
func again(t *testing.T, d *sbom.Document, to string) *sbom.Document {
	t.Helper()
	var b bytes.Buffer
	if _, err := format.Encode(&b, d, to, nil); err != nil {
		t.Fatalf("%s: %v", to, err)
	}
	back, _, err := format.Decode(bytes.NewReader(b.Bytes()))
	if err != nil {
		t.Fatalf("%s: %v\n%s", to, err, b.Bytes())
	}
	return back
}

// urls counts the packages of d by package URL.
func urls(d *sbom.Document) map[string]int {
	list := map[string]int{}
	for i := range d.Packages {
		list[d.Packages[i].PURL.String()]++
	}
	return list
}
