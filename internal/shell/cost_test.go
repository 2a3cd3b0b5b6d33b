package shell_test

import (
	"context"
	"strings"
	"testing"

	"github.com/stella-ops/stella/internal/shell"
	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/analyzer/analyzertest"
)

// scripts reads a script and says nothing.
type scripts struct{}

func (scripts) Info() analyzer.Info   { return analyzer.Info{Name: "scripts", Version: 1} }
func (scripts) Paths() analyzer.Paths { return analyzer.Paths{} }

func (scripts) Extract(_ context.Context, f *analyzer.File) ([]analyzer.Fact, error) {
	data, err := f.Bytes(shell.MaxSource)
	if err != nil {
		return nil, err
	}
	_, err = shell.Commands(data)
	return nil, err
}

// TestCost: time grows with the script, not with its square.
func TestCost(t *testing.T) {
	for name, line := range map[string]string{
		"commands": "a $b", "joined": "a &&", "pipes": "a|", "find": "find /a|", "sums": "((1+", "words": "a \\", "quotes": "'\"'", "here-documents": "<<a", "traps": "trap a x", "backquotes": "`a`", "deep": "$(",
		"functions": "f(){ a;}", "arrays": "a+=(b)", "cases": "case a in", "parameters": "${a:-b}", "escapes": `\\\\\\`, "comments": "# a b c",
	} {
		analyzertest.TestCost(t, scripts{}, analyzertest.Growth{Name: name, Path: "script", Data: func(n int) string { return strings.Repeat(line+"\n", n/16) }})
	}
}
