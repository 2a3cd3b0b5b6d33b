package java

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/testdata"
	"github.com/stella-ops/stella/scan/analyzer"
)

// urls describes facts as "URL scope".
func urls(facts []analyzer.Fact) (list []string) {
	for _, f := range facts {
		list = append(list, strings.TrimSpace(fmt.Sprintf("%s %s %s", f.Package.PURL, f.Package.State, f.Package.Scope)))
	}
	return list
}

func TestLock(t *testing.T) {
	const text = "# comment\r\n\r\norg.a:a:1.0=compileClasspath,runtimeClasspath\r\norg.b:b:2.0=testRuntimeClasspath, androidTestUtil\n" +
		"org.c:c:3.0=annotationProcessor\norg.d:d:4.0=unknown,testCompileClasspath\norg.a:a:1.0=compileClasspath\norg.a:a:1.1=runtimeClasspath\nempty=testAnnotationProcessor\n"
	for path, want := range map[string][]string{
		"app/gradle.lockfile": {
			"pkg:maven/org.a/a@1.0 declared", "pkg:maven/org.b/b@2.0 declared dev", "pkg:maven/org.c/c@3.0 declared dev",
			"pkg:maven/org.d/d@4.0 declared", "pkg:maven/org.a/a@1.1 declared",
		},
		"app/buildscript-gradle.lockfile": {
			"pkg:maven/org.a/a@1.0 declared dev", "pkg:maven/org.b/b@2.0 declared dev", "pkg:maven/org.c/c@3.0 declared dev",
			"pkg:maven/org.d/d@4.0 declared dev", "pkg:maven/org.a/a@1.1 declared dev",
		},
	} {
		if diff := cmp.Diff(want, urls(extract(t, path, text))); diff != "" {
			t.Errorf("%s: want (-), got (+):\n%s", path, diff)
		}
	}
}

// TestOldLock reads the lockfiles of Gradle before 6.8, one for each
// configuration.
func TestOldLock(t *testing.T) {
	for path, want := range map[string]string{
		"gradle/dependency-locks/runtimeClasspath.lockfile":     "pkg:maven/org.a/a@1.0 declared",
		"gradle/dependency-locks/testRuntimeClasspath.lockfile": "pkg:maven/org.a/a@1.0 declared dev",
	} {
		if diff := cmp.Diff([]string{want}, urls(extract(t, path, "org.a:a:1.0\n"))); diff != "" {
			t.Errorf("%s: want (-), got (+):\n%s", path, diff)
		}
	}
}

func TestBadLock(t *testing.T) {
	facts, err := Analyzer{}.Extract(context.Background(), analyzer.NewMemoryFile("gradle.lockfile", []byte("org.a:a:1.0=x\nwhat is this\norg.b:b=x\n")))
	if len(facts) != 1 || !errors.Is(err, fault.Invalid) || !strings.Contains(err.Error(), "line 2") {
		t.Errorf("%v, error %v", urls(facts), err)
	}
}

// TestTrivyLocks reads the lockfiles of Trivy's tests.
func TestTrivyLocks(t *testing.T) {
	for pack, want := range map[string]map[string][]string{
		"lockfiles/trivy-parser.tar.gz": {
			"pkg/dependency/parser/gradle/lockfile/testdata/empty.lockfile": nil,
		},
		"lockfiles/trivy-analyzer.tar.gz": {
			"integration/testdata/fixtures/repo/gradle/gradle.lockfile": {"pkg:maven/com.fasterxml.jackson.core/jackson-databind@2.9.1 declared"},
			"pkg/fanal/analyzer/language/java/gradle/testdata/lockfiles/happy/gradle.lockfile": {
				"pkg:maven/junit/junit@4.13 declared", "pkg:maven/org.hamcrest/hamcrest-core@1.3 declared"},
		},
	} {
		files := testdata.Open(t, pack)
		for name, want := range want {
			data, ok := files[name]
			if !ok {
				t.Errorf("%s is not in %s", name, pack)
			}
			if diff := cmp.Diff(want, urls(extract(t, "x/gradle.lockfile", string(data)))); diff != "" {
				t.Errorf("%s: want (-), got (+):\n%s", name, diff)
			}
		}
	}
}

func TestPaths(t *testing.T) {
	set := analyzer.NewSet(Analyzer{})
	for path, want := range map[string]bool{
		"app/a.jar": true, "app/A.JAR": true, "app/a.war": true, "a.ear": true, "a.hpi": true, "a.lpkg": true, "a.jmod": false, "a.zip": false, "ajar": false,
		"pom.xml": true, "src/pom.xml": true, "META-INF/maven/g/a/pom.xml": false,
		"x/META-INF/maven/g/a/pom.properties": true, "META-INF/maven/g/a/pom.properties": true, "pom.properties": false,
		"gradle.lockfile": true, "x/buildscript-gradle.lockfile": true, "x/settings-gradle.lockfile": true, "gradle/dependency-locks/x.lockfile": true,
		"package.lockfile": false, "yarn.lock": false,
	} {
		if got := len(set.ByPath(nil, path)) > 0; got != want {
			t.Errorf("%s wanted: %v", path, got)
		}
	}
}

// TestLooseDescriptor reads what is left of an archive that was unpacked.
func TestLooseDescriptor(t *testing.T) {
	got := summary(extract(t, "app/META-INF/maven/g/a/pom.properties", "groupId=g\nartifactId=a\nversion=1\n"))
	if diff := cmp.Diff([]string{"g:a:1: g:a 1"}, got); diff != "" {
		t.Errorf("want (-), got (+):\n%s", diff)
	}
	if _, err := (Analyzer{}).Extract(context.Background(), analyzer.NewMemoryFile("x/pom.properties", nil)); !errors.Is(err, fault.Invalid) {
		t.Errorf("error %v", err)
	}
}
