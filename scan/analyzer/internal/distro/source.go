package distro

import (
	"strings"

	"github.com/stella-ops/stella/scan/sbom"
)

// RPMUpstream reads the source package of the package name, whose version-release is vr, out
// of the file name of the source package. Its version is left out where it is the package's
// own, and then stands with the package's epoch, which file names lack. It returns nil where
// the source is the package itself or not named.
func RPMUpstream(name, vr, sourceRPM string) *sbom.Upstream {
	source, version, ok := SplitSource(sourceRPM)
	if !ok {
		return nil
	}
	if version == vr {
		version = ""
	}
	if source == name && version == "" {
		return nil
	}
	return &sbom.Upstream{Name: source, Version: version}
}

// SplitSource splits name-version-release.src.rpm (or .nosrc.rpm).
func SplitSource(file string) (name, version string, ok bool) {
	base, ok := strings.CutSuffix(file, ".rpm")
	if !ok {
		return "", "", false
	}
	dot := strings.LastIndexByte(base, '.') // of the architecture "src" or "nosrc"
	if dot < 0 {
		return "", "", false
	}
	return SplitRPM(base[:dot])
}

// SplitRPM splits name-version-release at its last two dashes, which neither
// versions nor releases have. None of the three may be empty.
func SplitRPM(s string) (name, version string, ok bool) {
	release := strings.LastIndexByte(s, '-')
	if release < 0 || release == len(s)-1 {
		return "", "", false
	}
	dash := strings.LastIndexByte(s[:release], '-')
	if dash <= 0 || dash == release-1 {
		return "", "", false
	}
	return s[:dash], s[dash+1:], true
}
