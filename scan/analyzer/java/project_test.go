package java

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/testdata"
	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/sbom"
)

const samplePOM = `<?xml version="1.0" encoding="UTF-8"?>
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <parent><groupId>org.x</groupId><artifactId>parent</artifactId><version>3.0</version></parent>
  <artifactId>app</artifactId>
  <name>${project.artifactId}</name>
  <url>https://x.org/${project.artifactId}</url>
  <organization><name>X
     Project</name></organization>
  <licenses><license><name>MIT</name></license></licenses>
  <properties><jackson>2.15.0</jackson><two>${one}</two><one>${two}</one></properties>
  <dependencyManagement><dependencies>
    <dependency><groupId>org.m</groupId><artifactId>managed</artifactId><version>4.4</version><scope>test</scope></dependency>
    <dependency><groupId>org.b</groupId><artifactId>bom</artifactId><version>1</version><type>pom</type><scope>import</scope></dependency>
  </dependencies></dependencyManagement>
  <dependencies>
    <dependency><groupId>com.fasterxml.jackson.core</groupId><artifactId>jackson-databind</artifactId><version>${jackson}</version>
      <exclusions><exclusion><groupId>a</groupId><artifactId>b</artifactId></exclusion></exclusions></dependency>
    <dependency><groupId>${project.groupId}</groupId><artifactId>sibling</artifactId><version>${project.version}</version><classifier>tests</classifier><type>test-jar</type></dependency>
    <dependency><groupId>org.m</groupId><artifactId>managed</artifactId></dependency>
    <dependency><groupId>org.u</groupId><artifactId>unmanaged</artifactId></dependency>
    <dependency><groupId>org.c</groupId><artifactId>cyclic</artifactId><version>${one}</version></dependency>
    <dependency><groupId>org.r</groupId><artifactId>range</artifactId><version>[1.0,2.0)</version><optional>true</optional></dependency>
    <dependency><groupId>org.e</groupId><artifactId>exact</artifactId><version>[1.0]</version><scope>provided</scope></dependency>
    <dependency><groupId>org.e</groupId><artifactId>exact</artifactId><version>[1.0]</version><scope>provided</scope></dependency>
  </dependencies>
  <profiles><profile><id>extra</id><dependencies>
    <dependency><groupId>org.p</groupId><artifactId>profiled</artifactId><version>1.0</version></dependency>
  </dependencies></profile></profiles>
  <build><plugins><plugin><dependencies><dependency><artifactId>no</artifactId></dependency></dependencies></plugin></plugins></build>
</project>`

func TestProject(t *testing.T) {
	facts := extract(t, "app/pom.xml", samplePOM)
	facts = slices.DeleteFunc(facts, func(f analyzer.Fact) bool { return f.Kind != analyzer.KindPackage })
	var got []string
	for _, f := range facts {
		p := f.Package
		line := fmt.Sprintf("%s | %s | %s", p.PURL, p.State, p.Scope)
		for _, x := range p.Properties {
			line += " " + x.Name + "=" + x.Value
		}
		got = append(got, line)
	}
	want := []string{
		"pkg:maven/org.x/app@3.0 | declared | ",
		"pkg:maven/com.fasterxml.jackson.core/jackson-databind@2.15.0 | declared | ",
		"pkg:maven/org.x/sibling@3.0?classifier=tests&type=test-jar | declared | ",
		"pkg:maven/org.m/managed@4.4 | declared | dev maven:scope=test",
		"pkg:maven/org.u/unmanaged | declared |  maven:unresolved=org.u:unmanaged:",
		"pkg:maven/org.c/cyclic | declared |  maven:unresolved=org.c:cyclic:${one}",
		"pkg:maven/org.r/range | declared | optional maven:unresolved=org.r:range:[1.0,2.0)",
		"pkg:maven/org.e/exact@1.0 | declared |  maven:scope=provided",
		"pkg:maven/org.p/profiled@1.0 | declared | optional maven:profile=extra",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("want (-), got (+):\n%s", diff)
	}
	root := facts[0]
	if len(root.DependsOn) != len(facts)-1 || root.Package.Homepage != "https://x.org/app" || root.Package.Supplier != "X Project" ||
		cmp.Diff(root.Package.Licenses, []sbom.License{{Expression: "MIT"}}) != "" {
		t.Errorf("project %+v %+v", root, root.Package)
	}
}

