package packagefile_test

import (
	"archive/tar"
	"bytes"
	"context"
	"fmt"

	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/analyzer/packagefile"
)

// A Debian package that lies in an image is declared, not installed.
func Example() {
	const control = "Package: hello\nVersion: 2.10-3\nArchitecture: amd64\n"
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	if err := w.WriteHeader(&tar.Header{Name: "./control", Size: int64(len(control))}); err != nil {
		fmt.Println(err)
		return
	}
	if _, err := w.Write([]byte(control)); err != nil {
		fmt.Println(err)
		return
	}
	if err := w.Close(); err != nil {
		fmt.Println(err)
		return
	}
	deb := fmt.Sprintf("!<arch>\n%-48s%-10d`\n%s", "control.tar", b.Len(), b.Bytes())
	facts, err := packagefile.Analyzer{}.Extract(context.Background(), analyzer.NewMemoryFile("srv/repo/hello.deb", []byte(deb)))
	if err != nil {
		fmt.Println(err)
		return
	}
	p := facts[0].Package
	fmt.Println(p.Name, p.Version, p.State)
	// Output: hello 2.10-3 declared
}
