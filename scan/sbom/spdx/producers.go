package spdx

import (
	"slices"
	"strings"

	"github.com/stella-ops/stella/scan/sbom"
)

// imageFacts reads what trivy says of an image beside its package: "ImageID: …"
// and, for each layer, "DiffID: …", as annotations or attribution texts.
func imageFacts(s *sbom.Subject, e *packageElement) {
	lines := slices.Clip(e.Attributions)
	for _, a := range e.Annotations {
		lines = append(lines, a.Comment)
	}
	for _, line := range lines {
		name, value, _ := strings.Cut(line, ": ")
		if !strings.HasPrefix(value, "sha256:") {
			continue
		}
		switch name {
		case "ImageID":
			s.ConfigDigest = value
		case "DiffID":
			s.Layers = append(s.Layers, sbom.Layer{DiffID: value})
		}
	}
}

// distribution returns the distribution that a package with the purpose
// OPERATING-SYSTEM stands for, as trivy writes it, or nil where there is not
// exactly one.
func distribution(w *document) *sbom.OS {
	var found *sbom.OS
	for i := range w.Packages {
		p := &w.Packages[i]
		if typeOf(p.Purpose) != "operating-system" && !strings.HasPrefix(p.SPDXID, osID+"-") {
			continue
		}
		if found != nil {
			return nil
		}
		found = &sbom.OS{ID: text(p.Name), VersionID: text(p.Version)}
	}
	if found != nil && found.ID == "" {
		return nil
	}
	return found
}

// osID is how the SPDXID of the distribution's package starts, in the documents of
// trivy and ours.
const osID = "SPDXRef-OperatingSystem"
