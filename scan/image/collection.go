package image

import (
	"context"
	"fmt"
	"io"
	"maps"

	"github.com/stella-ops/stella/internal/fault"
)

// MaxDocuments bounds the documents of a collection.
const MaxDocuments = 10_000

// Collection is several documents that are kept as one artifact, each as a layer, in
// their order. Those that another version of it has as well are kept once and sent
// once. Equal collections become equal manifests.
type Collection struct {
	// Type is the artifact type, what the documents are for. It must not be empty.
	Type string
	// Annotations are put on the manifest; nil means none.
	Annotations map[string]string
	// Documents are at least one. Their own Type is to be empty, and their Annotations
	// are put on the layers.
	Documents []Artifact
	// Version, where it is not empty, makes a second tag, which is written before that of
	// the reference: itself beside "latest", and TAG-Version beside any other TAG.
	Version string
}

// tags are all that it is called, in the order in which they are written.
func (c *Collection) tags(tag string) []string {
	switch {
	case c.Version == "":
		return []string{tag}
	case tag == "latest":
		return []string{c.Version, tag}
	}
	return []string{tag + "-" + c.Version, tag}
}

// PushCollection keeps a collection under a tag; it is as with [Push] otherwise. The
// manifest is written after all documents, and a tag leads to it only then: whoever
// pulls finds the version before or this one. Digest and Size of what is returned are
// those of the manifest.
func PushCollection(ctx context.Context, ref string, c Collection, opt *Options) (*Pushed, error) {
	set, err := opt.settings()
	if err != nil {
		return nil, err
	}
	m, blobs, err := c.manifest(&set.limits)
	if err != nil {
		return nil, fmt.Errorf("push to %s: %w", quoteReference(ref), err)
	}
	set.actions, set.create = writing, true
	sh, done, err := openShelf(ctx, ref, set)
	if err != nil {
		return nil, err
	}
	defer done()
	at := sh.where()
	tags := c.tags(at.Tag)
	for _, tag := range tags {
		if !isTag(tag) || at.Digest != "" {
			return nil, fmt.Errorf("push to %s: an artifact is called by a tag, which this is not: %q: %w", quoteReference(ref), clip(tag), fault.Invalid)
		}
	}
	for _, tag := range tags {
		if _, err = write(ctx, sh, []*written{m}, tag, blobs...); err != nil {
			return nil, fmt.Errorf("push to %s: %w", quoteReference(ref), err)
		}
		blobs = nil // they are there
	}
	return &Pushed{at.Registry, at.Repository, at.Tag, m.Digest, m.Digest, m.Size}, nil
}

// manifest checks the collection, and returns what leads to it and what it needs.
func (c *Collection) manifest(lim *Limits) (*written, []*content, error) {
	invalid := func(format string, args ...any) (*written, []*content, error) {
		return nil, nil, fmt.Errorf("artifact %q: %s: %w", clip(c.Type), fmt.Sprintf(format, args...), fault.Invalid)
	}
	whole := Artifact{MediaType: c.Type, Annotations: c.Annotations}
	if _, err := whole.content(); err != nil {
		return nil, nil, err
	}
	switch {
	case len(c.Documents) == 0:
		return invalid("it has no document")
	case len(c.Documents) > MaxDocuments:
		return nil, nil, &fault.LimitError{What: "documents", Where: c.Type, Max: MaxDocuments, Seen: int64(len(c.Documents))}
	}
	config := contentOf(typeEmpty, emptyConfig)
	m := jsonManifest{SchemaVersion: 2, MediaType: typeOCIManifest, ArtifactType: c.Type, Config: config.entry(), Annotations: c.Annotations}
	var blobs []*content
	there := map[string]bool{config.Digest: true}
	for i := range c.Documents {
		d := &c.Documents[i]
		if d.Type != "" {
			return invalid("document %d has a type of its own, %q", i, clip(d.Type))
		}
		blob, err := d.content()
		if err != nil {
			return nil, nil, err
		}
		layer := blob.entry()
		layer.Annotations = d.Annotations
		m.Layers = append(m.Layers, layer)
		if !there[blob.Digest] {
			blobs = append(blobs, blob)
		}
		there[blob.Digest] = true
	}
	w, err := m.encode("")
	if err == nil && w.Size > lim.Manifest {
		err = &fault.LimitError{What: "bytes of the manifest", Where: c.Type, Max: lim.Manifest, Seen: w.Size}
	}
	return w, append(blobs, config), err
}

