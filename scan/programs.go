package scan

import (
	"context"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/layer"
	"github.com/stella-ops/stella/scan/sbom"
)

// programsName is the analyzer that finds programs.
const programsName = "programs"

// program is a file of the squashed image that can be run or loaded.
type program struct {
	analyzer.Located
	raw    string // its path in the tar of its layer
	holder int    // index of the finding that accounts for it, or -1
	older  int    // index of a finding that installed the path in a layer below, or -1
}

// takePrograms takes the visible programs out of the facts.
func (c *composition) takePrograms() (out []program) {
	for _, f := range c.take(analyzer.KindProgram) {
		if f.Program == nil {
			continue
		}
		raw := f.Path
		if tar, moved := c.moved[writing{f.Path, f.Layer}]; moved {
			raw = tar
		}
		out = append(out, program{Located: f, raw: raw, holder: -1, older: -1})
	}
	return slices.CompactFunc(out, func(a, b program) bool { return a.Path == b.Path })
}

// holders finds the language packages that account for programs: the program is the
// package's own file, or one that came with it in the same layer.
func (c *composition) holders(all []found, programs []program) {
	own, folders := map[writing]int{}, map[writing]int{}
	for i := range all {
		f := &all[i]
		if f.Package.State == sbom.Declared || f.Orphan {
			continue // a wish, or a claim of the file itself
		}
		if len(f.Owns) == 0 {
			own[writing{f.Path, f.Layer}] = i
		}
		for _, h := range f.Holds {
			if h == "./" {
				h = path.Dir(f.Path) + "/"
			}
			h = strings.TrimSuffix(h, "/")
			folders[writing{h, f.Layer}], folders[writing{h, f.since}] = i, i
		}
	}
	for n := range programs {
		p := &programs[n]
		if p.holder >= 0 {
			continue
		}
		if i, ok := own[writing{p.Path, p.Layer}]; ok {
			p.holder = i
			continue
		}
		for at := p.Path; len(folders) > 0; { // the nearest folder counts
			if i, ok := folders[writing{at, p.Layer}]; ok {
				p.holder = i
				break
			}
			slash := strings.LastIndexByte(at, '/')
			if slash < 0 {
				break
			}
			at = at[:slash]
		}
	}
}

// ownerless returns, as findings, the programs that no package accounts for. A program that
// a layer wrote again without changing it is still its package's. Images and root file
// systems have them; any other folder is somebody's work.
func (c *composition) ownerless(ctx context.Context, all []found, programs []program) ([]found, error) {
	if !c.wantsPrograms() {
		return nil, nil
	}
	c.holders(all, programs)
	if err := c.sum(ctx, all, programs); err != nil {
		return nil, err
	}
	var out []found
	for i := range programs {
		p := &programs[i]
		if p.holder >= 0 || p.Program.Kind == analyzer.Script && p.Program.Mode&0o111 == 0 {
			continue
		}
		if p.Program.SHA256 == "" {
			c.gaps = append(c.gaps, sbom.Gap{Code: sbom.GapUnreadable, Where: p.Path, What: "programs: no package accounts for it, and its content could not be read again for a digest"})
		}
		fact := analyzer.Fact{Kind: analyzer.KindPackage, Key: p.Path, Package: filePackage(p)}
		out = append(out, found{Located: analyzer.Located{Fact: fact, Path: p.Path, Layer: p.Layer}, by: programsName, since: p.Layer, owner: -1, scopeID: programsName})
	}
	return out, nil
}

// wantsPrograms reports whether this is an image or a root file system.
func (c *composition) wantsPrograms() bool { return c.image.Tree == nil || c.os != nil }

// filePackage is the element of a document for a program without an owner.
func filePackage(p *program) *sbom.Package {
	x := p.Program
	out := &sbom.Package{Type: sbom.TypeFile, Name: p.Path}
	if x.SHA256 != "" {
		out.Hashes = []sbom.Hash{{Algorithm: "sha256", Value: x.SHA256}}
	}
	for _, q := range []sbom.Property{
		{Name: "file:format", Value: x.Format}, {Name: "file:kind", Value: string(x.Kind)}, {Name: "file:interpreter", Value: x.Interpreter},
		{Name: "file:mode", Value: strconv.FormatUint(uint64(x.Mode), 8)}, {Name: "file:size", Value: strconv.FormatInt(x.Size, 10)},
	} {
		if q.Value != "" {
			out.Properties = append(out.Properties, q)
		}
	}
	return out
}

