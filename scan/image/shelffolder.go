package image

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/stella-ops/stella/internal/fault"
)

// layoutFolder is an OCI layout that is also written. What refers to a manifest is listed in
// index.json, where other tools put it too; it has no names there.
type layoutFolder struct {
	layout
	dir string
	ref string
	set *settings
}

const (
	layoutVersion = `{"imageLayoutVersion":"1.0.0"}`
	lockWait      = 10 * time.Second // for others who write to a layout
	lockPause     = 5 * time.Millisecond
)

// openFolder opens DIR[:REF]. Where it may be made, what follows the last colon of a
// path that is not there is its REF.
func openFolder(rest string, set *settings) (*layoutFolder, error) {
	dir, ref := splitPath(rest)
	if set.create && ref == "" && !exists(dir) {
		if i := strings.LastIndexByte(rest, ':'); i > 0 && isTag(rest[i+1:]) {
			dir, ref = rest[:i], rest[i+1:]
		}
	}
	if set.create {
		if err := makeLayout(dir); err != nil {
			return nil, err
		}
	}
	files, err := openDirFiles(dir)
	if err != nil {
		return nil, err
	}
	if _, err := readLayout(files, &set.limits); err != nil {
		return nil, errors.Join(err, files.close())
	}
	return &layoutFolder{layout{files}, dir, ref, set}, nil
}

// makeLayout makes an empty layout of a folder that is not there or is empty.
func makeLayout(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("make the OCI layout %s: %w", dir, reason(err))
	}
	list, err := os.ReadDir(dir)
	if err != nil || len(list) > 0 {
		return err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return fmt.Errorf("make the OCI layout %s: %w", dir, reason(err))
	}
	defer root.Close()
	for _, f := range []struct {
		name string
		text []byte
	}{{"index.json", emptyIndex}, {"oci-layout", []byte(layoutVersion)}} {
		err := replaceIn(root, f.name, func(w io.Writer) error { _, err := w.Write(f.text); return err })
		if err != nil {
			return fmt.Errorf("make the OCI layout %s: %w", dir, err)
		}
	}
	return nil
}

// replaceIn puts a file in place of the one of this name, whole or not at all, and
// reaches nothing outside of root. A crash may leave a file behind whose name ends in
// ".tmp".
func replaceIn(root *os.Root, name string, write func(io.Writer) error) (err error) {
	defer func() {
		if errors.Is(err, fs.ErrPermission) && fault.KindOf(err) == "" {
			err = fmt.Errorf("permission denied: %w", fault.Forbidden)
		}
	}()
	if dir := path.Dir(name); dir != "." {
		if err := root.MkdirAll(dir, 0o755); err != nil {
			return reason(err)
		}
	}
	temporary := fmt.Sprintf("%s.%016x.tmp", name, rand.Uint64())
	f, err := root.OpenFile(temporary, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return reason(err)
	}
	defer func() {
		if err != nil {
			root.Remove(temporary)
		}
	}()
	if err = write(f); err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err = root.Rename(temporary, name); err != nil {
		return reason(err)
	}
	d, err := root.Open(path.Dir(name))
	if err != nil {
		return reason(err)
	}
	defer d.Close()
	if err := d.Sync(); err != nil && !errors.Is(err, errors.ErrUnsupported) && !errors.Is(err, fs.ErrInvalid) && !errors.Is(err, fs.ErrPermission) {
		return reason(err)
	}
	return nil
}

func (f *layoutFolder) where() Reference {
	digest := strings.TrimPrefix(f.ref, "@")
	switch {
	case checkDigest(digest) == nil:
		return Reference{Repository: f.dir, Digest: digest}
	case f.ref == "":
		return Reference{Repository: f.dir, Tag: "latest"}
	}
	return Reference{Repository: f.dir, Tag: f.ref}
}

func (f *layoutFolder) top(ctx context.Context) (*topmost, error) {
	index, err := readLayout(f.files, &f.set.limits)
	if err != nil {
		return nil, err
	}
	chosen, err := byName(index.Manifests, f.ref, f.dir)
	if err != nil {
		return nil, err
	}
	what := "manifest of " + quoteReference(joinRef(f.dir, f.ref))
	if len(chosen) > 1 {
		return &topmost{descriptor{}, nil, &document{Index: true, Manifests: chosen}, what}, nil
	}
	b, _, err := f.document(ctx, chosen[0], what, f.set.limits.Manifest)
	if err != nil {
		return nil, err
	}
	doc, err := parseDocument(b, what, chosen[0].MediaType, &f.set.limits)
	return &topmost{chosen[0], b, doc, what}, err
}

// manifest returns the manifest of a name or digest that index.json has.
func (f *layoutFolder) manifest(ctx context.Context, id, what string, limit int64) ([]byte, string, error) {
	index, err := readLayout(f.files, &f.set.limits)
	if err != nil {
		return nil, "", err
	}
	for _, d := range index.Manifests {
		if d.Ref == id || d.Digest == id || d.Saved == savedAttestations && savedFor(index.Manifests, id) {
			b, _, err := f.document(ctx, d, what, limit)
			return b, d.MediaType, err
		}
	}
	return nil, "", fmt.Errorf("%s: %s has nothing of this name: %w", what, f.dir, fault.NotFound)
}

