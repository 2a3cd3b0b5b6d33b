package scan

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"

	"github.com/stella-ops/stella/internal/packed"
	"github.com/stella-ops/stella/scan/layer"
	"github.com/stella-ops/stella/scan/sbom"
)

// composeVersion is raised whenever the same fragments would give another
// document.
const composeVersion = 3

// knowledge names everything but the image that a result depends on.
func (s *Scanner) knowledge() string {
	return fmt.Sprintf("%s fragment=%d limits=%v", s.Analyzers.Identity(), layer.FragmentVersion, s.Limits)
}

// fragmentKey names a layer's fragment. Where the stored bytes have a table of
// contents they count too: it is not part of what the diffID stands for.
func (s *Scanner) fragmentKey(b layer.Blob) string {
	key := "fragment/" + hexDigest(s.knowledge()) + "/" + strings.ReplaceAll(b.DiffID, ":", "-")
	if t := tables(b); t != "" {
		key += "-" + hexDigest(t)
	}
	return key
}

// tables names the stored bytes of a layer with a table of contents, else it is
// empty.
func tables(b layer.Blob) string {
	if len(b.Annotations) == 0 {
		return ""
	}
	words := []string{b.Descriptor.Digest}
	for _, name := range slices.Sorted(maps.Keys(b.Annotations)) {
		words = append(words, name, b.Annotations[name])
	}
	return strings.Join(words, "\x00")
}

func (s *Scanner) documentKey(m *Image) string {
	b, err := json.Marshal(struct {
		Subject  sbom.Subject
		Created  string
		Start    Start
		Gaps     []sbom.Gap
		DiffIDs  []string
		Tables   []string `json:",omitempty"` // of layers that have one
		Know     string
		Composer int
		Shape    string // of the document: packed values have no names
		Tool     sbom.Tool
	}{m.Subject, m.Created, m.Start, m.Gaps, diffIDs(m), layerTables(m), s.knowledge(), composeVersion, packed.Shape(sbom.Document{}), s.tool()}, json.Deterministic(true))
	if err != nil {
		return "" // text that JSON cannot hold: such a document is not kept
	}
	return "document/" + hexDigest(string(b))
}

func diffIDs(m *Image) []string {
	ids := make([]string, len(m.Layers))
	for i, l := range m.Layers {
		ids[i] = l.DiffID
	}
	return ids
}

func layerTables(m *Image) (out []string) {
	for _, l := range m.Layers {
		if t := tables(l); t != "" {
			out = append(out, l.DiffID+"\x00"+t)
		}
	}
	return out
}

func hexDigest(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}

func (s *Scanner) knownDocument(ctx context.Context, key string) *sbom.Document {
	if s.Cache == nil || key == "" {
		return nil
	}
	b, err := s.Cache.Get(ctx, key)
	if err != nil {
		return nil
	}
	doc := new(sbom.Document)
	if packed.Unmarshal(b, doc) != nil {
		return nil
	}
	return doc
}

func (s *Scanner) keepDocument(ctx context.Context, key string, doc *sbom.Document) {
	if s.Cache == nil || key == "" {
		return
	}
	_ = s.Cache.Put(ctx, key, packed.Marshal(doc)) // a cache that is full or gone costs time only
}

// knownFragment returns the fragment of a layer that was read before.
func (r *run) knownFragment(ctx context.Context, key, diffID string) *layer.Fragment {
	if r.Cache == nil {
		return nil
	}
	b, err := r.Cache.Get(ctx, key)
	if err != nil {
		return nil
	}
	f, err := layer.DecodeFragment(b)
	if err == nil {
		r.setDigest(f, layer.Digest(b))
	}
	if err != nil || f.DiffID != diffID || f.Analyzers != r.Analyzers.Identity() {
		return nil
	}
	return f
}

func (r *run) keepFragment(ctx context.Context, key string, f *layer.Fragment) {
	if r.Cache == nil {
		return
	}
	if b, err := f.Encode(); err == nil {
		_ = r.Cache.Put(ctx, key, b) // as above
		r.setDigest(f, layer.Digest(b))
	}
}

// setDigest remembers what was computed anyway.
func (r *run) setDigest(f *layer.Fragment, digest string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.digests == nil {
		r.digests = map[*layer.Fragment]string{}
	}
	r.digests[f] = digest
}

// refer returns a fragment's place in the recipe.
func (r *run) refer(f *layer.Fragment) (sbom.FragmentRef, error) {
	digest := r.digests[f]
	if digest == "" {
		var err error
		if digest, err = f.Digest(); err != nil {
			return sbom.FragmentRef{}, err
		}
	}
	r.recipe = append(r.recipe, f)
	return sbom.FragmentRef{DiffID: f.DiffID, Digest: digest}, nil
}
