package scan_test

import (
	"context"
	"fmt"

	"github.com/stella-ops/stella/internal/imagetest"
	"github.com/stella-ops/stella/scan"
	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/analyzer/apk"
	"github.com/stella-ops/stella/scan/analyzer/osrelease"
	"github.com/stella-ops/stella/scan/layer"
)

func ExampleScanner() {
	img := &scan.Image{Layers: []layer.Blob{imagetest.Blob(imagetest.Tar(
		imagetest.File{Name: "etc/os-release", Data: "ID=alpine\nVERSION_ID=3.20.1\n"},
		imagetest.File{Name: "lib/apk/db/installed", Data: "P:musl\nV:1.2.5-r0\nA:x86_64\n"},
	), imagetest.Gzip)}}
	s := &scan.Scanner{Analyzers: analyzer.NewSet(osrelease.Analyzer{}, apk.Analyzer{})}
	r, err := s.Scan(context.Background(), img)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(r.Document.Packages[0].PURL)
	// Output: pkg:apk/alpine/musl@1.2.5-r0?arch=x86_64&distro=alpine-3.20.1
}
