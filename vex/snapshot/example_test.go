package snapshot_test

import (
	"bytes"
	"context"
	"fmt"
	"log"

	"github.com/stella-ops/stella/vex"
	"github.com/stella-ops/stella/vex/snapshot"
)

// A set of statements becomes a file, and the file answers as the set does.
func Example() {
	s := &vex.Statement{Vulnerability: "CVE-2026-1", Status: vex.NotAffected, Justification: vex.CodeNotPresent, Products: []vex.Product{{PURL: "pkg:npm/x@1.2.3"}}}
	if err := s.Prepare(); err != nil {
		log.Fatal(err)
	}
	set := vex.NewSet([]*vex.Statement{s})
	var file bytes.Buffer
	if _, err := snapshot.Build(context.Background(), &file, each(set.All())); err != nil {
		log.Fatal(err)
	}
	view, err := snapshot.New(bytes.NewReader(file.Bytes()), int64(file.Len()))
	if err != nil {
		log.Fatal(err)
	}
	defer view.Close()
	found, err := view.Statements(context.Background(), []string{"cve-2026-1"})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(view.Digest() == set.Digest(), found[0].Vulnerability, found[0].Status)
	// Output: true CVE-2026-1 not_affected
}
