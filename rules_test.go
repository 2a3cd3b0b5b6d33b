package stella_test

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/stella-ops/stella"

// The size rules, in lines.
const (
	maxFile      = 600
	maxTestFile  = 1000
	maxFunc      = 80
	maxMain      = 150 // a service's main.go
	maxInterface = 7   // methods
)

// exceptions are files and functions that may break a size rule, each with its
// reason.
var exceptions = map[string]string{
	"internal/inflate/fast.go:fast": "one loop whose state stays in registers: a call for each symbol would cost more than the symbol",
}

// leaves may be imported by anything and import only other leaves.
var leaves = []string{
	"internal/", "scan/purl", "scan/sbom", "scan/sbom/license", "scan/sbom/license/detect", "scan/sbom/license/detect/internal/", "scan/analyzer", "scan/layer", "scan/usage", "advisory/version", "advisory/finding", "advisory/cvss", "advisory/cpe",
	"store/event", "store/queue", "store/blob", "store/cache", "store/crashpoint", "store/account",
	"attest/dsse", "attest/intoto", "attest/intoto/internal/", "attest/intoto/verdict", "attest/intoto/evidence", "attest/intoto/vulns", "attest/intoto/slsa", "attest/role", "attest/tlog", "attest/bundle", "attest/rekor", "attest/key", "attest/timestamp",
}

// cores import the standard library, leaves, and what arrows allows.
var cores = []string{"scan", "advisory", "vex", "policy", "attest", "notify"}

// arrows are the imports between domains (docs/architecture.md).
var arrows = map[string][]string{
	"scan":     {"advisory/cvss", "advisory/finding", "store/event", "store/blob", "store/crashpoint", "attest/dsse"},
	"advisory": {"scan/purl", "scan/sbom", "store/blob", "store/crashpoint", "store/event", "attest/dsse", "attest/role"},
	"vex":      {"scan/purl", "scan/image", "advisory/version", "advisory/cpe", "advisory/finding", "store/blob", "store/crashpoint", "store/event", "attest/dsse", "attest/intoto"},
	"policy":   {"advisory", "vex", "scan/purl", "scan/sbom", "store/crashpoint", "store/event"},
	"attest": {"scan/sbom", "scan/sbom/format", "scan/image", "advisory/finding", "vex", "vex/openvex", "vex/csaf", "policy", "policy/sarif", "policy/report",
		"store/blob", "store/crashpoint", "store/event"}, // for attest/export and attest/kit; attest itself has leaves and what is kept
	"notify": {"advisory/finding", "attest/dsse", "store/event", "store/crashpoint"},
	"store":  {"scan", "advisory", "vex", "policy", "attest", "attest/export", "notify", "notify/timeline"}, // it implements what domains declare
}

// coreForbidden are packages that a core must not import: effects belong to
// the edge.
var coreForbidden = []string{"net/http", "net", "os", "os/exec", "log", "log/slog", "math/rand", "math/rand/v2", "database/sql"}

// initAllowed may declare init, which registers a URL scheme.
var initAllowed = map[string]bool{
	"store/sqlite": true, "store/postgres": true, "store/queue/valkeyqueue": true, "store/queue/natsqueue": true, "store/blob/s3blob": true, "store/cache/valkeycache": true,
}

// source is one parsed file.
type source struct {
	name string // relative to the root, slashes
	dir  string
	file *ast.File
	fset *token.FileSet
	text []byte
}

func (s *source) test() bool { return strings.HasSuffix(s.name, "_test.go") }

// sources parses every Go file of the repository.
func sources(t *testing.T) []*source {
	t.Helper()
	var out []*source
	err := filepath.WalkDir(".", func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && p != "." && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata" && p != filepath.Join("internal", "testdata")) {
			return fs.SkipDir
		}
		if d.IsDir() || filepath.Ext(p) != ".go" {
			return nil
		}
		text, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		fset := token.NewFileSet()
		f, err := parser.ParseFile(fset, p, text, parser.ParseComments)
		if err != nil {
			return err
		}
		name := filepath.ToSlash(p)
		out = append(out, &source{name: name, dir: path.Dir(name), file: f, fset: fset, text: text})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestSizes(t *testing.T) {
	for _, s := range sources(t) {
		limit := maxFile
		switch {
		case s.test():
			limit = maxTestFile
		case strings.HasPrefix(s.name, "services/") && path.Base(s.name) == "main.go":
			limit = maxMain
		}
		if n := bytes.Count(s.text, []byte("\n")); n > limit && exceptions[s.name] == "" {
			t.Errorf("%s has %d lines, limit %d", s.name, n, limit)
		}
		for _, d := range s.file.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok {
				continue
			}
			id := s.name + ":" + fn.Name.Name
			if n := s.fset.Position(fn.End()).Line - s.fset.Position(fn.Pos()).Line + 1; n > maxFunc && !s.test() && exceptions[id] == "" {
				t.Errorf("%s has %d lines, limit %d", id, n, maxFunc)
			}
			if fn.Name.Name == "init" && fn.Recv == nil && !s.test() && !initAllowed[s.dir] {
				t.Errorf("%s declares init", s.name)
			}
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			if spec, ok := n.(*ast.TypeSpec); ok {
				if i, ok := spec.Type.(*ast.InterfaceType); ok && len(i.Methods.List) > maxInterface {
					t.Errorf("%s: interface %s has %d methods, limit %d", s.name, spec.Name.Name, len(i.Methods.List), maxInterface)
				}
			}
			return true
		})
	}
}

