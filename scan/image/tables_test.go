package image

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/internal/imagetest"
	"github.com/stella-ops/stella/scan/layer"
)

// Annotations that lead to a table of contents reach the layer; others do not.
func TestTablesOfContentsAreNamed(t *testing.T) {
	f := &fixture{topType: typeOCIManifest, name: "app"}
	m := f.addImage("linux/amd64", imagetest.Gzip)
	want := map[string]string{layer.StargzDigest: "a", layer.ChunkedDigest: "b", layer.ChunkedPosition: "c", layer.ChunkedDigestV0: "d", layer.ChunkedPositionV0: "e"}
	says := obj{"org.example.other": "x"}
	for k, v := range want {
		says[k] = v
	}
	m["layers"].([]obj)[1]["annotations"] = says
	f.top = marshal(m)
	img := mustOpen(t, "oci:"+f.dir(t), nil)
	if diff := cmp.Diff(want, img.Layers[1].Annotations); diff != "" {
		t.Errorf("annotations (-want +got):\n%s", diff)
	}
	if len(img.Layers[0].Annotations) != 0 {
		t.Errorf("annotations of a layer without any: %v", img.Layers[0].Annotations)
	}
}
