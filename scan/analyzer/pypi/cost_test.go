package pypi

import (
	"strings"
	"testing"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/analyzer/analyzertest"
)

var many = analyzertest.Lines

func TestCost(t *testing.T) {
	analyzertest.TestCost(t, Analyzer{},
		analyzertest.Growth{Name: "fields", Path: "a.dist-info/METADATA", Data: func(n int) string { return many(n, "Requires-Dist: d%d\n") }},
		analyzertest.Growth{Name: "folded field", Path: "a.dist-info/METADATA", Data: func(n int) string { return "Name: a\nVersion: 1\nLicense: x\n" + many(n, "  line %d\n") }},
		analyzertest.Growth{Name: "files", Path: "a.dist-info/RECORD", Data: func(n int) string { return many(n, "d%[1]d/x.py,sha256=%[1]d,1\n") }},
		analyzertest.Growth{Name: "files outside", Path: "a.dist-info/RECORD", Data: func(n int) string { return many(n, "/usr/bin/d%d,,\n") }},
		analyzertest.Growth{Name: "quotes", Path: "a.dist-info/RECORD", Data: func(n int) string { return `"` + many(n, `""%d`) }},
		analyzertest.Growth{Name: "requirements", Path: "requirements.txt", Data: func(n int) string { return many(n, "d%[1]d==1.0.%[1]d --hash=sha256:00\n") }},
		analyzertest.Growth{Name: "one long line", Path: "requirements.txt", Data: func(n int) string { return "a==1.0" + many(n, " \\\n --hash=sha256:%x") }},
		analyzertest.Growth{Name: "one name", Path: "requirements.txt", Data: func(n int) string { return many(n, "d==1.0.%d\n") }},
		analyzertest.Growth{Name: "comment signs", Path: "requirements.txt", Data: func(n int) string { return many(n, "a#%d") }},
		analyzertest.Growth{Name: "requirements", Path: "setup.py", Data: func(n int) string {
			return "setup(name='a', install_requires=[" + many(n, "'d%[1]d==1.0.%[1]d',\n") + "])"
		}},
		analyzertest.Growth{Name: "brackets", Path: "setup.py", Data: func(n int) string { return "setup(" + many(n, "[(%d{") }},
		analyzertest.Growth{Name: "calls", Path: "setup.py", Data: func(n int) string { return many(n, "setup(setup(a%d=") }},
		analyzertest.Growth{Name: "quotes", Path: "setup.py", Data: func(n int) string { return many(n, "'%d\\\n") }},
		analyzertest.Growth{Name: "keys of one table", Path: "poetry.lock", Data: func(n int) string { return "[metadata.files]\n" + many(n, "d%d = []\n") }},
		analyzertest.Growth{Name: "tables", Path: "poetry.lock", Data: func(n int) string { return many(n, "[t%d.a]\n") }},
		analyzertest.Growth{Name: "dotted keys", Path: "poetry.lock", Data: func(n int) string { return many(n, "a.b%d = 1\n") }},
		analyzertest.Growth{Name: "packages", Path: "poetry.lock", Data: func(n int) string {
			return many(n/4, "[[package]]\nname = \"d%[1]d\"\nversion = \"1\"\n[package.dependencies]\nd0 = \"*\"\n")
		}},
		analyzertest.Growth{Name: "array", Path: "uv.lock", Data: func(n int) string { return "a = [" + many(n, "{ name = \"d%d\" },") + "]" }},
		analyzertest.Growth{Name: "packages", Path: "uv.lock", Data: func(n int) string {
			return "[[package]]\nname = \"r\"\nsource = { virtual = \".\" }\ndependencies = [{ name = \"d0\" }]\n" +
				many(n/4, "[[package]]\nname = \"d%[1]d\"\nversion = \"1\"\ndependencies = [{ name = \"d%[1]d\" }, { name = \"d0\" }]\n")
		}},
		analyzertest.Growth{Name: "categories", Path: "Pipfile.lock", Data: func(n int) string { return "{" + many(n/4, `"c%[1]d":{"d%[1]d":{"version":"==1"}},`) + `"_meta":{}}` }},
	)
}

// TestHostile feeds shapes that would exhaust a careless reader.
func TestHostile(t *testing.T) {
	repeat := strings.Repeat
	same := many(2100, "[[package]]\nname = \"a\"\nversion = \"%d\"\n") + "[[package]]\nname = \"b\"\nversion = \"1\"\n"
	analyzertest.TestHostile(t, Analyzer{},
		analyzertest.Hostile{Name: "files without end", Path: "a.dist-info/RECORD", Data: many(100_000, "d%d.py\n"), Want: fault.Limit},
		analyzertest.Hostile{Name: "a path without end", Path: "a.dist-info/RECORD", Data: repeat("../a/", 1_000_000)},
		analyzertest.Hostile{Name: "nested arrays", Path: "poetry.lock", Data: "a = " + repeat("[", 1_000_000), Want: fault.Limit},
		analyzertest.Hostile{Name: "nested tables", Path: "uv.lock", Data: "a = " + repeat("{b=", 5000) + "1" + repeat("}", 5000), Want: fault.Limit},
		analyzertest.Hostile{Name: "dotted key", Path: "uv.lock", Data: repeat("a.", 100_000) + "b = 1", Want: fault.Limit},
		analyzertest.Hostile{Name: "dotted header", Path: "uv.lock", Data: "[" + repeat("a.", 100_000) + "b]", Want: fault.Limit},
		analyzertest.Hostile{Name: "nested JSON", Path: "Pipfile.lock", Data: repeat(`{"a":`, 1_000_000), Want: fault.Invalid},
		analyzertest.Hostile{Name: "lines of nothing", Path: "requirements.txt", Data: repeat("(\n", 1_000_000), Want: fault.Limit},
		analyzertest.Hostile{Name: "packages without end", Path: "requirements.txt", Data: repeat("a\n", 1_000_000), Want: fault.Limit},
		analyzertest.Hostile{Name: "entries made by code", Path: "setup.py", Data: "setup(install_requires=[" + many(2000, "a%d,"), Want: fault.Limit},
		analyzertest.Hostile{Name: "nested brackets", Path: "setup.py", Data: "setup(name=" + repeat("(", 1_000_000)},
		analyzertest.Hostile{Name: "a text without end", Path: "setup.py", Data: "setup(name='''" + repeat("a\n", 1_000_000)},
		analyzertest.Hostile{Name: "one name many times", Path: "poetry.lock", Data: same + "[package.dependencies]\na = \"*\"\n" + many(1000, "A = \"%d\"\n"), Want: fault.Limit},
		analyzertest.Hostile{Name: "one name many times, with uses", Path: "uv.lock", Data: "[[package]]\nname = \"r\"\nsource = { virtual = \".\" }\ndependencies = [" +
			many(1000, "{ name = \"a\", marker = \"%d\" },") + "]\n" + same, Want: fault.Limit},
	)
}
