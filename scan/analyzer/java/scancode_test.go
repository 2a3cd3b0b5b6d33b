package java

import (
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"sort"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/internal/testdata"
)

// scancodePOM is what ScanCode's tests expect of a pom.xml.
type scancodePOM struct {
	GroupID      string `json:"group_id"`
	ArtifactID   string `json:"artifact_id"`
	Version      string `json:"version"`
	Dependencies map[string][]struct {
		GroupID    string `json:"group_id"`
		ArtifactID string `json:"artifact_id"`
		Version    string `json:"version"`
		Required   bool   `json:"required"`
	} `json:"dependencies"`
	Licenses []struct {
		Name string `json:"name"`
		URL  string `json:"url"`
	} `json:"licenses"`
}

// TestScanCode reads the project files of ScanCode's tests, most of them from
// a real repository, and compares them with what it expects.
func TestScanCode(t *testing.T) {
	files := testdata.Open(t, "lockfiles/scancode.tar.gz")
	n := 0
	for _, name := range testdata.Names(files) {
		expected, ok := files[name+".json"]
		if !ok || !(strings.HasSuffix(name, ".pom") || strings.HasSuffix(name, ".xml")) {
			continue
		}
		var want scancodePOM
		if err := json.Unmarshal(expected, &want); err != nil {
			t.Fatalf("%s.json: %v", name, err)
		}
		n++
		short := strings.TrimPrefix(name, "tests/packagedcode/data/")
		t.Run(path.Base(name), func(t *testing.T) {
			p, err := parseProject(files[name], true)
			if err != nil {
				t.Fatal(short, err)
			}
			got := lines(p, want.lines())
			for _, line := range scancodeLeavesOut[path.Base(name)] {
				i, found := slices.BinarySearch(got, line)
				if !found {
					t.Fatalf("%s: no line %q", short, line)
				}
				got = slices.Delete(got, i, i+1)
			}
			if diff := cmp.Diff(want.lines(), got); diff != "" {
				t.Errorf("%s: ScanCode (-), here (+):\n%s", short, diff)
			}
		})
	}
	if n < 400 {
		t.Errorf("only %d project files with expectations", n)
	}
}

// scancodeLeavesOut are the differences that are right here: ScanCode drops
// dependencies whose group, artifact or version the file does not give. Here
// the first are errors that name them, and the last is a package without
// version. In the Jetty files it takes a profile for a newer JDK to be active,
// and the default profile not to be.
var scancodeLeavesOut = map[string][]string{
	"coreplugin-1.0.0.pom":                          {"compile :: optional=false"},
	"jds-2.17.0718b.pom":                            {"test :ojdbc8: optional=false"},
	"maven-jetty-plugin-6.1-20090123.170629-84.pom": {"compile org.mortbay.jetty:jsp-2.0:6.1-SNAPSHOT optional=false"},
	"maven-jetty-plugin-6.1-SNAPSHOT.pom":           {"compile org.mortbay.jetty:jsp-2.0:6.1-SNAPSHOT optional=false"},
	"jds-3.0.1.pom":                                 {"test :ojdbc8: optional=false"},
	"springmvc-rest-docs-maven-plugin-1.0-RC1.pom":  {"dependencyManagement org.eclipse.sisu:org.eclipse.sisu.plexus: optional=false"},
}

func (p *scancodePOM) lines() []string {
	list := []string{fmt.Sprintf("project %s:%s:%s", p.GroupID, p.ArtifactID, p.Version)}
	for scope, deps := range p.Dependencies {
		for _, d := range deps {
			version := strings.TrimSuffix(d.Version, "latest.release") // its word for none
			list = append(list, fmt.Sprintf("%s %s:%s:%s optional=%v", scope, d.GroupID, d.ArtifactID, version, !d.Required))
		}
	}
	list = append(list, fmt.Sprintf("%d licences", len(p.Licenses)))
	sort.Strings(list)
	return slices.Compact(list)
}

// lines lists what p declares. Dependencies of a profile that depends on the
// machine, which are optional here, are in the list where want has them.
func lines(p *project, want []string) []string {
	own := p.expandAll(coordinates{group: firstText(p.self.group, p.parent.group), artifact: p.self.artifact, version: firstText(p.self.version, p.parent.version)})
	list := []string{fmt.Sprintf("project %s:%s:%s", own.group, own.artifact, own.version)}
	managed := p.managedIndex()
	for _, d := range p.dependencies {
		c := p.expandAll(d.coordinates)
		m := managed[c.managedKey()]
		line := fmt.Sprintf("%s %s:%s:%s optional=%v", firstText(d.scope, m.scope, "compile"), c.group, c.artifact, firstText(c.version, m.version), d.optional == "true")
		if d.profile == "" || d.active || slices.Contains(want, line) {
			list = append(list, line)
		}
	}
	for _, d := range p.managed {
		c := p.expandAll(d.coordinates)
		list = append(list, fmt.Sprintf("dependencyManagement %s:%s:%s optional=%v", c.group, c.artifact, c.version, d.optional == "true"))
	}
	list = append(list, fmt.Sprintf("%d licences", len(p.licenses)))
	sort.Strings(list)
	return slices.Compact(list)
}
