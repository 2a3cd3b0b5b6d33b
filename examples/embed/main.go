// Command embed is the smallest program that does what scanners are for: it reads an image
// from an OCI layout with every analyzer and writes what is in it as CycloneDX and as SPDX.
//
//	go run ./examples/embed LAYOUT FOLDER
//
// What it links is held by a test: see docs/benchmarks.md.
package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/stella-ops/stella/scan"
	"github.com/stella-ops/stella/scan/analyzer/all"
	"github.com/stella-ops/stella/scan/image"
	"github.com/stella-ops/stella/scan/sbom/cyclonedx"
	"github.com/stella-ops/stella/scan/sbom/spdx"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: embed LAYOUT FOLDER")
		os.Exit(2)
	}
	if err := run(context.Background(), os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "embed:", err)
		os.Exit(1)
	}
}

// run writes image.cdx.json and image.spdx.json into a folder.
func run(ctx context.Context, layout, folder string) (err error) {
	img, err := image.OpenLayout(ctx, layout, "", nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, img.Close()) }()
	result, err := (&scan.Scanner{Analyzers: all.Set()}).Scan(ctx, img)
	if err != nil {
		return err
	}
	for _, gap := range result.Document.Gaps {
		fmt.Fprintf(os.Stderr, "%s: %s\n", gap.Where, gap.What) // what could not be read
	}
	var cdx, spd bytes.Buffer
	if _, err := cyclonedx.Encode(&cdx, result.Document, nil); err != nil {
		return err
	}
	if _, err := spdx.Encode(&spd, result.Document, nil); err != nil {
		return err
	}
	return errors.Join(
		os.WriteFile(filepath.Join(folder, "image.cdx.json"), cdx.Bytes(), 0o644),
		os.WriteFile(filepath.Join(folder, "image.spdx.json"), spd.Bytes(), 0o644),
	)
}
