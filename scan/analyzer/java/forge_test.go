package java

import (
	"archive/zip"
	"bytes"
	"context"
	"strings"
	"testing"

	"github.com/stella-ops/stella/scan/analyzer"
)

// member is one entry of an archive that a test makes. A name that ends in '='
// is stored, others are deflated.
type member struct{ name, content string }

func pack(t testing.TB, members ...member) string {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, m := range members {
		name, stored := strings.CutSuffix(m.name, "=")
		h := &zip.FileHeader{Name: name, Method: zip.Deflate}
		if stored {
			h.Method = zip.Store
		}
		f, err := w.CreateHeader(h)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write([]byte(m.content)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// pom is the Maven descriptor of coordinates "group:artifact:version".
func pom(gav string) member {
	p := strings.Split(gav, ":")
	return member{"META-INF/maven/" + p[0] + "/" + p[1] + "/pom.properties", "groupId=" + p[0] + "\nartifactId=" + p[1] + "\nversion=" + p[2] + "\n"}
}

// extract returns the facts of one file.
func extract(t testing.TB, path, data string) []analyzer.Fact {
	t.Helper()
	facts, err := Analyzer{}.Extract(context.Background(), analyzer.NewMemoryFile(path, []byte(data)))
	if err != nil {
		t.Fatal(err)
	}
	return facts
}

// summary is "key: name version (how)" of each fact, with what contains it.
func summary(facts []analyzer.Fact) (list []string) {
	for _, f := range facts {
		line := f.Key + ": " + f.Package.Name
		if f.Package.Version != "" {
			line += " " + f.Package.Version
		}
		if f.Package.PURL.IsZero() {
			line += " without URL"
		}
		if f.Parent != "" {
			line += " in " + f.Parent
		}
		list = append(list, line)
	}
	return list
}