// TestProjectParentElsewhere has versions that only another file knows.
func TestProjectParentElsewhere(t *testing.T) {
	facts := extract(t, "pom.xml", "<project><groupId>${g}</groupId><artifactId>a</artifactId><version>${revision}</version></project>")
	p := facts[0].Package
	if p.Name != "a" || p.Version != "" || !p.PURL.IsZero() || len(p.Properties) != 1 || p.Properties[0].Value != "${g}:a:${revision}" {
		t.Errorf("%+v", p)
	}
}

func TestBadProject(t *testing.T) {
	const ok = "<project><groupId>g</groupId><artifactId>a</artifactId><version>1</version>"
	for name, tt := range map[string]struct {
		data  string
		facts int
		kind  fault.Kind
		says  string
	}{
		"not XML":           {"hello", 0, fault.Invalid, "no element"},
		"other document":    {"<settings/>", 0, fault.Invalid, "<settings>"},
		"no artifact":       {"<project/>", 0, fault.Invalid, "no artifactId"},
		"bomb":              {`<!DOCTYPE x [<!ENTITY a "b">]>` + ok + "</project>", 0, fault.Invalid, "document type"},
		"deep":              {ok + strings.Repeat("<x>", 100_000), 0, fault.Limit, "depth"},
		"cut":               {ok, 0, fault.Invalid, "ends inside <project>"},
		"half a dependency": {ok + "<dependencies><dependency><groupId>g</groupId></dependency><dependency><groupId>g</groupId><artifactId>b</artifactId></dependency></dependencies></project>", 2, fault.Invalid, "without groupId or artifactId"},
		"too large":         {ok + strings.Repeat(" ", maxProject), 0, fault.Limit, "held whole"},
	} {
		facts, err := Analyzer{}.Extract(context.Background(), analyzer.NewMemoryFile("x/pom.xml", []byte(tt.data)))
		if len(facts) != tt.facts || !errors.Is(err, tt.kind) || !strings.Contains(err.Error(), tt.says) || !strings.Contains(err.Error(), "x/pom.xml") {
			t.Errorf("%s: %v, error %v; want %d facts, the kind %q and %q", name, summary(facts), err, tt.facts, tt.kind, tt.says)
		}
	}
}

// TestPlaceholderBomb has properties that double each other: the work is
// bounded and the value stays unresolved.
func TestPlaceholderBomb(t *testing.T) {
	var b strings.Builder
	b.WriteString("<project><groupId>g</groupId><artifactId>a</artifactId><version>${p0}</version><properties>")
	for i := range 60 {
		fmt.Fprintf(&b, "<p%d>${p%d}${p%d}</p%d>", i, i+1, i+1, i)
	}
	b.WriteString("<p60>x</p60></properties></project>")
	if p := extract(t, "pom.xml", b.String())[0].Package; p.Version != "" {
		t.Errorf("version %q", p.Version)
	}
}

// TestTrivyProjects reads the project files of Trivy's tests.
func TestTrivyProjects(t *testing.T) {
	n := 0
	for _, pack := range []string{"lockfiles/trivy-parser.tar.gz", "lockfiles/trivy-analyzer.tar.gz"} {
		files := testdata.Open(t, pack)
		for _, name := range testdata.Names(files) {
			if base := path.Base(name); base != "pom.xml" && path.Ext(base) != ".pom" {
				continue
			}
			n++
			facts, err := Analyzer{}.Extract(context.Background(), analyzer.NewMemoryFile(path.Join(path.Dir(name), "pom.xml"), files[name]))
			if broken := strings.Contains(name, "/broken/"); broken != (err != nil) {
				t.Errorf("%s: error %v", name, err)
			} else if !broken && (len(facts) == 0 || facts[0].Package.Name == "") {
				t.Errorf("%s: %v", name, summary(facts))
			}
		}
	}
	if n < 60 {
		t.Errorf("only %d project files", n)
	}
}
