package java

import (
	"bytes"
	"context"
	"slices"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/analyzer"
)

// check extracts and fails where an error has no kind, where a fact has no
// name, where a key appears twice or names nothing, or where a text is not
// UTF-8.
func check(t *testing.T, path string, data []byte) []analyzer.Fact {
	t.Helper()
	budget := analyzer.NewBudget(analyzer.Limits{FileBytes: 1 << 20, ArchiveBytes: 8 << 20})
	f := analyzer.NewFile(path, int64(len(data)), 0, content{bytes.NewReader(data)}, budget, nil)
	facts, err := Analyzer{}.Extract(context.Background(), f)
	if err != nil && fault.KindOf(err) == "" {
		t.Errorf("error without a kind: %v", err)
	}
	keys := map[string]bool{"": true}
	in := &analyzer.Squashed{}
	for _, at := range []string{path, "deep/" + path} { // one is the parent of the other, if it says so
		for _, f := range facts {
			in.Facts = append(in.Facts, analyzer.Located{Fact: f, Path: at})
		}
	}
	joined, _ := Analyzer{}.Join(in)
	for _, f := range joined {
		if f.Package == nil || f.Package.Name == "" {
			t.Errorf("joined fact %+v", f)
		}
	}
	facts = slices.DeleteFunc(slices.Clone(facts), func(f analyzer.Fact) bool { return f.Kind == analyzer.KindPart })
	for _, f := range facts {
		p := f.Package
		if keys[f.Key] || p.Name == "" || !utf8.ValidString(f.Key+f.Inner+p.Name+p.Version+p.Supplier+p.Homepage) {
			t.Errorf("fact %+v %+v", f, p)
		}
		if !keys[f.Parent] {
			t.Errorf("%s is in %q, which is nothing", f.Key, f.Parent)
		}
		keys[f.Key] = true
	}
	for _, f := range facts {
		for _, d := range f.DependsOn {
			if !keys[d] {
				t.Errorf("%s depends on %q, which is nothing", f.Key, d)
			}
		}
	}
	return facts
}

func FuzzArchive(f *testing.F) {
	lib := pack(f, pom("org.x:lib:1.0"), member{"META-INF/MANIFEST.MF", "Bundle-SymbolicName: org.x.lib\n"}, member{"org/x/A.class", ""})
	f.Add([]byte(lib))
	f.Add([]byte(pack(f, member{"a.jar", lib}, member{"b.jar=", lib})))
	f.Add([]byte(pack(f, member{"META-INF/maven/g/a/pom.xml", "<project><artifactId>a</artifactId></project>"})))
	f.Fuzz(func(t *testing.T, data []byte) {
		first := check(t, "x/lib-1.0.jar", data)
		if diff := cmp.Diff(first, check(t, "x/lib-1.0.jar", data)); diff != "" {
			t.Errorf("the same file again (+):\n%s", diff)
		}
	})
}

func FuzzManifest(f *testing.F) {
	f.Add("Implementation-Title: a\r\n b\r\n\r\nName: x\r\n", "a-1.0.jar")
	f.Add("Bundle-SymbolicName: org.x.y;a:=b\nBundle-License: \"a, b\";link=c,MIT\n", "x-y-1.jar")
	f.Fuzz(func(t *testing.T, data, name string) {
		m := parseManifest([]byte(data))
		if end := mainSection([]byte(data)); end >= 0 {
			if diff := cmp.Diff(m, parseManifest([]byte(data[:end])), cmp.AllowUnexported(manifest{})); diff != "" {
				t.Errorf("the main section alone (+):\n%s", diff)
			}
		}
		m.licenses()
		e := evidence{file: parseFileName(name), manifest: m, inside: listing{"org/x/A.class"}}
		if id := e.identify(); id.group != "" && !isID(id.group) || id.version != "" && !isVersion(id.version) {
			t.Errorf("identity %+v", id)
		}
	})
}

func FuzzProperties(f *testing.F) {
	f.Add([]byte("#c\ngroupId=g\nartifactId : a\\u0061\nversion\\\n = 1\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		c := parseProperties(data)
		if c.group != "" && !isID(c.group) || c.artifact != "" && !isID(c.artifact) || c.version != "" && !isVersion(c.version) {
			t.Errorf("%+v", c)
		}
		check(t, "META-INF/maven/g/a/pom.properties", data)
	})
}

// FuzzProject also compares the tags that are read with those of encoding/xml,
// where that reads the document.
func FuzzProject(f *testing.F) {
	f.Add([]byte(samplePOM))
	f.Add([]byte(parentPOM))
	f.Add([]byte(childPOM))
	f.Add([]byte("<project><artifactId>a</artifactId><properties><a>${b}</a><b>${a}</b></properties><version>${a}</version></project>"))
	f.Add([]byte("<?xml version='1.0' encoding='latin1'?><project><artifactId><![CDATA[a]]></artifactId></project>"))
	f.Fuzz(func(t *testing.T, data []byte) {
		check(t, "x/pom.xml", data)
		want, oracle := referenceTree(data)
		if oracle != nil {
			return
		}
		if got, err := tree(data); err == nil && got != want {
			t.Errorf("encoding/xml reads %s, here %s", want, got)
		}
	})
}

func FuzzLock(f *testing.F) {
	f.Add([]byte("# c\norg.a:a:1.0=compileClasspath,test\r\nempty=\n"), true)
	f.Fuzz(func(t *testing.T, data []byte, old bool) {
		path := "gradle.lockfile"
		if old {
			path = "dependency-locks/test.lockfile"
		}
		check(t, path, data)
	})
}
