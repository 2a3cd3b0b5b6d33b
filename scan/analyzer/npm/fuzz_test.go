package npm

import (
	"strings"
	"testing"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/analyzer/analyzertest"
)

// checkFile holds what must be true of any content of a file.
func checkFile(t *testing.T, path string, data []byte) {
	t.Helper()
	analyzertest.CheckNamed(t, Analyzer{}, path, data, sourceProperty, validName)
}

func fuzzFile(f *testing.F, path string) {
	analyzertest.Seed(f, path)
	f.Fuzz(func(t *testing.T, data []byte) { checkFile(t, path, data) })
}

func FuzzManifest(f *testing.F)    { fuzzFile(f, "app/node_modules/a/package.json") }
func FuzzPackageLock(f *testing.F) { fuzzFile(f, "app/package-lock.json") }
func FuzzHiddenLock(f *testing.F)  { fuzzFile(f, "app/node_modules/.package-lock.json") }
func FuzzPnpmLock(f *testing.F)    { fuzzFile(f, "app/pnpm-lock.yaml") }
func FuzzYarnLock(f *testing.F)    { fuzzFile(f, "app/yarn.lock") }

// TestHostile feeds shapes that cost a careless reader too much.
func TestHostile(t *testing.T) {
	const n = 200_000
	repeat := strings.Repeat
	analyzertest.TestHostile(t, Analyzer{},
		analyzertest.Hostile{Name: "nested dependencies", Path: "package-lock.json", Data: repeat(`{"dependencies":{"a":`, n), Want: fault.Limit},
		analyzertest.Hostile{Name: "nested arrays", Path: "package.json", Data: repeat("[", n), Want: fault.Invalid},
		analyzertest.Hostile{Name: "nested licences", Path: "package.json", Data: `{"license":` + repeat("[", n), Want: fault.Limit},
		analyzertest.Hostile{Name: "nested patches", Path: "yarn.lock", Data: "__metadata:\n  version: 8\n\na:\n  resolution: \"a@" + repeat("patch:a@", n) + "\"\n"},
		analyzertest.Hostile{Name: "packages without end", Path: "yarn.lock", Data: repeat("a@1:\n  version \"1\"\n", n), Want: fault.Limit},
		analyzertest.Hostile{Name: "nodes without end", Path: "pnpm-lock.yaml", Data: repeat("a:\n", 6*n), Want: fault.Limit},
		analyzertest.Hostile{Name: "requests without end", Path: "yarn.lock", Data: repeat("a, ", 3*n) + "b:\n", Want: fault.Limit},
		analyzertest.Hostile{Name: "flows", Path: "pnpm-lock.yaml", Data: "a: " + repeat("[", n), Want: fault.Invalid},
	)
}
