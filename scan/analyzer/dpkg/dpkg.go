// Package dpkg reads the databases of dpkg: the status file, the status.d
// folder of distroless images, the file lists and the copyright files; and the
// manifest of images that chisel cut out of Ubuntu's packages. A manifest does
// not say which source a package was built from, by which Ubuntu publishes its
// advisories: that is a blocking gap.
//
// Format: dpkg's dpkg(1) and deb-control(5); Debian Policy §5; copyright files
// by DEP 5 (https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/).
package dpkg

import (
	"bytes"
	"context"
	"path"
	"slices"
	"strings"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/sbom"
)

const (
	statusFile = "var/lib/dpkg/status"
	statusDir  = "var/lib/dpkg/status.d"
	infoDir    = "var/lib/dpkg/info"
	docDir     = "usr/share/doc"
	scope      = "dpkg"    // all files of the database form one name space
	maxOwned   = 1_000_000 // lines of one file list
)

// Analyzer reads dpkg databases. The zero value is ready to use.
type Analyzer struct{}

// Info implements analyzer.Analyzer.
func (Analyzer) Info() analyzer.Info {
	return analyzer.Info{Name: "dpkg", Version: 3, Authoritative: true}
}

// Paths implements analyzer.Analyzer.
func (Analyzer) Paths() analyzer.Paths {
	return analyzer.Paths{
		Exact:  []string{statusFile, divertFile, chiselFile},
		Dirs:   []string{statusDir, infoDir},
		Names:  []string{"copyright"},
		Accept: accept,
	}
}

func accept(p string) bool {
	dir, base := path.Split(p)
	switch dir = strings.TrimSuffix(dir, "/"); {
	case dir == infoDir:
		return strings.HasSuffix(base, ".list") || scriptOf(base) != ""
	case base == "copyright":
		return path.Dir(dir) == docDir
	}
	return true
}

// Extract implements analyzer.Analyzer.
func (Analyzer) Extract(_ context.Context, f *analyzer.File) ([]analyzer.Fact, error) {
	dir, base := path.Split(f.Path)
	switch dir = strings.TrimSuffix(dir, "/"); {
	case f.Path == statusFile:
		return parseStatus(f, true)
	case f.Path == divertFile:
		return parseDiversions(f)
	case f.Path == chiselFile:
		return readChisel(f)
	case dir == statusDir && strings.HasSuffix(base, ".md5sums"):
		return ownedFiles(f, strings.TrimSuffix(base, ".md5sums"), md5Path)
	case dir == statusDir:
		return parseStatus(f, false)
	case dir == infoDir && scriptOf(base) != "":
		return []analyzer.Fact{{Kind: analyzer.KindPart, Scope: scope, Key: scriptOf(base), Holds: []string{f.Path}}}, nil
	case dir == infoDir:
		return ownedFiles(f, strings.TrimSuffix(base, ".list"), listPath)
	case base == "copyright":
		return copyrightFacts(f, path.Base(dir))
	}
	return nil, nil
}

// ownedFiles reads a file list: one path a line. All paths share the memory of
// one string. Folders that have something listed below them, and files of kinds that
// nobody asks about, are left out: they are most of what a distribution installs.
func ownedFiles(f *analyzer.File, key string, pathOf func(string) string) ([]analyzer.Fact, error) {
	data, err := f.Bytes(0)
	if err != nil {
		return nil, err
	}
	lines := bytes.Count(data, []byte{'\n'}) + 1
	if lines > maxOwned {
		return nil, &fault.LimitError{What: "lines of a file list", Where: f.Path, Max: maxOwned, Seen: int64(lines)}
	}
	lines = 0
	kept := data[:0] // never longer than what was read
	for rest := data; len(rest) > 0; {
		line, after, _ := bytes.Cut(rest, []byte{'\n'})
		if !folder(line, after) && !dull(line) {
			kept = append(append(kept, line...), '\n')
			lines++
		}
		rest = after
	}
	text := strings.ToValidUTF8(string(kept), "%")
	owns := make([]string, 0, lines)
	for len(text) > 0 {
		line, rest, _ := strings.Cut(text, "\n")
		if p := pathOf(line); p != "" {
			owns = append(owns, p)
		}
		text = rest
	}
	if len(owns) == 0 {
		return nil, nil
	}
	slices.Sort(owns)
	return []analyzer.Fact{{Kind: analyzer.KindPart, Scope: scope, Key: key, Owns: slices.Compact(owns)}}, nil
}

// folder reports whether the path that follows a line lies below it.
func folder(line, after []byte) bool {
	return len(after) > len(line) && after[len(line)] == '/' && bytes.HasPrefix(after, line)
}

// dull reports whether a file is, by its name, neither a program nor code nor the
// description of a package: manuals, translations, headers, images, texts.
func dull(line []byte) bool {
	dot := bytes.LastIndexByte(line, '.')
	if dot < 0 || len(line)-dot > 6 {
		return false
	}
	switch string(line[dot+1:]) {
	case "gz", "mo", "po", "pot", "h", "hh", "hpp", "hxx", "tcc", "png", "svg", "gif", "jpg", "xpm", "ico", "html", "css", "rst", "md", "vim",
		"ttf", "pfb", "afm", "tfm", "vf", "enc", "tmac", "cmake", "pc", "la", "ri", "pod", "el", "elc", "sty", "cls", "tex":
		return true
	}
	return false
}

// listPath reads a line of an info/*.list file: "/usr/bin/x", with "/." for
// the root.
func listPath(line string) string {
	if p := strings.TrimLeft(line, "/"); p != "." {
		return p
	}
	return ""
}

// md5Path reads a line of md5sum(1): 32 hex digits, two characters, a path.
func md5Path(line string) string {
	if len(line) < 35 {
		return ""
	}
	return strings.TrimLeft(line[34:], "/")
}

// copyrightFacts says the licences that a copyright file names.
func copyrightFacts(f *analyzer.File, pkg string) ([]analyzer.Fact, error) {
	data, err := f.Bytes(4 << 20)
	if err != nil {
		return nil, err
	}
	names := licenses(data)
	if len(names) == 0 {
		return nil, nil
	}
	part := &sbom.Package{Name: pkg}
	for _, n := range names {
		part.Licenses = append(part.Licenses, sbom.License{Name: n})
	}
	return []analyzer.Fact{{Kind: analyzer.KindPart, Scope: scope, Key: pkg, Package: part}}, nil
}
