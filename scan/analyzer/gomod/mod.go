package gomod

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"go/version"
	"strings"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/analyzer/internal/locked"
	"github.com/stella-ops/stella/scan/sbom"
)

// readMod reads a go.mod (Go Modules Reference, "go.mod files"). One with a line that is
// not known yet is read as the go command reads those of dependencies: replacements are
// then left out, and the error is kept.
func readMod(data []byte) ([]analyzer.Fact, error) {
	data = bytes.ToValidUTF8(data, []byte("\uFFFD"))
	mod, err := modfile.Parse("", data, nil)
	if err != nil {
		err = firstError(err)
		if mod, _ = modfile.ParseLax("", data, nil); mod == nil {
			return nil, err
		}
	}
	var out locked.File
	r := newReplacements(mod.Replace)
	excluded := map[module.Version]bool{}
	for _, e := range mod.Exclude {
		excluded[e.Mod] = true
	}
	var direct []string
	for _, q := range mod.Require {
		if excluded[q.Mod] {
			continue
		}
		p := r.pkg(q.Mod.Path, q.Mod.Version)
		if q.Indirect {
			p.Properties = append([]sbom.Property{{Name: "go:indirect", Value: "true"}}, p.Properties...)
		} else {
			direct = append(direct, q.Mod.Path)
		}
		out.Put(locked.Entry{Key: q.Mod.Path, Package: p})
	}
	if least := leastGo(mod); least != "" {
		direct = append(direct, keyStdlib)
		out.Put(locked.Entry{Key: keyStdlib, Package: sbom.Package{Name: "stdlib", PURL: locked.URL("golang", "", "stdlib", ""),
			Properties: []sbom.Property{{Name: "go:least", Value: least}}}})
	}
	if mod.Module != nil && mod.Module.Mod.Path != "" {
		name := mod.Module.Mod.Path
		out.Put(locked.Entry{Key: keyMain, Wants: direct, Package: sbom.Package{Type: "application", Name: name, PURL: moduleURL(name, "")}})
	}
	facts, err := out.Facts(err)
	if mod.Go == nil || version.Compare("go"+mod.Go.Version, "go1.17") < 0 {
		facts = append(facts, analyzer.Fact{Kind: analyzer.KindPart, Key: keyOld})
	}
	return facts, err
}

// firstError returns the first of the errors of a go.mod, as "line 2: …".
func firstError(err error) error {
	text := err.Error()
	if list := modfile.ErrorList(nil); errors.As(err, &list) && len(list) > 0 {
		text = list[0].Error()
	}
	if at, what, ok := strings.Cut(strings.TrimPrefix(text, ":"), ": "); ok {
		text = "line " + at + ": " + what
	}
	return fmt.Errorf("%s: %w", strings.Join(strings.Fields(text), " "), fault.Invalid)
}

// leastGo returns the version of the toolchain line without what names its supplier
// ("go1.22.5-custom"), or that of the go line, or "".
func leastGo(mod *modfile.File) string {
	if mod.Toolchain != nil && mod.Toolchain.Name != "default" {
		name, _, _ := strings.Cut(mod.Toolchain.Name, "-")
		return strings.TrimPrefix(name, "go")
	}
	if mod.Go != nil {
		return mod.Go.Version
	}
	return ""
}

// replacements are the replace directives by what they replace; without a version they
// are for all versions that have none of their own.
type replacements map[module.Version]module.Version

func newReplacements(list []*modfile.Replace) replacements {
	out := replacements{}
	for _, r := range list {
		out[r.Old] = r.New
	}
	return out
}

// pkg returns the module that is compiled for one that is required.
func (r replacements) pkg(name, version string) sbom.Package {
	to, ok := r[module.Version{Path: name, Version: version}]
	if !ok {
		to, ok = r[module.Version{Path: name}]
	}
	if !ok {
		return sbom.Package{Name: name, Version: version, PURL: moduleURL(name, version)}
	}
	return replaced(name, version, to)
}

// replaced returns the module for another, or for a folder that stands for it: folders
// have no version.
func replaced(name, version string, to module.Version) sbom.Package {
	p := sbom.Package{Name: to.Path, Version: to.Version}
	p.Properties = []sbom.Property{{Name: "go:replaces", Value: strings.TrimSuffix(name+"@"+version, "@")}}
	if to.Version == "" {
		p.Name = name
		p.Properties = []sbom.Property{{Name: "go:replaced-by", Value: to.Path}, p.Properties[0]}
	}
	p.Name = cmp.Or(p.Name, name)
	p.PURL = moduleURL(p.Name, p.Version)
	return p
}