// PulledCollection is an artifact of any number of documents that was found. They are
// read when they are asked for, until it is closed; it is safe for concurrent use.
// Nothing in it is to be believed before a signature was checked.
type PulledCollection struct {
	// Registry and Repository are where; for a layout, "" and its folder.
	Registry, Repository string
	// Manifest is the digest of its manifest.
	Manifest string
	// Type is the artifact type; "" where the manifest has none.
	Type string
	// Annotations are those of the manifest.
	Annotations map[string]string
	// Documents are the layers, in their order.
	Documents []PulledDocument

	shelf shelf
	done  func()
}

// PulledDocument says what a document of an artifact is.
type PulledDocument struct {
	MediaType, Digest string
	Size              int64
	Annotations       map[string]string
}

// PullCollection finds an artifact that [PushCollection] has put there, by tag or
// digest. What a tag leads to is looked up once, so that all documents are of one
// version; in a layout, too, it is "latest" where none is named. Otherwise it is as with
// [Pull]. The caller closes it. A nil opt means the
// defaults.
func PullCollection(ctx context.Context, ref string, opt *Options) (*PulledCollection, error) {
	set, err := opt.settings()
	if err != nil {
		return nil, err
	}
	sh, done, err := openShelf(ctx, ref, set)
	if err != nil {
		return nil, err
	}
	if f, ok := sh.(*layoutFolder); ok && f.ref == "" {
		f.ref = f.where().Tag
	}
	p := &PulledCollection{Registry: sh.where().Registry, Repository: sh.where().Repository, shelf: sh, done: done}
	if err := p.find(ctx, ref, &set.limits); err != nil {
		done()
		return nil, err
	}
	return p, nil
}

func (p *PulledCollection) find(ctx context.Context, ref string, lim *Limits) error {
	top, err := p.shelf.top(ctx)
	if err != nil {
		return err
	}
	what := "artifact " + quoteReference(ref)
	switch {
	case top.doc.Index:
		return fmt.Errorf("%s: it is an index: %w", what, fault.Unsupported)
	case isConfigType(top.doc.Config.MediaType):
		return fmt.Errorf("%s: it is an image: %w", what, fault.Unsupported)
	case len(top.doc.Layers) > MaxDocuments:
		return &fault.LimitError{What: "documents", Where: what, Max: MaxDocuments, Seen: int64(len(top.doc.Layers))}
	}
	var m artifact
	if err := decode(top.raw, what, &m, documentNames...); err != nil {
		return err
	}
	notes, err := annotations(m.Layers, what+": layers", lim.Layers)
	if err != nil {
		return err
	}
	p.Manifest, p.Type, p.Annotations = top.Digest, m.ArtifactType, maps.Clone(m.Annotations)
	for i, l := range top.doc.Layers {
		if l.Size > MaxArtifact {
			return &fault.LimitError{What: "bytes of an artifact", Where: what, Max: MaxArtifact, Seen: l.Size}
		}
		p.Documents = append(p.Documents, PulledDocument{l.MediaType, l.Digest, l.Size, notes[i]})
	}
	return nil
}

// Close ends the connection.
func (p *PulledCollection) Close() error {
	p.done()
	return nil
}

// Open returns the document of a number from the start, as with [Pulled.Open].
func (p *PulledCollection) Open(ctx context.Context, i int) (io.ReadCloser, error) {
	if i < 0 || i >= len(p.Documents) {
		return nil, fmt.Errorf("document %d of %d: %w", i, len(p.Documents), fault.Invalid)
	}
	d := p.Documents[i]
	blob := descriptor{MediaType: d.MediaType, Digest: d.Digest, Size: d.Size}
	rc, err := p.shelf.open(ctx, blob)
	if err != nil {
		return nil, err
	}
	return &verified{rc, newHash(d.Digest), blob, 0}, nil
}
