// Package held collects the files and folders that came with a package of a language, as
// analyzer.Fact has them: few, within the image, sorted.
package held

import (
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/stella-ops/stella/internal/fault"
)

// Max is how many files and folders of one package are kept. Whole folders count once.
const Max = 20_000

// maxPath is longer than any path that a file has (PATH_MAX of Linux).
const maxPath = 4096

// Set is a set of files and folders. The zero value is empty. It is not safe for concurrent
// use.
type Set struct {
	seen map[string]bool
	odd  error

	folder, top string // a folder within one that many share, the last that Below added
}

// Add adds a file, or with a slash at its end a folder. The image's root, and what is longer
// than paths can be, is left out: no package has that.
func (s *Set) Add(p string) {
	folder := strings.HasSuffix(p, "/")
	p = path.Clean("/" + p)[1:]
	if p == "" || len(p) > maxPath {
		return
	}
	if folder {
		p += "/"
	}
	switch {
	case s.seen[p]:
	case len(s.seen) == Max:
		s.odd = &fault.LimitError{What: "files of one package", Where: p, Max: Max, Seen: Max + 1}
	default:
		if s.seen == nil {
			s.seen = map[string]bool{}
		}
		s.seen[strings.Clone(p)] = true // not to keep the whole file
	}
}

// Below adds what a package has in a folder that many packages share: the folder of its own
// at the first level, or the file itself. Of files elsewhere, and in folders that are shared
// at every level, it adds programs alone. file is relative to the folder, or absolute.
func (s *Set) Below(folder, file string) {
	first, _, _ := strings.Cut(file, "/")
	plain := first != "" && !strings.Contains(file, "//") && !strings.Contains(file, "/.") && first != "." && first != ".."
	if plain && len(file) > len(first)+1 && first == s.top && folder == s.folder {
		return // most files lie beside the one before
	}
	whole := path.Clean("/" + file)
	if !strings.HasPrefix(file, "/") {
		whole = path.Join("/", folder, file)
		if up := strings.Count(path.Clean(file)+"/", "../"); up > strings.Count(strings.Trim(folder, "/"), "/")+1 {
			return // out of the image
		}
	}
	rest, inside := strings.CutPrefix(whole, strings.TrimSuffix("/"+strings.Trim(folder, "/"), "/")+"/")
	top, more, deep := strings.Cut(rest, "/")
	switch {
	case inside && !deep:
		s.Add(whole)
	case inside && more != "" && !shared(top):
		s.Add(strings.TrimSuffix(whole, more))
		if plain {
			s.folder, s.top = folder, first
		}
	case IsProgram(whole):
		s.Add(whole)
	}
}

// Prefix adds what a package has in a tree of folders such as /usr: the first folder that is
// not one that many packages share, or the file itself where it is a program.
func (s *Set) Prefix(prefix, file string) {
	if strings.HasPrefix(file, "/") || file == ".." || strings.HasPrefix(file, "../") {
		return
	}
	at := strings.TrimSuffix(prefix, "/")
	for rest := path.Clean(file); ; {
		top, more, deep := strings.Cut(rest, "/")
		at += "/" + top
		switch {
		case !deep && IsProgram(at):
			s.Add(at)
			return
		case !deep:
			return
		case !shared(top):
			s.Add(at + "/")
			return
		}
		rest = more
	}
}

// List returns what was added, sorted; nil for nothing. The error is the argument, or else
// says that there was more than Max.
func (s *Set) List(err error) ([]string, error) {
	if err == nil {
		err = s.odd
	}
	return slices.Sorted(maps.Keys(s.seen)), err
}

// IsProgram reports whether a file is one by its place or name: it lies in a folder of
// programs, or is a library.
func IsProgram(p string) bool {
	switch path.Base(path.Dir(p)) {
	case "bin", "sbin", "libexec", "Scripts":
		return true
	}
	base := path.Base(p)
	for _, end := range []string{".so", ".dylib", ".dll", ".exe", ".sh"} {
		if strings.HasSuffix(base, end) {
			return true
		}
	}
	return strings.Contains(base, ".so.")
}

// shared reports whether many packages have files in a folder of that name.
func shared(name string) bool {
	switch name {
	case "bin", "sbin", "libexec", "Scripts", "lib", "lib32", "lib64", "share", "include", "etc", "var", "opt", "usr", "local", "man", "doc", "docs", "info", "locale", "icons",
		"licenses", "pkgconfig", "cmake", "ssl", "x86_64-conda-linux-gnu", "site-packages", "dist-packages", "node_modules", "gems", "__pycache__", "src", "data", "conf", "conda-meta":
		return true
	}
	for _, numbered := range []string{"python", "man"} { // python3.12, man1
		if n, ok := strings.CutPrefix(name, numbered); ok && n != "" && strings.Trim(n, "0123456789.") == "" {
			return true
		}
	}
	return false
}
