package luarocks

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/analyzer/internal/jsontext"
	"github.com/stella-ops/stella/scan/analyzer/internal/locked"
	"github.com/stella-ops/stella/scan/purl"
	"github.com/stella-ops/stella/scan/sbom"
)

// interpreter is the name by which rocks ask for Lua itself.
const interpreter = "lua"

// rockURL returns the package URL of a rock, whose name LuaRocks takes without case; a
// namespace is a user of the server (purl-spec, type luarocks).
func rockURL(namespace, name, version string) purl.PackageURL {
	return locked.URL("luarocks", strings.ToLower(namespace), strings.ToLower(name), version)
}

// readInstalled reads the rockspec of a rock in a tree. The folder says what it is, also
// where the program does not.
func readInstalled(file string, data []byte) ([]analyzer.Fact, error) {
	at, _ := placeOf(file)
	spec, err := readLua(data)
	p, needs := describe(spec)
	p.Name, p.Version = cmp.Or(p.Name, at.name), cmp.Or(p.Version, at.version)
	p.PURL = rockURL("", p.Name, p.Version)
	return []analyzer.Fact{{Kind: analyzer.KindPackage, Scope: at.scope(), Key: at.key(), Package: &p, DependsOn: needs, Provides: []string{at.name}, Holds: []string{"./"}}}, err
}

// readProject reads the rockspec of a project.
func readProject(_ string, data []byte) ([]analyzer.Fact, error) {
	spec, err := readLua(data)
	p, _ := describe(spec)
	if p.Name == "" {
		return nil, cmp.Or(err, fmt.Errorf("no package: %w", fault.Invalid))
	}
	p.Type, p.State = "application", sbom.Declared
	return []analyzer.Fact{{Kind: analyzer.KindPackage, Key: p.Name + "@" + p.Version, Package: &p}}, err
}

// describe returns what a rockspec says (LuaRocks, "Rockspec format"), and the names of the
// rocks that it needs to run.
func describe(spec *value) (p sbom.Package, needs []string) {
	p.Name, p.Version = spec.get("package").text, spec.get("version").text
	about, source := spec.get("description"), spec.get("source")
	p.Description = about.get("summary").line()
	p.Homepage = about.get("homepage").line()
	p.Supplier = person(about.get("maintainer").line())
	if licence := about.get("license").line(); licence != "" {
		p.Licenses = []sbom.License{{Name: licence}}
	}
	if p.Download = locked.Anonymous(source.get("url").line()); p.Download != "" {
		if tag := cmp.Or(source.get("tag").text, source.get("branch").text); tag != "" {
			p.Download += "@" + tag
		}
		p.Hashes = locked.Hex("md5", strings.ToLower(source.get("md5").text))
	}
	for _, f := range spec.get("dependencies").fields {
		if f.key == "" && f.value.text != "" {
			if name := wanted(f.value.text); name != interpreter && name != "" {
				needs = append(needs, name)
			}
		}
	}
	slices.Sort(needs)
	return p, slices.Compact(needs)
}

// wanted returns the name in "user/name >= 1.0, < 2".
func wanted(text string) string {
	text = strings.TrimSpace(text)
	if n := strings.IndexAny(text, " \t\n=<>~!,@"); n >= 0 {
		text = text[:n]
	}
	return strings.ToLower(text[strings.LastIndexByte(text, '/')+1:])
}

// person writes "Name <mail>" as "Name (mail)".
func person(text string) string {
	name, mail, ok := strings.Cut(text, "<")
	mail, _, _ = strings.Cut(mail, ">")
	if name = strings.TrimSpace(name); !ok || name == "" || mail == "" {
		return name + mail
	}
	return name + " (" + mail + ")"
}

// readPresence says that a folder has a rock: rock_manifest lists its files.
func readPresence(file string, _ []byte) ([]analyzer.Fact, error) {
	at, _ := placeOf(file)
	return []analyzer.Fact{part(at, sbom.Installed)}, nil
}

