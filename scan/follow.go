package scan

import (
	"context"
	"slices"
	"strings"

	"github.com/stella-ops/stella/scan/layer"
	"github.com/stella-ops/stella/scan/sbom"
)

// followLinks reads files again that no analyzer knew by their own path but
// that a well-known path leads to through symbolic links. Each layer is read
// once more at most; a link that leads nowhere is a gap only if its path is one
// that analyzers rely on.
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
	if len(also) == 0 {
		return nil
	}
	byLayer, err := c.layersOf(also)
	if err != nil {
		return err
	}
	for i, wants := range byLayer {
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

// layersOf finds the topmost layer that has each file, as far as it is visible.
func (c *composition) layersOf(also map[string][]string) ([]map[string][]string, error) {
	at := map[string]int{}
	v := newVisibility()
	for q := range also {
		v.ask(q)
	}
	for i, f := range c.fragments {
		if err := v.see(i, f); err != nil {
			return nil, err
		}
		err := f.Entries.Visit(func(kind layer.EntryKind, name, _ []byte) bool {
			if kind == layer.EntryFile || kind == layer.EntryHardlink {
				if _, wanted := also[string(name)]; wanted {
					at[strings.Clone(string(name))] = i
				}
			}
			return true
		})
		if err != nil {
			return nil, err
		}
	}
	out := make([]map[string][]string, len(c.fragments))
	for q, i := range at {
		if v.hidden(q, i) {
			continue
		}
		if out[i] == nil {
			out[i] = map[string][]string{}
		}
		out[i][q] = also[q]
	}
	return out, nil
}
