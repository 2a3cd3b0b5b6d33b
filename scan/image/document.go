package image

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"maps"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/layer"
	"github.com/stella-ops/stella/scan/sbom"
)

// descriptor names a blob (OCI image-spec, descriptor.md).
type descriptor struct {
	MediaType    string
	Digest       string
	Size         int64 // -1: not named
	Foreign      bool  // names other places to get the blob from
	Data         []byte
	Platform     *platform
	ArtifactType string
	Ref          string            // org.opencontainers.image.ref.name
	FullName     string            // io.containerd.image.name
	Attestation  bool              // BuildKit's attestation manifests
	Saved        string            // what it is in a layout that cosign has saved
	Tables       map[string]string // annotations that lead to a table of contents, see layer.Blob
}

// attests reports whether the entry of an index is not an image to run but a
// statement about one.
func (d descriptor) attests() bool {
	return d.Attestation || d.Saved == savedSignatures || d.Saved == savedAttestations || d.Platform != nil && !d.Platform.known() && *d.Platform != platform{}
}

// artifact reports whether the entry of an index says to be of an artifact that is
// no image.
func (d descriptor) artifact() bool { return d.ArtifactType != "" && !isConfigType(d.ArtifactType) }

func (d descriptor) stored() sbom.Descriptor {
	return sbom.Descriptor{MediaType: d.MediaType, Digest: d.Digest, Size: d.Size}
}

// jsonDescriptor is a descriptor as it is written.
type jsonDescriptor struct {
	MediaType    string         `json:"mediaType"`
	Digest       string         `json:"digest"`
	Size         *int64         `json:"size"`
	URLs         jsontext.Value `json:"urls"`
	Data         string         `json:"data"`
	ArtifactType string         `json:"artifactType"`
	Platform     *jsonPlatform  `json:"platform"`
	Annotations  *struct {
		RefName   string `json:"org.opencontainers.image.ref.name"`
		FullName  string `json:"io.containerd.image.name"`
		Reference string `json:"vnd.docker.reference.type"`
		Kind      string `json:"kind"`

		StargzDigest      string `json:"containerd.io/snapshot/stargz/toc.digest"`
		ChunkedDigest     string `json:"io.github.containers.zstd-chunked.manifest-checksum"`
		ChunkedPosition   string `json:"io.github.containers.zstd-chunked.manifest-position"`
		ChunkedDigestV0   string `json:"io.containers.zstd-chunked.manifest-checksum"`
		ChunkedPositionV0 string `json:"io.containers.zstd-chunked.manifest-position"`
	} `json:"annotations"`
}

type jsonPlatform struct {
	OS           string `json:"os"`
	Architecture string `json:"architecture"`
	Variant      string `json:"variant"`
}

var descriptorNames = []string{"mediaType", "digest", "size", "urls", "data", "artifactType", "platform", "annotations"}

// descriptor checks what was written.
func (j *jsonDescriptor) descriptor(what string) (descriptor, error) {
	invalid := func(format string, args ...any) (descriptor, error) {
		return descriptor{}, fmt.Errorf("%s: %s: %w", what, fmt.Sprintf(format, args...), fault.Invalid)
	}
	d := descriptor{MediaType: j.MediaType, Digest: j.Digest, ArtifactType: j.ArtifactType}
	if err := checkDigest(j.Digest); err != nil {
		return d, fmt.Errorf("%s: %w", what, err)
	}
	if j.MediaType == "" {
		return invalid("%s has no media type", j.Digest)
	}
	switch {
	case j.Size == nil:
		return invalid("%s has no size", j.Digest)
	case *j.Size < 0:
		return invalid("%s has size %d", j.Digest, *j.Size)
	case *j.Size == 0 && j.Digest != digestOf(nil, j.Digest):
		return invalid("%s has size 0, but it is not the digest of nothing", j.Digest)
	}
	d.Size = *j.Size
	urls, err := list[string](j.URLs, what+": urls", maxURLs)
	if err != nil {
		return d, err
	}
	d.Foreign = len(urls) > 0
	if j.Data != "" {
		if d.Data, err = base64.StdEncoding.DecodeString(j.Data); err != nil {
			return invalid("%s: data is not base64", j.Digest)
		}
		if err := verify("data of "+what, d.Data, d); err != nil {
			return d, err
		}
	}
	if p := j.Platform; p != nil {
		d.Platform = &platform{p.OS, p.Architecture, p.Variant}
		if err := d.Platform.check(); err != nil {
			return invalid("%s: %v", j.Digest, err)
		}
	}
	if a := j.Annotations; a != nil {
		d.Ref, d.FullName = a.RefName, a.FullName
		d.Attestation = a.Reference == "attestation-manifest"
		if strings.HasPrefix(a.Kind, savedPrefix) {
			d.Saved = a.Kind
		}
		d.Tables = map[string]string{
			layer.StargzDigest: a.StargzDigest, layer.ChunkedDigest: a.ChunkedDigest, layer.ChunkedPosition: a.ChunkedPosition,
			layer.ChunkedDigestV0: a.ChunkedDigestV0, layer.ChunkedPositionV0: a.ChunkedPositionV0,
		}
		maps.DeleteFunc(d.Tables, func(_, value string) bool { return value == "" })
	}
	return d, nil
}

