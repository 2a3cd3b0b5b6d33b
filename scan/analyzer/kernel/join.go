package kernel

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/analyzer/internal/locked"
	"github.com/stella-ops/stella/scan/sbom"
)

// scope is the name space of keys: releases of kernels, and paths of modules.
const scope = "kernels"

// kernelName is what other scanners call a kernel too.
const kernelName = "linux-kernel"

// Join implements analyzer.Joiner: a package for each release, where its image is, or else
// where its first module is, and the modules that are none of its own.
func (Analyzer) Join(in *analyzer.Squashed) ([]analyzer.Located, []sbom.Gap) {
	kernels := map[string]*analyzer.Located{}
	modules, unread, first := map[string]int{}, 0, ""
	var out []analyzer.Located
	for _, f := range in.Facts {
		switch {
		case f.Key == unreadKey:
			unread++
			first = cmp.Or(first, f.Path)
		case f.Kind == analyzer.KindPackage:
			out = append(out, f)
		default:
			if f.Package == nil {
				modules[f.Key]++
			}
			if have := kernels[f.Key]; have == nil || have.Package == nil && f.Package != nil {
				kernels[f.Key] = &f
			}
		}
	}
	for _, f := range kernels {
		out = append(out, kernelFact(*f, modules[f.Key]))
	}
	slices.SortStableFunc(out, func(a, b analyzer.Located) int {
		return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.Key, b.Key))
	})
	if unread == 0 {
		return out, nil
	}
	return out, []sbom.Gap{{Code: sbom.GapUnsupported, Where: first, What: "kernel modules compressed with xz are not read (" + strconv.Itoa(unread) + " files)"}}
}

// kernelFact completes what an image or a module said of a kernel.
func kernelFact(f analyzer.Located, modules int) analyzer.Located {
	p := sbom.Package{Name: kernelName, Version: f.Key}
	if f.Package != nil {
		p = *f.Package
		p.Properties = slices.Clone(p.Properties)
	}
	p.Type = "application"
	p.PURL = locked.URL("generic", "", p.Name, p.Version)
	if c := cpeName(p.Version); c != "" {
		p.CPEs = []string{c}
	}
	if modules > 0 {
		p.Properties = append(p.Properties, sbom.Property{Name: "kernel:modules", Value: strconv.Itoa(modules)})
	}
	f.Kind, f.Package = analyzer.KindPackage, &p
	return f
}

// cpeName returns the CPE name of the kernel that a release is made from: its number, and
// for candidates what they are ("6.9.0-rc3"), as the dictionary has them. What follows
// ("-18-amd64", "-linuxkit") names a build.
func cpeName(release string) string {
	end := strings.IndexFunc(release, func(r rune) bool { return r != '.' && (r < '0' || r > '9') })
	if end < 0 {
		end = len(release)
	}
	number, update := strings.Trim(release[:end], "."), "*"
	if rest, ok := strings.CutPrefix(release[end:], "-rc"); ok {
		if n := rest[:len(rest)-len(strings.TrimLeft(rest, "0123456789"))]; n != "" {
			update = "rc" + n
			number = strings.TrimSuffix(number, ".0")
		}
	}
	if strings.Count(number, ".") == 0 {
		return ""
	}
	return "cpe:2.3:o:linux:linux_kernel:" + number + ":" + update + ":*:*:*:*:*:*"
}
