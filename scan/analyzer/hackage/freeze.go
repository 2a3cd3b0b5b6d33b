package hackage

import (
	"fmt"
	"strings"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/analyzer/internal/locked"
	"github.com/stella-ops/stella/scan/sbom"
)

// readFreeze reads the constraints of a cabal.project.freeze
// (https://cabal.readthedocs.io/en/stable/cabal-project-description-file.html, "constraints").
func readFreeze(data []byte) ([]analyzer.Fact, error) {
	var c constraints
	fields(data, func(name, value []byte) {
		if string(name) != "constraints" && string(name) != "constraint" {
			return
		}
		for text := range strings.SplitSeq(oneLine(value), ",") {
			if text = strings.TrimSpace(text); text != "" {
				c.take(text)
			}
		}
	})
	return c.facts()
}

// constraints are what a freeze file says of packages.
type constraints struct {
	file   locked.File
	pinned map[string]bool
	bound  []locked.Entry // those without a version
}

// facts leaves out bounds of packages that have a version elsewhere in the file.
func (c *constraints) facts() ([]analyzer.Fact, error) {
	for _, e := range c.bound {
		if !c.pinned[e.Package.Name] {
			c.file.Put(e)
		}
	}
	return c.file.Facts(nil)
}

// take reads "any.aeson ==2.1.0.0", "aeson -cffi +ordered-keymap", "base installed" or
// "setup.Cabal >=3 && <4". What only chooses flags, sources or stanzas names no package.
func (c *constraints) take(text string) {
	at := strings.IndexAny(text, " \t=<>^")
	if at < 0 {
		return
	}
	name, rest := text[:at], strings.TrimSpace(text[at:])
	var scope sbom.Scope
	if i := strings.LastIndexByte(name, '.'); i >= 0 { // "any.", "setup.", "other:setup."
		if strings.HasSuffix(name[:i], "setup") {
			scope = sbom.ScopeDev
		}
		name = name[i+1:]
	}
	if rest == "" || !strings.ContainsAny(rest[:1], "=<>^(") && rest != "installed" {
		return
	}
	if name == "" || strings.Trim(name, letters) != "" {
		c.file.Odd(fmt.Errorf("constraint %.80q: no package name: %w", text, fault.Invalid))
		return
	}
	versions, all := pins(rest)
	for _, v := range versions {
		e := locked.Entry{Package: pack(name, v)}
		e.Package.Scope = scope
		c.pin(e)
	}
	if !all && len(c.bound) <= locked.MaxEntries {
		e := locked.Entry{Package: pack(name, "")}
		e.Package.Scope = scope
		e.Package.Properties = []sbom.Property{{Name: "hackage:requirement", Value: rest}}
		c.bound = append(c.bound, e)
	}
}

func (c *constraints) pin(e locked.Entry) {
	if c.pinned == nil {
		c.pinned = map[string]bool{}
	}
	c.pinned[e.Package.Name] = true
	c.file.Put(e)
}

const (
	digits  = "0123456789"
	letters = digits + "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-"
)

// pins returns the versions of "==1.2.3" or "==1.2.3 || ==1.3"; all is false where there is
// another bound.
func pins(text string) (versions []string, all bool) {
	for part := range strings.SplitSeq(text, "||") {
		v, ok := strings.CutPrefix(strings.TrimSpace(part), "==")
		if v = strings.TrimSpace(v); !ok || v == "" || strings.Trim(v, digits+".") != "" {
			return nil, false
		}
		versions = append(versions, v)
	}
	return versions, true
}

func pack(name, version string) sbom.Package {
	return sbom.Package{Name: name, Version: version, PURL: locked.URL("hackage", "", name, version)}
}
