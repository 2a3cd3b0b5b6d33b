package java

import (
	"path"
	"strings"

	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/analyzer/internal/locked"
	"github.com/stella-ops/stella/scan/sbom"
)

// isVerification reports whether p is the file by which Gradle verifies
// dependencies.
func isVerification(p string) bool {
	return path.Base(p) == "verification-metadata.xml" && path.Base(path.Dir(p)) == "gradle"
}

// readVerification reads gradle/verification-metadata.xml (Gradle user guide,
// "Verifying dependencies"): checksums of what a build may use, its plugins
// included. Components of which only descriptors are listed, which are parents
// and lists of versions, are left out. The file does not say what is for what.
func readVerification(data []byte) ([]analyzer.Fact, error) {
	var l resolved
	err := readRoot(data, "verification-metadata", func(x *xmlReader) error {
		return x.each(func(name string) error {
			if name != "components" {
				return x.skip()
			}
			return x.each(func(string) error { return l.component(x) })
		})
	})
	return l.Facts(err)
}

func (l *resolved) component(x *xmlReader) error {
	a := x.attributes()
	c := coordinates{group: a["group"], artifact: a["name"], version: a["version"]}
	var e locked.Entry
	used := false
	err := x.each(func(name string) error {
		if name != "artifact" {
			return x.skip()
		}
		file := x.attributes()["name"]
		ext := path.Ext(file)
		if ext == ".pom" || ext == ".module" || ext == ".xml" {
			return x.skip()
		}
		used = true
		digests, err := checksums(x)
		if strings.TrimSuffix(file, ext) == c.artifact+"-"+c.version { // others have a classifier
			e.Package.Hashes = append(e.Package.Hashes, digests...)
		}
		return err
	})
	if used {
		l.put(c, e)
	}
	return err
}

// checksums reads <sha256 value="…"/> and its like.
func checksums(x *xmlReader) (list []sbom.Hash, err error) {
	err = x.each(func(name string) error {
		list = append(list, locked.Hex(name, strings.ToLower(x.attributes()["value"]))...)
		return x.skip() // further values that are trusted too
	})
	return list, err
}
