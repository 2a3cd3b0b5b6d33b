package pub

import (
	"cmp"
	"fmt"
	"path"
	"strings"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/analyzer/internal/locked"
	"github.com/stella-ops/stella/scan/analyzer/internal/yamltree"
	"github.com/stella-ops/stella/scan/sbom"
)

// A place is where pub keeps a package in its cache (doc/cache_layout.md of pub).
type place struct {
	server, name, version string // of hosted/SERVER/NAME-VERSION
	revision              string // of git/NAME-REVISION
	inside                bool   // the file belongs to an example or a test of the package
}

// placeOf returns the place of a pubspec.yaml, which is zero for one outside the cache.
func placeOf(file string) (p place) {
	dir := path.Dir(file)
	if before, after, ok := cutFolder("/"+dir, "/hosted/"); ok && strings.HasSuffix(strings.ToLower(before), "cache") {
		server, rest, _ := strings.Cut(after, "/")
		folder, _, inside := strings.Cut(rest, "/")
		p.server, p.inside = directoryServer(server), inside
		p.name, p.version, _ = strings.Cut(folder, "-") // names have no hyphen
	} else if before, after, ok := cutFolder("/"+dir, "/git/"); ok && strings.HasSuffix(strings.ToLower(before), "cache") {
		folder, rest, _ := strings.Cut(after, "/")
		p.revision = folder[strings.LastIndexByte(folder, '-')+1:]
		p.inside = strings.Contains("/"+rest+"/", "/example/") || strings.Contains("/"+rest+"/", "/test/")
	}
	return p
}

// cutFolder cuts a path at the last folder of a name.
func cutFolder(p, folder string) (before, after string, ok bool) {
	i := strings.LastIndex(p, folder)
	if i < 0 {
		return "", "", false
	}
	return p[:i], p[i+len(folder):], true
}

// directoryServer decodes the folder of a server: its address without "https://", in which
// what folders cannot have is written as a percent sign and the decimal code
// (_urlToDirectory in lib/src/source/hosted.dart of pub).
func directoryServer(folder string) string {
	address := strings.NewReplacer("%60", "<", "%62", ">", "%58", ":", "%34", `"`, "%92", `\`, "%47", "/", "%124", "|", "%63", "?", "%42", "*", "%37", "%").Replace(folder)
	switch {
	case strings.Contains(address, "://"):
		return address
	case strings.HasPrefix(address, "localhost"):
		return "http://" + address
	}
	return "https://" + address
}

// readPubspec reads a pubspec.yaml (https://dart.dev/tools/pub/pubspec). In the cache it is a
// package that is installed, else a project and what it needs in exactly one version.
func readPubspec(file string, data []byte) ([]analyzer.Fact, error) {
	at := placeOf(file)
	if at.inside {
		return nil, nil
	}
	tree, err := yamltree.ReadShared(data)
	if err != nil || len(tree.Docs) == 0 {
		return nil, err
	}
	root := tree.Docs[0]
	if tree.Nodes[root].Kind != yamltree.Map {
		return nil, fmt.Errorf("line %d: the file: not a mapping: %w", tree.Nodes[root].Line, fault.Invalid)
	}
	p := sbom.Package{Name: tree.Text(root, "name"), Version: tree.Text(root, "version"), Homepage: tree.Text(root, "homepage")}
	if p.Homepage == "" {
		p.Homepage = locked.Anonymous(tree.Text(root, "repository"))
	}
	p.Description = strings.Join(strings.Fields(tree.Text(root, "description")), " ")
	if at != (place{}) {
		return installed(at, p)
	}
	var f locked.File
	if p.Name != "" && p.Version != "" {
		p.Type = "application"
		f.Put(locked.Entry{Key: ":project", Package: p})
	}
	needs(&f, tree, root)
	return f.Facts(nil)
}

// installed is a package of the cache. Its folder says which one it is where its file does not.
func installed(at place, p sbom.Package) ([]analyzer.Fact, error) {
	p.Name, p.Version = cmp.Or(p.Name, at.name), cmp.Or(p.Version, at.version)
	switch {
	case p.Name == "":
		return nil, fmt.Errorf("a package of the cache without a name: %w", fault.Invalid)
	case at.server == "":
		from(&p, "git:"+at.revision)
	default:
		p.PURL = serverURL(&p, at.server)
	}
	return []analyzer.Fact{{Kind: analyzer.KindPackage, Key: p.Name + "@" + p.Version, Package: &p, Holds: []string{"./"}}}, nil
}

// needs adds the dependencies that have one version, and come from a server. An override
// decides before what a package asks for.
func needs(f *locked.File, t *yamltree.Tree, root int) {
	seen := map[string]bool{}
	for _, section := range [...]struct {
		name  string
		scope sbom.Scope
	}{{"dependency_overrides", sbom.ScopeRuntime}, {"dependencies", sbom.ScopeRuntime}, {"dev_dependencies", sbom.ScopeDev}} {
		list := t.Child(root, section.name)
		if list < 0 || t.Nodes[list].Kind != yamltree.Map {
			continue // many a file has the key and nothing under it
		}
		for d := range t.Children(list) {
			name := t.Key(d)
			if seen[name] {
				continue
			}
			seen[name] = true
			version, server := requirement(t, d)
			if !isExact(version) {
				continue
			}
			p := sbom.Package{Name: name, Version: version, Scope: section.scope}
			p.PURL = serverURL(&p, server)
			f.Put(locked.Entry{Package: p})
		}
	}
}

// requirement returns the constraint and the server of a dependency, "" for pub.dev. What
// comes from elsewhere has no constraint: its version is that of what is there.
func requirement(t *yamltree.Tree, d int) (constraint, server string) {
	if t.Nodes[d].Kind != yamltree.Map {
		return t.Value(d), ""
	}
	for _, elsewhere := range []string{"git", "path", "sdk"} {
		if t.Child(d, elsewhere) >= 0 {
			return "", ""
		}
	}
	if hosted := t.Child(d, "hosted"); hosted >= 0 {
		if server = t.Value(hosted); t.Nodes[hosted].Kind == yamltree.Map {
			server = t.Text(hosted, "url")
		}
	}
	return t.Text(d, "version"), locked.Anonymous(server)
}

// isExact reports whether a constraint is one version: "1.2.3", with what may follow.
func isExact(constraint string) bool {
	core := constraint
	if i := strings.IndexAny(core, "-+"); i >= 0 {
		core = core[:i]
	}
	parts := strings.Split(core, ".")
	for _, part := range parts {
		if part == "" || strings.Trim(part, "0123456789") != "" {
			return false
		}
	}
	return len(parts) == 3 && !strings.ContainsAny(constraint, " \t\n<>=^")
}
