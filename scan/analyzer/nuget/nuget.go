// Package nuget reads packages of .NET: what an application, a runtime or a package cache has
// on disk, and what lockfiles and manifests of NuGet name.
//
// Installed are the libraries of a *.deps.json that put files beside it: packages, and runtime
// packs, which are packages of the registry under their name without "runtimepack.". The
// deps.json of a shared framework (dotnet/shared/Microsoft.NETCore.App/8.0.11) names its
// runtime pack too, such as Microsoft.NETCore.App.Runtime.linux-x64: the name under which
// advisories about .NET itself are published. A library that puts no file there is only
// declared: its code comes from somewhere else, most often from the runtime.
//
// Installed are also packages in a cache (*.nuspec in <id>/<version> or <id>.<version>), and
// assemblies: PE files (.dll, .exe) with CLI metadata. Of these, Join keeps what nothing else
// accounts for: an assembly that a deps.json lists, or that lies in a package's folder, is no
// second package. What an assembly says of itself is its name and version, which are those of
// its package by custom only: the property "nuget:evidence" says so.
//
// Declared is what packages.lock.json, project.assets.json, packages.config and the central
// list of versions (Directory.Packages.props) name, and what a *.nuspec elsewhere describes;
// and the packages that a project file (*.csproj, *.fsproj, *.vbproj) gives a version to: the
// least one that it takes, which is what NuGet installs where nothing else asks for more.
//
// Left out: which framework an application asks for
// (*.runtimeconfig.json), native PE files, assemblies that hold translations only, packages
// inside *.nupkg archives and applications that are one executable file.
package nuget

import (
	"context"
	"fmt"
	"path"
	"strings"

	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/analyzer/internal/locked"
)

// The limits on files of this ecosystem. The largest deps.json of an SDK is below 1 MiB; a
// project.assets.json lists every file of every package.
const (
	maxXML      = 4 << 20 // bytes of a nuspec, of packages.config and of MSBuild's files
	maxMetadata = 64 << 10
)

// Name spaces of facts that Join looks at.
const (
	scopeAssembly = "assembly" // Key: the file
	scopeCache    = "cache"    // Key: the folder of the package
)

// Analyzer reads the files of the NuGet ecosystem. The zero value is ready to use.
type Analyzer struct{}

// Info implements analyzer.Analyzer.
func (Analyzer) Info() analyzer.Info { return analyzer.Info{Name: "nuget", Version: 2} }

// Paths implements analyzer.Analyzer.
func (Analyzer) Paths() analyzer.Paths {
	return analyzer.Paths{
		Names: []string{"packages.lock.json", "project.assets.json", "packages.config", "Directory.Packages.props", "Packages.props", ".nupkg.metadata"},
		// "packages.shop.lock.json" is the lockfile of a project that shares its folder.
		Suffixes: []string{".deps.json", ".lock.json", ".nuspec", ".nupkg.sha512", ".dll", ".exe", ".csproj", ".fsproj", ".vbproj"},
		Accept: func(file string) bool {
			base := strings.ToLower(path.Base(file))
			return !strings.HasSuffix(base, ".lock.json") || strings.HasPrefix(base, "packages.")
		},
	}
}

// Extract implements analyzer.Analyzer: one fact for each package, which Join completes.
func (Analyzer) Extract(_ context.Context, f *analyzer.File) ([]analyzer.Fact, error) {
	facts, err := extract(f)
	if err != nil {
		return facts, fmt.Errorf("read %s: %w", f.Path, err)
	}
	return facts, nil
}

func extract(f *analyzer.File) ([]analyzer.Fact, error) {
	limit, read := int64(locked.MaxBytes), readLock
	switch base := strings.ToLower(path.Base(f.Path)); {
	case isAssembly(base):
		return readAssembly(f)
	case strings.HasSuffix(base, ".deps.json"):
		read = readDeps
	case base == "project.assets.json":
		read = readAssets
	case strings.HasSuffix(base, ".nuspec"):
		limit, read = maxXML, readNuspec
	case base == ".nupkg.metadata":
		limit, read = maxMetadata, readMetadata
	case strings.HasSuffix(base, ".nupkg.sha512"):
		limit, read = maxMetadata, readSum
	case base == "packages.config":
		limit, read = maxXML, readConfig
	case strings.HasSuffix(base, ".props"), strings.HasSuffix(base, "proj"):
		limit, read = maxXML, readProps
	}
	data, err := f.Bytes(limit)
	if err != nil {
		return nil, err
	}
	return read(f.Path, data)
}