func TestImports(t *testing.T) {
	for _, s := range sources(t) {
		if s.test() {
			continue
		}
		for _, spec := range s.file.Imports {
			imported := strings.Trim(spec.Path.Value, `"`)
			local, isLocal := strings.CutPrefix(imported, module+"/")
			if isLocal {
				if why := forbiddenLocal(s.dir, local); why != "" {
					t.Errorf("%s imports %s: %s", s.name, local, why)
				}
				continue
			}
			if slices.Contains(cores, s.dir) {
				if slices.Contains(coreForbidden, imported) {
					t.Errorf("%s imports %s: a domain core has no effects", s.name, imported)
				}
				if thirdParty(imported) && !strings.HasPrefix(imported, "github.com/go-json-experiment/json") {
					t.Errorf("%s imports %s: a domain core imports no third-party module", s.name, imported)
				}
			}
		}
	}
}

func thirdParty(p string) bool {
	first, _, _ := strings.Cut(p, "/")
	return strings.Contains(first, ".")
}

// forbiddenLocal says why package dir must not import another package of the
// SDK, or "".
func forbiddenLocal(dir, imported string) string {
	switch {
	case strings.HasPrefix(dir, "services") || dir == "examples" || strings.HasPrefix(dir, "examples/") || strings.HasPrefix(dir, "internal/imagetest") || strings.HasPrefix(dir, "internal/e2e"):
		if strings.HasPrefix(imported, "services/") && !strings.HasPrefix(dir, "services") {
			return "nothing imports services"
		}
		return ""
	case strings.HasPrefix(imported, "services/") || imported == "examples":
		return "nothing imports services or examples"
	case strings.HasPrefix(dir, "internal/") && !strings.HasPrefix(imported, "internal/"):
		return "internal packages import no domain"
	}
	domain, _, _ := strings.Cut(dir, "/")
	target, _, _ := strings.Cut(imported, "/")
	if target == "internal" || domain == target {
		if isLeaf(dir) && !isLeaf(imported) {
			return "a leaf imports leaves only"
		}
		if dir == domain && target == domain && !isLeaf(imported) {
			return "a core does not import its sub-packages"
		}
		return ""
	}
	for _, allowed := range arrows[domain] {
		if imported == allowed || strings.HasPrefix(imported, allowed+"/") {
			return ""
		}
	}
	if isLeaf(dir) && isLeaf(imported) {
		return ""
	}
	return "no arrow leads from " + domain + " to " + imported
}

func isLeaf(p string) bool {
	return slices.ContainsFunc(leaves, func(l string) bool {
		return p == l || strings.HasSuffix(l, "/") && strings.HasPrefix(p, l)
	})
}

// TestDocumented: every package has a comment, and so has every exported name
// outside of package main.
func TestDocumented(t *testing.T) {
	packageDoc := map[string]bool{}
	all := sources(t)
	for _, s := range all {
		if s.file.Doc != nil {
			packageDoc[s.dir] = true
		}
	}
	for _, s := range all {
		if s.test() {
			continue
		}
		if !packageDoc[s.dir] {
			packageDoc[s.dir] = true // say it once
			t.Errorf("package %s has no comment", s.dir)
		}
		if s.file.Name.Name == "main" {
			continue
		}
		for _, name := range undocumented(s.file) {
			t.Errorf("%s: %s is exported and has no comment", s.name, name)
		}
	}
}

func undocumented(f *ast.File) (names []string) {
	for _, d := range f.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			if d.Name.IsExported() && d.Doc == nil && exportedReceiver(d) && !implements(d) {
				names = append(names, d.Name.Name)
			}
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				switch spec := spec.(type) {
				case *ast.TypeSpec:
					if spec.Name.IsExported() && d.Doc == nil && spec.Doc == nil {
						names = append(names, spec.Name.Name)
					}
				case *ast.ValueSpec:
					if spec.Names[0].IsExported() && d.Doc == nil && spec.Doc == nil && spec.Comment == nil {
						names = append(names, spec.Names[0].Name)
					}
				}
			}
		}
	}
	return names
}

