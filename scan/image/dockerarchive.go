package image

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan"
	"github.com/stella-ops/stella/scan/layer"
	"github.com/stella-ops/stella/scan/sbom"
)

// OpenDockerArchive opens an image in a tar file as docker save writes it, also
// a gzip or zstd compressed one. The ref, a tag or a config digest, chooses
// among several images; it may be empty where there is one. Layers can be read
// at any place. A nil opt means the defaults.
//
// An archive that has an OCI index beside manifest.json has to name the same
// image in both: which of the two a reader goes by must not matter.
func OpenDockerArchive(ctx context.Context, file, ref string, opt *Options) (*scan.Image, error) {
	return openDockerArchive(ctx, joinRef(file, ref), file, ref, opt)
}

func openDockerArchive(ctx context.Context, wrote, file, ref string, opt *Options) (*scan.Image, error) {
	set, err := opt.settings()
	if err != nil {
		return nil, err
	}
	f, err := openArchive(ctx, file, &set.limits)
	if err != nil {
		return nil, err
	}
	return archiveImage(ctx, f, wrote, ref, set)
}

// archiveImage takes over the files, and closes them when it fails.
func archiveImage(ctx context.Context, f *tarFiles, wrote, ref string, set *settings) (*scan.Image, error) {
	a := &archive{files: f, res: newResolver(set, &layout{f}, wrote)}
	m, err := a.image(ctx, ref)
	if err != nil {
		return nil, errors.Join(err, f.close())
	}
	m.Release = f.close
	return m, nil
}

// archive reads one docker-archive.
type archive struct {
	files *tarFiles
	res   *resolver
}

// saved is an image as manifest.json lists it.
type saved struct {
	Config   string   `json:"Config"`
	RepoTags []string `json:"RepoTags"`
	Layers   []string `json:"Layers"`
}

func (a *archive) image(ctx context.Context, ref string) (*scan.Image, error) {
	lim := &a.res.set.limits
	all, err := a.list(ref, lim)
	if err != nil {
		return nil, err
	}
	img, err := a.choose(all, ref)
	if err != nil {
		return nil, err
	}
	cfg, err := a.config(img.Config, lim)
	if err != nil {
		return nil, err
	}
	if err := a.res.checkPlatform(cfg); err != nil {
		return nil, err
	}
	if len(img.Layers) != len(cfg.diffIDs) {
		return nil, fmt.Errorf("manifest.json in %s: it lists %d layers, the image config %s has %d diff_ids: %w", a.files.name, len(img.Layers), cfg.digest, len(cfg.diffIDs), fault.Invalid)
	}
	if err := a.crossCheck(ctx, cfg); err != nil {
		return nil, err
	}
	src := &a.res.source
	var gaps []sbom.Gap
	src.Tags, gaps = imageNames(img.RepoTags)
	m := &scan.Image{Subject: cfg.subject(), Created: cfg.created, Start: cfg.start, Source: src, Gaps: append(cfg.gaps, gaps...)}
	for i, name := range img.Layers {
		b, err := a.blob(name, cfg.diffIDs[i])
		if err != nil {
			return nil, err
		}
		b.CreatedBy = cfg.line(i)
		m.Layers = append(m.Layers, b)
	}
	return m, nil
}

// list reads manifest.json, or what archives had before it.
func (a *archive) list(ref string, lim *Limits) ([]saved, error) {
	what := "manifest.json in " + a.files.name
	b, err := readFile(a.files, "manifest.json", lim.Manifest)
	if errors.Is(err, fault.NotFound) {
		return a.legacy(ref, lim)
	}
	if err != nil {
		return nil, err
	}
	return parseSaved(b, what, lim)
}

func parseSaved(b []byte, what string, lim *Limits) ([]saved, error) {
	all, err := listDocument[saved](b, what, lim.ArchiveImages, "Config", "RepoTags", "Layers")
	if err != nil {
		return nil, err
	}
	for i, img := range all {
		if img.Config == "" {
			return nil, fmt.Errorf("%s: entry %d: it has no Config: %w", what, i, fault.Invalid)
		}
		if len(img.Layers) > lim.Layers {
			return nil, &fault.LimitError{What: "layers", Where: what, Max: int64(lim.Layers), Seen: int64(len(img.Layers))}
		}
	}
	return all, nil
}

// choose takes the image that ref names, or the only one.
func (a *archive) choose(all []saved, ref string) (saved, error) {
	var found []saved
	var names []string
	for _, img := range all {
		if len(img.RepoTags) == 0 {
			names = append(names, img.Config)
		}
		names = append(names, img.RepoTags...)
		if ref == "" || img.named(ref) {
			found = append(found, img)
		}
	}
	same := func(img saved) bool {
		return img.Config != found[0].Config || !slices.Equal(img.Layers, found[0].Layers)
	}
	switch {
	case len(all) == 0:
		return saved{}, fmt.Errorf("%s: the archive has no image: %w", a.files.name, fault.NotFound)
	case len(found) == 0:
		return saved{}, fmt.Errorf("%s: no image is named %s; there is %s: %w", a.files.name, quoteReference(ref), listNames(names), fault.NotFound)
	case slices.ContainsFunc(found, same):
		return saved{}, fmt.Errorf("%s: there are several images, say which one: %s: %w", a.files.name, listNames(names), fault.Invalid)
	}
	return found[0], nil
}