// readNamespace reads the user whose manifest a rock came from.
func readNamespace(file string, data []byte) ([]analyzer.Fact, error) {
	at, _ := placeOf(file)
	f := part(at, sbom.Installed)
	f.Package.PURL = rockURL(strings.TrimSpace(jsontext.Clean(data)), at.name, at.version)
	return []analyzer.Fact{f}, nil
}

func part(at place, state sbom.State) analyzer.Fact {
	return analyzer.Fact{Kind: analyzer.KindPart, Scope: at.scope(), Key: at.key(), Package: &sbom.Package{Name: at.name, Version: at.version, State: state}}
}

// readManifest reads the manifest of a tree (LuaRocks, "Manifest file format"): the table
// repository has for each rock its versions, and for each version how it is there.
func readManifest(file string, data []byte) ([]analyzer.Fact, error) {
	tree := path.Dir(file)
	doc, err := readLua(data)
	var out []analyzer.Fact
	for _, rock := range doc.get("repository").fields {
		for _, version := range rock.value.fields {
			if rock.key == "" || version.key == "" {
				continue
			}
			if len(out) == locked.MaxEntries {
				return out, &fault.LimitError{What: "rocks of a tree", Where: rock.key, Max: locked.MaxEntries, Seen: locked.MaxEntries + 1}
			}
			out = append(out, part(place{tree, rock.key, version.key}, sbom.Declared))
		}
	}
	return out, err
}

// readLock reads a luarocks.lock ("luarocks make --pin"): tables of names and versions.
func readLock(_ string, data []byte) ([]analyzer.Fact, error) {
	doc, err := readLua(data)
	var l locked.File
	for _, list := range [...]struct {
		name  string
		scope sbom.Scope
	}{{"dependencies", sbom.ScopeRuntime}, {"build_dependencies", sbom.ScopeDev}, {"test_dependencies", sbom.ScopeDev}} {
		for _, f := range doc.get(list.name).fields {
			if f.key == interpreter {
				continue
			}
			if f.key == "" || f.value.text == "" {
				l.Odd(fmt.Errorf("%s: %.60q has no version: %w", list.name, f.key, fault.Invalid))
				continue
			}
			namespace, name, ok := strings.Cut(f.key, "/")
			if !ok {
				namespace, name = "", f.key
			}
			l.Put(locked.Entry{Package: sbom.Package{Name: f.key, Version: f.value.text, Scope: list.scope, PURL: rockURL(namespace, name, f.value.text)}})
		}
	}
	return l.Facts(err)
}

// Join implements analyzer.Joiner: it adds namespaces, and rocks without a rockspec.
func (Analyzer) Join(in *analyzer.Squashed) ([]analyzer.Located, []sbom.Gap) {
	out := make([]analyzer.Located, 0, len(in.Facts))
	at := map[[2]string]int{} // of rocks in trees
	add := func(f analyzer.Located) int {
		p := *f.Package // facts may be shared
		f.Kind, f.Package = analyzer.KindPackage, &p
		if f.Scope != "" {
			at[[2]string{f.Scope, f.Key}] = len(out)
		}
		out = append(out, f)
		return len(out) - 1
	}
	for _, f := range in.Facts {
		if f.Kind == analyzer.KindPackage {
			add(f)
		}
	}
	for _, f := range in.Facts {
		if f.Kind != analyzer.KindPart {
			continue
		}
		i, ok := at[[2]string{f.Scope, f.Key}]
		if !ok {
			i = add(f)
			out[i].Provides = []string{f.Package.Name}
		}
		p := out[i].Package
		if f.Package.State == sbom.Installed {
			p.State = sbom.Installed
		}
		switch {
		case !f.Package.PURL.IsZero():
			p.PURL = f.Package.PURL
		case p.PURL.IsZero():
			p.PURL = rockURL("", p.Name, p.Version)
		}
	}
	return out, nil
}
