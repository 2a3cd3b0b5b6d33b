// Package opkg reads the database of opkg, the package manager of OpenWrt up to 24.10 and of
// images that the Yocto Project builds with it: the status file, and of each package the
// control file, which says more, and the list of its files.
//
// There is no package URL type for opkg (openwrt is proposed; yocto names recipes, which the
// database does not always have): packages have the type generic, with the distribution as
// namespace. Nothing publishes advisories by it, so a blocking gap says that the packages are
// listed but not assessed. The CPE names that OpenWrt gives its packages are kept, with the
// version as its own SBOM has them.
//
// Format: opkg libopkg/pkg_parse.c; OpenWrt include/package-pack.mk and package-dumpinfo.mk;
// OpenEmbedded meta/classes-global/package_ipk.bbclass.
package opkg

import (
	"bytes"
	"context"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/analyzer/internal/stanza"
	"github.com/stella-ops/stella/scan/sbom"
)

const (
	scope       = "opkg"  // all files of the database form one name space
	maxControl  = 1 << 20 // bytes of a control file
	maxPackages = 30_000  // of one status file; OpenWrt has some 10,000
	maxNames    = 300_000 // dependencies and provided names of one file, or files of a package
)

// folders are where databases are: OpenWrt's and Yocto's.
func folders() []string { return []string{"usr/lib/opkg", "var/lib/opkg"} }

// Analyzer reads opkg databases. The zero value is ready to use.
type Analyzer struct{}

// Info implements analyzer.Analyzer.
func (Analyzer) Info() analyzer.Info {
	return analyzer.Info{Name: "opkg", Version: 1, Authoritative: true}
}

// Paths implements analyzer.Analyzer.
func (Analyzer) Paths() analyzer.Paths {
	p := analyzer.Paths{Accept: func(p string) bool { return role(p) != "" }}
	for _, dir := range folders() {
		p.Exact = append(p.Exact, dir+"/status")
		p.Dirs = append(p.Dirs, dir+"/info")
	}
	return p
}

// role is status, .control or .list; "" for a file that is not read.
func role(p string) string {
	for _, dir := range folders() {
		if p == dir+"/status" {
			return "status"
		}
		if ext := path.Ext(p); path.Dir(p) == dir+"/info" && (ext == ".control" || ext == ".list") {
			return ext
		}
	}
	return ""
}

// Extract implements analyzer.Analyzer: packages are what the status file says is installed,
// the rest are parts of them.
func (Analyzer) Extract(_ context.Context, f *analyzer.File) (facts []analyzer.Fact, err error) {
	switch role(f.Path) {
	case "status":
		facts, err = readStatus(f)
	case ".control":
		facts, err = readControl(f)
	case ".list":
		facts, err = readList(f)
	}
	if err != nil {
		err = fmt.Errorf("read %s: %w", f.Path, err)
	}
	return facts, err
}

func readStatus(f *analyzer.File) ([]analyzer.Fact, error) {
	data, err := f.Bytes(0)
	if err != nil {
		return nil, err
	}
	var facts []analyzer.Fact
	var c control
	var odd error
	keys := map[string]bool{}
	names := 0
	wrong := func(line int, err error) {
		if odd == nil && err != nil {
			odd = fmt.Errorf("stanza of line %d: %w", line, err)
		}
	}
	err = stanza.Read(data, c.take, func(line int) {
		this := c
		c = control{}
		if names += len(this.depends) + len(this.provides); names > maxNames || len(facts) == maxPackages {
			wrong(line, &fault.LimitError{What: "packages and relations of one database", Where: f.Path, Max: maxNames, Seen: int64(names)})
			return
		}
		if !this.named() || this.status == "" {
			wrong(line, fmt.Errorf("package %.80q with status %.80q: %w", this.name, this.status, fault.Invalid))
			return
		}
		if !installed(this.status) {
			return
		}
		if this.version == "" {
			wrong(line, fmt.Errorf("package %.80q has no version: %w", this.name, fault.Invalid))
			return
		}
		fact := this.fact(analyzer.KindPackage)
		if keys[fact.Key] { // of two stanzas both are listed
			fact.Key += "@" + this.version
		}
		if !keys[fact.Key] {
			facts = append(facts, fact)
		}
		keys[fact.Key] = true
	})
	if odd == nil {
		odd = err
	}
	return facts, odd
}

func readControl(f *analyzer.File) ([]analyzer.Fact, error) {
	data, err := f.Bytes(maxControl)
	if err != nil {
		return nil, err
	}
	var c control
	var facts []analyzer.Fact
	err = stanza.Read(data, c.take, func(int) {
		if c.named() && len(facts) == 0 {
			facts = append(facts, c.fact(analyzer.KindPart))
		}
	})
	if len(facts) == 0 && err == nil {
		err = fmt.Errorf("no package: %w", fault.Invalid)
	}
	return facts, err
}

