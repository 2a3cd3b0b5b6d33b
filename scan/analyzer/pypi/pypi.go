// Package pypi reads packages of the Python Package Index: what is installed,
// and what requirements files and lockfiles name.
//
// Installed packages are the metadata folders and files that installers leave
// beside the code: *.dist-info/METADATA, *.egg-info (a file, or a folder with
// PKG-INFO) and EGG-INFO/PKG-INFO inside an egg. RECORD, installed-files.txt and
// top_level.txt beside them say what came with the package. Requirements files and
// lockfiles below site-packages or dist-packages are left out: they are notes
// of a package's developers and say nothing about what is there.
//
// Requirements that are not pinned ("name", "name>=1.0") are packages without a
// version, so that they are seen as not assessed, unless the image has one
// version of that name installed, and one that the requirement allows: then they
// are that package. The property "pypi:requirement" has the condition. Nothing is fetched: a requirement that
// leads to an address or a folder gives the package that the line itself names,
// and where it names none a gap.
//
// A setup.py is code and is not run: of its calls of setup, name and version that are plain
// texts are read, and the plain texts in the list install_requires. Entries that code makes
// are a gap.
//
// Packages that come from a folder ("directory", "editable", "virtual") are not
// packages of the index, whatever their name is: they have no package URL, and
// the property "pypi:source" says where they come from.
package pypi

import (
	"cmp"
	"context"
	"path"
	"strings"

	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/analyzer/internal/locked"
)

// The limits on files of this ecosystem. Metadata carries a package's README,
// lockfiles list every file of every release.
const (
	maxMetadata = 16 << 20 // bytes of a METADATA or PKG-INFO
	maxRecord   = 16 << 20 // bytes of a RECORD: some 100,000 files
	maxText     = 4 << 20  // bytes of a requirements file
	maxLock     = 32 << 20 // bytes of a lockfile
	maxEntries  = 100_000  // packages of a lockfile or requirements file
)

// Analyzer reads the files of the PyPI ecosystem. The zero value is ready to
// use.
type Analyzer struct{}

// Info implements analyzer.Analyzer.
func (Analyzer) Info() analyzer.Info { return analyzer.Info{Name: "pypi", Version: 4} }

// Paths implements analyzer.Analyzer.
func (Analyzer) Paths() analyzer.Paths {
	return analyzer.Paths{
		Names:    []string{"METADATA", "RECORD", "PKG-INFO", "Pipfile.lock", "poetry.lock", "uv.lock", "pdm.lock", "setup.py"},
		Suffixes: []string{".egg-info", ".txt", ".toml"},
		Accept:   func(file string) bool { return formatOf(file).read != nil },
	}
}

// format reads the content of one kind of file.
type format struct {
	limit int64
	read  func(file string, data []byte) ([]analyzer.Fact, error)
}

// formatOf returns the format of a file by its path; read is nil for others.
func formatOf(file string) format {
	dir, base := path.Split(file)
	dir = strings.TrimSuffix(dir, "/")
	egg := strings.HasSuffix(dir, ".egg-info") || path.Base(dir) == "EGG-INFO"
	switch {
	case base == "METADATA" && strings.HasSuffix(dir, ".dist-info"), base == "PKG-INFO" && egg, strings.HasSuffix(base, ".egg-info"):
		return format{maxMetadata, readInstalled}
	case base == "RECORD" && strings.HasSuffix(dir, ".dist-info"):
		return format{maxRecord, readRecord}
	case base == "installed-files.txt" && egg:
		return format{maxRecord, readInstalledFiles}
	case base == "top_level.txt" && (egg || strings.HasSuffix(dir, ".dist-info")):
		return format{maxText, readTopLevel}
	case base == "requires.txt" && egg:
		return format{maxText, readRequires}
	case inPackages(dir):
	case strings.HasSuffix(base, ".txt") && (strings.Contains(base, "requirements") || path.Base(dir) == "requirements"):
		return format{maxText, readRequirements}
	case base == "setup.py":
		return format{maxText, readSetup}
	case base == "pylock.toml" || strings.HasPrefix(base, "pylock.") && strings.HasSuffix(base, ".toml"):
		return format{maxLock, lockReader(readPylock)}
	case base == "Pipfile.lock":
		return format{maxLock, lockReader(readPipfile)}
	case base == "poetry.lock":
		return format{maxLock, lockReader(readPoetry)}
	case base == "uv.lock":
		return format{maxLock, lockReader(readUV)}
	case base == "pdm.lock":
		return format{maxLock, lockReader(readPDM)}
	}
	return format{}
}

// inPackages reports whether dir is below a folder of installed packages.
func inPackages(dir string) bool {
	dir = "/" + dir + "/"
	return strings.Contains(dir, "/site-packages/") || strings.Contains(dir, "/dist-packages/")
}

// Extract implements analyzer.Analyzer: one fact for each package, which Join
// completes.
func (Analyzer) Extract(_ context.Context, f *analyzer.File) ([]analyzer.Fact, error) {
	format := formatOf(f.Path)
	if format.read == nil {
		return nil, nil
	}
	return locked.ReadAt(f, format.limit, format.read)
}

// lockReader makes a format of a lockfile reader.
func lockReader(read func(*lockfile, []byte) error) func(string, []byte) ([]analyzer.Fact, error) {
	return func(_ string, data []byte) ([]analyzer.Fact, error) {
		var l lockfile
		err := read(&l, data)
		return l.facts(), cmp.Or(err, l.odd)
	}
}
