package image

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan"
)

// maxLocation bounds what the user gives, with scheme, path and name.
const maxLocation = 8 << 10

// opener opens what follows a scheme. It is also given what the user wrote.
type opener func(ctx context.Context, wrote, rest string, opt *Options) (*scan.Image, error)

// schemes are what Open understands; longer ones first where one begins another.
var schemes = []struct {
	prefix string
	open   opener
}{
	{"docker://", openRegistry},
	{"registry:", openRegistry},
	{"docker-archive:", withRef(openDockerArchive)},
	{"docker-daemon:", openDocker},
	{"docker:", openDocker},
	{"oci-archive:", withRef(openLayoutArchive)},
	{"oci-dir:", withRef(openLayout)},
	{"oci:", withRef(openLayout)},
	{"dir:", openDir},
}

// foreignSchemes are understood elsewhere or by other tools, and why not here.
var foreignSchemes = map[string]string{
	"sbom":        "an SBOM is a document, not an image: it is decoded, not opened",
	"podman":      "use podman save and docker-archive:FILE",
	"containerd":  "use ctr image export and oci-archive:FILE",
	"singularity": "singularity images are not read",
	"file":        "use dir:PATH, docker-archive:FILE or oci-archive:FILE",
	"http":        "registries are named without http://; plain http is an option",
	"https":       "registries are named without https://",
	"image":       "an image is named without image:",
}

// Open opens an image by scheme and place:
//
//	REF, docker://REF, registry:REF   a registry; see [OpenRegistry]
//	docker-daemon:REF, docker:REF     the Docker daemon; see [OpenDocker]
//	docker-archive:FILE[:REF]         docker save; see [OpenDockerArchive]
//	oci:DIR[:REF], oci-dir:DIR[:REF]  an OCI layout; see [OpenLayout]
//	oci-archive:FILE[:REF]            a tar file of one; see [OpenLayoutArchive]
//	dir:PATH                          a root filesystem or project; see [OpenDir]
//
// Without a scheme a registry is asked, and only that: neither the daemon nor a
// folder of the same name. What begins with "/", "./" or "../" is a path, and so
// is the name of an existing file that ends in .tar, .tar.gz, .tgz or .tar.zst;
// what is there decides how it is opened.
//
// The caller closes the image. A nil opt means the defaults.
func Open(ctx context.Context, ref string, opt *Options) (*scan.Image, error) {
	if len(ref) > maxLocation {
		return nil, &fault.LimitError{What: "bytes of a reference", Where: quoteReference(ref), Max: maxLocation, Seen: int64(len(ref))}
	}
	if strings.ContainsRune(ref, 0) {
		return nil, fmt.Errorf("image reference %s: has a NUL: %w", quoteReference(ref), fault.Invalid)
	}
	for _, s := range schemes {
		if rest, ok := strings.CutPrefix(ref, s.prefix); ok {
			if rest == "" {
				return nil, fmt.Errorf("image reference %q: nothing follows the scheme: %w", ref, fault.Invalid)
			}
			return s.open(ctx, ref, rest, opt)
		}
	}
	if scheme, rest, ok := strings.Cut(ref, ":"); ok && isForeign(scheme, rest) {
		return nil, fmt.Errorf("scheme %s: is not an image source: %s: %w", scheme, foreignSchemes[scheme], fault.Unsupported)
	}
	if isPath(ref) {
		return openPath(ctx, ref, opt)
	}
	m, err := OpenRegistry(ctx, ref, opt)
	if err != nil {
		return nil, hint(ref, err)
	}
	return m, nil
}

// isForeign tells "podman:alpine" from an image with that name and a tag.
func isForeign(scheme, rest string) bool {
	_, known := foreignSchemes[scheme]
	switch scheme {
	case "http", "https", "file", "image":
		return known && strings.HasPrefix(rest, "//")
	}
	return known
}

// withRef splits a name off a path. Both may have colons: the shortest beginning
// that exists is the path.
func withRef(open func(ctx context.Context, wrote, path, ref string, opt *Options) (*scan.Image, error)) opener {
	return func(ctx context.Context, wrote, rest string, opt *Options) (*scan.Image, error) {
		path, ref := splitPath(rest)
		return open(ctx, wrote, path, ref, opt)
	}
}

// splitPath finds the path in PATH[:REF]. Where nothing exists all of it is the
// path, so that the error names it.
func splitPath(s string) (path, ref string) {
	if exists(s) {
		return s, ""
	}
	for i := range len(s) {
		if s[i] == ':' && i > 0 && exists(s[:i]) {
			return s[:i], s[i+1:]
		}
	}
	return s, ""
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// isPath tells a path from the name of an image.
func isPath(ref string) bool {
	if filepath.IsAbs(ref) || ref == "." || ref == ".." {
		return true
	}
	for _, p := range []string{"./", "../"} {
		if strings.HasPrefix(ref, p) {
			return true
		}
	}
	for _, ext := range []string{".tar", ".tar.gz", ".tgz", ".tar.zst"} {
		if strings.HasSuffix(ref, ext) {
			info, err := os.Stat(ref)
			return err == nil && info.Mode().IsRegular()
		}
	}
	return false
}

// openPath opens what a bare path leads to.
func openPath(ctx context.Context, path string, opt *Options) (*scan.Image, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, openError(path, err)
	}
	if info.IsDir() {
		if exists(filepath.Join(path, "oci-layout")) {
			return openLayout(ctx, path, path, "", opt)
		}
		return openDir(ctx, path, path, opt)
	}
	set, err := opt.settings()
	if err != nil {
		return nil, err
	}
	f, err := openArchive(ctx, path, &set.limits)
	if err != nil {
		return nil, err
	}
	_, docker := f.index["manifest.json"]
	_, oci := f.index["index.json"]
	if oci && !docker {
		return layoutImage(ctx, f, path, "", set)
	}
	return archiveImage(ctx, f, path, "", set)
}

// hint adds to an error that a path of this name exists.
func hint(ref string, err error) error {
	info, statErr := os.Stat(ref)
	if statErr != nil || errors.Is(statErr, fs.ErrNotExist) {
		return err
	}
	if info.IsDir() {
		return fmt.Errorf("%w (there is a folder of this name: dir:%s reads it)", err, ref)
	}
	return fmt.Errorf("%w (there is a file of this name: docker-archive:%s or oci-archive:%s reads an archive)", err, ref, ref)
}
