package image

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/stella-ops/stella/internal/fault"
)

// The bounds of what is written.
const (
	MaxArtifact    = 64 << 30 // bytes of one artifact
	MaxArtifacts   = 100      // artifacts attached in one call
	MaxAnnotations = 64 << 10 // bytes of the annotations of one artifact
	maxType        = 255      // bytes of a media type (RFC 6838, section 4.2, has 127 for each half)
)

// typeEmpty is the config of a manifest that needs none (OCI image-spec 1.1,
// "Guidance for an Empty Descriptor").
const typeEmpty = "application/vnd.oci.empty.v1+json"

var emptyConfig = []byte("{}")

// Artifact is a document to be kept in a registry or a layout, by itself or beside
// an image. Equal artifacts become equal manifests: nothing is added to them, no
// time and no name of a host.
type Artifact struct {
	// Type is the artifact type, what the document is for; "" means MediaType.
	Type string
	// MediaType is the format of its bytes. It must not be empty.
	MediaType string
	// Annotations are put on the manifest; nil means none.
	Annotations map[string]string

	// Content is the document, where it fits into memory; Open is nil then.
	Content []byte
	// Open returns the bytes from the start, for a document that is large. It is
	// called again for every new try. Digest and Size have to be known first.
	Open   func(context.Context) (io.ReadCloser, error)
	Digest string
	Size   int64
}

// content is a blob on its way to where it will be kept.
type content struct {
	descriptor
	open func(context.Context) (io.ReadCloser, error)
}

// contentOf is a blob in memory.
func contentOf(mediaType string, b []byte) *content {
	return &content{
		descriptor{MediaType: mediaType, Digest: digestOf(b, ""), Size: int64(len(b))},
		func(context.Context) (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b)), nil },
	}
}

// content checks the artifact and returns its bytes.
func (a *Artifact) content() (*content, error) {
	invalid := func(format string, args ...any) (*content, error) {
		return nil, fmt.Errorf("artifact %q: %s: %w", clip(cmp.Or(a.Type, a.MediaType)), fmt.Sprintf(format, args...), fault.Invalid)
	}
	size := 0
	for k, v := range a.Annotations {
		if size += len(k) + len(v); k == "" || !utf8.ValidString(k) || !utf8.ValidString(v) {
			return invalid("annotation %q has an empty name or is not UTF-8", clip(k))
		}
	}
	switch {
	case !isMediaType(a.MediaType):
		return invalid("media type %q is not type/subtype", clip(a.MediaType))
	case a.Type != "" && !isMediaType(a.Type):
		return invalid("artifact type %q is not type/subtype", clip(a.Type))
	case size > MaxAnnotations:
		return nil, &fault.LimitError{What: "bytes of annotations", Where: a.MediaType, Max: MaxAnnotations, Seen: int64(size)}
	case a.Open != nil && a.Content != nil:
		return invalid("it has both Content and Open")
	}
	if a.Open == nil {
		c := contentOf(a.MediaType, a.Content)
		if a.Digest != "" && a.Digest != digestOf(a.Content, a.Digest) || a.Size != 0 && a.Size != c.Size {
			return nil, &fault.MismatchError{What: "content of an artifact", Want: fmt.Sprint(a.Digest, ", ", a.Size, " bytes"), Got: fmt.Sprint(c.Digest, ", ", c.Size, " bytes")}
		}
		return c, nil
	}
	if err := checkDigest(a.Digest); err != nil {
		return nil, fmt.Errorf("artifact %q: %w", a.MediaType, err)
	}
	switch {
	case a.Size < 0, a.Size == 0 && a.Digest != digestOf(nil, a.Digest):
		return invalid("size %d does not fit its digest", a.Size)
	case a.Size > MaxArtifact:
		return nil, &fault.LimitError{What: "bytes of an artifact", Where: a.MediaType, Max: MaxArtifact, Seen: a.Size}
	}
	return &content{descriptor{MediaType: a.MediaType, Digest: a.Digest, Size: a.Size}, a.Open}, nil
}

// isMediaType matches type/subtype of RFC 6838, with parameters as some bundles
// have them.
func isMediaType(s string) bool {
	kind, sub, ok := strings.Cut(s, "/")
	return ok && kind != "" && sub != "" && len(s) <= maxType && !strings.Contains(sub, "/") &&
		strings.IndexFunc(s, func(c rune) bool { return !isAlnum(c) && !strings.ContainsRune("!#$&-^_.+/;=", c) }) < 0
}

// written is a manifest to be kept.
type written struct {
	descriptor
	raw         []byte
	annotations map[string]string
	subject     string // digest, "" where it refers to none
}

// jsonManifest is an image manifest as it is written (OCI image-spec 1.1).
type jsonManifest struct {
	SchemaVersion int               `json:"schemaVersion"`
	MediaType     string            `json:"mediaType"`
	ArtifactType  string            `json:"artifactType,omitzero"`
	Config        jsonEntry         `json:"config"`
	Layers        []jsonEntry       `json:"layers"`
	Subject       *jsonEntry        `json:"subject,omitzero"`
	Annotations   map[string]string `json:"annotations,omitempty"`
}

// jsonEntry is a descriptor as it is written.
type jsonEntry struct {
	MediaType    string            `json:"mediaType"`
	Digest       string            `json:"digest"`
	Size         int64             `json:"size"`
	ArtifactType string            `json:"artifactType,omitzero"`
	Annotations  map[string]string `json:"annotations,omitempty"`
}

func (d descriptor) entry() jsonEntry {
	return jsonEntry{MediaType: d.MediaType, Digest: d.Digest, Size: d.Size}
}

// manifest is what leads to the artifact; a subject makes it a referrer.
func (a *Artifact) manifest(c *content, subject *descriptor) (*written, error) {
	m := jsonManifest{
		SchemaVersion: 2, MediaType: typeOCIManifest, ArtifactType: cmp.Or(a.Type, a.MediaType),
		Config: contentOf(typeEmpty, emptyConfig).entry(), Layers: []jsonEntry{c.entry()}, Annotations: a.Annotations,
	}
	if subject == nil {
		return m.encode("")
	}
	s := subject.entry()
	m.Subject = &s
	return m.encode(subject.Digest)
}

// encode writes the manifest as canonical JSON (RFC 8785): one manifest, one digest.
func (m *jsonManifest) encode(subject string) (*written, error) {
	b, err := canonical(m)
	if err != nil {
		return nil, fmt.Errorf("write a manifest: %w: %w", jsonReason(err), fault.Invalid)
	}
	d := descriptor{MediaType: typeOCIManifest, Digest: digestOf(b, ""), Size: int64(len(b)), ArtifactType: m.ArtifactType}
	return &written{d, b, maps.Clone(m.Annotations), subject}, nil
}

func canonical(v any) ([]byte, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	value := jsontext.Value(b)
	err = value.Canonicalize()
	return value, err
}
