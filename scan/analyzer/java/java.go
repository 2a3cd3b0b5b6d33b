// Package java reads what Java archives, projects of Maven and Ivy, and the lockfiles
// of Gradle and sbt say about packages. Of Ivy the reports of its resolution are read
// too, and of Gradle the checksums by which it verifies dependencies: that list may
// have kept what a build no longer uses.
//
// Archives (.jar .war .ear .par .sar .nar .kar .hpi .jpi .lpkg) are read
// through their zip directory: only manifests, Maven descriptors and archives
// inside them are inflated. Java modules of a JDK (.jmod) are not: they are
// parts of the JDK and no Maven artifacts.
package java

import (
	"context"
	"path"
	"slices"
	"strings"

	"github.com/stella-ops/stella/scan/analyzer"
)

// extensions of the files that are Java archives.
var extensions = [...]string{"jar", "war", "ear", "par", "sar", "nar", "kar", "hpi", "jpi", "lpkg"}

// Analyzer reads the files of the Java world. The zero value is ready to use.
//
// Keys of facts from archives are places: "." for the file itself, the path
// inside for an archive in it ("WEB-INF/lib/a.jar", "b.war!/WEB-INF/lib/a.jar"),
// and the place, '#' and the coordinates for a package whose descriptor is in
// an archive that is something else. Keys in project files and lockfiles are
// coordinates.
type Analyzer struct {
	// Digests adds the SHA-1 of every archive whose coordinates are not known in
	// full: the name by which indexes of Maven repositories know it. It is off by
	// default: reading such archives whole more than doubles the work.
	Digests bool
}

// version of the facts. Facts with digests are other facts.
const (
	version            = 3
	versionWithDigests = 1000 + version
)

// Info names the analyzer "java".
func (a Analyzer) Info() analyzer.Info {
	if a.Digests {
		return analyzer.Info{Name: "java", Version: versionWithDigests}
	}
	return analyzer.Info{Name: "java", Version: version}
}

// Paths wants archives by extension; pom.xml, ivy.xml and lockfiles by name;
// reports of Ivy by their folder; and loose pom.properties, which are what is left of a Maven archive
// that was unpacked.
func (Analyzer) Paths() analyzer.Paths {
	p := analyzer.Paths{Names: []string{"pom.xml", "pom.properties", "build.sbt.lock"}, Suffixes: []string{".lockfile", ".xml"}, Accept: accept}
	for _, e := range extensions {
		p.Suffixes = append(p.Suffixes, "."+e)
	}
	return p
}

// accept tells files of build tools from others with the same name.
func accept(p string) bool {
	base := path.Base(p)
	switch {
	case base == "pom.properties":
		return inDescriptors(p)
	case base == "pom.xml":
		return !inDescriptors(p) // beside a pom.properties, which says the same
	case strings.HasSuffix(strings.ToLower(base), ".lockfile"):
		return isGradleLock(p)
	case strings.HasSuffix(strings.ToLower(base), ".xml"):
		return base == "ivy.xml" || isIvyReport(p) || isVerification(p)
	}
	return true
}

// inDescriptors reports whether p is in the folder where Maven puts the
// descriptors of what it builds.
func inDescriptors(p string) bool {
	return strings.HasPrefix(p, "META-INF/maven/") || strings.Contains(p, "/META-INF/maven/")
}

// isGradleLock reports whether p is a lockfile of Gradle: one for all
// configurations since Gradle 6.8, one for each in a folder before.
func isGradleLock(p string) bool {
	return strings.HasSuffix(path.Base(p), "gradle.lockfile") || path.Base(path.Dir(p)) == "dependency-locks"
}

// isArchive reports whether a name has the extension of a Java archive.
func isArchive[S string | []byte](name S) bool {
	for i := len(name) - 1; i >= 0 && i >= len(name)-5; i-- {
		if name[i] == '.' {
			var lower [4]byte
			n := copy(lower[:], name[i+1:])
			for j := range lower {
				lower[j] |= 0x20 // letters become lower case, and nothing else a letter
			}
			return slices.Contains(extensions[:], string(lower[:n]))
		}
	}
	return false
}

// Extract reads one file. Errors name what could not be read and what was
// reached before it is kept: an archive inside that is damaged costs only what
// is in it.
func (a Analyzer) Extract(ctx context.Context, f *analyzer.File) ([]analyzer.Fact, error) {
	switch base := path.Base(f.Path); {
	case isArchive(base):
		return extractArchive(ctx, f, a.Digests)
	case base == "pom.xml":
		return extractProject(f)
	case base == "pom.properties":
		return extractDescriptor(f)
	case base == "build.sbt.lock":
		return extractText(f, readSbtLock)
	case base == "ivy.xml":
		return extractText(f, readIvy)
	case isVerification(f.Path):
		return extractText(f, readVerification)
	case isIvyReport(f.Path):
		return extractText(f, readIvyReport)
	default:
		return extractLock(f)
	}
}
