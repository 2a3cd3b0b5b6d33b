package image

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan"
	"github.com/stella-ops/stella/scan/sbom"
)

// OpenLayout opens an image in an OCI image layout, a folder with oci-layout,
// index.json and blobs (OCI image-spec, image-layout.md). The ref chooses among
// several images, by org.opencontainers.image.ref.name, by full name or by
// digest; it may be empty where there is one, or one for several platforms.
// Links in the folder are not followed. Layers can be read at any place. A nil
// opt means the defaults.
func OpenLayout(ctx context.Context, dir, ref string, opt *Options) (*scan.Image, error) {
	return openLayout(ctx, joinRef(dir, ref), dir, ref, opt)
}

// OpenLayoutArchive opens an image in a tar archive of an OCI image layout, also
// a gzip or zstd compressed one. Otherwise it is like [OpenLayout].
func OpenLayoutArchive(ctx context.Context, file, ref string, opt *Options) (*scan.Image, error) {
	return openLayoutArchive(ctx, joinRef(file, ref), file, ref, opt)
}

func joinRef(path, ref string) string {
	if ref == "" {
		return path
	}
	return path + ":" + ref
}

func openLayout(ctx context.Context, wrote, dir, ref string, opt *Options) (*scan.Image, error) {
	set, err := opt.settings()
	if err != nil {
		return nil, err
	}
	f, err := openDirFiles(dir)
	if err != nil {
		return nil, err
	}
	return layoutImage(ctx, f, wrote, ref, set)
}

func openLayoutArchive(ctx context.Context, wrote, file, ref string, opt *Options) (*scan.Image, error) {
	set, err := opt.settings()
	if err != nil {
		return nil, err
	}
	f, err := openArchive(ctx, file, &set.limits)
	if err != nil {
		return nil, err
	}
	return layoutImage(ctx, f, wrote, ref, set)
}

// layoutImage takes over the files, and closes them when it fails.
func layoutImage(ctx context.Context, f files, wrote, ref string, set *settings) (*scan.Image, error) {
	r := newResolver(set, &layout{f}, wrote)
	m, err := r.layout(ctx, f, ref)
	if err != nil {
		return nil, errors.Join(err, f.close())
	}
	m.Release = f.close
	return m, nil
}

func (r *resolver) layout(ctx context.Context, f files, ref string) (*scan.Image, error) {
	index, err := readLayout(f, &r.set.limits)
	if err != nil {
		return nil, err
	}
	chosen, err := byName(index.Manifests, ref, f.what())
	if err != nil {
		return nil, err
	}
	var names []string
	for _, d := range index.Manifests {
		if !slices.ContainsFunc(chosen, func(c descriptor) bool { return c.Digest == d.Digest }) {
			continue
		}
		for _, name := range []string{d.FullName, d.Ref} {
			if name != "" {
				names = append(names, name)
			}
		}
	}
	var gaps []sbom.Gap
	r.source.Tags, gaps = imageNames(names)
	doc := &document{Index: true, Manifests: chosen}
	var of descriptor
	if len(chosen) == 1 {
		of = chosen[0]
		if doc, err = r.document(ctx, of); err != nil {
			return nil, err
		}
	}
	m, err := r.image(ctx, of, doc)
	if err != nil {
		return nil, err
	}
	m.Gaps = append(m.Gaps, gaps...)
	return m, nil
}

// readLayout checks the layout's version and reads its index.
func readLayout(f files, lim *Limits) (*document, error) {
	const maxVersionFile = 4 << 10
	b, err := readFile(f, "oci-layout", maxVersionFile)
	if errors.Is(err, fault.NotFound) {
		return nil, fmt.Errorf("%s is not an OCI layout: it has no file oci-layout: %w", f.what(), fault.Invalid)
	}
	if err != nil {
		return nil, err
	}
	var v struct {
		Version string `json:"imageLayoutVersion"`
	}
	if err := decode(b, "oci-layout in "+f.what(), &v, "imageLayoutVersion"); err != nil {
		return nil, err
	}
	if !strings.HasPrefix(v.Version, "1.") {
		return nil, fmt.Errorf("%s: OCI layout version %q is not one of 1.x: %w", f.what(), clip(v.Version), fault.Unsupported)
	}
	if b, err = readFile(f, "index.json", lim.Manifest); err != nil {
		return nil, err
	}
	doc, err := parseDocument(b, "index.json in "+f.what(), "", lim)
	if err != nil {
		return nil, err
	}
	if !doc.Index {
		return nil, fmt.Errorf("index.json in %s: it is not an index: %w", f.what(), fault.Invalid)
	}
	return doc, nil
}

