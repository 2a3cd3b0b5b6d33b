package scan

import (
	"path"
	"slices"
	"strings"

	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/sbom"
	"github.com/stella-ops/stella/scan/sbom/license"
)

// licenseFile is the property of a package that names a licence text of its own.
const licenseFile = "license:file"

// takeLicenses takes the licence texts out of the visible facts, sorted by path.
func (c *composition) takeLicenses() (out []analyzer.Located) {
	return slices.DeleteFunc(c.take(analyzer.KindLicense), func(f analyzer.Located) bool { return f.Package == nil })
}

// attachLicenses adds each licence text to the installed packages that it belongs
// to: those that hold the nearest folder it is in, else the distribution package
// that installed it, else the one that the folder in usr/share/doc or
// usr/share/licenses is named after. A text that belongs to none is left out.
// Facts may be shared: what changes is copied.
func attachLicenses(all []found, texts []analyzer.Located) {
	if len(texts) == 0 {
		return
	}
	folders, names := licenseFolders(all)
	owners := licenseOwners(all, texts)
	for _, text := range texts {
		to := inFolder(folders, text.Path)
		if to == nil {
			if i, ok := owners[text.Path]; ok {
				to = []int{i}
			} else {
				to = names[documented(text.Path)]
			}
		}
		for _, i := range to {
			all[i].Package = withLicenses(all[i].Package, text)
		}
	}
}

// withLicenses returns a copy of p that has what text says.
func withLicenses(p *sbom.Package, text analyzer.Located) *sbom.Package {
	q := *p
	q.Licenses, q.Properties = slices.Clone(p.Licenses), slices.Clone(p.Properties)
	for _, l := range text.Package.Licenses {
		l.Expression = sameText(l.Expression, p.Licenses)
		if !slices.Contains(q.Licenses, l) {
			q.Licenses = append(q.Licenses, l)
		}
	}
	q.Properties = append(q.Properties, sbom.Property{Name: licenseFile, Value: text.Path})
	return &q
}

// sameText returns "GPL-2.0-or-later" for "GPL-2.0-only" where the package declares
// the former: both have one text, which does not say which.
func sameText(detected string, declared []sbom.License) string {
	base, only := strings.CutSuffix(detected, "-only")
	if !only {
		return detected
	}
	for _, l := range declared {
		expr := l.Expression
		if expr == "" {
			expr, _ = license.Normalize(l.Name)
		}
		for word := range strings.FieldsFuncSeq(expr, func(r rune) bool { return r == ' ' || r == '(' || r == ')' }) {
			if l.Kind == sbom.LicenseDeclared && (word == base+"-or-later" || word == base+"+") {
				return base + "-or-later"
			}
		}
	}
	return detected
}

// folder is a place whose texts are a package's.
type folder struct {
	packages []int
	deep     bool // with all below
}

// manifests are files that describe the one package in whose folder they are.
var manifests = map[string]bool{
	"package.json": true, "METADATA": true, "PKG-INFO": true, "composer.json": true, "Cargo.toml": true, "DESCRIPTION": true,
	"pubspec.yaml": true, "rockspec": true, "Project.toml": true, "go.mod": true,
}

// licenseFolders returns the folders that installed packages have to themselves,
// and packages of distributions by name.
func licenseFolders(all []found) (folders map[string]folder, names map[string][]int) {
	folders, names = map[string]folder{}, map[string][]int{}
	add := func(name string, i int, deep bool) {
		f := folders[name]
		f.packages, f.deep = append(f.packages, i), f.deep || deep
		folders[name] = f
	}
	for i := range all {
		f := &all[i]
		p := f.Package
		dir, base := path.Split(f.Path)
		dir = strings.TrimSuffix(dir, "/")
		if base == "modules.txt" && path.Base(dir) == "vendor" { // of Go, whose modules lie beside it
			add(path.Join(dir, p.Name), i, false)
		}
		if p.State == sbom.Declared || p.Type == sbom.TypeFile || f.Inner != "" {
			continue
		}
		switch p.PURL.Type {
		case "deb", "rpm", "apk", "alpm":
			names[p.Name] = append(names[p.Name], i)
			continue
		}
		for _, h := range f.Holds {
			if h == "./" {
				add(dir, i, true)
			} else if strings.HasSuffix(h, "/") {
				add(strings.TrimSuffix(h, "/"), i, true)
			}
		}
		switch {
		case manifests[base]:
			add(dir, i, false)
		case base == "installed.json" && path.Base(dir) == "composer": // vendor/composer/installed.json
			add(path.Join(path.Dir(dir), p.Name), i, false)
		case strings.HasSuffix(base, ".gemspec") && path.Base(dir) == "specifications":
			add(path.Join(path.Dir(dir), "gems", strings.TrimSuffix(base, ".gemspec")), i, false)
		case strings.HasSuffix(base, ".nuspec"):
			add(dir, i, false)
		}
	}
	return folders, names
}

// textFolders are folders within a package's own that hold its licence texts: of
// PEP 639, of REUSE, and of the JDK.
var textFolders = map[string]bool{"licenses": true, "license": true, "LICENSES": true, "LICENSE": true, "license_files": true, "legal": true}

// inFolder returns the packages of the nearest folder that p is in, or nil.
func inFolder(folders map[string]folder, p string) []int {
	dir := path.Dir(p)
	near := true // only folders of texts were left
	for at := dir; at != "."; at = path.Dir(at) {
		if f, ok := folders[at]; ok && (near || f.deep) {
			return f.packages
		} else if ok {
			return nil // of the package in at, but not about it
		}
		near = near && textFolders[path.Base(at)]
	}
	return nil
}

// Where distributions keep licence texts.
var documentation = []string{"usr/share/doc/", "usr/share/licenses/"}

// documented returns the name of the folder of documentation that p is in, or "".
func documented(p string) string {
	for _, d := range documentation {
		if rest, ok := strings.CutPrefix(p, d); ok {
			if name, _, ok := strings.Cut(rest, "/"); ok {
				return name
			}
		}
	}
	return ""
}

// licenseOwners returns which distribution package installed a text.
func licenseOwners(all []found, texts []analyzer.Located) map[string]int {
	owners, wanted := map[string]int{}, map[string]bool{}
	for _, t := range texts {
		if documented(t.Path) != "" {
			wanted[t.Path] = true
		}
	}
	if len(wanted) == 0 {
		return owners
	}
	for i := range all {
		owns := all[i].Owns // sorted
		for _, d := range documentation {
			at, _ := slices.BinarySearch(owns, d)
			for ; at < len(owns) && strings.HasPrefix(owns[at], d); at++ {
				if _, taken := owners[owns[at]]; wanted[owns[at]] && !taken {
					owners[owns[at]] = i
				}
			}
		}
	}
	return owners
}
