package csaf_test

import (
	"fmt"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/advisory/csaf"
)

// A provider is trusted by its publisher's namespace: documents of others are
// refused.
func ExampleProvider() {
	s := csaf.Provider(csaf.Trusted{
		Name:      "example",
		Metadata:  "https://example.com/.well-known/csaf/provider-metadata.json",
		Namespace: "https://example.com",
	})
	doc := &advisory.Document{Name: "ex-1.json", Content: []byte(`{"document": {
	  "category": "csaf_vex", "csaf_version": "2.0", "title": "bolt",
	  "publisher": {"category": "vendor", "name": "Example", "namespace": "https://example.com"},
	  "tracking": {"id": "EX-1", "status": "final", "version": "1",
	    "initial_release_date": "2024-01-01T00:00:00Z", "current_release_date": "2024-01-01T00:00:00Z",
	    "revision_history": [{"date": "2024-01-01T00:00:00Z", "number": "1", "summary": "first"}]}},
	  "product_tree": {"full_product_names": [{"name": "bolt 1.0", "product_id": "P",
	    "product_identification_helper": {"purl": "pkg:npm/bolt@1.0.0"}}]},
	  "vulnerabilities": [{"cve": "CVE-2024-10001",
	    "notes": [{"category": "description", "text": "It comes loose."}],
	    "product_status": {"known_affected": ["P"]},
	    "remediations": [{"category": "no_fix_planned", "details": "It stays so.", "product_ids": ["P"]}]}]}`)}
	for st, err := range s.Parse(doc) {
		if err != nil {
			fmt.Println(err)
			return
		}
		r := st.(*advisory.Record)
		a := r.Affected[0]
		fmt.Println(r.ID, r.Upstream, a.Ecosystem, a.Name, a.Versions.Has("1.0.0"), a.Status)
	}
	// Output: EX-1 [CVE-2024-10001] npm bolt true will_not_fix
}