// readList reads the list of a package's files: one path a line; of newer versions with the
// mode and the target of links after tabs. All paths share the memory of one string.
func readList(f *analyzer.File) ([]analyzer.Fact, error) {
	data, err := f.Bytes(0)
	if err != nil {
		return nil, err
	}
	key := strings.TrimSuffix(path.Base(f.Path), ".list")
	fact := analyzer.Fact{Kind: analyzer.KindPart, Scope: scope, Key: key}
	for line := range strings.Lines(strings.ToValidUTF8(string(data), "\uFFFD")) {
		p, _, _ := strings.Cut(strings.TrimRight(line, "\r\n"), "\t")
		if p = strings.Trim(p, "/"); p == "" || p == "." {
			continue
		}
		if len(fact.Owns) == maxNames {
			err = &fault.LimitError{What: "files of a package", Where: f.Path, Max: maxNames, Seen: maxNames + 1}
			break
		}
		fact.Owns = append(fact.Owns, p)
	}
	slices.Sort(fact.Owns)
	fact.Owns = slices.Compact(fact.Owns)
	return []analyzer.Fact{fact}, err
}

// installed reads "want flag state".
func installed(status string) bool {
	words := strings.Fields(status)
	switch words[len(words)-1] {
	case "not-installed", "config-files":
		return false
	}
	return true
}

// control is one stanza of a status or control file.
type control struct {
	name, version, arch, status string
	description, homepage       string
	maintainer, license, cpe    string
	sourceName, recipe, source  string
	depends, provides           []string
}

// take keeps one field.
func (c *control) take(name, value []byte) {
	if to := c.field(string(name)); to != nil {
		*to = stanza.Line(value)
		return
	}
	switch string(name) {
	case "Description":
		first, _, _ := bytes.Cut(value, []byte("\n"))
		c.description = stanza.Line(first)
	case "Depends":
		c.depends = relations(value)
	case "Provides":
		c.provides = relations(value)
	}
}

// field returns where to keep a field of one line, or nil.
func (c *control) field(name string) *string {
	switch name {
	case "Package":
		return &c.name
	case "Version":
		return &c.version
	case "Architecture":
		return &c.arch
	case "Status":
		return &c.status
	case "Homepage", "URL":
		return &c.homepage
	case "Maintainer":
		return &c.maintainer
	case "License":
		return &c.license
	case "CPE-ID":
		return &c.cpe
	case "SourceName":
		return &c.sourceName
	case "OE":
		return &c.recipe
	case "Source":
		return &c.source
	}
	return nil
}

// named reports whether the name can be one: part of a file name.
func (c *control) named() bool { return c.name != "" && !strings.ContainsAny(c.name, " /") }

// relations reads "a, b (>= 1), c | d": the names, of alternatives with bars between; sorted.
func relations(value []byte) []string {
	var out []string
	for group := range strings.SplitSeq(stanza.Line(value), ",") {
		var names []string
		for a := range strings.SplitSeq(group, "|") {
			a, _, _ = strings.Cut(strings.TrimSpace(a), " ")
			if a, _, _ = strings.Cut(a, "("); a != "" {
				names = append(names, a)
			}
		}
		if len(names) > 0 {
			out = append(out, strings.Join(names, "|"))
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// fact makes a fact of what was read.
func (c *control) fact(kind analyzer.Kind) analyzer.Fact {
	p := &sbom.Package{
		Name: c.name, Version: c.version, Arch: c.arch, Description: c.description, Homepage: c.homepage, Supplier: c.maintainer, CPEs: cpes(c.cpe, c.version),
	}
	if c.license != "" {
		p.Licenses = []sbom.License{licence(c.license)}
	}
	if up := c.upstream(); up != "" && up != c.name {
		p.Upstream = &sbom.Upstream{Name: up}
	}
	return analyzer.Fact{Kind: kind, Scope: scope, Key: c.name, Package: p, DependsOn: c.depends, Provides: c.provides}
}

// upstream is the source package of OpenWrt or the recipe of OpenEmbedded, which older images
// have as the name of its file, "busybox_1.36.1.bb".
func (c *control) upstream() string {
	for _, name := range []string{c.sourceName, c.recipe} {
		if name != "" {
			return name
		}
	}
	if file, ok := strings.CutSuffix(c.source, ".bb"); ok && !strings.ContainsAny(file, " /:") {
		name, _, _ := strings.Cut(file, "_")
		return name
	}
	return ""
}
