package terraform_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/analyzer/analyzertest"
	"github.com/stella-ops/stella/scan/analyzer/terraform"
)

const lock = "srv/infra/.terraform.lock.hcl"

func TestGolden(t *testing.T) { analyzertest.TestGolden(t, terraform.Analyzer{}) }

func FuzzLock(f *testing.F) { analyzertest.Fuzz(f, terraform.Analyzer{}, lock) }

func TestCost(t *testing.T) {
	lines := analyzertest.Lines
	analyzertest.TestCost(t, terraform.Analyzer{},
		analyzertest.Growth{Name: "providers", Path: lock, Data: func(n int) string { return lines(n, "provider \"r/a/p%d\" {\nversion = \"1.0.0\"\n}\n") }},
		analyzertest.Growth{Name: "hashes", Path: lock, Data: func(n int) string {
			return "provider \"r/a/p\" {\nversion = \"1\"\nhashes = [\n" + lines(n, "\"zh:%064x\",\n") + "]\n}\n"
		}},
		analyzertest.Growth{Name: "comments", Path: lock, Data: func(n int) string { return lines(n, "# %d\n/* x */ // y\n") }},
		analyzertest.Growth{Name: "escapes", Path: lock, Data: func(n int) string { return "a = \"" + strings.Repeat(`\n$%$${`, n) + "\"\n" }},
		analyzertest.Growth{Name: "labels", Path: lock, Data: func(n int) string { return "provider" + lines(n, " \"l%d\"") + " {\n}\n" }},
		analyzertest.Growth{Name: "providers without a version", Path: lock, Data: func(n int) string { return lines(n, "provider \"r/a/p%d\" {\n}\n") }},
	)
}

func TestHostile(t *testing.T) {
	analyzertest.TestHostile(t, terraform.Analyzer{},
		analyzertest.Hostile{Name: "empty", Path: lock},
		analyzertest.Hostile{Name: "nested lists", Path: lock, Data: "a = " + strings.Repeat("[", 100_000), Want: fault.Limit},
		analyzertest.Hostile{Name: "nested blocks", Path: lock, Data: strings.Repeat("a {", 100_000), Want: fault.Limit},
		analyzertest.Hostile{Name: "values without end", Path: lock, Data: "a = [" + strings.Repeat("1,", 600_000) + "]", Want: fault.Limit},
		analyzertest.Hostile{Name: "an open comment", Path: lock, Data: "/* " + strings.Repeat("/*", 100_000), Want: fault.Invalid},
		analyzertest.Hostile{Name: "an open text", Path: lock, Data: `a = "x`, Want: fault.Invalid},
		analyzertest.Hostile{Name: "a text over two lines", Path: lock, Data: "a = \"x\ny\"", Want: fault.Invalid},
		analyzertest.Hostile{Name: "a template", Path: lock, Data: `a = "${file("x")}"`, Want: fault.Unsupported},
		analyzertest.Hostile{Name: "an expression", Path: lock, Data: `a = file("x")`, Want: fault.Unsupported},
		analyzertest.Hostile{Name: "a here-document", Path: lock, Data: "a = <<EOT\nx\nEOT\n", Want: fault.Unsupported},
		analyzertest.Hostile{Name: "an open block", Path: lock, Data: `provider "a/b/c" {`, Want: fault.Invalid},
		analyzertest.Hostile{Name: "no name", Path: lock, Data: "}", Want: fault.Invalid},
		analyzertest.Hostile{Name: "no value", Path: lock, Data: "a\nb", Want: fault.Invalid},
		analyzertest.Hostile{Name: "no version", Path: lock, Data: `provider "a/b/c" {}`, Want: fault.Invalid},
		analyzertest.Hostile{Name: "two addresses", Path: lock, Data: `provider "a/b/c" "d" {}`, Want: fault.Invalid},
		analyzertest.Hostile{Name: "bytes that are no text", Path: lock, Data: "provider \"\xff\" {\nversion = \"\xfe\"\n}"},
	)
}

// TestWhatIsKept: what came before an error is read, and the line is named.
func TestWhatIsKept(t *testing.T) {
	r := analyzertest.Scan(terraform.Analyzer{}, map[string][]byte{lock: []byte("provider \"r/a/b\" {\n  version = \"1.0.0\"\n}\nprovider \"r/a/c\" {\n  version = var.x\n}\n")})
	if got := fmt.Sprint(r.Names(), r.Errors); got != "[r/a/b@1.0.0 r/a/c@] [read srv/infra/.terraform.lock.hcl: line 5: a value that is no text, list or constant: unsupported]" {
		t.Error(got)
	}
}

func ExampleAnalyzer() {
	facts, err := terraform.Analyzer{}.Extract(context.Background(), analyzer.NewMemoryFile(".terraform.lock.hcl", []byte(`
provider "registry.opentofu.org/hashicorp/random" {
  version     = "3.6.3"
  constraints = "~> 3.6"
}
`)))
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, f := range facts {
		fmt.Println(f.Package.Name, f.Package.Version, f.Package.State)
	}
	// Output: registry.opentofu.org/hashicorp/random 3.6.3 declared
}
