package pypi_test

import (
	"context"
	"fmt"

	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/analyzer/pypi"
)

// An analyzer says facts about one file at a time; Join makes packages of them.
func Example() {
	in := &analyzer.Squashed{}
	for _, file := range []struct{ path, body string }{
		{"app/requirements.txt", "ruamel.yaml==0.17.21\nrequests>=2\n-r missing.txt\n"},
		{"usr/lib/python3/dist-packages/Flask-2.3.2.dist-info/METADATA", "Name: Flask\nVersion: 2.3.2\n"},
	} {
		facts, err := pypi.Analyzer{}.Extract(context.Background(), analyzer.NewMemoryFile(file.path, []byte(file.body)))
		if err != nil {
			fmt.Println(err)
		}
		for _, f := range facts {
			in.Facts = append(in.Facts, analyzer.Located{Fact: f, Path: file.path})
		}
	}
	packages, gaps := pypi.Analyzer{}.Join(in)
	for _, p := range packages {
		fmt.Println(p.Package.PURL, p.Package.State, p.Package.Properties)
	}
	for _, g := range gaps {
		fmt.Println(g.Where, g.What)
	}
	// Output:
	// pkg:pypi/ruamel-yaml@0.17.21 declared []
	// pkg:pypi/requests declared [{pypi:requirement >=2}]
	// pkg:pypi/flask@2.3.2  []
	// app/requirements.txt line 3: -r missing.txt: leads to what was not read
}
