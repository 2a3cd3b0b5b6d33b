package cyclonedx

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/stella-ops/stella/scan/sbom"
)

// ownFragment reads "stella:composition:fragment:<n>" = "<diffID> <digest>".
func (r *reader) ownFragment(p sbom.Property) bool {
	n, ok := indexed(p.Name, ownFragment)
	if !ok {
		return false
	}
	diffID, digest, _ := strings.Cut(p.Value, " ")
	c := r.composition()
	c.Fragments, ok = appendAt(c.Fragments, n, sbom.FragmentRef{DiffID: diffID, Digest: digest})
	return ok
}

// ownSource reads one of the properties of the source.
func (r *reader) ownSource(p sbom.Property) bool {
	if !strings.HasPrefix(p.Name, ownSource) {
		return false
	}
	var s sbom.Source
	if r.doc.Source != nil {
		s = *r.doc.Source
	}
	ok := true
	switch p.Name {
	case ownSourceReference:
		s.Reference = p.Value
	case ownSourceIndex:
		s.Index = p.Value
	case ownSourceManifest:
		s.Manifest = p.Value
	case ownSourceMediaType:
		s.MediaType = p.Value
	case ownSourceTag:
		s.Tags = append(s.Tags, p.Value)
	case ownSourceChoice:
		s.PlatformChoice = p.Value
	default:
		var n int
		if n, ok = indexed(p.Name, ownSourceLayer); ok {
			s.Layers, ok = appendAt(s.Layers, n, readDescriptor(p.Value))
		}
	}
	if ok {
		r.doc.Source = &s
	}
	return ok
}

// descriptorText is "<digest> <size> <media type>".
func descriptorText(d sbom.Descriptor) string {
	return fmt.Sprintf("%s %d %s", d.Digest, d.Size, d.MediaType)
}

func readDescriptor(s string) sbom.Descriptor {
	digest, rest, _ := strings.Cut(s, " ")
	size, mediaType, _ := strings.Cut(rest, " ")
	n, _ := strconv.ParseInt(size, 10, 64)
	return sbom.Descriptor{Digest: digest, Size: n, MediaType: mediaType}
}