// sum completes the digests of programs without an owner, and gives those back to their
// packages that are the same as in the layer that installed them.
func (c *composition) sum(ctx context.Context, all []found, programs []program) error {
	asked := make([]map[string]bool, len(c.fragments))
	ask := func(i int, name string) {
		if asked[i] == nil {
			asked[i] = map[string]bool{}
		}
		asked[i][name] = true
	}
	for i := range programs {
		p := &programs[i]
		if p.holder >= 0 {
			continue
		}
		if p.Program.SHA256 == "" {
			ask(p.Layer, p.raw)
		}
		if p.older >= 0 {
			ask(all[p.older].since, p.raw)
		}
	}
	sums := make([]map[string]string, len(c.fragments))
	for i := range asked {
		if len(asked[i]) > 0 {
			var err error
			if sums[i], err = c.sums(ctx, i, asked[i]); err != nil {
				return err
			}
		}
	}
	for i := range programs {
		p := &programs[i]
		if p.holder >= 0 {
			continue
		}
		if p.Program.SHA256 == "" {
			x := *p.Program // facts may be shared with a cache
			x.SHA256 = sums[p.Layer][p.raw]
			p.Program = &x
		}
		if p.older >= 0 && p.Program.SHA256 != "" && p.Program.SHA256 == sums[all[p.older].since][p.raw] {
			p.holder = p.older
		}
	}
	return nil
}

// sums reads layer i again for the digests of files, or finds them where they were kept.
func (c *composition) sums(ctx context.Context, i int, asked map[string]bool) (map[string]string, error) {
	names := make([]string, 0, len(asked))
	for name := range asked {
		names = append(names, name)
	}
	slices.Sort(names)
	key := ""
	if c.image.Tree == nil {
		key = c.fragmentKey(c.image.Layers[i]) + "-sums-" + hexDigest(strings.Join(names, "\x00"))
		if f := c.knownFragment(ctx, key, c.fragments[i].DiffID); f != nil {
			c.summed[i] = f
			return sumsIn(f), nil
		}
	}
	out, err := c.readSums(ctx, i, names)
	if err != nil {
		return nil, err
	}
	f := &layer.Fragment{Version: layer.FragmentVersion, DiffID: c.fragments[i].DiffID, Analyzers: c.fragments[i].Analyzers}
	for _, name := range names {
		if sum := out[name]; sum != "" {
			fact := analyzer.Fact{Kind: analyzer.KindProgram, Program: &analyzer.Program{SHA256: sum}}
			f.Files = append(f.Files, layer.FileFacts{Path: name, Analyzer: "sha256", Facts: []analyzer.Fact{fact}})
		}
	}
	if key != "" {
		c.keepFragment(ctx, key, f)
	}
	c.summed[i] = f
	return out, nil
}

func sumsIn(f *layer.Fragment) map[string]string {
	out := make(map[string]string, len(f.Files))
	for _, file := range f.Files {
		for _, fact := range file.Facts {
			if fact.Program != nil {
				out[file.Path] = fact.Program.SHA256
			}
		}
	}
	return out
}

// readSums reads the digests of files of layer i. Names of hard links stand for what they
// link to.
func (c *composition) readSums(ctx context.Context, i int, names []string) (map[string]string, error) {
	if c.image.Tree != nil {
		return layer.SumsTree(ctx, *c.image.Tree, names)
	}
	hard := hardLinks(c.fragments[i])
	targets := make([]string, len(names))
	for n, name := range names {
		targets[n] = hardTarget(hard, name)
	}
	read, err := layer.Sums(ctx, c.image.Layers[i], targets, c.options(i))
	if err != nil {
		return nil, err
	}
	out := make(map[string]string, len(names))
	for n, name := range names {
		out[name] = read[targets[n]]
	}
	return out, nil
}
