package main

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/stella-ops/stella/internal/shell"
)

// TestShownCommands holds every command line of stella that people can copy from examples,
// the README and the documents against the commands that there are: their names, their
// flags and the number of their arguments.
func TestShownCommands(t *testing.T) {
	root := filepath.Join("..", "..")
	seen := map[string]int{} // by the kind of file
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if name != root && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata") {
				return fs.SkipDir
			}
			return nil
		}
		kind := filepath.Ext(name)
		scripts, err := scriptsOf(name, kind)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		for _, script := range scripts {
			commands, err := shell.Commands([]byte(script))
			if err != nil {
				t.Errorf("%s: %v: %s", name, err, script)
			}
			for _, words := range commands {
				args, ok := stellaArgs(words)
				if !ok {
					continue
				}
				seen[kind]++
				if err := parses(args); err != nil {
					t.Errorf("%s: stella %s: %v", name, strings.Join(args, " "), err)
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Log(seen)
	for kind, least := range map[string]int{".yml": 10, ".sh": 2, ".md": 25} {
		if seen[kind] < least {
			t.Errorf("only %d command lines of stella were found in files %s", seen[kind], kind)
		}
	}
}

// scriptsOf returns what a file shows as commands of a shell: each text of a YAML file, a
// script as it is, and of code blocks in documents the lines that begin with the program.
func scriptsOf(name, kind string) (out []string, err error) {
	switch kind {
	case ".yml", ".sh", ".md":
	default:
		return nil, nil
	}
	text, err := os.ReadFile(name)
	switch {
	case err != nil:
		return nil, err
	case kind == ".sh":
		return []string{string(text)}, nil
	case kind == ".md":
		return shownLines(string(text)), nil
	}
	var doc yaml.Node
	if err := yaml.Unmarshal(text, &doc); err != nil {
		return nil, err
	}
	var walk func(n *yaml.Node)
	walk = func(n *yaml.Node) {
		if n.Kind == yaml.ScalarNode && strings.Contains(n.Value, "stella ") {
			out = append(out, n.Value)
		}
		for _, inner := range n.Content {
			walk(inner)
		}
	}
	walk(&doc)
	return out, nil
}

// shownLines are the lines of a document's code blocks that begin with the program, with
// those that they are continued on.
func shownLines(text string) (out []string) {
	inside, more := false, false
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(line, "```"):
			inside, more = !inside, false
			continue
		case !inside:
			continue
		case more:
			out[len(out)-1] += "\n" + line
		case strings.Contains(line, " ─"): // a drawing of what follows what
			continue
		case strings.HasPrefix(line, "stella "), strings.HasPrefix(line, "go run ./services/stella "):
			out = append(out, line)
		default:
			continue
		}
		more = strings.HasSuffix(line, `\`)
	}
	return out
}

// stellaArgs returns the arguments of a command that runs this program.
func stellaArgs(words []string) ([]string, bool) {
	for len(words) > 0 && strings.Contains(words[0], "=") {
		words = words[1:] // NAME=value before the command
	}
	switch {
	case len(words) > 2 && words[0] == "go" && words[1] == "run" && words[2] == "./services/stella":
		return words[3:], true
	case len(words) > 0 && (words[0] == "stella" || words[0] == "${STELLA:-stella}"):
		return words[1:], true
	}
	return nil, false
}

// parses says what is wrong with a command line, without running it. What is known only
// when a script runs stands for one argument that is not empty.
func parses(args []string) error {
	root := (&program{env: func(string) string { return "" }}).rootCommand()
	cmd, rest, err := root.Find(args)
	if err != nil {
		return err
	}
	if cmd == root || !cmd.Runnable() {
		return fmt.Errorf("%s needs one of its commands, and %q is none", cmd.CommandPath(), rest)
	}
	cmd.InitDefaultHelpFlag()
	if err := cmd.ParseFlags(rest); err != nil {
		return err
	}
	return cmd.ValidateArgs(cmd.Flags().Args())
}

// TestShownCommandsAreChecked: what is wrong is found.
func TestShownCommandsAreChecked(t *testing.T) {
	for line, want := range map[string]string{
		"stella scna alpine":                        "needs one of its commands",
		"stella scan alpine --polcy p.yaml":         "unknown flag",
		"stella scan":                               "arg",
		"stella scan alpine --parallel many":        "invalid argument",
		"CI=1 stella db stauts":                     "stauts",
		"go run ./services/stella verify a --typ b": "unknown flag",
	} {
		commands, err := shell.Commands([]byte(line))
		if err != nil {
			t.Fatal(err)
		}
		args, ok := stellaArgs(commands[0])
		if !ok {
			t.Errorf("%s: not taken for a command line of stella: %q", line, commands)
			continue
		}
		if err := parses(args); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", line, err, want)
		}
	}
}
