package cyclonedx

import (
	"encoding/json"
	"strconv"
	"strings"

	"github.com/stella-ops/stella/scan/sbom"
)

// family is the key of foreign members in the model.
const family = "cyclonedx"

// The names of properties for what the model knows and CycloneDX has no member
// for. The package comment lists them with their places.
const (
	ownPrefix = "stella:"

	// of components
	ownArch            = "stella:arch"
	ownUpstreamName    = "stella:upstream:name"
	ownUpstreamVersion = "stella:upstream:version"
	ownState           = "stella:state"
	ownFoundBy         = "stella:found-by"
	ownLayer           = "stella:layer"
	ownLocation        = "stella:location"
	ownVersion         = "stella:version"
	ownCPE             = "stella:cpe"
	ownHomepage        = "stella:homepage"
	ownDownload        = "stella:download"
	ownContainedBy     = "stella:contained-by"
	ownOwnedBy         = "stella:owned-by"
	ownDetected        = "stella:license:detected"
	ownUsage           = "stella:usage"
	ownUsageChain      = "stella:usage:chain:" // <n>

	// of metadata.component
	ownSubject      = "stella:subject"
	ownConfigDigest = "stella:config-digest"
	ownPlatform     = "stella:platform"
	ownLabel        = "stella:label:" // and its name
	ownCreatedBy    = ":created-by"   // after "stella:layer:<n>"

	// of the component of the operating system
	ownOS          = "stella:os:"
	ownOSID        = ownOS + "id"
	ownOSIDLike    = ownOS + "id-like"
	ownOSName      = ownOS + "name"
	ownOSCodename  = ownOS + "codename"
	ownOSBuildID   = ownOS + "build-id"
	ownOSVariantID = ownOS + "variant-id"
	ownOSCPE       = ownOS + "cpe"

	// of metadata
	ownName      = "stella:name"
	ownNamespace = "stella:namespace"
	ownContains  = "stella:contains"
	ownGap       = "stella:gap"
	ownSecret    = "stella:secret"
	ownRoot      = "stella:composition:merkle-root"
	ownFragment  = "stella:composition:fragment:" // <n>
	ownSource    = "stella:source:"

	ownSourceReference = ownSource + "reference"
	ownSourceIndex     = ownSource + "index"
	ownSourceManifest  = ownSource + "manifest"
	ownSourceMediaType = ownSource + "media-type"
	ownSourceTag       = ownSource + "tag"
	ownSourceLayer     = ownSource + "layer:" // <n>
	ownSourceChoice    = ownSource + "platform-choice"
)

// containsAll is the value of stella:contains: the subject contains every
// package that no other package contains.
const containsAll = "all"

// indexed cuts "<prefix><n>" into n.
func indexed(name, prefix string) (int, bool) {
	digits, ok := strings.CutPrefix(name, prefix)
	if !ok {
		return 0, false
	}
	n, err := strconv.Atoi(digits)
	return n, err == nil && n >= 0 && strconv.Itoa(n) == digits
}

// appendAt adds v to list if n is its next index: indexed properties must come
// in order and without holes.
func appendAt[T any](list []T, n int, v T) ([]T, bool) {
	if n != len(list) {
		return list, false
	}
	return append(list, v), true
}

// objectText is the value of stella:gap and stella:secret.
func objectText[T sbom.Gap | sbom.Secret](v T) string {
	b, _ := json.Marshal(v) // strings, a number and a bool: cannot fail
	return string(b)
}

func readGap(text string) (g sbom.Gap, ok bool) {
	err := json.Unmarshal([]byte(text), &g)
	return g, err == nil && g.Code != ""
}

func readSecret(text string) (s sbom.Secret, ok bool) {
	err := json.Unmarshal([]byte(text), &s)
	return s, err == nil && s.Rule != ""
}
