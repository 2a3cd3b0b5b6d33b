package jenkins_test

import (
	"archive/zip"
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/analyzer/analyzertest"
	"github.com/stella-ops/stella/scan/analyzer/java"
	"github.com/stella-ops/stella/scan/analyzer/jenkins"
)

const (
	unpackedFile = "home/plugins/git/META-INF/MANIFEST.MF"
	packedFile   = "home/plugins/git.jpi"
	gitManifest  = "Group-Id: org.jenkins-ci.plugins\nShort-Name: git\nPlugin-Version: 5.2.1\nPlugin-Dependencies: scm-api:676.v1\nPlugin-License-Name: MIT\n"
	descriptor   = "META-INF/maven/org.jenkins-ci.main/jenkins-war/pom.properties"
)

// pack makes an archive of names and contents.
func pack(t testing.TB, members ...string) string {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for i := 0; i < len(members); i += 2 {
		w, err := z.Create(members[i])
		if err == nil {
			_, err = w.Write([]byte(members[i+1]))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestGolden(t *testing.T) { analyzertest.TestGolden(t, jenkins.Analyzer{}) }

func FuzzManifest(f *testing.F) {
	analyzertest.Fuzz(f, jenkins.Analyzer{}, unpackedFile, gitManifest, "Short-Name: a\r Group-Id: b\r\n c\nPlugin-Version: \xff 1\n", "Jenkins-Version:1", " x\nPlugin-License-Name-: a\nPlugin-License-Name: b")
}

func FuzzArchive(f *testing.F) {
	analyzertest.Fuzz(f, jenkins.Analyzer{}, packedFile, pack(f, "META-INF/MANIFEST.MF", gitManifest), pack(f, "x", "y", "meta-inf/manifest.mf", "Jenkins-Version: 1\n"), pack(f))
}

func TestArchives(t *testing.T) {
	for name, tt := range map[string]struct{ path, data, want string }{
		"plugin":             {packedFile, pack(t, "META-INF/MANIFEST.MF", gitManifest), "home/plugins git: org.jenkins-ci.plugins:git 5.2.1 pkg:maven/org.jenkins-ci.plugins/git@5.2.1 [scm-api]"},
		"upper case":         {"x/GIT.HPI", pack(t, "META-INF/MANIFEST.MF", gitManifest), "x git: org.jenkins-ci.plugins:git 5.2.1 pkg:maven/org.jenkins-ci.plugins/git@5.2.1 [scm-api]"},
		"the last counts":    {packedFile, pack(t, "META-INF/MANIFEST.MF", "Short-Name: x\n", "meta-inf/manifest.mf", gitManifest), "home/plugins git: org.jenkins-ci.plugins:git 5.2.1 pkg:maven/org.jenkins-ci.plugins/git@5.2.1 [scm-api]"},
		"without a group":    {packedFile, pack(t, "META-INF/MANIFEST.MF", "Short-Name: git\nPlugin-Version: 1\n"), ""},
		"half a plugin":      {packedFile, pack(t, "META-INF/MANIFEST.MF", "Jenkins-Version: 2.300\n"), ""},
		"without a manifest": {packedFile, pack(t, "x", "y"), ""},
		"core":               {"usr/share/jenkins/jenkins.war", pack(t, "META-INF/MANIFEST.MF", "Jenkins-Version: 2.440.1\n"), " jenkins-war: org.jenkins-ci.main:jenkins-war 2.440.1 pkg:maven/org.jenkins-ci.main/jenkins-war@2.440.1 []"},
	} {
		if len(analyzer.NewSet(jenkins.Analyzer{}).ByPath(nil, tt.path)) == 0 {
			t.Errorf("%s: %s is not wanted", name, tt.path)
		}
		facts, err := jenkins.Analyzer{}.Extract(context.Background(), analyzer.NewMemoryFile(tt.path, []byte(tt.data)))
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		got := ""
		for _, f := range facts {
			got += fmt.Sprintf("%s %s: %s %s %s %v", f.Scope, f.Key, f.Package.Name, f.Package.Version, f.Package.PURL, f.DependsOn)
		}
		if got != tt.want {
			t.Errorf("%s: %s, want %s", name, got, tt.want)
		}
	}
}

// TestAgreesWithJava: what both analyzers say of one archive is one package for a scan,
// which goes by the package URL, the name and the version.
func TestAgreesWithJava(t *testing.T) {
	identities := func(a analyzer.Analyzer, path, data string) (out []string) {
		r := analyzertest.Scan(a, map[string][]byte{path: []byte(data)})
		for _, p := range r.Packages {
			out = append(out, fmt.Sprint(p.Package.PURL, p.Package.Name, p.Package.Version, p.Package.Type, p.Package.State))
		}
		return append(out, r.Errors...)
	}
	for name, tt := range map[string]struct{ path, data string }{
		"plugin":                     {packedFile, pack(t, "META-INF/MANIFEST.MF", gitManifest)},
		"plugin with its descriptor": {packedFile, pack(t, "META-INF/MANIFEST.MF", gitManifest, "META-INF/maven/org.jenkins-ci.plugins/git/pom.properties", "groupId=org.jenkins-ci.plugins\nartifactId=git\nversion=5.2.1\n", "META-INF/maven/org.jenkins-ci.plugins/git/pom.xml", "<project><groupId>org.jenkins-ci.plugins</groupId><artifactId>git</artifactId><version>5.2.1</version><packaging>hpi</packaging></project>")},
		"core with its descriptor":   {"srv/jenkins.war", pack(t, "META-INF/MANIFEST.MF", "Jenkins-Version: 2.440.1\nImplementation-Version: 2.440.1\n", descriptor, "groupId=org.jenkins-ci.main\nartifactId=jenkins-war\nversion=2.440.1\n")},
		"snapshot with a builder":    {packedFile, pack(t, "META-INF/MANIFEST.MF", strings.Replace(gitManifest, "5.2.1", "5.3-SNAPSHOT (private-x)", 1))},
	} {
		ours, theirs := identities(jenkins.Analyzer{}, tt.path, tt.data), identities(java.Analyzer{}, tt.path, tt.data)
		if diff := cmp.Diff(theirs, ours); diff != "" {
			t.Errorf("%s: -java +jenkins:\n%s", name, diff)
		}
	}
}

func TestCost(t *testing.T) {
	analyzertest.TestCost(t, jenkins.Analyzer{},
		analyzertest.Growth{Name: "attributes", Path: unpackedFile, Data: func(n int) string {
			return gitManifest + strings.Repeat("Short-Name: x\n", n)
		}},
		analyzertest.Growth{Name: "continuations", Path: unpackedFile, Data: func(n int) string {
			return gitManifest + "Plugin-Dependencies: a" + strings.Repeat("\n ,b:1", n)
		}},
		analyzertest.Growth{Name: "licences", Path: unpackedFile, Data: func(n int) string {
			return gitManifest + analyzertest.Lines(n/2, "Plugin-License-Name-%[1]d: l%[1]d\n")
		}},
		analyzertest.Growth{Name: "dependencies", Path: unpackedFile, Data: func(n int) string {
			return gitManifest + "Plugin-Dependencies: " + analyzertest.Lines(n, "a%[1]d:1,") + "\n"
		}},
	)
}

func TestHostile(t *testing.T) {
	whole := pack(t, "META-INF/MANIFEST.MF", gitManifest)
	analyzertest.TestHostile(t, jenkins.Analyzer{},
		analyzertest.Hostile{Name: "large manifest", Path: unpackedFile, Data: strings.Repeat("A: b\n", 1<<20), Want: fault.Limit},
		analyzertest.Hostile{Name: "large member", Path: packedFile, Data: pack(t, "META-INF/MANIFEST.MF", strings.Repeat("\x00", 64<<20)), Want: fault.Limit},
		analyzertest.Hostile{Name: "no archive", Path: packedFile, Data: "not a zip", Want: fault.Invalid},
		analyzertest.Hostile{Name: "damaged", Path: packedFile, Data: strings.Replace(whole, "META-INF", "META-INX", 1)[:len(whole)/2], Want: fault.Invalid},
		analyzertest.Hostile{Name: "one line", Path: unpackedFile, Data: strings.Repeat("x", 1<<20)},
		analyzertest.Hostile{Name: "empty", Path: unpackedFile},
	)
}

func Example() {
	facts, err := jenkins.Analyzer{}.Extract(context.Background(), analyzer.NewMemoryFile(unpackedFile, []byte(`Group-Id: org.jenkins-ci.plugins
Short-Name: git
Plugin-Version: 5.2.1
Plugin-Dependencies: git-client:4.6.0,parameterized-trigger:2.46;resolution:=optional
`)))
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, f := range facts {
		fmt.Println(f.Package.PURL, f.DependsOn)
	}
	// Output: pkg:maven/org.jenkins-ci.plugins/git@5.2.1 [git-client]
}
