package main

import (
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/stella-ops/stella/internal/shell"
)

// TestCommandTree: every command says in a line what it is for; one that does something has
// an example and says what its exit codes mean, and its examples are command lines that
// there are.
func TestCommandTree(t *testing.T) {
	root := (&program{env: func(string) string { return "" }}).rootCommand()
	root.InitDefaultCompletionCmd()
	leaves := 0
	var walk func(*cobra.Command)
	walk = func(cmd *cobra.Command) {
		for _, inner := range cmd.Commands() {
			if name := inner.Name(); inner.Hidden || name == "help" || name == "completion" {
				continue // cobra's own
			}
			walk(inner)
		}
		path := cmd.CommandPath()
		if strings.TrimSpace(cmd.Short) == "" {
			t.Errorf("%s: no Short", path)
		}
		checkExamples(t, cmd)
		if cmd.HasSubCommands() {
			return
		}
		leaves++
		if cmd.Example == "" {
			t.Errorf("%s: no Example", path)
		}
		if !strings.Contains(cmd.Long, "Exit codes:") {
			t.Errorf("%s: its help does not say its exit codes", path)
		}
	}
	walk(root)
	if leaves < 60 {
		t.Errorf("only %d commands were looked at", leaves)
	}
}

// checkExamples parses the examples of a command as a shell and this program would.
func checkExamples(t *testing.T, cmd *cobra.Command) {
	t.Helper()
	if cmd.Example == "" {
		return
	}
	lines, err := shell.Commands([]byte(cmd.Example))
	if err != nil {
		t.Errorf("%s: %v: %s", cmd.CommandPath(), err, cmd.Example)
	}
	own := false
	for _, words := range lines {
		args, ok := stellaArgs(words)
		if !ok {
			continue
		}
		if err := parses(args); err != nil {
			t.Errorf("%s: stella %s: %v", cmd.CommandPath(), strings.Join(args, " "), err)
		}
		own = own || strings.HasPrefix("stella "+strings.Join(args, " ")+" ", cmd.CommandPath()+" ")
	}
	if !own {
		t.Errorf("%s: none of its examples runs it", cmd.CommandPath())
	}
}
