package scan

import (
	"context"
	"path"
	"slices"

	"github.com/stella-ops/stella/scan/layer"
	"github.com/stella-ops/stella/scan/sbom"
)

// followLinks reads files again that no analyzer knew by the path that the tar
// gives them: those that a well-known path leads to through symbolic links, and
// those that are unpacked into a folder that is a link. Each layer is read once
// more at most.
func (c *composition) followLinks(ctx context.Context) error {
	also := map[string][]string{} // file → well-known paths
	for _, p := range slices.Sorted(slices.Values(c.Analyzers.Exact())) {
		q := c.links.resolve(p)
		if q == p {
			continue
		}
		if q == "" {
			c.gaps = append(c.gaps, sbom.Gap{Code: sbom.GapUncaptured, Blocking: true, Where: p, What: "its symbolic links form a cycle"})
			continue
		}
		if !c.captured(p, q) {
			also[q] = append(also[q], p)
		}
	}
	again := make([]map[string][]string, len(c.fragments))
	for _, m := range c.seen.moved {
		if !c.seen.hidden(m.to, m.layer) {
			want(again, m.layer, m.path, m.to)
		}
	}
	if len(also) > 0 {
		if err := c.locate(also, again); err != nil {
			return err
		}
	}
	for i, wants := range again {
		if len(wants) == 0 {
			continue
		}
		files, gaps, err := c.reread(ctx, i, wants)
		if err != nil {
			return err
		}
		c.gaps = append(c.gaps, gaps...)
		c.extra[i] = &layer.Fragment{Version: layer.FragmentVersion, DiffID: c.fragments[i].DiffID, Analyzers: c.fragments[i].Analyzers, Files: files}
	}
	return nil
}

// want notes that analyzers shall see a file of layer i under the path as.
func want(again []map[string][]string, i int, file, as string) {
	if again[i] == nil {
		again[i] = map[string][]string{}
	}
	if !slices.Contains(again[i][file], as) {
		again[i][file] = append(again[i][file], as)
	}
}

func (c *composition) reread(ctx context.Context, i int, wants map[string][]string) ([]layer.FileFacts, []sbom.Gap, error) {
	if c.image.Tree != nil {
		return layer.RereadTree(ctx, *c.image.Tree, wants, c.options(i))
	}
	return layer.Reread(ctx, c.image.Layers[i], wants, c.options(i))
}

// captured reports whether the analyzers that want p want q by its own path.
func (c *composition) captured(p, q string) bool {
	have := c.Analyzers.ByPath(nil, q)
	for _, want := range c.Analyzers.ByPath(nil, p) {
		if !slices.Contains(have, want) {
			return false
		}
	}
	return true
}

// located is the topmost entry of a file.
type located struct {
	layer int
	path  string // as the tar gives it
	hard  bool   // a hard link
}

// locate finds the topmost layer that has each file, as far as it is visible. A
// well-known path that is itself a link to nothing is a gap.
func (c *composition) locate(also map[string][]string, again []map[string][]string) error {
	at := map[string]located{}
	v := newVisibility(c.Analyzers, c.memory)
	for q := range also {
		v.ask(q)
	}
	for i, f := range c.fragments {
		if err := v.see(i, f); err != nil {
			return err
		}
		err := f.Entries.Visit(func(kind layer.EntryKind, name, _ []byte) bool {
			if kind != layer.EntryFile && kind != layer.EntryHardlink {
				return true
			}
			q := string(name)
			if len(v.aliases[i]) > 0 {
				if real := v.real(i, q).real; real != "" {
					q = real
				}
			}
			if _, wanted := also[q]; wanted {
				at[q] = located{i, string(name), kind == layer.EntryHardlink}
			}
			return true
		})
		if err != nil {
			return err
		}
	}
	for q, paths := range also {
		l, ok := at[q]
		if !ok || v.hidden(q, l.layer) {
			c.dangling(paths, q)
			continue
		}
		file := l.path
		if l.hard {
			file = hardTarget(hardLinks(c.fragments[l.layer]), file)
		}
		for _, p := range paths {
			want(again, l.layer, file, p)
		}
	}
	return nil
}

// dangling records well-known paths that are links to a file that no layer has.
func (c *composition) dangling(paths []string, q string) {
	for _, p := range paths {
		if _, isLink := c.links[path.Join(c.links.resolve(path.Dir(p)), path.Base(p))]; isLink {
			c.gaps = append(c.gaps, sbom.Gap{Code: sbom.GapUncaptured, Blocking: true, Where: p, What: "links to " + q + ", which the image does not have"})
		}
	}
}

// hardLinks returns the hard links of a layer.
func hardLinks(f *layer.Fragment) map[string]string {
	links := map[string]string{}
	for e := range f.Entries.All() {
		if e.Kind == layer.EntryHardlink {
			links[e.Path] = e.Link
		} else {
			delete(links, e.Path)
		}
	}
	return links
}

// hardTarget returns the file that the hard link p is a name of, or p.
func hardTarget(links map[string]string, p string) string {
	for range len(links) {
		next, ok := links[p]
		if !ok {
			break
		}
		p = next
	}
	return p
}
