package scan_test

import (
	"errors"
	"testing"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/imagetest"
	"github.com/stella-ops/stella/scan"
	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/layer"
)

// The diffID of a layer says nothing about its table of contents: what is known
// of the layer without one must not hide one that lies.
func TestKnownLayerDoesNotHideATable(t *testing.T) {
	tar := imagetest.Tar(imagetest.File{Name: "want", Data: "x 1\n"})
	s := &scan.Scanner{Analyzers: analyzer.NewSet(lines{}), Cache: memoryCache{}, Parallel: 1}
	mustScan(t, s, testImage(imagetest.Gzip, tar))
	img := testImage(imagetest.Gzip, tar)
	img.Layers[0].Annotations = map[string]string{layer.StargzDigest: imagetest.Digest(nil)}
	if _, err := s.Scan(t.Context(), img); !errors.Is(err, fault.Mismatch) {
		t.Errorf("scan of a layer that names a table which it does not have: %v, want a mismatch", err)
	}
}