// byName takes the entries that ref names. Several are the same image for
// several platforms; entries with different names are not chosen between.
func byName(all []descriptor, ref, where string) ([]descriptor, error) {
	var found []descriptor
	names := map[string]bool{}
	for _, d := range all {
		if d.attests() || ref == "" && d.artifact() {
			continue
		}
		if ref == "" || named(d, ref) {
			found = append(found, d)
			names[d.FullName+" "+d.Ref] = true
		}
	}
	if len(found) == 0 && ref == "" {
		return nil, fmt.Errorf("%s: the index names no image: %w", where, fault.NotFound)
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("%s: no image is named %s; there is %s: %w", where, quoteReference(ref), layoutNames(all), fault.NotFound)
	}
	if one := slices.IndexFunc(found, func(d descriptor) bool { return d.Digest != found[0].Digest }) < 0; one {
		return found[:1], nil
	}
	if ref == "" && len(names) > 1 {
		return nil, fmt.Errorf("%s: there are several images, say which one: %s: %w", where, layoutNames(all), fault.Invalid)
	}
	return found, nil
}

// named reports whether ref names the entry.
func named(d descriptor, ref string) bool {
	if ref == d.Ref || ref == d.FullName || strings.TrimPrefix(ref, "@") == d.Digest {
		return true
	}
	want, err := ParseReference(ref)
	if err != nil {
		return false
	}
	for _, name := range []string{d.Ref, d.FullName} {
		if have, err := ParseReference(name); err == nil && strings.ContainsAny(name, "/:") && have == want {
			return true
		}
	}
	return false
}

func layoutNames(all []descriptor) string {
	var names []string
	for _, d := range all {
		switch {
		case d.FullName != "":
			names = append(names, d.FullName)
		case d.Ref != "":
			names = append(names, d.Ref)
		default:
			names = append(names, d.Digest)
		}
	}
	return listNames(names)
}

// listNames shows names that came from a source, for people to choose from.
func listNames(names []string) string {
	const most = 20
	slices.Sort(names)
	names = slices.Compact(names)
	more := ""
	if len(names) > most {
		names, more = names[:most], fmt.Sprintf(" and %d more", len(names)-most)
	}
	if len(names) == 0 {
		return "no name"
	}
	quoted := make([]string, len(names))
	for i, n := range names {
		quoted[i] = fmt.Sprintf("%q", clip(n))
	}
	return strings.Join(quoted, ", ") + more
}

// layout is the store of an OCI layout.
type layout struct{ files files }

// blobName is where a layout keeps a blob; the digest was checked.
func blobName(digest string) string {
	algorithm, hex, _ := strings.Cut(digest, ":")
	return "blobs/" + algorithm + "/" + hex
}

func (l *layout) document(_ context.Context, d descriptor, what string, limit int64) ([]byte, string, error) {
	if d.Size > limit {
		return nil, "", &fault.LimitError{What: "bytes", Where: what, Max: limit, Seen: d.Size}
	}
	b, err := readFile(l.files, blobName(d.Digest), limit)
	if err != nil {
		return nil, "", fmt.Errorf("%s: %w", what, err)
	}
	return b, "", verify(what, b, d)
}

func (l *layout) holds(_ context.Context, d descriptor) (bool, error) {
	s, err := l.files.open(blobName(d.Digest))
	if errors.Is(err, fault.NotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return true, s.Close()
}

func (l *layout) open(_ context.Context, d descriptor) (io.ReadCloser, error) {
	s, err := l.files.open(blobName(d.Digest))
	if err != nil {
		return nil, fmt.Errorf("layer: %w", err)
	}
	if d.Size >= 0 && s.Size() != d.Size {
		s.Close()
		return nil, &fault.MismatchError{What: "size of layer " + d.Digest, Want: fmt.Sprint(d.Size, " bytes"), Got: fmt.Sprint(s.Size(), " bytes")}
	}
	return s, nil
}