// named reports whether ref is one of the image's tags or its config digest.
func (s *saved) named(ref string) bool {
	if d := digestInName(s.Config); d != "" && (ref == d || "sha256:"+ref == d) {
		return true
	}
	want, err := ParseReference(ref)
	for _, tag := range s.RepoTags {
		if tag == ref {
			return true
		}
		if have, e := ParseReference(tag); err == nil && e == nil && have == want {
			return true
		}
	}
	return false
}

// config reads the image config. Its file name says its digest, by every tool
// that writes archives; where it does, it has to be right.
func (a *archive) config(name string, lim *Limits) (*config, error) {
	b, err := readFile(a.files, name, lim.Config)
	if err != nil {
		return nil, fmt.Errorf("image config: %w", err)
	}
	digest := digestOf(b, "")
	if want := digestInName(name); want != "" && want != digest {
		return nil, &fault.MismatchError{What: fmt.Sprintf("digest of image config %q in %s", clip(name), a.files.name), Want: want, Got: digest}
	}
	return parseConfig(b, digest, lim)
}

// digestInName finds the SHA-256 digest that a file is named by: HEX.json,
// sha256:HEX or blobs/sha256/HEX.
func digestInName(name string) string {
	base := strings.TrimSuffix(path.Base(name), ".json")
	d := "sha256:" + strings.TrimPrefix(base, "sha256:")
	if checkDigest(d) != nil {
		return ""
	}
	return d
}

// blob is one layer file. Its diffID is what it is verified by; a compressed
// layer of the OCI kind is named by its own digest too.
func (a *archive) blob(name, diffID string) (layer.Blob, error) {
	s, err := a.files.open(name)
	if err != nil {
		return layer.Blob{}, fmt.Errorf("layer %s: %w", diffID, err)
	}
	d := sbom.Descriptor{Size: s.Size()}
	if hex, ok := strings.CutPrefix(cleanName(name), "blobs/sha256/"); ok && "sha256:"+hex != diffID && checkDigest("sha256:"+hex) == nil {
		d.Digest = "sha256:" + hex
	}
	open := func(context.Context) (io.ReadCloser, error) { return a.files.open(name) }
	return layer.Blob{DiffID: diffID, Descriptor: d, Open: open}, nil
}

// crossCheck looks for the image in the OCI index of the archive, if it has one.
// Not every platform of a saved index is in the archive, so manifests may be
// missing; but where there are some, one must be of this image.
func (a *archive) crossCheck(ctx context.Context, cfg *config) error {
	if _, ok := a.files.index["index.json"]; !ok {
		return nil
	}
	index, err := readLayout(a.files, &a.res.set.limits)
	if err != nil {
		return err
	}
	seen := map[string]bool{}
	others, err := a.find(ctx, index, "", cfg, seen, 1)
	if err != nil || a.res.source.Manifest != "" || others == 0 {
		return err
	}
	return fmt.Errorf("%s: manifest.json names the image %s, index.json names only others: readers would take different images: %w", a.files.name, cfg.digest, fault.Invalid)
}

// find searches an index for the manifest of cfg and counts the other images.
func (a *archive) find(ctx context.Context, index *document, digest string, cfg *config, seen map[string]bool, depth int) (others int, err error) {
	for _, d := range index.Manifests {
		if seen[d.Digest] || d.attests() || !isIndexType(d.MediaType) && !isManifestType(d.MediaType) {
			continue
		}
		seen[d.Digest] = true
		switch lim := &a.res.set.limits; {
		case len(seen) > lim.IndexEntries:
			return others, &fault.LimitError{What: "index entries", Where: a.files.name, Max: int64(lim.IndexEntries), Seen: int64(len(seen))}
		case depth > lim.IndexDepth:
			return others, &fault.LimitError{What: "depth of indexes in indexes", Where: a.files.name, Max: int64(lim.IndexDepth), Seen: int64(depth)}
		}
		doc, err := a.res.document(ctx, d)
		switch {
		case errors.Is(err, fault.NotFound):
			continue
		case err != nil:
			return others, err
		case doc.Index:
			n, err := a.find(ctx, doc, d.Digest, cfg, seen, depth+1)
			if others += n; err != nil || a.res.source.Manifest != "" {
				return others, err
			}
		case doc.Config.Digest == cfg.digest:
			return others, a.found(d, doc, digest, cfg)
		case isConfigType(doc.Config.MediaType):
			others++
		}
	}
	return others, nil
}

// found notes what the index says of the image.
func (a *archive) found(d descriptor, doc *document, index string, cfg *config) error {
	if len(doc.Layers) != len(cfg.diffIDs) {
		return fmt.Errorf("manifest %s in %s: it has %d layers, the image config has %d diff_ids: %w", d.Digest, a.files.name, len(doc.Layers), len(cfg.diffIDs), fault.Invalid)
	}
	src := &a.res.source
	src.Manifest, src.MediaType, src.Index = d.Digest, doc.MediaType, index
	for _, l := range doc.Layers {
		src.Layers = append(src.Layers, l.stored())
	}
	return nil
}
