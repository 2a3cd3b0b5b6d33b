package policy_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/policy"
	"github.com/stella-ops/stella/scan"
	"github.com/stella-ops/stella/scan/purl"
	"github.com/stella-ops/stella/scan/sbom"
	"github.com/stella-ops/stella/scan/sbom/format"
	"github.com/stella-ops/stella/store"
	"github.com/stella-ops/stella/store/blob"
	_ "github.com/stella-ops/stella/store/sqlite"
)

// A gateway over a store in a file decides about a scan, and says later what it
// decided.
func ExampleGateway_Evaluate() {
	if err := decide(context.Background()); err != nil {
		fmt.Println(err)
	}
	// Output:
	// production: block because CVE-2021-44228 in log4j-core: its severity is critical
	// CVE-2021-44228 pkg:maven/org.apache.logging.log4j/log4j-core@2.14.1
	// holds: block since the first evaluation: true
}

func decide(ctx context.Context) error {
	dir, err := os.MkdirTemp("", "stella-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	root, err := store.Open(ctx, "sqlite:"+filepath.Join(dir, "stella.db"))
	if err != nil {
		return err
	}
	defer root.Close()
	acme, err := root.Tenant("acme")
	if err != nil {
		return err
	}
	gateway := &policy.Gateway{
		Stores: func(tenant string) (policy.Store, error) {
			t, err := root.Tenant(tenant)
			if err != nil {
				return nil, err
			}
			return t.Policy(), nil
		},
		Document: store.Documents(nil, func(r io.Reader) (*sbom.Document, error) {
			doc, _, err := format.Decode(r)
			return doc, err
		}),
		Statements: root.Said,
	}
	release := &policy.Policy{ID: "release", Version: 1, Semantics: policy.Semantics, Gates: policy.Gates{Threshold: policy.Threshold{Block: finding.High}}}
	if _, _, err := acme.Policy().Add(ctx, release, nil, "ann"); err != nil {
		return err
	}
	if _, err := acme.Policy().Activate(ctx, policy.Activation{Environment: "production", Policy: policy.Named{ID: "release", Version: 1}, By: "ann"}); err != nil {
		return err
	}
	id, err := scanned(ctx, acme)
	if err != nil {
		return err
	}
	records, err := gateway.Evaluate(ctx, "acme", policy.Request{ScanID: id, At: time.Now(), Cause: "example"})
	if err != nil {
		return err
	}
	for _, r := range records {
		fmt.Printf("%s: %s because %s\n", r.Environment, r.Outcome, r.Because)
		for _, f := range r.Blocking {
			fmt.Println(f)
		}
	}
	holds, err := acme.Policy().Current(ctx, id)
	if err != nil {
		return err
	}
	fmt.Println("holds:", holds[0].Outcome, "since the first evaluation:", holds[0].Key == records[0].Key)
	return nil
}

// scanned stores what a worker would have found.
func scanned(ctx context.Context, acme *store.Tenant) (string, error) {
	log4j := purl.PackageURL{Type: "maven", Namespace: "org.apache.logging.log4j", Name: "log4j-core", Version: "2.14.1"}
	doc := &sbom.Document{Packages: []sbom.Package{{ID: "p1", Name: "log4j-core", Version: "2.14.1", PURL: log4j}}}
	var text bytes.Buffer
	if _, err := format.Encode(&text, doc, scan.Neutral, nil); err != nil {
		return "", err
	}
	sum := sha256.Sum256(text.Bytes())
	ref := blob.Ref{Digest: "sha256:" + hex.EncodeToString(sum[:]), Size: int64(text.Len())}
	job, _, err := acme.Scans().Submit(ctx, scan.Request{Image: "registry.example/app:1"}, "")
	if err != nil {
		return "", err
	}
	lease, err := acme.Scans().Claim(ctx, scan.ClaimRequest{JobID: job.ID, Holder: "worker", Length: time.Minute})
	if err != nil {
		return "", err
	}
	return job.ID, acme.Scans().Complete(ctx, *lease, scan.Results{
		SBOMDigest: ref.Digest,
		Documents:  []scan.Stored{{Format: scan.Neutral, MediaType: "application/json", Name: "sbom.stella.json", Ref: ref, Content: text.Bytes()}},
		Report: &finding.Report{Snapshot: ref.Digest, Findings: []finding.Finding{
			{Package: "p1", Name: "log4j-core", Version: "2.14.1", PURL: log4j.String(), Vulnerability: "CVE-2021-44228", Severity: finding.Critical}}},
	})
}
