package sbom

import (
	"slices"
)

// CauseKind says what made a difference between two documents.
type CauseKind string

// The kinds of cause.
const (
	// CauseLayerAdded and CauseLayerRemoved: the layer that has it is new, or gone.
	CauseLayerAdded   CauseKind = "layer-added"
	CauseLayerRemoved CauseKind = "layer-removed"
	// CauseLayerReplaced: the step of the build that made the layer made another one.
	CauseLayerReplaced CauseKind = "layer-replaced"
	// CauseHidden: its layer is still there, and one above deletes or replaces its
	// files. CauseUncovered is the reverse.
	CauseHidden    CauseKind = "hidden"
	CauseUncovered CauseKind = "uncovered"
	// CauseFileAdded, CauseFileRemoved and CauseFileChanged are about the file that
	// tells of the package, where the documents name no layers.
	CauseFileAdded   CauseKind = "file-added"
	CauseFileRemoved CauseKind = "file-removed"
	CauseFileChanged CauseKind = "file-changed"
	// CauseStart: what the image starts, or a file on the way from there, is another.
	CauseStart CauseKind = "start"
	// CauseTool: the same layers or files, seen by other tools or other versions of
	// them. CauseDocument: seen by the same ones, so that somebody wrote something
	// else into one of the documents, or they do not say enough.
	CauseTool     CauseKind = "tool"
	CauseDocument CauseKind = "document"
)

// Cause is what made a difference.
type Cause struct {
	Kind CauseKind `json:"kind"`
	// Layer is the diffID that Kind speaks of: the one that is new, or gone, or that
	// hides. Was is the layer that it replaces.
	Layer string `json:"layer,omitempty"`
	Was   string `json:"was,omitempty"`
	// CreatedBy is the step of the build that made Layer.
	CreatedBy string `json:"created_by,omitempty"`
	Path      string `json:"path,omitempty"` // of the file that Kind speaks of
}

// causes knows what tells why two documents differ.
type causes struct {
	before, after side
	sameImage     bool
	sameTools     bool
}

// side is one of the two documents.
type side struct {
	layers []Layer         // base first
	known  map[string]bool // diffIDs
	paths  map[string]bool // where packages were found, where layers are not known
}

func newCauses(a, b *Document) *causes {
	return &causes{before: newSide(a), after: newSide(b), sameTools: slices.Equal(a.Tools, b.Tools),
		sameImage: a.Subject.ConfigDigest != "" && a.Subject.ConfigDigest == b.Subject.ConfigDigest}
}

// newSide takes the layers that a document lists, or else those that its packages
// name.
func newSide(d *Document) side {
	s := side{layers: d.Subject.Layers, known: map[string]bool{}, paths: map[string]bool{}}
	for _, l := range s.layers {
		s.known[l.DiffID] = true
	}
	for i := range d.Packages {
		for _, l := range d.Packages[i].Locations {
			s.paths[l.Path] = true
			if l.Layer != "" {
				s.known[l.Layer] = true
			}
		}
	}
	return s
}

// step returns the index of a layer among those the document lists, or -1.
func (s *side) step(diffID string) int {
	return slices.IndexFunc(s.layers, func(l Layer) bool { return l.DiffID == diffID })
}

// of returns the cause of one change.
func (c *causes) of(change *Change) Cause {
	if c.sameImage {
		return c.seenOtherwise()
	}
	if change.Kind == UsageChanged {
		return startCause(change)
	}
	was, is := placesOf(change.Before), placesOf(change.After)
	if s := change.Secret; s != nil {
		place := []Location{{Path: s.Path, Layer: s.Layer}}
		if change.Kind == SecretAdded {
			is = place
		} else {
			was = place
		}
	}
	if layer := foreignTo(is, &c.after, &c.before); layer != "" {
		return c.newLayer(layer, was)
	}
	if layer := foreignTo(was, &c.before, &c.after); layer != "" {
		return c.goneLayer(layer)
	}
	layered := hasLayer(was) || hasLayer(is)
	switch {
	case layered && len(is) == 0:
		return c.covered(CauseHidden, &c.after, &c.before)
	case layered && len(was) == 0:
		return c.covered(CauseUncovered, &c.before, &c.after)
	case layered:
		return c.seenOtherwise()
	}
	cause := c.file(was, is)
	if cause.Kind == CauseFileChanged && change.Kind == LicenseChanged && !c.sameTools {
		return c.seenOtherwise() // more likely so
	}
	return cause
}

