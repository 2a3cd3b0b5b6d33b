// Package world has what tests of several processes share: images that are made from their
// references, workers that scan them, and the parts of a tenant.
package world

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"

	"github.com/stella-ops/stella/internal/imagetest"
	"github.com/stella-ops/stella/scan"
	"github.com/stella-ops/stella/scan/analyzer/all"
	"github.com/stella-ops/stella/scan/layer"
	"github.com/stella-ops/stella/scan/sbom"
	"github.com/stella-ops/stella/scan/sbom/format"
	"github.com/stella-ops/stella/store"
	"github.com/stella-ops/stella/store/blob"
)

// Names are the packages that images have some of.
var Names = []string{"ant", "bee", "cat", "dog", "eel"}

// Part is a part of a tenant, such as its scans.
func Part[T any](root *store.Root, name string, part func(*store.Tenant) T) (none T, err error) {
	t, err := root.Tenant(name)
	if err != nil {
		return none, err
	}
	return part(t), nil
}

// Decode reads a document of any format.
func Decode(r io.Reader) (*sbom.Document, error) {
	d, _, err := format.Decode(r)
	return d, err
}

// Worker scans what jobs of any tenant name, and keeps what it finds in the tenant's part
// of a bucket. It finds no vulnerabilities: that is for the test to set.
func Worker(root *store.Root, bucket *blob.Bucket, holder string) *scan.Worker {
	return &scan.Worker{
		Jobs:      func(tenant string) (scan.Jobs, error) { return Part(root, tenant, (*store.Tenant).Scans) },
		Open:      open,
		Scanner:   func(string) *scan.Scanner { return &scan.Scanner{Analyzers: all.Set(), Parallel: 1} },
		Artifacts: func(tenant string) (scan.Artifacts, error) { return bucket.Sub(tenant) },
		Encode: func(w io.Writer, d *sbom.Document, name string) (string, string, error) {
			_, err := format.Encode(w, d, name, nil)
			return format.MediaType(name), format.Suffix(name), err
		},
		Holder: holder,
	}
}

// open makes the image that a reference names: Alpine with some packages, and with
// Python's.
func open(_ context.Context, t scan.Target) (*scan.Image, error) {
	var number uint64
	if _, err := fmt.Sscanf(t.Reference, "registry.test/image:%d", &number); err != nil {
		return nil, err
	}
	random := rand.New(rand.NewPCG(number, 7))
	files := []imagetest.File{{Name: "etc/os-release", Data: "ID=alpine\nVERSION_ID=3.20.1\n"}}
	installed := ""
	for _, name := range Names {
		version := fmt.Sprint(1 + random.IntN(4))
		if random.IntN(2) == 0 {
			installed += "P:" + name + "\nV:" + version + ".0-r0\nA:x86_64\n\n"
		}
		if random.IntN(3) == 0 {
			files = append(files, imagetest.File{Name: "usr/lib/python3.12/site-packages/" + name + "-" + version + ".0.dist-info/METADATA", Data: "Metadata-Version: 2.1\nName: " + name + "\nVersion: " + version + ".0\n\n"})
		}
	}
	files = append(files, imagetest.File{Name: "lib/apk/db/installed", Data: installed})
	digest := fmt.Sprintf("sha256:%064d", number)
	return &scan.Image{Subject: sbom.Subject{Kind: sbom.SubjectImage, Name: digest, ConfigDigest: digest}, Layers: []layer.Blob{imagetest.Blob(imagetest.Tar(files...), imagetest.Gzip)}}, nil
}