// maxURLs bounds the places that one descriptor names.
const maxURLs = 100

func descriptors(raw jsontext.Value, what string, limit int) ([]descriptor, error) {
	js, err := list[jsonDescriptor](raw, what, limit, descriptorNames...)
	if err != nil {
		return nil, err
	}
	out := make([]descriptor, len(js))
	for i := range js {
		if out[i], err = js[i].descriptor(fmt.Sprintf("%s: entry %d", what, i)); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// document is a manifest or an index.
type document struct {
	MediaType string
	Index     bool
	Config    descriptor   // of a manifest
	Layers    []descriptor // of a manifest
	Manifests []descriptor // of an index
}

type jsonDocument struct {
	SchemaVersion int            `json:"schemaVersion"`
	MediaType     string         `json:"mediaType"`
	Config        jsontext.Value `json:"config"`
	Layers        jsontext.Value `json:"layers"`
	Manifests     jsontext.Value `json:"manifests"`
	FSLayers      jsontext.Value `json:"fsLayers"`
}

var documentNames = []string{"schemaVersion", "mediaType", "config", "layers", "manifests", "fsLayers", "artifactType", "subject", "annotations"}

// parseDocument reads a manifest or an index. The media type is what the
// document was named or served as; vague ones leave it to the document.
func parseDocument(b []byte, what, mediaType string, lim *Limits) (*document, error) {
	if isSchema1(mediaType) {
		return nil, schema1(what)
	}
	if !isVagueType(mediaType) && !isIndexType(mediaType) && !isManifestType(mediaType) {
		return nil, fmt.Errorf("%s: media type %q is neither an image manifest nor an index: %w", what, clip(mediaType), fault.Unsupported)
	}
	var j jsonDocument
	if err := decode(b, what, &j, documentNames...); err != nil {
		return nil, err
	}
	if err := j.check(what, mediaType); err != nil {
		return nil, err
	}
	// Docker writes an index of nothing with null for its manifests.
	doc := &document{MediaType: j.MediaType, Index: present(j.Manifests) || !present(j.Config)}
	if doc.MediaType == "" {
		doc.MediaType = mediaType
	}
	if isVagueType(doc.MediaType) { // neither says, and OCI does not ask them to
		doc.MediaType = typeOCIManifest
		if doc.Index {
			doc.MediaType = typeOCIIndex
		}
	}
	if doc.Index != isIndexType(doc.MediaType) {
		return nil, fmt.Errorf("%s: its media type is %q, which its members contradict: %w", what, clip(doc.MediaType), fault.Invalid)
	}
	return doc, doc.members(&j, what, lim)
}

// check refuses documents that two readers could take for different things.
func (j *jsonDocument) check(what, mediaType string) error {
	invalid := func(format string, args ...any) error {
		return fmt.Errorf("%s: %s: %w", what, fmt.Sprintf(format, args...), fault.Invalid)
	}
	switch {
	case j.SchemaVersion == 1 || isSchema1(j.MediaType):
		return schema1(what)
	case j.SchemaVersion != 2:
		return invalid("schemaVersion is %d, not 2", j.SchemaVersion)
	case present(j.Manifests) && (present(j.Layers) || present(j.Config)):
		return invalid("it is an index (manifests) and an image (layers, config) at once")
	case present(j.FSLayers):
		return invalid("it has fsLayers, which belong to schema 1")
	case j.MediaType != "" && !isIndexType(j.MediaType) && !isManifestType(j.MediaType):
		return fmt.Errorf("%s: media type %q is neither an image manifest nor an index: %w", what, clip(j.MediaType), fault.Unsupported)
	case j.MediaType != "" && !isVagueType(mediaType) && j.MediaType != mediaType:
		return invalid("it says media type %q, but was named or served as %q", clip(j.MediaType), mediaType)
	case !present(j.Manifests) && !present(j.Config) && !isIndexType(j.MediaType):
		return invalid("it has neither config nor manifests")
	}
	return nil
}

func (doc *document) members(j *jsonDocument, what string, lim *Limits) (err error) {
	if doc.Index {
		doc.Manifests, err = descriptors(j.Manifests, what+": manifests", lim.IndexEntries)
		return err
	}
	if !present(j.Layers) {
		return fmt.Errorf("%s: it has no layers: %w", what, fault.Invalid)
	}
	var config jsonDescriptor
	if err := decode(j.Config, what+": config", &config, descriptorNames...); err != nil {
		return err
	}
	if doc.Config, err = config.descriptor(what + ": config"); err != nil {
		return err
	}
	doc.Layers, err = descriptors(j.Layers, what+": layers", lim.Layers)
	return err
}

func present(v jsontext.Value) bool {
	return len(v) > 0 && !bytes.Equal(bytes.TrimSpace(v), []byte("null"))
}

func schema1(what string) error {
	return fmt.Errorf("%s: Docker schema 1 manifests, which registries gave up, are not read; push the image again with a current tool: %w", what, fault.Unsupported)
}
