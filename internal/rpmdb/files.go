package rpmdb

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/stella-ops/stella/internal/fault"
)

func invalid(format string, args ...any) error {
	return fmt.Errorf(format+": %w", append(args, fault.Invalid)...)
}

// files returns the paths of a package. Headers keep them as base names, each
// with the number of its folder in a list of folders, or, in packages of rpm 3,
// whole.
func (h *header) files() ([]string, error) {
	names, n, err := h.rawList(tagBasenames)
	if err != nil {
		return nil, err
	}
	if n == 0 {
		whole, err := h.list(tagOldFilenames)
		return tidy(whole), err
	}
	dirs, err := h.dirs()
	if err != nil {
		return nil, err
	}
	index, err := h.numbers(tagDirIndexes)
	if err != nil {
		return nil, err
	}
	if int64(len(index)) != 4*n {
		return nil, invalid("%d base names with %d folder numbers", n, len(index)/4)
	}
	size := int64(len(names))
	for i := range n {
		d := binary.BigEndian.Uint32(index[4*i:])
		if int64(d) >= int64(len(dirs)) {
			return nil, invalid("file %d is in folder %d of %d", i, d, len(dirs))
		}
		if size += int64(len(dirs[d])); size > h.limits.PathBytes {
			return nil, &fault.LimitError{What: "bytes of file paths", Where: "one header", Max: h.limits.PathBytes}
		}
	}
	// One copy holds all paths of the package.
	var all strings.Builder
	all.Grow(int(size))
	for i := range n {
		end := bytes.IndexByte(names, 0) + 1
		all.Write(dirs[binary.BigEndian.Uint32(index[4*i:])])
		all.Write(names[:end])
		names = names[end:]
	}
	return tidy(split(all.String(), n)), nil
}

// dirs returns the folders of a package, with the slashes around them as
// written.
func (h *header) dirs() ([][]byte, error) {
	b, n, err := h.rawList(tagDirnames)
	if err != nil {
		return nil, err
	}
	dirs := make([][]byte, n)
	for i := range dirs {
		end := bytes.IndexByte(b, 0)
		dirs[i], b = b[:end], b[end+1:]
	}
	return dirs, nil
}

// tidy makes paths relative to the root, clean, sorted and unique, in place.
// The root itself, which some package owns, is no file.
func tidy(paths []string) []string {
	keep := paths[:0]
	for _, p := range paths {
		if !clean(p) {
			p = path.Clean("/" + p)
		}
		if p = p[1:]; p != "" {
			keep = append(keep, p)
		}
	}
	if !slices.IsSorted(keep) {
		slices.Sort(keep)
	}
	return slices.Compact(keep)
}

// clean reports whether p is absolute and as [path.Clean] would leave it, which
// nearly every path is. It says false for the root.
func clean(p string) bool {
	if !strings.HasPrefix(p, "/") {
		return false
	}
	for p != "" {
		p = p[1:] // a slash
		end := strings.IndexByte(p, '/')
		if end < 0 {
			end = len(p)
		}
		if part := p[:end]; part == "" || part == "." || part == ".." {
			return false
		}
		p = p[end:]
	}
	return true
}
