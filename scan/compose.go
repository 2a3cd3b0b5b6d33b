package scan

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/layer"
	"github.com/stella-ops/stella/scan/sbom"
)

// composition is the squashed image while it is put together.
type composition struct {
	*run
	fragments []*layer.Fragment
	extra     []*layer.Fragment // files that were read again because links lead to them; parallel to fragments, or nil
	seen      *visibility
	links     links
	history   history
	visible   map[string][]analyzer.Located // by analyzer
	os        *sbom.OS
	osKey     string // rank of the file that os is from
	gaps      []sbom.Gap
	secrets   []sbom.Secret
	moved     map[writing]string // where the image shows a file that its tar has elsewhere → there
	summed    []*layer.Fragment  // digests that were read later; parallel to fragments, or nil
	spdx      map[string]string  // licence names → SPDX expressions, "" where there is none
}

// compose puts the fragments of one image together. Apart from reading files
// again that links lead to, it is a pure function of its input.
func (r *run) compose(ctx context.Context, fragments []*layer.Fragment) (*sbom.Document, error) {
	c := &composition{run: r, fragments: fragments, extra: make([]*layer.Fragment, len(fragments)), summed: make([]*layer.Fragment, len(fragments)), moved: map[writing]string{}, spdx: map[string]string{}}
	if err := c.squash(); err != nil {
		return nil, err
	}
	if err := c.followLinks(ctx); err != nil {
		return nil, err
	}
	c.collect()
	c.seen = nil // the table of paths is large
	programs, texts := c.takePrograms(), c.takeLicenses()
	found := c.join()
	c.visible = nil
	c.findOwners(found, programs)
	found = dropKnown(found, programs)
	files, err := c.ownerless(ctx, found, programs)
	if err != nil {
		return nil, err
	}
	found = append(found, files...)
	attachLicenses(found, texts)
	doc := &sbom.Document{Subject: r.image.Subject, Created: r.image.Created, Tools: c.tools()}
	doc.Subject.OS = c.os
	place := c.assemble(doc, found)
	if err := c.use(doc, found, place, programs); err != nil {
		return nil, err
	}
	doc.Secrets = c.secrets
	doc.Gaps = append(c.gaps, r.image.Gaps...)
	recipe, err := c.composed()
	if err != nil {
		return nil, err
	}
	doc.Composition = recipe
	doc.Normalize()
	return doc, nil
}

func (s *Scanner) tool() sbom.Tool {
	if s.Tool.Name != "" {
		return s.Tool
	}
	return sbom.Tool{Vendor: "stella-ops", Name: "stella"}
}

// tools are what made the document, and what was looked for beside packages: that nothing
// was found means something then.
func (c *composition) tools() []sbom.Tool {
	out := []sbom.Tool{c.tool()}
	for i := range c.Analyzers.Len() {
		switch _, info := c.Analyzers.At(i); {
		case info.Name == programsName && c.wantsPrograms():
			out = append(out, sbom.Tool{Vendor: out[0].Vendor, Name: sbom.ToolPrograms, Version: strconv.Itoa(info.Version)})
		case info.Name == "secrets":
			out = append(out, sbom.Tool{Vendor: out[0].Vendor, Name: sbom.ToolSecrets, Version: info.Rules})
		}
	}
	return out
}

// squash finds out what is visible of the paths that matter.
func (c *composition) squash() error {
	v := newVisibility(c.Analyzers, c.memory)
	for _, f := range c.fragments {
		for _, file := range f.Files {
			v.ask(file.Path)
		}
		for _, g := range f.Gaps {
			v.ask(g.Where)
		}
	}
	for _, p := range c.Analyzers.Exact() {
		v.ask(p)
	}
	for i, f := range c.fragments {
		if err := v.see(i, f); err != nil {
			return err
		}
	}
	c.seen, c.links = v, v.liveLinks()
	return nil
}

// collect sorts the visible facts by analyzer and path, and keeps the history
// of files that more than one layer has.
func (c *composition) collect() {
	c.visible, c.history = map[string][]analyzer.Located{}, history{}
	for i := range c.fragments {
		for _, file := range c.fragments[i].Files {
			path, visible := c.seen.place(i, file.Path)
			if path != file.Path {
				c.moved[writing{path, i}] = file.Path
			}
			file.Path = path
			c.tellSecrets(i, file, visible)
			if len(c.fragments) > 1 && slices.ContainsFunc(file.Facts, func(f analyzer.Fact) bool { return f.Package != nil }) { // else every file is of one layer
				c.history.add(i, file)
			}
			if visible {
				c.show(i, file)
			}
		}
		if again := c.extra[i]; again != nil {
			for _, file := range again.Files { // their visibility was checked when they were followed
				c.history.add(i, file)
				c.show(i, file)
			}
		}
		for _, g := range c.fragments[i].Gaps {
			if _, visible := c.seen.place(i, g.Where); visible || g.Code == sbom.GapOddity {
				c.gaps = append(c.gaps, g)
			}
		}
	}
	for _, facts := range c.visible {
		slices.SortStableFunc(facts, func(a, b analyzer.Located) int { return strings.Compare(a.Path, b.Path) })
	}
}

