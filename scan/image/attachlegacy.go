package image

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/stella-ops/stella/internal/fault"
)

// legacySignature is an annotation that cosign takes no layer without. The signature
// of an envelope is in the envelope, so it is empty.
const legacySignature = "dev.cosignproject.cosign/signature"

const typeEnvelope = "application/vnd.dsse.envelope.v1+json"

// AttachLegacy keeps DSSE envelopes where cosign before version 3 keeps and looks for
// them: as layers of one manifest under the tag "sha256-….att". Their media type is
// that of an envelope, whatever the artifacts say; the annotations, such as
// "predicateType", are put on the layers. What they are attached to is as with
// [Attach], which is the better way: here everybody rewrites one manifest, so that
// those who do so at the same moment can undo each other. Layouts have no such tags
// and are ErrUnsupported. A nil opt means the defaults.
func AttachLegacy(ctx context.Context, ref string, envelopes []Artifact, opt *Options) (*Attached, error) {
	set, err := opt.settings()
	if err != nil {
		return nil, err
	}
	if len(envelopes) > MaxArtifacts {
		return nil, &fault.LimitError{What: "artifacts", Where: quoteReference(ref), Max: MaxArtifacts, Seen: int64(len(envelopes))}
	}
	set.actions = writing
	sh, done, err := openShelf(ctx, ref, set)
	if err != nil {
		return nil, err
	}
	defer done()
	s, ok := sh.(*session)
	if !ok {
		return nil, fmt.Errorf("attach to %s: cosign's tags are of registries: %w", quoteReference(ref), fault.Unsupported)
	}
	to, err := subject(ctx, s, set, ref)
	if err != nil {
		return nil, err
	}
	tag := attestationTag(to.Digest)
	if !isTag(tag) {
		return nil, fmt.Errorf("attach to %s: the digest %s is too long for a tag: %w", quoteReference(ref), to.Digest, fault.Unsupported)
	}
	manifest, err := s.attachLegacy(ctx, tag, envelopes)
	if err != nil {
		return nil, fmt.Errorf("attach to %s: %w", quoteReference(ref), err)
	}
	return &Attached{Registry: s.ref.Registry, Repository: s.ref.Repository, Subject: to.Digest, Manifests: []string{manifest}, Tag: tag}, nil
}

// attestationTag is where cosign kept the attestations of a digest.
func attestationTag(digest string) string { return strings.Replace(digest, ":", "-", 1) + ".att" }

// attachLegacy returns the digest of the manifest that has them all.
func (s *session) attachLegacy(ctx context.Context, tag string, envelopes []Artifact) (string, error) {
	var entries []jsonEntry
	for _, e := range envelopes {
		e.MediaType = typeEnvelope
		c, err := e.content()
		if err != nil {
			return "", err
		}
		if err := s.putBlob(ctx, c); err != nil {
			return "", err
		}
		entry := c.entry()
		entry.Annotations = maps.Clone(e.Annotations)
		if entry.Annotations == nil {
			entry.Annotations = map[string]string{}
		}
		if _, ok := entry.Annotations[legacySignature]; !ok {
			entry.Annotations[legacySignature] = ""
		}
		entries = append(entries, entry)
	}
	var last []byte
	err := s.change(ctx, tag, typeOCIManifest, func(b []byte) ([]byte, error) {
		edited, config, err := withLayers(b, "attestations "+tag, entries, &s.set.limits)
		if err == nil && config != nil {
			err = s.putBlob(ctx, config)
		}
		last = edited
		return edited, err
	})
	return digestOf(last, ""), err
}

// withLayers adds layers to a manifest that does not have them, nil for none. It
// returns the config that belongs to it, nil where nothing has changed.
func withLayers(b []byte, what string, entries []jsonEntry, lim *Limits) ([]byte, *content, error) {
	members := map[string]jsontext.Value{"schemaVersion": jsontext.Value("2"), "mediaType": jsontext.Value(`"` + typeOCIManifest + `"`)}
	var layers []jsontext.Value
	var digests []string
	if b != nil {
		doc, err := parseDocument(b, what, typeOCIManifest, lim)
		if err != nil {
			return nil, nil, err
		}
		err = json.Unmarshal(b, &members)
		if err == nil {
			err = json.Unmarshal(members["layers"], &layers)
		}
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %w: %w", what, jsonReason(err), fault.Invalid)
		}
		for _, l := range doc.Layers {
			digests = append(digests, l.Digest)
		}
	}
	before := len(digests)
	for _, e := range entries {
		if slices.Contains(digests, e.Digest) {
			continue
		}
		layer, err := json.Marshal(e, json.Deterministic(true))
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %w: %w", what, jsonReason(err), fault.Invalid)
		}
		layers, digests = append(layers, layer), append(digests, e.Digest)
	}
	if b != nil && len(digests) == before {
		return b, nil, nil
	}
	if len(digests) > lim.Layers {
		return nil, nil, &fault.LimitError{What: "layers", Where: what, Max: int64(lim.Layers), Seen: int64(len(digests))}
	}
	config, err := legacyConfig(digests)
	if err == nil {
		members["config"], err = json.Marshal(config.entry())
	}
	if err == nil {
		members["layers"], err = json.Marshal(layers)
	}
	var edited []byte
	if err == nil {
		edited, err = json.Marshal(members, json.Deterministic(true))
	}
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w: %w", what, jsonReason(err), fault.Invalid)
	}
	return edited, config, nil
}

// legacyConfig is the config of an image that has documents for layers.
func legacyConfig(digests []string) (*content, error) {
	const never = "0001-01-01T00:00:00Z"
	type step struct {
		Created string `json:"created"`
	}
	type files struct {
		Type    string   `json:"type"`
		DiffIDs []string `json:"diff_ids"`
	}
	b, err := canonical(struct {
		Architecture string   `json:"architecture"`
		OS           string   `json:"os"`
		Created      string   `json:"created"`
		Config       struct{} `json:"config"`
		History      []step   `json:"history"`
		RootFS       files    `json:"rootfs"`
	}{Created: never, History: slices.Repeat([]step{{never}}, len(digests)), RootFS: files{"layers", digests}})
	return contentOf(typeOCIConfig, b), err
}
