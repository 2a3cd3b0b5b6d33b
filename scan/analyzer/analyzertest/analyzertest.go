// Package analyzertest tests analyzers: what they find in files that stand in a golden
// case, what must hold whatever a file contains, how their cost grows, and what they answer
// to shapes that would exhaust a careless reader.
package analyzertest

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/sbom"
)

// Result is what a scan of some files found.
type Result struct {
	Packages []analyzer.Located // joined
	Gaps     []sbom.Gap
	Errors   []string // of Extract, in the order of paths
}

// Scan runs an analyzer over files by path, as a scan of one layer does: files that it does
// not want are left out. Nil files give an empty result. It is safe for concurrent use.
func Scan(a analyzer.Analyzer, files map[string][]byte) *Result { return ScanLinked(a, files, nil) }

// ScanLinked is Scan of an image with links: folders and files, and where each leads.
func ScanLinked(a analyzer.Analyzer, files map[string][]byte, links map[string]string) *Result {
	set, in, r := analyzer.NewSet(a), &analyzer.Squashed{Resolve: func(p string) string { return follow(links, p) }}, &Result{}
	paths := make([]string, 0, len(files))
	for p := range files {
		paths = append(paths, p)
	}
	slices.Sort(paths)
	for _, p := range paths {
		data := files[p]
		if by := set.ByPath(nil, p); len(by) == 0 && len(set.ByMagic(nil, p, data[:min(8, len(data))])) == 0 {
			continue
		}
		facts, err := a.Extract(context.Background(), analyzer.NewMemoryFile(p, data))
		if err != nil {
			r.Errors = append(r.Errors, err.Error())
		}
		for _, f := range facts {
			in.Facts = append(in.Facts, analyzer.Located{Fact: f, Path: p})
		}
	}
	r.Packages, r.Gaps = join(a, in)
	return r
}

// follow resolves the first link that is on the way.
func follow(links map[string]string, p string) string {
	for end := len(p); end > 0; end = strings.LastIndexByte(p[:end], '/') {
		if to, ok := links[p[:end]]; ok {
			return to + p[end:]
		}
	}
	return p
}

// join does what a scan does after all layers were read.
func join(a analyzer.Analyzer, in *analyzer.Squashed) (out []analyzer.Located, gaps []sbom.Gap) {
	if j, ok := a.(analyzer.Joiner); ok {
		out, gaps = j.Join(in)
	} else {
		out = in.Facts
	}
	return slices.DeleteFunc(slices.Clone(out), func(f analyzer.Located) bool { return f.Kind != analyzer.KindPackage }), gaps
}

// Names returns "name@version" of each package, sorted, each once.
func (r *Result) Names() []string {
	var out []string
	for _, f := range r.Packages {
		out = append(out, f.Package.Name+"@"+f.Package.Version)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// PURLs returns the package URLs, sorted, each once; packages without one are left out.
func (r *Result) PURLs() []string {
	var out []string
	for _, f := range r.Packages {
		if !f.Package.PURL.IsZero() {
			out = append(out, f.Package.PURL.String())
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// String writes packages, gaps and errors down, without what is empty: the text of golden
// cases.
func (r *Result) String() string {
	var b strings.Builder
	for _, f := range r.Packages {
		write(&b, &f)
	}
	for _, g := range r.Gaps {
		word := "gap"
		if g.Blocking {
			word = "blocking gap"
		}
		fmt.Fprintf(&b, "%s: %s: %s: %s\n", word, g.Code, g.Where, g.What)
	}
	for _, e := range r.Errors {
		fmt.Fprintf(&b, "error: %s\n", e)
	}
	return b.String()
}

func write(b *strings.Builder, f *analyzer.Located) {
	p := f.Package
	fmt.Fprintf(b, "%s: %s\n", f.Path, f.Key)
	line := func(name string, values ...string) {
		values = slices.DeleteFunc(values, func(s string) bool { return s == "" })
		if len(values) > 0 {
			fmt.Fprintf(b, "\t%s: %s\n", name, strings.Join(values, " | "))
		}
	}
	line("name", p.Name, p.Version)
	line("purl", p.PURL.String())
	line("as", p.Type, string(p.State), string(p.Scope))
	line("arch", p.Arch)
	if u := p.Upstream; u != nil {
		line("upstream", u.Name, u.Version)
	}
	for _, l := range p.Licenses {
		line("licence", l.Expression, l.Name, l.URL)
	}
	for _, h := range p.Hashes {
		line(h.Algorithm, h.Value[:min(16, len(h.Value))]+"…")
	}
	for _, c := range p.CPEs {
		line("cpe", c)
	}
	line("description", p.Description)
	line("supplier", p.Supplier)
	line("originator", p.Originator)
	line("homepage", p.Homepage)
	line("download", p.Download)
	for _, q := range p.Properties {
		line(q.Name, q.Value)
	}
	line("inside", f.Inner)
	line("parent", f.Parent)
	line("needs", strings.Join(f.DependsOn, ", "))
	line("provides", strings.Join(f.Provides, ", "))
	line("owns", strings.Join(f.Owns, ", "))
	line("holds", strings.Join(f.Holds, ", "))
}
