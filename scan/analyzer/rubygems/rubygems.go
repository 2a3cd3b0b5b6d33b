// Package rubygems reads packages of Ruby: gems that are installed, and what the lockfiles
// of Bundler name.
//
// Installed gems are the specifications that RubyGems writes when it installs one, below
// specifications and, for gems that come with Ruby, specifications/default of a gem home;
// Debian's Ruby packages write the same. So does Bundler for a gem of a git repository, in
// the checkout below bundler/gems. They are Ruby code and are not run: what they assign as
// plain texts is read, and name and version stand in a comment (the stub) as well. Gemspecs
// elsewhere are of sources: what they say in plain texts is a declared application without a
// package URL. They, and lockfiles, are left out inside of an installed gem, where they are
// notes of its developers.
//
// With a gem came its folder, the programs that its specification names, in bin of the gem
// home or beside the interpreter, and its folder in extensions, which the file says that
// RubyGems leaves there when it has built something.
//
// Gems of rubygems.org and of other servers have package URLs; those of a git repository
// have one with vcs_url. Gems from a folder have none, and the property "rubygems:source"
// says where they are; those in the folder of the lockfile itself are applications. A gem
// that is locked for several platforms is one package with the digests of all its files and
// the property "rubygems:platforms": only one of them will be installed. The versions of
// Ruby and of Bundler that a lockfile notes are not packages of it.
package rubygems

import (
	"context"
	"fmt"
	"path"
	"strings"

	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/analyzer/internal/locked"
	"github.com/stella-ops/stella/scan/purl"
)

// maxGemspec bounds the bytes of a gemspec: the longest lists of files stay below 1 MiB.
const maxGemspec = 8 << 20

// The properties of gems.
const (
	sourceProperty    = "rubygems:source"    // where a gem comes from that no server has
	platformsProperty = "rubygems:platforms" // for which it is locked, where they are many
	remotesProperty   = "rubygems:remotes"   // the servers of which one has it
	pluginProperty    = "rubygems:plugin"    // the kind of server, which a plugin of Bundler knows
	defaultProperty   = "rubygems:default"   // "true": it comes with Ruby
)

// Analyzer reads the files of the RubyGems ecosystem. The zero value is ready to use.
type Analyzer struct{}

// Info implements analyzer.Analyzer.
func (Analyzer) Info() analyzer.Info { return analyzer.Info{Name: "rubygems", Version: 3} }

// Paths implements analyzer.Analyzer.
func (Analyzer) Paths() analyzer.Paths {
	return analyzer.Paths{
		Names:    []string{"Gemfile.lock", "gems.locked", builtFile},
		Suffixes: []string{".gemspec", ".gemfile.lock"}, // the second: BUNDLE_GEMFILE=rails_7.gemfile
		Accept: func(file string) bool {
			if strings.HasSuffix(file, ".gemspec") {
				_, ok := placeOf(file)
				return ok || isSource(file)
			}
			if path.Base(file) == builtFile {
				return path.Base(path.Dir(path.Dir(path.Dir(path.Dir(file))))) == "extensions"
			}
			return !insideGem(file)
		},
	}
}

// Extract implements analyzer.Analyzer: one fact for each gem, which Join completes.
func (Analyzer) Extract(_ context.Context, f *analyzer.File) ([]analyzer.Fact, error) {
	facts, err := extract(f)
	if err != nil {
		return facts, fmt.Errorf("read %s: %w", f.Path, err)
	}
	return facts, nil
}

// builtFile lies in extensions/platform/abi/name-version, where RubyGems puts the libraries
// that it built of a gem.
const builtFile = "gem.build_complete"

func extract(f *analyzer.File) ([]analyzer.Fact, error) {
	if path.Base(f.Path) == builtFile {
		dir := path.Dir(f.Path)
		home := path.Dir(path.Dir(path.Dir(path.Dir(dir))))
		return []analyzer.Fact{{Kind: analyzer.KindPart, Scope: partBuilt, Key: path.Join("/", home, "specifications", path.Base(dir))[1:], Holds: []string{dir + "/"}}}, nil
	}
	at, ok := placeOf(f.Path)
	switch {
	case isSource(f.Path):
		data, err := f.Bytes(maxGemspec)
		if err != nil {
			return nil, err
		}
		return readSource(f.Path, data)
	case !ok:
		data, err := f.Bytes(locked.MaxBytes)
		if err != nil {
			return nil, err
		}
		return readLock(data)
	}
	data, err := f.Bytes(maxGemspec)
	if err != nil {
		return nil, err
	}
	return readGemspec(at, data)
}

// place is where the specification of an installed gem lies.
type place struct {
	key       string // path without the suffix
	home      string // the gem home
	isDefault bool
	checkout  string // folder below bundler/gems, or ""
}

func placeOf(file string) (place, bool) {
	key, ok := strings.CutSuffix(file, ".gemspec")
	if !ok {
		return place{}, false
	}
	dir := "/" + path.Dir(file)
	if home, ok := strings.CutSuffix(dir, "/specifications"); ok {
		return place{key: key, home: home}, true
	}
	if home, ok := strings.CutSuffix(dir, "/specifications/default"); ok {
		return place{key: key, home: home, isDefault: true}, true
	}
	const gems = "/bundler/gems/"
	if i := strings.LastIndex(dir, gems); i >= 0 {
		folders := strings.Split(dir[i+len(gems):], "/")
		return place{key: key, home: dir[:i], checkout: folders[0]}, len(folders) <= 3 // Bundler looks no deeper
	}
	return place{}, false
}

// insideGem reports whether a file belongs to an installed gem: it lies below
// gems/name-version or bundler/gems/name-revision.
func insideGem(file string) bool {
	parts := strings.Split(path.Dir(file), "/")
	for i := 1; i < len(parts); i++ {
		if parts[i-1] != "gems" {
			continue
		}
		if name, _, _ := fromFile(parts[i]); name != "" || i > 1 && parts[i-2] == "bundler" {
			return true
		}
	}
	return false
}

// packageURL returns the package URL of a gem; the platform of most is "ruby".
func packageURL(name, version, platform string) purl.PackageURL {
	u := locked.URL("gem", "", name, version)
	if platform == "" || platform == "ruby" {
		return u
	}
	return with(u, "platform", platform)
}

// with adds a qualifier, where there is a package URL and a value.
func with(u purl.PackageURL, key, value string) purl.PackageURL {
	if u.IsZero() || value == "" {
		return u
	}
	return u.With(key, value)
}
