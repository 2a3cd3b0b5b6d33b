// Package kernel finds Linux kernels and what was built for them, with or
// without a package manager: boot images, and modules below lib/modules.
//
// A kernel is the package linux-kernel (pkg:generic/linux-kernel@<release>,
// with a CPE name) under the release that it says of itself ("uname -r"): the
// header of an x86 image names it, and the banner "Linux version …" in an
// uncompressed or gzip or zstd image of other machines. Of an image that
// packs itself in another way the release is what its name ends in; without
// one it is an error. The property "kernel:evidence" has the text.
//
// Modules that came with a kernel ("intree") are part of it: where they are
// and no image is, they tell of the kernel. Others, such as ZFS or a driver of
// a vendor, are packages of their own, named and versioned by their section
// .modinfo, and depend on the kernel of their version magic. Modules
// compressed with xz are not read: those below <release>/kernel count as part
// of that kernel, others are a gap.
//
// Kernels of distributions are found too; who owns them is decided from the
// packages' lists of files, and judged by the distribution's advisories.
package kernel

import (
	"context"
	"fmt"
	"path"
	"strings"

	"github.com/stella-ops/stella/scan/analyzer"
)

// Analyzer finds kernels. The zero value is ready to use.
type Analyzer struct{}

// Info implements analyzer.Analyzer.
func (Analyzer) Info() analyzer.Info { return analyzer.Info{Name: "kernel", Version: 1} }

// images are what boot images are called, alone or before "-" and a release.
var images = []string{"vmlinuz", "vmlinux", "bzImage", "zImage", "Image", "kernel"}

// Paths implements analyzer.Analyzer. Images are wanted below boot and lib/modules under
// any of their names, and elsewhere where they have the magic of a program too, or no
// release in their name.
func (Analyzer) Paths() analyzer.Paths {
	return analyzer.Paths{
		Dirs:     []string{"boot", "lib/modules", "usr/lib/modules"},
		Names:    images,
		Suffixes: []string{".ko", ".ko.gz", ".ko.zst", ".ko.xz"},
		Magic:    []string{"MZ", "\x7fELF"},
		Accept:   func(file string) bool { return isModule(file) || isImage(file) },
		Forward:  true,
	}
}

// isImage reports whether a file is called what boot images are.
func isImage(file string) bool {
	base := path.Base(file)
	for _, name := range images {
		if rest, ok := strings.CutPrefix(base, name); ok && (rest == "" || rest[0] == '-') {
			return true
		}
	}
	return false
}

// isModule reports whether a file is a module in its place.
func isModule(file string) bool {
	return strings.Contains("/"+file, "/lib/modules/") && moduleSuffix(file) != ""
}

func moduleSuffix(file string) string {
	for _, s := range [...]string{".ko", ".ko.gz", ".ko.zst", ".ko.xz"} {
		if strings.HasSuffix(file, s) {
			return s
		}
	}
	return ""
}

// Extract implements analyzer.Analyzer: a part for each kernel and each module that came
// with one, a package for every other module.
func (Analyzer) Extract(ctx context.Context, f *analyzer.File) ([]analyzer.Fact, error) {
	var facts []analyzer.Fact
	var err error
	switch {
	case isModule(f.Path):
		facts, err = readModule(f)
	case isImage(f.Path):
		facts, err = readImage(ctx, f)
	}
	if err != nil {
		return facts, fmt.Errorf("read %s: %w", f.Path, err)
	}
	return facts, nil
}