// show takes up the facts of a visible file.
func (c *composition) show(i int, file layer.FileFacts) {
	for _, fact := range file.Facts {
		switch fact.Kind {
		case analyzer.KindSecret: // told, visible or not
		case analyzer.KindOS:
			if c.os == nil || fact.Key < c.osKey {
				c.os, c.osKey = fact.OS, fact.Key
			}
		default:
			c.visible[file.Analyzer] = append(c.visible[file.Analyzer], analyzer.Located{Fact: fact, Path: file.Path, Layer: i})
		}
	}
}

// take removes the facts of one kind from the visible ones, and returns them sorted by path.
// They are not for Join.
func (c *composition) take(kind analyzer.Kind) (out []analyzer.Located) {
	for i := range c.Analyzers.Len() {
		_, info := c.Analyzers.At(i)
		c.visible[info.Name] = slices.DeleteFunc(c.visible[info.Name], func(f analyzer.Located) bool {
			if f.Kind == kind {
				out = append(out, f)
			}
			return f.Kind == kind
		})
	}
	slices.SortStableFunc(out, func(a, b analyzer.Located) int { return strings.Compare(a.Path, b.Path) })
	return out
}

// tellSecrets takes up the secrets of a file. One that a layer above removed can still be
// read by whoever has the image.
func (c *composition) tellSecrets(i int, file layer.FileFacts, visible bool) {
	for _, fact := range file.Facts {
		if fact.Kind != analyzer.KindSecret || fact.Secret == nil {
			continue
		}
		s := *fact.Secret
		s.Path, s.Removed = file.Path, !visible
		if c.image.Tree == nil {
			s.Layer = c.fragments[i].DiffID
		}
		c.secrets = append(c.secrets, s)
	}
}

// found is a package fact with the analyzer that said it.
type found struct {
	analyzer.Located
	by      string
	since   int    // the layer that brought it
	owner   int    // index of the owning package among all found, or -1
	scopeID string // name space of its keys
}

// join lets analyzers complete their packages, in the order of the set.
func (c *composition) join() []found {
	var out []found
	for i := range c.Analyzers.Len() {
		a, info := c.Analyzers.At(i)
		facts := c.visible[info.Name]
		delete(c.visible, info.Name) // a database can have very many
		if len(facts) == 0 {
			continue
		}
		if j, ok := a.(analyzer.Joiner); ok {
			joined, gaps := c.safeJoin(j, facts, info.Name)
			facts = joined
			c.gaps = append(c.gaps, gaps...)
		}
		out = slices.Grow(out, len(facts))
		for _, f := range facts {
			if f.Kind == analyzer.KindPackage && f.Package != nil {
				out = append(out, found{Located: f, by: info.Name, owner: -1, since: c.history.since(f), scopeID: info.Name + "\x00" + cmp.Or(f.Scope, "file\x00"+f.Path)})
			}
		}
	}
	return out
}

// safeJoin keeps a failing analyzer from taking the others with it.
func (c *composition) safeJoin(j analyzer.Joiner, facts []analyzer.Located, name string) (out []analyzer.Located, gaps []sbom.Gap) {
	defer func() {
		if v := recover(); v != nil {
			out = nil
			gaps = []sbom.Gap{{Code: sbom.GapPanic, Blocking: true, Where: facts[0].Path, What: name + ": joining facts panicked"}}
		}
	}()
	return j.Join(&analyzer.Squashed{OS: c.os, Facts: facts, Resolve: c.links.resolve})
}

// composed names the fragments in order. A layer that was read again has more than one.
func (c *composition) composed() (*sbom.Composition, error) {
	out := &sbom.Composition{}
	var digests []string
	add := func(f *layer.Fragment) error {
		ref, err := c.refer(f)
		if err != nil {
			return err
		}
		out.Fragments = append(out.Fragments, ref)
		digests = append(digests, ref.Digest)
		return nil
	}
	for i, f := range c.fragments {
		if err := add(f); err != nil {
			return nil, err
		}
		if c.extra[i] != nil {
			if err := add(c.extra[i]); err != nil {
				return nil, err
			}
		}
		if c.summed[i] != nil {
			if err := add(c.summed[i]); err != nil {
				return nil, err
			}
		}
	}
	root, err := sbom.MerkleRoot(digests)
	out.Root = root
	return out, err
}
