// Package flatpak reads what Flatpak has installed, for all users or for one: the metadata
// file of each deployed application, runtime and extension, and the AppStream metainfo of it,
// which tells the version.
//
// It leaves out what is inside of an application (other analyzers read it), the repository
// that applications are checked out from, and versions that metainfo keeps in a file of
// their own: a package without one is a gap when it is matched.
//
// There is no package URL type for Flatpak: packages have the type generic with flatpak as
// namespace. Nothing publishes advisories by it.
//
// Format: flatpak-metadata(5); flatpak(1), "FILES"; AppStream 1.0, chapter 2.
package flatpak

import (
	"context"
	"fmt"
	"strings"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/sbom"
)

const (
	scope       = "flatpak" // all installations form one name space
	maxMetadata = 1 << 20
)

// Analyzer reads Flatpak installations. The zero value is ready to use.
type Analyzer struct{}

// Info implements analyzer.Analyzer.
func (Analyzer) Info() analyzer.Info {
	return analyzer.Info{Name: "flatpak", Version: 2, Authoritative: true}
}

// Paths implements analyzer.Analyzer.
func (Analyzer) Paths() analyzer.Paths {
	return analyzer.Paths{
		Names: []string{"metadata"}, Suffixes: []string{".metainfo.xml", ".appdata.xml"},
		Accept: func(p string) bool { _, ok := placeOf(p); return ok },
	}
}

// place is what the path of a file says: of which deployment it is.
type place struct {
	key                            string // folder of the deployment
	kind, id, arch, branch, commit string // the ref, kind being app or runtime, and the commit
	file                           string // below the folder
}

// ref names what was deployed, as other deployments refer to it.
func (p *place) ref() string { return p.kind + "/" + p.id + "/" + p.arch + "/" + p.branch }

// placeOf reads "flatpak/app/<id>/<arch>/<branch>/<commit>/<file>", or runtime instead of app,
// below any folder. Of metainfo only that of the package itself counts.
func placeOf(p string) (place, bool) {
	part := strings.Split(p, "/")
	for i := 0; i+6 < len(part); i++ {
		if part[i] != "flatpak" || part[i+1] != "app" && part[i+1] != "runtime" {
			continue
		}
		at := place{key: strings.Join(part[:i+6], "/"), kind: part[i+1], id: part[i+2], arch: part[i+3], branch: part[i+4], commit: part[i+5], file: strings.Join(part[i+6:], "/")}
		if at.id == "" {
			return place{}, false
		}
		switch at.file {
		case "metadata", "export/share/metainfo/" + at.id + ".metainfo.xml", "files/share/metainfo/" + at.id + ".metainfo.xml",
			"files/share/metainfo/" + at.id + ".appdata.xml", "files/share/appdata/" + at.id + ".appdata.xml":
			return at, true
		}
		return place{}, false
	}
	return place{}, false
}

// Extract implements analyzer.Analyzer: a metadata file is a package, metainfo a part of one.
func (Analyzer) Extract(_ context.Context, f *analyzer.File) ([]analyzer.Fact, error) {
	at, ok := placeOf(f.Path)
	if !ok {
		return nil, nil
	}
	fact := analyzer.Fact{Kind: analyzer.KindPart, Scope: scope, Key: at.key}
	var err error
	if at.file == "metadata" {
		var data []byte
		if data, err = f.Bytes(maxMetadata); err == nil {
			fact.Kind, fact.Holds = analyzer.KindPackage, []string{"./"}
			err = readMetadata(&fact, &at, string(data))
		}
	} else {
		var data []byte
		if data, err = f.Bytes(maxMetainfo); err == nil {
			fact.Package, err = readMetainfo(f.Path, data)
		}
	}
	if err != nil {
		err = fmt.Errorf("read %s: %w", f.Path, err)
	}
	if fact.Package == nil {
		return nil, err
	}
	return []analyzer.Fact{fact}, err
}

// readMetadata reads a key file: groups in brackets, key=value lines, comments.
func readMetadata(fact *analyzer.Fact, at *place, text string) error {
	text = strings.ToValidUTF8(text, "\uFFFD")
	var err error
	group, values := "", map[string]string{}
	for line := 1; text != ""; line++ {
		s, rest, _ := strings.Cut(text, "\n")
		text = rest
		s = strings.TrimSpace(s)
		key, value, assigned := strings.Cut(s, "=")
		switch {
		case s == "" || s[0] == '#':
		case s[0] == '[' && s[len(s)-1] == ']':
			group = s[1 : len(s)-1]
		case assigned && group != "":
			if wanted(group, strings.TrimSpace(key)) {
				values[group+" "+strings.TrimSpace(key)] = strings.TrimSpace(value)
			}
		case err == nil:
			err = fmt.Errorf("line %d: %.80q is no entry of a group: %w", line, s, fault.Invalid)
		}
	}
	name := values["Application name"]
	if name == "" {
		name = values["Runtime name"]
	}
	if name == "" {
		name = at.id // extensions of old have no name
	}
	p := &sbom.Package{Name: name, Arch: at.arch}
	switch {
	case at.kind == "app":
		p.Type = "application"
	case values["ExtensionOf ref"] == "":
		p.Type = "framework"
	}
	property := func(name, value string) {
		if value != "" {
			p.Properties = append(p.Properties, sbom.Property{Name: name, Value: value})
		}
	}
	property("flatpak:branch", at.branch)
	property("flatpak:commit", at.commit)
	property("flatpak:extension-of", values["ExtensionOf ref"])
	fact.Package, fact.Provides = p, []string{at.ref()}
	if runtime := values["Application runtime"]; runtime != "" {
		fact.DependsOn = []string{"runtime/" + runtime}
	}
	return err
}

// wanted reports whether a key of a group is read.
func wanted(group, key string) bool {
	switch group {
	case "Application":
		return key == "name" || key == "runtime"
	case "Runtime":
		return key == "name"
	case "ExtensionOf":
		return key == "ref"
	}
	return false
}
