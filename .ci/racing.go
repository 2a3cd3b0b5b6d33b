//go:build ignore

// Racing prints those of the packages that it is given in whose tests something of their own
// can race: where the package or a test of it starts a goroutine, keeps something for
// several with sync or sync/atomic, or uses a part of the standard library that calls it from
// goroutines. In the others all that happens at once happens inside packages that they
// import, which are printed themselves and have tests of it.
//
//	go run .ci/racing.go ./scan/... ./policy/...
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
)

// starters are packages of the standard library that are for use by several goroutines, or
// call those who use them from goroutines that are not theirs.
var starters = []string{"database/sql", "net", "net/http", "net/http/httptest", "net/rpc", "net/smtp", "os/exec", "os/signal", "sync", "sync/atomic"}

// calls start a goroutine, or have something called in one.
var calls = []string{"Go", "Parallel", "RunParallel", "AfterFunc", "AddCleanup", "SetFinalizer"}

// listed is what go list says of a package.
type listed struct {
	ImportPath, Dir                              string
	GoFiles, CgoFiles, TestGoFiles, XTestGoFiles []string
	Imports, TestImports, XTestImports           []string
}

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "racing:", err)
		os.Exit(1)
	}
}

func run(patterns []string, out io.Writer) error {
	cmd := exec.Command("go", append([]string{"list", "-json=ImportPath,Dir,GoFiles,CgoFiles,TestGoFiles,XTestGoFiles,Imports,TestImports,XTestImports"}, patterns...)...)
	cmd.Stderr = os.Stderr
	text, err := cmd.Output()
	if err != nil {
		return err
	}
	for d := json.NewDecoder(bytes.NewReader(text)); ; {
		p := new(listed)
		switch err := d.Decode(p); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
		races, err := p.races()
		if err != nil {
			return err
		}
		if races {
			fmt.Fprintln(out, p.ImportPath)
		}
	}
}

// races says whether something of the package or of its tests can race.
func (p *listed) races() (bool, error) {
	if len(p.TestGoFiles)+len(p.XTestGoFiles) == 0 {
		return false, nil
	}
	for _, i := range slices.Concat(p.Imports, p.TestImports, p.XTestImports) {
		if slices.Contains(starters, i) {
			return true, nil
		}
	}
	for _, name := range slices.Concat(p.GoFiles, p.CgoFiles, p.TestGoFiles, p.XTestGoFiles) {
		f, err := parser.ParseFile(token.NewFileSet(), filepath.Join(p.Dir, name), nil, parser.SkipObjectResolution)
		if err != nil {
			return false, err
		}
		found := false
		ast.Inspect(f, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.GoStmt:
				found = true
			case *ast.SelectorExpr:
				found = found || slices.Contains(calls, n.Sel.Name)
			}
			return !found
		})
		if found {
			return true, nil
		}
	}
	return false, nil
}
