package java

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/sbom"
)

const parentPOM = `<project><groupId>org.x</groupId><artifactId>parent</artifactId><version>1.0</version><packaging>pom</packaging>
  <properties><lib>3.3</lib><own>parent</own></properties>
  <dependencyManagement><dependencies>
    <dependency><groupId>org.m</groupId><artifactId>managed</artifactId><version>${lib}</version><scope>test</scope></dependency>
    <dependency><groupId>org.m</groupId><artifactId>release</artifactId><version>${project.version}</version></dependency>
  </dependencies></dependencyManagement>
  <dependencies><dependency><groupId>org.d</groupId><artifactId>inherited</artifactId><version>${own}</version></dependency>
    <dependency><groupId>org.d</groupId><artifactId>anew</artifactId><version>1</version></dependency></dependencies></project>`

const childPOM = `<project><parent><groupId>org.x</groupId><artifactId>parent</artifactId><version>1.0</version>RELATIVE</parent>
  <artifactId>child</artifactId><version>2.0</version><properties><own>child</own></properties>
  <dependencies>
    <dependency><groupId>org.m</groupId><artifactId>managed</artifactId></dependency>
    <dependency><groupId>org.m</groupId><artifactId>release</artifactId></dependency>
    <dependency><groupId>org.d</groupId><artifactId>anew</artifactId><version>2</version></dependency>
  </dependencies></project>`

// joined lists the package URLs of one file after Join.
func joined(t *testing.T, files map[string]string, of string) (out []string) {
	t.Helper()
	in := &analyzer.Squashed{}
	for _, name := range sortedNames(files) {
		for _, f := range extract(t, name, files[name]) {
			in.Facts = append(in.Facts, analyzer.Located{Fact: f, Path: name})
		}
	}
	facts, gaps := Analyzer{}.Join(in)
	if len(gaps) > 0 {
		t.Error(gaps)
	}
	for _, f := range facts {
		if f.Kind != analyzer.KindPackage {
			t.Errorf("%s: a part is left over", f.Path)
		} else if f.Path == of {
			out = append(out, f.Package.PURL.String()+" "+string(f.Package.Scope))
		}
	}
	return out
}

func TestInheritance(t *testing.T) {
	alone := []string{"pkg:maven/org.x/child@2.0 ", "pkg:maven/org.m/managed ", "pkg:maven/org.m/release ", "pkg:maven/org.d/anew@2 "}
	whole := []string{"pkg:maven/org.x/child@2.0 ", "pkg:maven/org.m/managed@3.3 dev", "pkg:maven/org.m/release@2.0 ", "pkg:maven/org.d/anew@2 ", "pkg:maven/org.d/inherited@child "}
	child := func(relative string) string { return replaceOnce(childPOM, "RELATIVE", relative) }
	for _, c := range []struct {
		name  string
		files map[string]string
		want  []string
	}{
		{"the folder above", map[string]string{"app/pom.xml": parentPOM, "app/child/pom.xml": child("")}, whole},
		{"a path", map[string]string{"app/parent/pom.xml": parentPOM, "app/child/pom.xml": child("<relativePath>../parent</relativePath>")}, whole},
		{"only in a repository", map[string]string{"app/pom.xml": parentPOM, "app/child/pom.xml": child("<relativePath/>")}, alone},
		{"another project", map[string]string{"app/pom.xml": replaceOnce(parentPOM, "<artifactId>parent", "<artifactId>other"), "app/child/pom.xml": child("")}, alone},
		{"another version", map[string]string{"app/pom.xml": replaceOnce(parentPOM, "<version>1.0", "<version>1.1"), "app/child/pom.xml": child("")}, alone},
		{"a grandparent", map[string]string{"pom.xml": replaceOnce(parentPOM, ">parent<", ">top<"),
			"app/pom.xml":       `<project><parent><groupId>org.x</groupId><artifactId>top</artifactId><version>1.0</version></parent><artifactId>parent</artifactId><packaging>pom</packaging></project>`,
			"app/child/pom.xml": child("")}, whole},
		{"its own parent", map[string]string{"app/child/pom.xml": replaceOnce(child("<relativePath>pom.xml</relativePath>"), "<artifactId>child", "<artifactId>parent")}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := joined(t, c.files, "app/child/pom.xml")
			if c.want != nil {
				if diff := cmp.Diff(c.want, got); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
			}
		})
	}
}

// Projects cannot make much out of little by inheriting it.
func TestInheritanceIsBounded(t *testing.T) {
	var dependencies strings.Builder
	for i := range 2000 {
		fmt.Fprintf(&dependencies, "<dependency><groupId>g</groupId><artifactId>a%d</artifactId><version>1</version></dependency>", i)
	}
	in := &analyzer.Squashed{}
	add := func(name, text string) {
		for _, f := range extract(t, name, text) {
			in.Facts = append(in.Facts, analyzer.Located{Fact: f, Path: name})
		}
	}
	add("pom.xml", `<project><groupId>org.x</groupId><artifactId>parent</artifactId><version>1.0</version><packaging>pom</packaging><dependencies>`+dependencies.String()+`</dependencies></project>`)
	for i := range 600 {
		add(fmt.Sprintf("m%d/pom.xml", i), replaceOnce(childPOM, "RELATIVE", ""))
	}
	out, gaps := Analyzer{}.Join(in)
	if len(gaps) != 1 || gaps[0].Code != sbom.GapLimit {
		t.Errorf("gaps %v, want one: a limit", gaps)
	}
	if n := len(out); n > 2*maxInherited || n < maxInherited/2 {
		t.Errorf("%d facts", n)
	}
}

func sortedNames(files map[string]string) []string { return slices.Sorted(maps.Keys(files)) }

func replaceOnce(s, from, to string) string { return strings.Replace(s, from, to, 1) }
