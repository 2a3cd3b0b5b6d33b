package layer_test

import (
	"context"
	"fmt"

	"github.com/stella-ops/stella/internal/imagetest"
	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/analyzer/osrelease"
	"github.com/stella-ops/stella/scan/layer"
)

func ExampleScan() {
	tar := imagetest.Tar(
		imagetest.File{Name: "etc/os-release", Data: "ID=alpine\nVERSION_ID=3.20.1\n"},
		imagetest.File{Name: "tmp/.wh.old"},
	)
	blob := imagetest.Blob(tar, imagetest.Gzip)
	opt := &layer.Options{Analyzers: analyzer.NewSet(osrelease.Analyzer{})}
	f, err := layer.Scan(context.Background(), blob, opt)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(f.Files[0].Path, f.Files[0].Facts[0].OS.ID, "removes", f.Whiteouts)
	// Output: etc/os-release alpine removes [tmp/old]
}
