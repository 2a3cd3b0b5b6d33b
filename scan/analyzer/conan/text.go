package conan

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/analyzer/internal/locked"
	"github.com/stella-ops/stella/scan/sbom"
)

// sections calls each for every line of a text in sections ("[requires]"), as Conan's own
// configuration reader does: "#" begins a comment at the start of a line and after a blank.
func sections(data []byte, each func(section, line string, number int)) {
	section, number := "", 0
	for line := range strings.Lines(strings.ToValidUTF8(string(data), "\uFFFD")) {
		number++
		line, _, _ = strings.Cut(strings.TrimSpace(strings.TrimPrefix(line, "\uFEFF")), " #")
		line = strings.TrimSpace(line)
		switch {
		case line == "" || line[0] == '#':
		case line[0] == '[' && line[len(line)-1] == ']':
			section = line[1 : len(line)-1]
		default:
			each(section, line, number)
		}
	}
}

// readConanfile reads the requirements of a conanfile.txt
// (https://docs.conan.io/2/reference/conanfile_txt.html).
func readConanfile(data []byte) ([]analyzer.Fact, error) {
	var f locked.File
	sections(data, func(section, line string, number int) {
		var scope sbom.Scope
		switch section {
		case "requires":
		case "tool_requires", "build_requires", "test_requires":
			scope = sbom.ScopeDev
		default:
			return
		}
		if err := require(&f, line, scope); err != nil {
			f.Odd(fmt.Errorf("line %d: %w", number, err))
		}
	})
	return f.Facts(nil)
}

// require takes one requirement: a reference, or one with a range in place of its version
// ("zlib/[>=1.2.11 <2]@user/channel"). Words of Conan 1 may follow a comma ("override").
func require(f *locked.File, line string, scope sbom.Scope) error {
	name, rest, ok := strings.Cut(line, "/[")
	asked, owner, closed := strings.Cut(rest, "]")
	if !ok {
		line, _, _ = strings.Cut(line, ",")
		ref, err := parse(strings.TrimSpace(line))
		if err == nil {
			p := ref.pack()
			p.Scope = scope
			f.Put(locked.Entry{Key: ref.String(), Package: p})
		}
		return err
	}
	if !closed {
		return fmt.Errorf("a version range without end: %w", fault.Invalid)
	}
	owner, _, _ = strings.Cut(owner, ",")
	ref, err := parse(name + "/*" + strings.TrimSpace(owner))
	if err != nil {
		return err
	}
	ref.version = ""
	p := ref.pack()
	p.Scope = scope
	p.Properties = []sbom.Property{{Name: "conan:requirement", Value: "[" + asked + "]"}}
	f.Put(locked.Entry{Package: p})
	return nil
}

// cached returns what a conaninfo.txt in a cache of Conan 1 is about:
// "data/zlib/1.2.13/_/_/package/<id>/conaninfo.txt".
func cached(file string) (reference, bool) {
	dir := strings.Split(path.Dir(file), "/")
	n := len(dir)
	if n < 7 || dir[n-2] != "package" || dir[n-7] != "data" {
		return reference{}, false
	}
	ref, err := parse(dir[n-6] + "/" + dir[n-5] + "@" + dir[n-4] + "/" + dir[n-3])
	return ref, err == nil
}

// readInfo reads the conaninfo.txt of a binary package: its architecture and what it was
// built with. Revisions are not in it.
func readInfo(ref reference, data []byte) []analyzer.Fact {
	p := ref.pack()
	f := analyzer.Fact{Kind: analyzer.KindPackage, Scope: "cache", Key: ref.String(), Package: &p}
	sections(data, func(section, line string, _ int) {
		switch section {
		case "settings":
			if arch, ok := strings.CutPrefix(line, "arch="); ok {
				p.Arch = arch
			}
		case "full_requires":
			if need, err := parse(line); err == nil && len(f.DependsOn) < locked.MaxEntries {
				need.recipe = ""
				f.DependsOn = append(f.DependsOn, need.String())
			}
		}
	})
	slices.Sort(f.DependsOn)
	f.DependsOn = slices.Compact(f.DependsOn)
	return []analyzer.Fact{f}
}
