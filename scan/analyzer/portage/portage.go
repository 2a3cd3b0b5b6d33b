// Package portage reads the database of installed packages of Gentoo's Portage and of what
// uses its format, such as Flatcar: one folder a package, one file a fact.
//
// It reads which packages there are, their slot, licence, description, repository, files and
// what they need at run time. It leaves out how they were built (USE flags, compilers,
// environment.bz2, what was needed to build), the shared libraries they need, and folders
// named -MERGING-…, which Portage itself passes over.
//
// The package URL type ebuild is proposed, not defined: packages have the type generic, with
// the distribution and the category as namespace. Nothing publishes advisories by it, so a
// blocking gap says that the packages are listed but not assessed.
//
// Format: portage(5), "/var/db/pkg/"; Package Manager Specification (PMS) 8, chapters 3, 7 and 8.
package portage

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/sbom"
)

const (
	scope       = "portage" // all files of the database form one name space
	databaseDir = "var/db/pkg"

	maxText  = 1 << 20 // bytes of a file, CONTENTS aside
	maxOwned = 500_000 // files of one package
)

// Analyzer reads Portage databases. The zero value is ready to use.
type Analyzer struct{}

// Info implements analyzer.Analyzer.
func (Analyzer) Info() analyzer.Info {
	return analyzer.Info{Name: "portage", Version: 1, Authoritative: true}
}

// Paths implements analyzer.Analyzer.
func (Analyzer) Paths() analyzer.Paths {
	return analyzer.Paths{Dirs: []string{databaseDir}, Accept: func(p string) bool {
		_, base := entry(p)
		return base != ""
	}}
}

// entry returns category/package-version of a file of the database and which file it is, or
// "" for one that is not read.
func entry(p string) (key, base string) {
	rest, ok := strings.CutPrefix(p, databaseDir+"/")
	part := strings.Split(rest, "/")
	if !ok || len(part) != 3 || strings.HasPrefix(part[1], "-") {
		return "", ""
	}
	switch part[2] {
	case "PF", "CONTENTS", "SLOT", "LICENSE", "DESCRIPTION", "HOMEPAGE", "repository", "RDEPEND", "PDEPEND":
		return part[0] + "/" + part[1], part[2]
	}
	return "", ""
}

// Extract implements analyzer.Analyzer: each file is a part of what is known of its package.
func (Analyzer) Extract(_ context.Context, f *analyzer.File) ([]analyzer.Fact, error) {
	key, base := entry(f.Path)
	if base == "" {
		return nil, nil
	}
	max := int64(maxText)
	if base == "CONTENTS" {
		max = 0
	}
	data, err := f.Bytes(max)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", f.Path, err)
	}
	fact := analyzer.Fact{Kind: analyzer.KindPart, Scope: scope, Key: key}
	text := strings.ToValidUTF8(string(data), "\uFFFD")
	if base == "CONTENTS" {
		fact.Owns, err = owned(f.Path, text)
	} else {
		err = read(&fact, f.Path, base, strings.Join(strings.Fields(text), " "))
	}
	if err != nil {
		err = fmt.Errorf("read %s: %w", f.Path, err)
	}
	return []analyzer.Fact{fact}, err
}

// read takes the text of a file into the fact.
func read(fact *analyzer.Fact, where, base, text string) (err error) {
	p := &sbom.Package{}
	switch base {
	case "PF":
		if pf := fact.Key[strings.IndexByte(fact.Key, '/')+1:]; text != pf {
			return fmt.Errorf("PF is %.80q in the folder of %.80q: %w", text, pf, fault.Invalid)
		}
		return nil
	case "RDEPEND", "PDEPEND":
		fact.DependsOn, err = dependencies(where, text)
		slices.Sort(fact.DependsOn)
		fact.DependsOn = slices.Compact(fact.DependsOn)
		return err
	case "SLOT":
		p.Properties = []sbom.Property{{Name: "portage:slot", Value: text}}
	case "repository":
		p.Properties = []sbom.Property{{Name: "portage:repository", Value: text}}
	case "LICENSE":
		p.Licenses = licences(text)
	case "DESCRIPTION":
		p.Description = text
	case "HOMEPAGE":
		p.Homepage, _, _ = strings.Cut(text, " ") // the first of several
	}
	fact.Package = p
	return nil
}

// owned reads CONTENTS: "obj path digest time", "sym path -> target time", and folders,
// pipes and devices, which are left out. Paths may have blanks in them. All paths share the
// memory of one string.
func owned(where, text string) ([]string, error) {
	var out []string
	var err error
	for line := 1; text != ""; line++ {
		s, rest, _ := strings.Cut(text, "\n")
		text = rest
		kind, path, _ := strings.Cut(strings.TrimSuffix(s, "\r"), " ")
		switch kind {
		case "obj":
			path = cutLast(cutLast(path))
		case "sym":
			var arrow bool
			if path, _, arrow = strings.Cut(path, " -> "); !arrow {
				path = ""
			}
		case "dir", "fif", "dev", "":
			continue
		default:
			path = ""
		}
		if path = strings.TrimLeft(path, "/"); path == "" {
			if err == nil {
				err = fmt.Errorf("line %d: %.80q is no entry: %w", line, s, fault.Invalid)
			}
			continue
		}
		if len(out) == maxOwned {
			err = &fault.LimitError{What: "files of a package", Where: where, Max: maxOwned, Seen: maxOwned + 1}
			break
		}
		out = append(out, path)
	}
	slices.Sort(out)
	return slices.Compact(out), err
}

// cutLast cuts off the last word.
func cutLast(s string) string {
	if i := strings.LastIndexByte(s, ' '); i >= 0 {
		return s[:i]
	}
	return ""
}

// split splits "openssl-3.0.13-r2" into name and version (PMS 3.1, 3.2); ok is false where
// there is no version.
func split(pf string) (name, version string, ok bool) {
	cut := strings.LastIndexByte(pf, '-')
	if cut > 0 && isRevision(pf[cut+1:]) {
		cut = strings.LastIndexByte(pf[:cut], '-')
	}
	if cut <= 0 {
		return pf, "", false
	}
	number := pf[cut+1:]
	number, _, _ = strings.Cut(number, "-")
	if !isVersion(number) {
		return pf, "", false
	}
	return pf[:cut], pf[cut+1:], true
}

// isRevision reports whether s is r and digits.
func isRevision(s string) bool {
	return len(s) > 1 && s[0] == 'r' && strings.Trim(s[1:], "0123456789") == ""
}

// isVersion reports whether s is a version without its revision: numbers with dots between,
// a letter, suffixes.
func isVersion(s string) bool {
	s, suffixes, has := strings.Cut(s, "_")
	if n := len(s) - 1; n > 0 && 'a' <= s[n] && s[n] <= 'z' {
		s = s[:n]
	}
	for part := range strings.SplitSeq(s, ".") {
		if part == "" || strings.Trim(part, "0123456789") != "" {
			return false
		}
	}
	for has {
		var suffix string
		suffix, suffixes, has = strings.Cut(suffixes, "_")
		switch strings.TrimRight(suffix, "0123456789") {
		case "alpha", "beta", "pre", "rc", "p":
		default:
			return false
		}
	}
	return true
}
