package image

import "strings"

// Media types of OCI image-spec 1.1 and Docker image manifest v2.
const (
	typeOCIIndex       = "application/vnd.oci.image.index.v1+json"
	typeOCIManifest    = "application/vnd.oci.image.manifest.v1+json"
	typeOCIConfig      = "application/vnd.oci.image.config.v1+json"
	typeDockerList     = "application/vnd.docker.distribution.manifest.list.v2+json"
	typeDockerManifest = "application/vnd.docker.distribution.manifest.v2+json"
	typeDockerConfig   = "application/vnd.docker.container.image.v1+json"
	typeDockerV1       = "application/vnd.docker.distribution.manifest.v1+json"
	typeDockerV1Signed = "application/vnd.docker.distribution.manifest.v1+prettyjws"
)

// acceptManifest is what a registry is asked for.
var acceptManifest = strings.Join([]string{typeOCIIndex, typeDockerList, typeOCIManifest, typeDockerManifest}, ", ")

// layerBases are the layer types before a compression suffix.
var layerBases = []string{
	"application/vnd.oci.image.layer.v1.tar",
	"application/vnd.docker.image.rootfs.diff.tar",
	"application/vnd.docker.container.image.rootfs.diff.tar", // seen in the wild, without a specification
}

// foreignBases are layers whose bytes a registry need not hold.
var foreignBases = []string{
	"application/vnd.oci.image.layer.nondistributable.v1.tar",
	"application/vnd.docker.image.rootfs.foreign.diff.tar",
}

func isIndexType(t string) bool    { return t == typeOCIIndex || t == typeDockerList }
func isManifestType(t string) bool { return t == typeOCIManifest || t == typeDockerManifest }
func isSchema1(t string) bool      { return t == typeDockerV1 || t == typeDockerV1Signed }

// isVagueType reports whether a server's Content-Type says nothing, so that the
// document itself has to name its type.
func isVagueType(t string) bool {
	return t == "" || t == "application/json" || t == "application/octet-stream"
}

// layerKind tells layers from other blobs and foreign layers from ordinary ones.
func layerKind(t string) (layer, foreign bool) {
	for _, base := range layerBases {
		if isTar(t, base) {
			return true, false
		}
	}
	for _, base := range foreignBases {
		if isTar(t, base) {
			return true, true
		}
	}
	return false, false
}

// isTar matches base, base+gzip, base.gzip and the same with zstd.
func isTar(t, base string) bool {
	suffix, ok := strings.CutPrefix(t, base)
	if !ok {
		return false
	}
	switch suffix {
	case "", "+gzip", ".gzip", "+zstd", ".zstd":
		return true
	}
	return false
}
