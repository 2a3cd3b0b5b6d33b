// Package composer reads packages of PHP: those that Composer installed, which it writes
// down in installed.json of both of its versions, and those that a composer.lock names.
//
// Packages of Packagist have plain package URLs; those of another repository have one with
// repository_url, as far as the repository wants to be told about downloads, which is the
// only trace of it. Of the rest, those of a repository of sources have vcs_url, and archives
// download_url. Packages from a folder have none, and the property "composer:source" says
// where it is. Nothing is said of PHP itself and its extensions, and installed.php, which
// repeats installed.json, is not read.
//
// The folder of an installed package and its programs in vendor/bin are what came with it.
// A lockfile inside of an installed package is a note of its developers, and left out.
package composer

import (
	"cmp"
	"context"
	"path"
	"slices"
	"strings"

	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/analyzer/internal/held"
	"github.com/stella-ops/stella/scan/analyzer/internal/jsontext"
	"github.com/stella-ops/stella/scan/analyzer/internal/locked"
	"github.com/stella-ops/stella/scan/sbom"
)

// Analyzer reads the files of the Composer ecosystem. The zero value is ready to use.
type Analyzer struct{}

// Info implements analyzer.Analyzer.
func (Analyzer) Info() analyzer.Info { return analyzer.Info{Name: "composer", Version: 2} }

// Paths implements analyzer.Analyzer. The folder of installed packages need not be called
// vendor, but Composer's own one in it has one name.
func (Analyzer) Paths() analyzer.Paths {
	return analyzer.Paths{
		Names: []string{"composer.lock", installedFile},
		Accept: func(file string) bool {
			return path.Base(file) != installedFile || path.Base(path.Dir(file)) == "composer"
		},
	}
}

const installedFile = "installed.json"

// Extract implements analyzer.Analyzer: one fact for each package.
func (Analyzer) Extract(_ context.Context, f *analyzer.File) ([]analyzer.Fact, error) {
	read := readLock
	if path.Base(f.Path) == installedFile {
		read = func(data []byte) ([]analyzer.Fact, error) { return readInstalled(path.Dir(f.Path), data) }
	}
	return locked.Read(f, locked.MaxBytes, read)
}

// readLock reads composer.lock
// (https://getcomposer.org/doc/01-basic-usage.md#commit-your-composer-lock-file-to-version-control).
func readLock(data []byte) ([]analyzer.Fact, error) {
	d := document{r: jsontext.New(data)}
	err := d.r.Document(func() {
		if d.r.Peek() != '{' {
			d.r.Fail("expected an object")
			return
		}
		d.r.Object(func(key []byte) {
			switch string(key) {
			case "packages":
				d.packages(sbom.ScopeRuntime)
			case "packages-dev":
				d.packages(sbom.ScopeDev)
			}
		})
	})
	return d.Facts(err)
}

// readInstalled reads installed.json: a list of packages, or since Composer 2 an object with
// that list and the names of those that only development needs. dir is Composer's own folder
// among them.
func readInstalled(dir string, data []byte) ([]analyzer.Fact, error) {
	d := document{r: jsontext.New(data)}
	dev := map[string]bool{}
	err := d.r.Document(func() {
		switch d.r.Peek() {
		case '[':
			d.packages(sbom.ScopeRuntime)
		case '{':
			d.r.Object(func(key []byte) {
				switch string(key) {
				case "packages":
					d.packages(sbom.ScopeRuntime)
				case "dev-package-names":
					d.r.Array(func() {
						name, _ := d.r.Text()
						dev[strings.ToLower(name)] = true
					})
				}
			})
		default:
			d.r.Fail("expected an object or a list")
		}
	})
	for i := range d.Entries {
		if p := &d.Entries[i].Package; dev[strings.ToLower(p.Name)] {
			p.Scope = sbom.ScopeDev
		}
	}
	facts, err := d.Facts(err)
	for i := range facts {
		f := &facts[i]
		f.Package.State = sbom.Installed
		f.Holds, err = d.holds(path.Dir(dir), f.Package.Name).List(err)
	}
	return facts, err
}

// holds are the folder of a package, and what vendor/bin has of its programs. Composer 1 has
// the folder by the name alone.
func (d *document) holds(vendor, name string) *held.Set {
	set := new(held.Set)
	if owner, short, ok := strings.Cut(name, "/"); ok && strings.Trim(owner, ".") != "" && strings.Trim(short, ".") != "" && !strings.Contains(short, "/") {
		x := d.places[strings.ToLower(name)]
		folder := vendor + "/" + name
		if x.folder != "" {
			folder = path.Join(vendor, "composer", x.folder)
		}
		if !strings.HasPrefix(vendor+"/", folder+"/") { // not what all the others lie in
			set.Add(folder + "/")
		}
		for _, p := range x.programs {
			set.Add(vendor + "/bin/" + path.Base(p))
		}
	}
	return set
}

// Join implements analyzer.Joiner: it leaves out the lockfiles that lie among installed
// packages.
func (Analyzer) Join(in *analyzer.Squashed) ([]analyzer.Located, []sbom.Gap) {
	vendor := map[string]bool{} // folders of installed packages
	for _, f := range in.Facts {
		if path.Base(f.Path) == installedFile {
			vendor[path.Dir(path.Dir(f.Path))] = true
		}
	}
	inside := func(dir string) bool {
		for ; dir != "." && dir != "/"; dir = path.Dir(dir) {
			if vendor[dir] {
				return true
			}
		}
		return false
	}
	last, left := "", false // facts of one file follow each other
	return slices.DeleteFunc(slices.Clone(in.Facts), func(f analyzer.Located) bool {
		if f.Path != last {
			last, left = f.Path, path.Base(f.Path) != installedFile && inside(path.Dir(path.Dir(f.Path)))
		}
		return left
	}), nil
}

// person is one of the authors.
type person struct{ name, mail string }

// people joins the names of authors; the mail of a single one is told.
func people(list []person) string {
	var names []string
	for _, p := range list {
		name := strings.Join(strings.Fields(p.name), " ")
		if len(list) == 1 && name != "" && p.mail != "" {
			name += " (" + p.mail + ")"
		}
		if name = cmp.Or(name, p.mail); name != "" {
			names = append(names, name)
		}
	}
	return strings.Join(names, ", ")
}
