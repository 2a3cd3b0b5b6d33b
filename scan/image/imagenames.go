package image

import (
	"fmt"
	"slices"
	"strings"

	"github.com/stella-ops/stella/scan/sbom"
)

// imageNames sorts the names that an archive or a layout gives an image. Who made
// it chose them: what is neither a reference nor a tag, such as one with a password
// or a control character, is counted in a gap and not shown.
func imageNames(list []string) (names []string, gaps []sbom.Gap) {
	for _, name := range list {
		if isImageName(name) {
			names = append(names, name)
		}
	}
	if n := len(list) - len(names); n > 0 {
		gaps = []sbom.Gap{{Code: sbom.GapOddity, Where: "image names", What: fmt.Sprintf("%d of %d names are no image references and are left out", n, len(list))}}
	}
	slices.Sort(names)
	return slices.Compact(names), gaps
}

// isImageName also takes the "+" that image-spec allows in
// org.opencontainers.image.ref.name.
func isImageName(s string) bool {
	if isTag(strings.ReplaceAll(s, "+", "-")) {
		return true
	}
	_, err := ParseReference(s)
	return err == nil
}