// referrers are the entries of index.json whose manifests say so, and what cosign has
// saved without listing it.
func (f *layoutFolder) referrers(ctx context.Context, digest string) ([]referrer, error) {
	b, err := readFile(f.files, "index.json", f.set.limits.Manifest)
	if err != nil {
		return nil, err
	}
	all, err := parseReferrers(b, "index.json in "+f.dir, f.set.limits.IndexEntries)
	if err != nil {
		return nil, err
	}
	if slices.ContainsFunc(all, func(r referrer) bool { return r.Saved != "" }) {
		more, err := f.saved(ctx)
		if err != nil {
			return nil, err
		}
		all = append(all, more...)
	}
	var out []referrer
	for _, r := range all {
		if r.MediaType != typeOCIManifest || r.attests() {
			continue
		}
		what := "manifest " + r.Digest
		b, _, err := f.document(ctx, r.descriptor, what, f.set.limits.Manifest)
		var m artifact
		if err == nil {
			err = decode(b, what, &m, documentNames...)
		}
		switch {
		case err != nil && !r.artifact(): // another image's trouble
		case err != nil, m.Subject != nil && m.Subject.Digest == digest:
			out = append(out, r) // what cannot be read is said by who reads it
		}
	}
	return out, nil
}

func (f *layoutFolder) putBlob(ctx context.Context, blob *content) error {
	if f.sound(blob.descriptor) {
		return nil
	}
	root, err := os.OpenRoot(f.dir)
	if err != nil {
		return openError(f.dir, err)
	}
	defer root.Close()
	err = replaceIn(root, blobName(blob.Digest), func(w io.Writer) error {
		rc, err := blob.open(ctx)
		if err != nil {
			return fmt.Errorf("open what is kept: %w", err)
		}
		defer rc.Close()
		_, err = io.Copy(w, &verified{io.NopCloser(io.LimitReader(rc, blob.Size+1)), newHash(blob.Digest), blob.descriptor, 0})
		return err
	})
	if err != nil {
		return fmt.Errorf("blob %s in %s: %w", blob.Digest, f.dir, err)
	}
	return nil
}

// sound reports whether a blob is there, and is what its name says.
func (f *layoutFolder) sound(d descriptor) bool {
	s, err := f.files.open(blobName(d.Digest))
	if err != nil {
		return false
	}
	defer s.Close()
	sum := newHash(d.Digest)
	n, err := io.Copy(sum, s)
	return err == nil && n == d.Size && sumOf(sum, d.Digest) == d.Digest
}

// putManifests keeps the manifests and puts them into index.json, under a lock where
// the system has one.
func (f *layoutFolder) putManifests(ctx context.Context, ms []*written, tag string) (string, error) {
	for _, m := range ms {
		if err := f.putBlob(ctx, contentOf(m.MediaType, m.raw)); err != nil {
			return "", err
		}
	}
	d, err := os.Open(f.dir)
	if err != nil {
		return "", openError(f.dir, err)
	}
	defer d.Close() // and with it the lock
	for start := time.Now(); ; {
		if err = lock(d); !errors.Is(err, fault.Unavailable) || time.Since(start) > lockWait || ctx.Err() != nil {
			break
		}
		time.Sleep(lockPause)
	}
	if err != nil {
		return "", err
	}
	b, err := readFile(f.files, "index.json", f.set.limits.Manifest)
	if err != nil {
		return "", err
	}
	edited := b
	for _, m := range ms {
		if edited, err = withManifest(edited, "index.json in "+f.dir, m, tag, f.set.limits.IndexEntries); err != nil {
			return "", err
		}
	}
	if bytes.Equal(b, edited) {
		return "", nil
	}
	root, err := os.OpenRoot(f.dir)
	if err != nil {
		return "", openError(f.dir, err)
	}
	defer root.Close()
	if err := replaceIn(root, "index.json", func(w io.Writer) error { _, err := w.Write(edited); return err }); err != nil {
		return "", fmt.Errorf("index.json in %s: %w", f.dir, err)
	}
	return "", nil
}

const refName = "org.opencontainers.image.ref.name"

// withManifest adds a manifest to the index of a layout, under a name if there is one.
// Another manifest of this name loses it and stays.
func withManifest(index []byte, what string, m *written, tag string, limit int) ([]byte, error) {
	entry := m.entry()
	entry.ArtifactType = m.ArtifactType
	if tag == "" {
		return withEntry(index, what, entry, limit)
	}
	entry.Annotations = map[string]string{refName: tag}
	have, err := parseReferrers(index, what, limit)
	if err != nil {
		return nil, err
	}
	if slices.ContainsFunc(have, func(r referrer) bool { return r.Digest == m.Digest && r.Ref == tag }) {
		return index, nil
	}
	if len(have) == limit {
		return nil, &fault.LimitError{What: "entries", Where: what, Max: int64(limit), Seen: int64(limit) + 1}
	}
	b, err := json.Marshal(entry, json.Deterministic(true))
	if err != nil {
		return nil, fmt.Errorf("%s: %w: %w", what, jsonReason(err), fault.Invalid)
	}
	return replaceEntries(index, func(old []jsontext.Value) []jsontext.Value {
		for i := range old {
			if have[i].Ref == tag {
				old[i] = withoutName(old[i])
			}
		}
		return append(old, b)
	})
}

// withoutName takes the name from an entry that was parsed.
func withoutName(entry jsontext.Value) jsontext.Value {
	var members, notes map[string]jsontext.Value
	if json.Unmarshal(entry, &members) != nil || json.Unmarshal(members["annotations"], &notes) != nil {
		return entry
	}
	delete(notes, refName)
	b, err := json.Marshal(notes, json.Deterministic(true))
	members["annotations"] = b
	if len(notes) == 0 {
		delete(members, "annotations")
	}
	if out, again := json.Marshal(members, json.Deterministic(true)); err == nil && again == nil {
		return out
	}
	return entry
}
