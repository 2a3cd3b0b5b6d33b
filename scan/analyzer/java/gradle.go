package java

import (
	"fmt"
	"path"
	"strings"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/sbom"
)

const (
	maxLock   = 16 << 20 // bytes of a lockfile
	maxLocked = 100_000  // packages of a lockfile
)

// extractLock reads a lockfile of Gradle (Gradle user guide, "Locking
// Versions"): lines of group:artifact:version=configuration,configuration. The
// older form has one file for each configuration, and no list.
func extractLock(f *analyzer.File) ([]analyzer.Fact, error) {
	data, err := f.Bytes(maxLock)
	if err != nil {
		return nil, err
	}
	base := path.Base(f.Path)
	whole := ""
	if !strings.HasSuffix(base, "gradle.lockfile") {
		whole = strings.TrimSuffix(base, ".lockfile")
	}
	build := base == "buildscript-gradle.lockfile" || base == "settings-gradle.lockfile"
	var facts []analyzer.Fact
	var bad error
	seen := map[string]bool{}
	n := 0
	for line := range strings.Lines(string(data)) {
		n++
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' || strings.HasPrefix(line, "empty=") {
			continue
		}
		id, list, _ := strings.Cut(line, "=")
		c, ok := lockCoordinates(id)
		if !ok {
			if bad == nil {
				bad = fmt.Errorf("read %s: line %d is not group:artifact:version: %w", f.Path, n, fault.Invalid)
			}
			continue
		}
		if seen[id] {
			continue
		}
		if len(seen) == maxLocked {
			return facts, &fault.LimitError{What: "packages of a lockfile", Where: f.Path, Max: maxLocked, Seen: maxLocked + 1}
		}
		seen[id] = true
		p := c.pkg()
		p.State = sbom.Declared
		if build || onlyForBuild(firstText(whole, list)) {
			p.Scope = sbom.ScopeDev
		}
		facts = append(facts, analyzer.Fact{Kind: analyzer.KindPackage, Key: id, Package: p})
	}
	return facts, bad
}

func lockCoordinates(id string) (coordinates, bool) {
	parts := strings.Split(id, ":")
	if len(parts) != 3 || !isID(parts[0]) || !isID(parts[1]) || !isVersion(parts[2]) {
		return coordinates{}, false
	}
	return coordinates{group: parts[0], artifact: parts[1], version: parts[2]}, true
}

// onlyForBuild reports whether all configurations of a list serve tests, the
// compiler or tools of the build. Any other may be part of what is delivered.
func onlyForBuild(list string) bool {
	if list == "" {
		return false
	}
	for name := range strings.SplitSeq(list, ",") {
		name = strings.ToLower(strings.TrimSpace(name))
		switch {
		case strings.Contains(name, "test"), strings.HasSuffix(name, "annotationprocessor"):
		case strings.HasPrefix(name, "jacoco"), strings.HasPrefix(name, "checkstyle"), strings.HasPrefix(name, "spotbugs"):
		case name == "pmd", name == "codenarc", name == "detekt", name == "ktlint", name == "errorprone":
		default:
			return false
		}
	}
	return true
}
