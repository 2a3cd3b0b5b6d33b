// Package wordpress reads WordPress as it is installed: its core, plugins and themes.
//
// Plugins and themes are known by their slug, the name of their folder, which is their name
// in the directories of wordpress.org and in vulnerability data; the name that people see is
// a property. The package URL type wordpress is a candidate without rules, which would give a
// plugin and a theme of one slug one URL, so there is none. The core has the CPE by which it is
// known.
//
// The readme.txt of a plugin is not read: its "Stable tag" names a release in a repository,
// not what is here.
package wordpress

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/sbom"
)

// headBytes is how much of a file WordPress itself looks at for its header
// (wp-includes/functions.php, get_file_data).
const headBytes = 8 << 10

// Analyzer reads the files of WordPress. The zero value is ready to use.
//
// The name space of keys is the folder wp-content, in which plugins and themes refer to each
// other: "plugin/slug", "theme/slug".
type Analyzer struct{}

// Info implements analyzer.Analyzer.
func (Analyzer) Info() analyzer.Info { return analyzer.Info{Name: "wordpress", Version: 1} }

// Paths implements analyzer.Analyzer.
func (Analyzer) Paths() analyzer.Paths {
	return analyzer.Paths{Names: []string{"style.css"}, Suffixes: []string{".php"}, Accept: func(p string) bool { return placeOf(p).kind != "" }}
}

// place is what a path says of a file.
type place struct {
	kind string // "core", "plugin", "theme"; "" is none
	slug string
	site string // the folder wp-content of plugins and themes
}

// placeOf tells the main files of plugins, which are directly in their folder or are alone,
// and the style sheet that says what a theme is.
func placeOf(p string) place {
	if p == coreFile || strings.HasSuffix(p, "/"+coreFile) {
		return place{kind: "core", slug: "wordpress"}
	}
	dir, base := path.Split(p)
	site, rest, ok := cutContent(dir)
	if !ok {
		return place{}
	}
	kind, slug, _ := strings.Cut(strings.TrimSuffix(rest, "/"), "/")
	if strings.Contains(slug, "/") {
		return place{}
	}
	switch isPHP := strings.EqualFold(path.Ext(base), ".php"); {
	case kind == "themes" && slug != "" && base == "style.css":
		return place{"theme", slug, site}
	case kind == "plugins" && isPHP, kind == "mu-plugins" && isPHP && slug == "":
		return place{"plugin", cmp.Or(slug, base[:len(base)-len(".php")], base), site}
	}
	return place{}
}

const coreFile = "wp-includes/version.php"

// cutContent splits a folder behind its last "wp-content/".
func cutContent(dir string) (site, rest string, ok bool) {
	const content = "wp-content/"
	at := strings.LastIndex("/"+dir, "/"+content)
	if at < 0 {
		return "", "", false
	}
	return dir[:at+len(content)-1], dir[at+len(content):], true
}

// Extract implements analyzer.Analyzer: one fact, or none for a file without a header.
func (Analyzer) Extract(_ context.Context, f *analyzer.File) ([]analyzer.Fact, error) {
	head := make([]byte, headBytes)
	n, err := io.ReadFull(f, head)
	if err != nil && err != io.EOF && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, fmt.Errorf("read %s: %w", f.Path, err)
	}
	at := placeOf(f.Path)
	if at.kind == "core" {
		fact, ok := core(clean(head[:n]))
		if !ok {
			return nil, fmt.Errorf("read %s: $wp_version is not set: %w", f.Path, fault.Invalid)
		}
		return []analyzer.Fact{fact}, nil
	}
	h := readHeader(clean(head[:n]))
	title := h[at.kind+" name"]
	if title == "" || at.kind == "" {
		return nil, nil // one of the other files of a plugin
	}
	p := sbom.Package{Name: at.slug, Version: h["version"], Description: h["description"], Homepage: h[at.kind+" uri"], Originator: h["author"],
		Properties: []sbom.Property{{Name: "wordpress:kind", Value: at.kind}, {Name: "wordpress:name", Value: title}}}
	if l := h["license"]; l != "" {
		p.Licenses = []sbom.License{{Name: l, URL: h["license uri"]}}
	}
	fact := analyzer.Fact{Kind: analyzer.KindPackage, Scope: at.site, Key: at.kind + "/" + at.slug, Package: &p}
	if parent := h["template"]; at.kind == "theme" && parent != "" {
		fact.DependsOn = append(fact.DependsOn, "theme/"+parent)
	}
	for slug := range strings.SplitSeq(h["requires plugins"], ",") {
		if slug = strings.TrimSpace(slug); slug != "" && at.kind == "plugin" {
			fact.DependsOn = append(fact.DependsOn, "plugin/"+slug)
		}
	}
	slices.Sort(fact.DependsOn)
	fact.DependsOn = slices.Compact(fact.DependsOn)
	return []analyzer.Fact{fact}, nil
}

// core reads the assignment of $wp_version.
func core(text string) (analyzer.Fact, bool) {
	for line := range strings.Lines(text) {
		rest, ok := strings.CutPrefix(strings.TrimSpace(line), "$wp_version")
		if !ok {
			continue
		}
		rest, ok = strings.CutPrefix(strings.TrimLeft(rest, " \t"), "=")
		if rest = strings.TrimLeft(rest, " \t"); !ok || rest == "" || rest[0] != '\'' && rest[0] != '"' {
			continue
		}
		version, _, ok := strings.Cut(rest[1:], rest[:1])
		if !ok || version == "" {
			continue
		}
		p := sbom.Package{Type: "application", Name: "wordpress", Version: version, Homepage: "https://wordpress.org/",
			Properties: []sbom.Property{{Name: "wordpress:kind", Value: "core"}}}
		if strings.Trim(version, "0123456789.") == "" {
			p.CPEs = []string{"cpe:2.3:a:wordpress:wordpress:" + version + ":*:*:*:*:*:*:*"}
		}
		return analyzer.Fact{Kind: analyzer.KindPackage, Key: "core", Package: &p}, true
	}
	return analyzer.Fact{}, false
}