// startCause names the end of the way that there is, or was.
func startCause(change *Change) Cause {
	for _, p := range []*Package{change.After, change.Before} {
		if u := p.Usage; u != nil && len(u.Chain) > 0 {
			return Cause{Kind: CauseStart, Path: u.Chain[0]}
		}
	}
	return Cause{Kind: CauseStart}
}

func (c *causes) seenOtherwise() Cause {
	if c.sameTools {
		return Cause{Kind: CauseDocument}
	}
	return Cause{Kind: CauseTool}
}

func placesOf(p *Package) []Location {
	if p == nil {
		return nil
	}
	return p.Locations
}

func hasLayer(places []Location) bool {
	return slices.ContainsFunc(places, func(l Location) bool { return l.Layer != "" })
}

// foreignTo returns the uppermost layer of places that the other side has not.
func foreignTo(places []Location, own, other *side) string {
	layer, top := "", -2
	for _, l := range places {
		if l.Layer == "" || other.known[l.Layer] {
			continue
		}
		if at := own.step(l.Layer); at > top || at == top && l.Layer < layer {
			layer, top = l.Layer, at
		}
	}
	return layer
}

// newLayer is the cause of what a layer brings that the first document has not:
// it replaces the layer that the package was in before, or the one that the same
// step made.
func (c *causes) newLayer(layer string, was []Location) Cause {
	out := Cause{Kind: CauseLayerAdded, Layer: layer}
	if at := c.after.step(layer); at >= 0 {
		out.CreatedBy = c.after.layers[at].CreatedBy
	}
	if out.Was = foreignTo(was, &c.before, &c.after); out.Was == "" {
		out.Was = replaced(out.CreatedBy, &c.before, &c.after)
	}
	if out.Was != "" {
		out.Kind = CauseLayerReplaced
	}
	return out
}

// goneLayer is the cause of what went with a layer.
func (c *causes) goneLayer(layer string) Cause {
	created := ""
	if at := c.before.step(layer); at >= 0 {
		created = c.before.layers[at].CreatedBy
	}
	if by := replaced(created, &c.after, &c.before); by != "" {
		return Cause{Kind: CauseLayerReplaced, Layer: by, Was: layer, CreatedBy: created}
	}
	return Cause{Kind: CauseLayerRemoved, Layer: layer, CreatedBy: created}
}

// replaced returns the only layer of s that the other side has not and that a step
// made, or "".
func replaced(step string, s, other *side) string {
	found := ""
	for _, l := range s.layers {
		if step == "" || l.CreatedBy != step || other.known[l.DiffID] {
			continue
		}
		if found != "" {
			return ""
		}
		found = l.DiffID
	}
	return found
}

// covered is the cause of what a layer hides that only one side has. Where there
// are several, it does not tell which.
func (c *causes) covered(kind CauseKind, s, other *side) Cause {
	out, n := Cause{Kind: kind}, 0
	for _, l := range s.layers {
		if !other.known[l.DiffID] {
			out.Layer, out.CreatedBy = l.DiffID, l.CreatedBy
			n++
		}
	}
	if n != 1 {
		return Cause{Kind: kind}
	}
	return out
}

// file is the cause where no layers are known: a file that only one side has, or
// else one that both have.
func (c *causes) file(was, is []Location) Cause {
	for _, l := range is {
		if !c.before.paths[l.Path] {
			return Cause{Kind: CauseFileAdded, Path: l.Path}
		}
	}
	for _, l := range was {
		if !c.after.paths[l.Path] {
			return Cause{Kind: CauseFileRemoved, Path: l.Path}
		}
	}
	if places := slices.Concat(is, was); len(places) > 0 {
		return Cause{Kind: CauseFileChanged, Path: places[0].Path}
	}
	return c.seenOtherwise()
}
