// Package hex reads packages of Elixir and Erlang: what mix.lock and rebar.lock name, and what
// is installed.
//
// Installed are the applications of a release or build, each with its resource file
// (lib/<name>-<version>/ebin/<name>.app), and packages as they were unpacked
// (deps/<name>/hex_metadata.config). A resource file does not say where its application comes
// from. Applications of Erlang/OTP and Elixir, whose names Hex keeps free, have package URLs of
// the type otp, as the advisories of these projects do; all others are taken for the Hex package
// of their name, but for the one that a release is named after (releases/<version>/<name>.rel):
// that is the project itself, an application without a package URL. Other applications of the
// project cannot be told from packages.
//
// Packages of an organisation have it as namespace. Those of another Hex repository, of which a
// lockfile has the name alone, have no package URL and the property "hex:repository"; what is of
// a git repository has one with vcs_url and no version; what comes from elsewhere has the property
// "hex:source". Of the two checksums of a package the outer one is that of its file; the inner
// one is left out.
package hex

import (
	"context"
	"path"
	"strings"

	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/analyzer/internal/jsontext"
	"github.com/stella-ops/stella/scan/analyzer/internal/locked"
	"github.com/stella-ops/stella/scan/purl"
	"github.com/stella-ops/stella/scan/sbom"
)

// The properties of packages that have no package URL.
const (
	sourceProperty     = "hex:source"     // where a package comes from that no server has
	repositoryProperty = "hex:repository" // the name of a Hex repository
)

// maxResource bounds the bytes of a resource file, of the metadata of a package and of what
// a release consists of. They list the package's modules and files.
const maxResource = 4 << 20

// Analyzer reads the files of the Hex ecosystem. The zero value is ready to use.
type Analyzer struct{}

// Info implements analyzer.Analyzer.
func (Analyzer) Info() analyzer.Info { return analyzer.Info{Name: "hex", Version: 1} }

// Paths implements analyzer.Analyzer.
func (Analyzer) Paths() analyzer.Paths {
	return analyzer.Paths{
		Names:    []string{"mix.lock", "rebar.lock", "hex_metadata.config"},
		Suffixes: []string{".app", ".rel"},
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
	base, dir := path.Base(file), path.Dir(file)
	switch {
	case base == "mix.lock":
		return format{locked.MaxBytes, readMix}
	case base == "rebar.lock":
		return format{locked.MaxBytes, readRebar}
	case base == "hex_metadata.config":
		return format{maxResource, readMetadata}
	case strings.HasSuffix(base, ".app") && path.Base(dir) == "ebin":
		return format{maxResource, readResource}
	case strings.HasSuffix(base, ".rel") && path.Base(path.Dir(dir)) == "releases":
		return format{maxResource, readRelease}
	}
	return format{}
}

// Extract implements analyzer.Analyzer: one fact for each package, which Join completes.
func (Analyzer) Extract(_ context.Context, f *analyzer.File) ([]analyzer.Fact, error) {
	format := formatOf(f.Path)
	if format.read == nil {
		return nil, nil
	}
	return locked.ReadAt(f, format.limit, format.read)
}

// clean returns a text of a file as UTF-8.
func clean(text []byte) string { return jsontext.Clean(text) }

// packageURL follows the purl type hex: names have no upper case.
func packageURL(organisation, name, version string) purl.PackageURL {
	return locked.URL("hex", strings.ToLower(organisation), strings.ToLower(name), version)
}

// located gives a package of a repository of a version control system its package URL, or
// says where it comes from. A folder of the repository may follow.
func located(p *sbom.Package, tool, address, revision, folder string) {
	place := ""
	if !strings.HasPrefix(address, "file:") {
		place = locked.VCS(tool, address, revision)
	}
	if place == "" {
		property(p, sourceProperty, tool+":"+address)
		return
	}
	if folder != "" {
		place += "#" + folder
	}
	p.Download = place
	if p.PURL = packageURL("", p.Name, ""); !p.PURL.IsZero() {
		p.PURL = p.PURL.With("vcs_url", place)
	}
}

// unknown says where a package comes from that nothing here knows of.
func unknown(p *sbom.Package, kind string, source *term) {
	if text := strings.Trim(kind+":"+source.at(1).str(), ":"); text != "" {
		property(p, sourceProperty, text)
	}
}

func property(p *sbom.Package, name, value string) {
	p.Properties = append(p.Properties, sbom.Property{Name: name, Value: value})
}
