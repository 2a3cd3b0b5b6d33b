package examples_test

import (
	"context"
	"fmt"
	"os"

	"github.com/stella-ops/stella/internal/imagetest"
	"github.com/stella-ops/stella/scan"
	"github.com/stella-ops/stella/scan/analyzer/all"
	"github.com/stella-ops/stella/scan/image"
	"github.com/stella-ops/stella/scan/layer"
	"github.com/stella-ops/stella/scan/sbom"
	"github.com/stella-ops/stella/scan/sbom/cyclonedx"
)

// readme is the code of the README.
func readme(ctx context.Context) error {
	img, err := image.Open(ctx, "docker://alpine:latest", nil)
	if err != nil {
		return err
	}
	defer img.Close()

	scanner := &scan.Scanner{Analyzers: all.Set()}
	result, err := scanner.Scan(ctx, img)
	if err != nil {
		return err
	}
	for _, p := range result.Document.Packages {
		fmt.Println(p.Name, p.Version, p.PURL)
	}
	_, err = cyclonedx.Encode(os.Stdout, result.Document, nil)
	return err
}

var _ = readme // it needs a network

// Example_scanImage scans an image of two layers that is made in memory. The
// second layer removes a package that the first one installed.
func Example_scanImage() {
	base := imagetest.Tar(
		imagetest.File{Name: "etc/os-release", Data: "ID=alpine\nVERSION_ID=3.20.1\n"},
		imagetest.File{Name: "lib/apk/db/installed", Data: "P:musl\nV:1.2.5-r0\nA:x86_64\n\nP:zlib\nV:1.3.1-r1\nA:x86_64\n"},
	)
	change := imagetest.Tar(
		imagetest.File{Name: "lib/apk/db/installed", Data: "P:musl\nV:1.2.5-r0\nA:x86_64\n\nP:curl\nV:8.9.0-r0\nA:x86_64\n"},
	)
	img := &scan.Image{
		Subject: sbom.Subject{Kind: sbom.SubjectImage, Name: "example"},
		Layers:  []layer.Blob{imagetest.Blob(base, imagetest.Gzip), imagetest.Blob(change, imagetest.Zstd)},
	}
	result, err := (&scan.Scanner{Analyzers: all.Set()}).Scan(context.Background(), img)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, p := range result.Document.Packages {
		number := 1
		if p.Locations[0].Layer == img.Layers[1].DiffID {
			number = 2
		}
		fmt.Printf("%s, from layer %d\n", p.PURL, number)
	}
	// Output:
	// pkg:apk/alpine/curl@8.9.0-r0?arch=x86_64&distro=alpine-3.20.1, from layer 2
	// pkg:apk/alpine/musl@1.2.5-r0?arch=x86_64&distro=alpine-3.20.1, from layer 1
}

// openExample stands for image.Open: an image that is made in memory.
func openExample(context.Context, scan.Target) (*scan.Image, error) {
	return &scan.Image{
		Subject: sbom.Subject{Kind: sbom.SubjectImage, Name: "sha256:c0", ConfigDigest: "sha256:c0"},
		Layers: []layer.Blob{imagetest.Blob(imagetest.Tar(
			imagetest.File{Name: "etc/os-release", Data: "ID=alpine\nVERSION_ID=3.20.1\n"},
			imagetest.File{Name: "lib/apk/db/installed", Data: "P:musl\nV:1.2.5-r0\nA:x86_64\n"},
		), imagetest.Gzip)},
	}, nil
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}
