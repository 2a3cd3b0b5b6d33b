package gobinary

import (
	"fmt"
	"path"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/purl"
	"github.com/stella-ops/stella/scan/sbom"
)

// Keys of the facts that are not about a required module. Module paths have no
// colon.
const (
	keyMain   = ":main"
	keyStdlib = ":stdlib"
)

// facts turns the build information of the file at where into packages: the
// application, the standard library, then the modules in the linker's order.
func (b buildInfo) facts(where string) ([]analyzer.Fact, error) {
	stdlib := stdlibFact(b.version)
	if b.lost != nil {
		return []analyzer.Fact{stdlib}, fmt.Errorf("module list: %w", b.lost)
	}
	text := strings.ToValidUTF8(b.modules, "\uFFFD")
	if n := strings.Count(text, "\ndep\t"); n > maxModules {
		return []analyzer.Fact{stdlib}, &fault.LimitError{What: "modules of one executable", Where: where, Max: maxModules, Seen: int64(n)}
	}
	info, err := debug.ParseBuildInfo(text)
	if err != nil {
		return []analyzer.Fact{stdlib}, fmt.Errorf("module list: %v: %w", err, fault.Invalid)
	}
	app := appFact(info, where)
	facts := []analyzer.Fact{app, stdlib}
	seen := map[string]bool{keyMain: true, keyStdlib: true}
	for _, m := range info.Deps {
		switch f := moduleFact(m); {
		case m.Path == "" || f.Package.Name == "":
			err = fmt.Errorf("a module without a path: %w", fault.Invalid)
		case !seen[f.Key]:
			seen[f.Key] = true
			facts = append(facts, f)
		}
	}
	for _, f := range facts[1:] {
		facts[0].DependsOn = append(facts[0].DependsOn, f.Key)
	}
	return facts, err
}

// stdlibFact reports the standard library, whose version is the toolchain's.
// Releases are written without "go", release candidates as semantic versions,
// which is how Go's own advisories name them: go1.22rc1 is 1.22.0-rc.1. What
// has no such form (a development toolchain) has no version.
func stdlibFact(toolchain string) analyzer.Fact {
	toolchain = strings.ToValidUTF8(toolchain, "\uFFFD")
	p := &sbom.Package{Name: "stdlib", Version: stdlibVersion(toolchain)}
	p.PURL = purl.PackageURL{Type: "golang", Name: "stdlib", Version: p.Version}
	if toolchain != "go"+p.Version {
		p.Properties = []sbom.Property{{Name: "go:toolchain", Value: toolchain}}
	}
	return analyzer.Fact{Kind: analyzer.KindPackage, Key: keyStdlib, Package: p}
}

// stdlibVersion returns the release in a toolchain's name, which may go on
// behind it: "go1.21.3 (Red Hat 1.21.3-1.el9)", "go1.22.5 X:boringcrypto".
func stdlibVersion(toolchain string) string {
	rest, ok := strings.CutPrefix(toolchain, "go1.")
	if !ok {
		return ""
	}
	end := strings.IndexFunc(rest, func(r rune) bool { return r != '.' && (r < '0' || r > '9') })
	if end < 0 {
		end = len(rest)
	}
	release, suffix := "1."+strings.TrimRight(rest[:end], "."), rest[end:]
	parts := strings.Split(release, ".")
	if len(parts) > 3 || slices.Contains(parts, "") {
		return ""
	}
	for _, word := range []string{"rc", "beta"} {
		n, ok := strings.CutPrefix(suffix, word)
		if !ok {
			continue
		}
		n = n[:len(n)-len(strings.TrimLeft(n, "0123456789"))]
		if len(parts) == 2 {
			release += ".0"
		}
		return release + "-" + word + "." + n
	}
	return release
}

// appFact reports the executable itself.
func appFact(info *debug.BuildInfo, where string) analyzer.Fact {
	p := &sbom.Package{Type: "application"}
	switch {
	case info.Main.Path != "":
		p.Name = info.Main.Path
		p.Version = released(info.Main.Version)
		p.PURL = moduleURL(p.Name, p.Version)
	case info.Path != "" && info.Path != "command-line-arguments":
		p.Name = info.Path // built in GOROOT: the go command and its tools
	default:
		p.Name = path.Base(where) // built from single files: it has no name of its own
	}
	if info.Path != "" && info.Path != p.Name {
		p.Properties = append(p.Properties, sbom.Property{Name: "go:path", Value: info.Path})
	}
	if info.Main.Sum != "" {
		p.Properties = append(p.Properties, sbom.Property{Name: "go:h1", Value: info.Main.Sum})
	}
	p.Arch, p.Properties = settings(info.Settings, p.Properties)
	sortProperties(p)
	return analyzer.Fact{Kind: analyzer.KindPackage, Key: keyMain, Package: p}
}

// moduleFact reports a module under the name and version that were compiled
// in: a replacement from another module is that module, one from a folder is
// the required module at no known version.
func moduleFact(m *debug.Module) analyzer.Fact {
	p := &sbom.Package{Name: m.Path, Version: released(m.Version)}
	sum := m.Sum
	if r := m.Replace; r != nil {
		sum = r.Sum
		p.Properties = append(p.Properties, sbom.Property{Name: "go:replaces", Value: pathAtVersion(m.Path, m.Version)})
		if isFolder(r) {
			p.Version = ""
			p.Properties = append(p.Properties, sbom.Property{Name: "go:replaced-by", Value: r.Path})
		} else {
			p.Name, p.Version = r.Path, released(r.Version)
		}
	}
	if sum != "" {
		p.Properties = append(p.Properties, sbom.Property{Name: "go:h1", Value: sum})
	}
	p.PURL = moduleURL(p.Name, p.Version)
	sortProperties(p)
	return analyzer.Fact{Kind: analyzer.KindPackage, Key: m.Path, Package: p}
}

// isFolder reports whether a replacement is a path of the machine that built
// the binary. Such paths have no version and look like no module path.
func isFolder(m *debug.Module) bool {
	return m.Version == "" || strings.HasPrefix(m.Path, "./") || strings.HasPrefix(m.Path, "../") || strings.HasPrefix(m.Path, "/")
}

func pathAtVersion(path, version string) string {
	if version == "" {
		return path
	}
	return path + "@" + version
}

// released returns version unless it says that there is none.
func released(version string) string {
	if version == "(devel)" {
		return ""
	}
	return version
}

// moduleURL returns the package URL of a module. Its name is lower case by the
// rule of the type; the module's own spelling stays in the package's name.
func moduleURL(module, version string) purl.PackageURL {
	namespace, name := "", strings.ToLower(strings.Trim(module, "/"))
	if i := strings.LastIndexByte(name, '/'); i >= 0 {
		namespace, name = name[:i], name[i+1:]
	}
	if name == "" {
		return purl.PackageURL{}
	}
	return purl.PackageURL{Type: "golang", Namespace: namespace, Name: name, Version: version}
}

func sortProperties(p *sbom.Package) {
	slices.SortStableFunc(p.Properties, func(a, b sbom.Property) int { return strings.Compare(a.Name, b.Name) })
}
