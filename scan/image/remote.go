package image

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/stella-ops/stella/internal/fault"
)

// ParseRemote reads a reference that [Open] would ask a registry for: REF,
// docker://REF or registry:REF. It looks at no file and asks nobody, so a service
// can check with it what strangers submit. Other schemes and what could be a path
// are refused with an error that wraps ErrUnsupported and names them; the rest is
// as with [ParseReference].
func ParseRemote(s string) (Reference, error) {
	for _, known := range schemes {
		rest, ok := strings.CutPrefix(s, known.prefix)
		if !ok {
			continue
		}
		if known.prefix == "docker://" || known.prefix == "registry:" {
			return ParseReference(rest)
		}
		return Reference{}, fmt.Errorf("image reference %s: scheme %s is not of a registry: name the image as registry/repository:tag or @digest: %w",
			quoteReference(s), strings.TrimSuffix(known.prefix, ":"), fault.Unsupported)
	}
	if scheme, rest, ok := strings.Cut(s, ":"); ok && isForeign(scheme, rest) {
		return Reference{}, fmt.Errorf("image reference %s: scheme %s is not of a registry: %s: %w", quoteReference(s), scheme, foreignSchemes[scheme], fault.Unsupported)
	}
	if scheme, _, ok := strings.Cut(s, "://"); ok {
		return Reference{}, fmt.Errorf("image reference %s: scheme %s is not of a registry: write docker://registry/repository:tag: %w",
			quoteReference(s), quoteReference(scheme), fault.Unsupported)
	}
	if couldBePath(s) {
		return Reference{}, fmt.Errorf("image reference %s: could be a path; where it is an image, write docker:// before it: %w", quoteReference(s), fault.Unsupported)
	}
	return ParseReference(s)
}

// couldBePath reports whether Open takes s for a path on some system, whatever
// is there.
func couldBePath(s string) bool {
	if s == "." || s == ".." || filepath.IsAbs(s) || strings.HasPrefix(s, "~") || strings.ContainsRune(s, '\\') {
		return true
	}
	for _, prefix := range []string{"/", "./", "../"} {
		if strings.HasPrefix(s, prefix) {
			return true
		}
	}
	for _, suffix := range []string{".tar", ".tar.gz", ".tgz", ".tar.zst"} {
		if strings.HasSuffix(s, suffix) {
			return true
		}
	}
	return false
}
