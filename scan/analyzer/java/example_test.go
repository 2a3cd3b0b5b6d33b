package java_test

import (
	"archive/zip"
	"bytes"
	"context"
	"fmt"
	"io"

	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/analyzer/java"
)

// A web application with a library in it.
func Example() {
	library := archive(map[string]string{
		"META-INF/maven/org.example/text/pom.properties": "groupId=org.example\nartifactId=text\nversion=1.2.0\n",
	})
	application := archive(map[string]string{"WEB-INF/lib/text-1.2.0.jar": library})

	f := analyzer.NewMemoryFile("srv/shop-3.1.war", []byte(application))
	facts, err := java.Analyzer{}.Extract(context.Background(), f)
	if err != nil {
		fmt.Println("gap:", err)
	}
	for _, fact := range facts {
		fmt.Printf("%q in %q: %s %s, package URL %q\n", fact.Inner, fact.Parent, fact.Package.Name, fact.Package.Version, fact.Package.PURL)
	}
	// Output:
	// "" in "": shop 3.1, package URL ""
	// "WEB-INF/lib/text-1.2.0.jar" in ".": org.example:text 1.2.0, package URL "pkg:maven/org.example/text@1.2.0"
}

func archive(files map[string]string) string {
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for name, content := range files {
		if f, err := w.Create(name); err == nil {
			_, _ = io.WriteString(f, content)
		}
	}
	_ = w.Close()
	return b.String()
}
