package image

import "time"

// BundleMediaType is the media type, and the artifact type, of Sigstore bundles.
const BundleMediaType = "application/vnd.dev.sigstore.bundle.v0.3+json"

// BundleArtifact is a Sigstore bundle 0.3 as cosign since version 3 attaches it: with
// the type of the predicate that its envelope has, which tools show and choose by, or
// "" for a bundle without an envelope. The time of creation is said only if it is not
// zero: without it, the same bundle is the same artifact whenever it is attached.
func BundleArtifact(bundle []byte, predicateType string, created time.Time) Artifact {
	notes := map[string]string{"dev.sigstore.bundle.content": "message-signature"}
	if predicateType != "" {
		notes["dev.sigstore.bundle.content"] = "dsse-envelope"
		notes["dev.sigstore.bundle.predicateType"] = predicateType
	}
	if !created.IsZero() {
		notes["org.opencontainers.image.created"] = created.UTC().Format(time.RFC3339)
	}
	return Artifact{Type: BundleMediaType, MediaType: BundleMediaType, Annotations: notes, Content: bundle}
}

// EnvelopeArtifact is a DSSE envelope for [AttachLegacy], with the type of its
// predicate, by which cosign tells them apart.
func EnvelopeArtifact(envelope []byte, predicateType string) Artifact {
	return Artifact{MediaType: typeEnvelope, Annotations: map[string]string{"predicateType": predicateType}, Content: envelope}
}
