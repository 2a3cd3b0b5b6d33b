package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/spf13/cobra"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/advisory/osv"
	"github.com/stella-ops/stella/advisory/snapshot"
	"github.com/stella-ops/stella/internal/imagetest"
	"github.com/stella-ops/stella/scan"
	"github.com/stella-ops/stella/scan/analyzer/all"
	"github.com/stella-ops/stella/scan/sbom"
)

// demoRecords are sample advisories. The identifiers are made up; nobody should
// look them up.
var demoRecords = []string{
	`{"id":"DEMO-2024-1","modified":"2024-05-01T00:00:00Z","aliases":["CVE-2099-1001"],"summary":"Buffer overflow in zlib's inflate (made up)",
	 "severity":[{"type":"CVSS_V3","score":"CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}],
	 "affected":[{"package":{"ecosystem":"Alpine:v3.20","name":"zlib"},"ranges":[{"type":"ECOSYSTEM","events":[{"introduced":"0"},{"fixed":"1.3.1-r2"}]}]}]}`,
	`{"id":"DEMO-2024-2","modified":"2024-05-01T00:00:00Z","aliases":["CVE-2099-1002"],"summary":"Header injection in requests (made up)",
	 "severity":[{"type":"CVSS_V3","score":"CVSS:3.1/AV:N/AC:H/PR:N/UI:R/S:U/C:L/I:L/A:N"}],
	 "affected":[{"package":{"ecosystem":"PyPI","name":"requests"},"ranges":[{"type":"ECOSYSTEM","events":[{"introduced":"2.0"},{"fixed":"2.32.0"}]}]}]}`,
	`{"id":"DEMO-2024-3","modified":"2024-05-01T00:00:00Z","aliases":["CVE-2099-1003"],"summary":"Fixed before this version (made up)",
	 "affected":[{"package":{"ecosystem":"Alpine:v3.20","name":"musl"},"ranges":[{"type":"ECOSYSTEM","events":[{"introduced":"0"},{"fixed":"1.2.0-r0"}]}]}]}`,
}

func (p *program) demoCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "demo",
		Example: "  stella demo",
		Short:   "Scan, match and judge a small built-in image, saying what each step does; needs no network",
		Args:    usage(cobra.NoArgs),
		RunE:    func(cmd *cobra.Command, _ []string) error { return p.demo(cmd.Context()) },
	}
}

func (p *program) demo(ctx context.Context) error {
	say := func(step int, format string, args ...any) {
		fmt.Fprintf(p.stdout, "%d. %s\n", step, fmt.Sprintf(format, args...))
	}
	img := demoImage()
	say(1, "An image of %d layers was made in memory, its layers stored as gzip and zstd.", len(img.Layers))

	res, err := (&scan.Scanner{Analyzers: all.Set(), Tool: tool()}).Scan(ctx, img)
	if err != nil {
		return err
	}
	doc := res.Document
	say(2, "Scan: each layer was hashed, decompressed, hashed again and walked once. Both digests agree with what the\n   image names. %d packages; the second layer removed one that the first had installed.", len(doc.Packages))
	say(3, "SBOM: composed from %d fragments, Merkle root %.19s…; the same bytes every time.", len(doc.Composition.Fragments), doc.Composition.Root)

	report, records, err := demoMatch(ctx, doc)
	if err != nil {
		return err
	}
	say(4, "Advisories: %d sample records, compiled into one file that is named by its digest, %.19s….", records, report.Snapshot)
	say(5, "Match: versions compared as each ecosystem orders them. %d findings; what is fixed already is left out.\n", len(report.Findings))
	r := &result{Reference: "built-in demo image", Document: doc, Report: report}
	if err := p.table(p.stdout, r); err != nil {
		return err
	}
	for _, f := range report.Findings {
		fmt.Fprintf(p.stdout, "   why %s: %s %s is in %s of %s (%s)\n", f.Vulnerability, f.Name, f.Evidence.Version, f.Evidence.Range, f.Evidence.Name, f.Evidence.Ecosystem)
	}
	fmt.Fprintln(p.stdout)
	var verdict *codeError
	decision := (&gate{flags: &gateFlags{}, threshold: finding.High}).decide(r)
	switch {
	case decision == nil:
		say(6, "Verdict with --fail-on high: pass.")
	case errors.As(decision, &verdict) && verdict.code == exitBlocked:
		say(6, "Verdict with --fail-on high: blocked (exit code %d in a real scan).", exitBlocked)
	default:
		say(6, "Verdict with --fail-on high: not assessed (exit code %d in a real scan).", exitNotAssessed)
	}
	return nil
}

func demoMatch(ctx context.Context, doc *sbom.Document) (*finding.Report, int, error) {
	var records iter.Seq2[*advisory.Record, error] = func(yield func(*advisory.Record, error) bool) {
		for _, text := range demoRecords {
			if !yield(osv.Parse([]byte(text), nil)) {
				return
			}
		}
	}
	var file bytes.Buffer
	if _, err := snapshot.Build(&file, records); err != nil {
		return nil, 0, err
	}
	view, err := snapshot.Read(file.Bytes())
	if err != nil {
		return nil, 0, err
	}
	defer view.Close()
	report, err := advisory.Matcher{View: view}.Match(ctx, doc)
	return report, len(demoRecords), err
}

// demoImage has a small Alpine system and a Python package, in two layers.
func demoImage() *scan.Image {
	const apk = "P:musl\nV:1.2.5-r0\nA:x86_64\n\nP:zlib\nV:1.3.1-r1\nA:x86_64\nL:Zlib\n\n"
	tars := [][]byte{
		imagetest.Tar(
			imagetest.File{Name: "etc/os-release", Data: "ID=alpine\nVERSION_ID=3.20.1\nPRETTY_NAME=\"Alpine Linux v3.20\"\n"},
			imagetest.File{Name: "lib/apk/db/installed", Data: apk + "P:old-tool\nV:1.0-r0\nA:x86_64\n"}),
		imagetest.Tar(
			imagetest.File{Name: "lib/apk/db/installed", Data: apk},
			imagetest.File{Name: "usr/lib/python3.12/site-packages/requests-2.31.0.dist-info/METADATA",
				Data: "Metadata-Version: 2.1\nName: requests\nVersion: 2.31.0\nLicense: Apache-2.0\n"}),
	}
	img := &scan.Image{Subject: sbom.Subject{Kind: sbom.SubjectImage, Name: "demo", Platform: "linux/amd64"}}
	for i, c := range []imagetest.Compression{imagetest.Gzip, imagetest.Zstd} {
		b := imagetest.Blob(tars[i], c)
		b.CreatedBy = []string{"ADD alpine /", "RUN pip install requests"}[i]
		img.Layers = append(img.Layers, b)
		img.Subject.Layers = append(img.Subject.Layers, sbom.Layer{DiffID: b.DiffID, CreatedBy: b.CreatedBy})
	}
	return img
}