func exportedReceiver(d *ast.FuncDecl) bool {
	if d.Recv == nil {
		return true
	}
	typ := d.Recv.List[0].Type
	if star, ok := typ.(*ast.StarExpr); ok {
		typ = star.X
	}
	id, ok := typ.(*ast.Ident)
	return ok && id.IsExported()
}

// implements lists methods whose contract is the interface's.
func implements(d *ast.FuncDecl) bool {
	return d.Recv != nil && slices.Contains([]string{"Error", "Is", "Unwrap", "String", "MarshalText", "UnmarshalText", "MarshalJSON", "UnmarshalJSON"}, d.Name.Name)
}

// TestExamples: every public package shows its use.
func TestExamples(t *testing.T) {
	packages, shown := map[string]string{}, map[string]bool{}
	for _, s := range sources(t) {
		if s.test() {
			for _, d := range s.file.Decls {
				if fn, ok := d.(*ast.FuncDecl); ok && strings.HasPrefix(fn.Name.Name, "Example") {
					shown[s.dir] = true
				}
			}
			continue
		}
		if s.file.Name.Name != "main" && s.dir != "." && !strings.Contains(s.dir, "internal/") && !strings.HasPrefix(s.dir, "internal") {
			packages[s.dir] = s.name
		}
	}
	for dir := range packages {
		if !shown[dir] {
			t.Errorf("package %s has no Example", dir)
		}
	}
}

// TestExportedSignaturesAreEmbeddable: no exported signature names a type that
// an embedder cannot import or should not depend on.
func TestExportedSignaturesAreEmbeddable(t *testing.T) {
	for _, s := range sources(t) {
		if s.test() || s.file.Name.Name == "main" || strings.Contains("/"+s.dir+"/", "/internal/") || strings.HasPrefix(s.dir, "services") {
			continue
		}
		foreign := map[string]string{}
		for _, spec := range s.file.Imports {
			p := strings.Trim(spec.Path.Value, `"`)
			if strings.HasPrefix(p, module+"/internal/") || thirdParty(p) && !strings.HasPrefix(p, module) {
				name := path.Base(p)
				if spec.Name != nil {
					name = spec.Name.Name
				}
				foreign[name] = p
			}
		}
		for _, d := range s.file.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok || !fn.Name.IsExported() || !exportedReceiver(fn) {
				continue
			}
			ast.Inspect(fn.Type, func(n ast.Node) bool {
				if sel, ok := n.(*ast.SelectorExpr); ok {
					if id, ok := sel.X.(*ast.Ident); ok && foreign[id.Name] != "" {
						t.Errorf("%s: %s names %s.%s of %s", s.name, fn.Name.Name, id.Name, sel.Sel.Name, foreign[id.Name])
					}
				}
				return true
			})
		}
	}
}

// TestReadmeCode: every Go block of the README is part of a test that compiles.
func TestReadmeCode(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	var tests []string
	for _, s := range sources(t) {
		if s.test() {
			tests = append(tests, squeeze(string(s.text)))
		}
	}
	blocks := regexp.MustCompile("(?s)```go\n(.*?)```").FindAllSubmatch(readme, -1)
	if len(blocks) == 0 {
		t.Error("the README shows no Go")
	}
	for i, b := range blocks {
		want := squeeze(string(b[1]))
		if !slices.ContainsFunc(tests, func(text string) bool { return strings.Contains(text, want) }) {
			t.Errorf("Go block %d of the README is in no test:\n%s", i+1, b[1])
		}
	}
}

func squeeze(s string) string { return strings.Join(strings.Fields(s), " ") }

// TestDecisionsNameDependencies: each direct requirement is named with its
// reason.
func TestDecisionsNameDependencies(t *testing.T) {
	decisions, err := os.ReadFile("docs/decisions.md")
	if err != nil {
		t.Fatal(err)
	}
	mods, err := filepath.Glob("*/go.mod")
	if err != nil {
		t.Fatal(err)
	}
	deeper, err := filepath.Glob("*/*/go.mod")
	if err != nil {
		t.Fatal(err)
	}
	line := regexp.MustCompile(`(?m)^(?:require )?\s*([a-z0-9.-]+\.[a-z]+/[^\s]+) (v[^\s]+)(.*)$`)
	for _, mod := range slices.Concat(mods, deeper, []string{"go.mod"}) {
		text, err := os.ReadFile(mod)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range line.FindAllStringSubmatch(string(text), -1) {
			if strings.Contains(m[3], "// indirect") || strings.HasPrefix(m[1], module) {
				continue
			}
			if !bytes.Contains(decisions, []byte(m[1])) {
				t.Errorf("%s requires %s, which docs/decisions.md does not name", mod, m[1])
			}
		}
	}
	if t.Failed() {
		t.Log("name it in docs/decisions.md: what for, why this one, what else there was")
	}
}
