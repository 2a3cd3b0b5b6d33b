package debian_test

import (
	"fmt"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/advisory/debian"
)

// What the tracker says about one package becomes a record for each CVE.
func Example() {
	const tracker = `{"bolt": {"CVE-2024-10001": {"releases": {
		"bookworm": {"status": "resolved", "fixed_version": "1.2-3+deb12u1", "urgency": "high"},
		"trixie": {"status": "open", "urgency": "unimportant"}
	}}}}`
	for s, err := range debian.New().Parse(&advisory.Document{Name: "tracker.json", Content: []byte(tracker)}) {
		if err != nil {
			fmt.Println(err)
			continue
		}
		r := s.(*advisory.Record)
		for _, a := range r.Affected {
			fmt.Printf("%s %s %s %d events, status %q\n", r.ID, a.Ecosystem, a.Name, len(a.Ranges[0].Events), a.Status)
		}
	}
	// Output:
	// DEBIAN-CVE-2024-10001 Debian:12 bolt 2 events, status ""
	// DEBIAN-CVE-2024-10001 Debian:13 bolt 1 events, status "unimportant"
}
