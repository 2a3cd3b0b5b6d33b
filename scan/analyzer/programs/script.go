package programs

import (
	"bytes"
	"fmt"
	"path"
	"strings"
	"unicode/utf8"

	"github.com/stella-ops/stella/internal/shell"
	"github.com/stella-ops/stella/scan/analyzer"
)

// readScript reads the first line of a script, and the commands of a shell script.
func readScript(src *source, f *analyzer.File) *analyzer.Program {
	head := src.first()
	line, _, whole := bytes.Cut(head, []byte("\n"))
	words := strings.Fields(string(line[2:]))
	if !whole && int64(len(head)) < src.size || !utf8.Valid(line) || len(words) == 0 {
		return nil // no kernel would run it
	}
	p := &analyzer.Program{Kind: analyzer.Script, Format: "script", Interpreter: strings.Join(words, " ")}
	shell := isShell(words)
	if f.Mode&0o111 == 0 && !shell {
		return nil
	}
	if shell {
		readCommands(src, f.Path, p)
	}
	return p
}

// isShell reports whether the words of a first line name a shell.
func isShell(words []string) bool {
	for _, w := range words {
		switch path.Base(w) {
		case "sh", "bash", "dash", "ash", "ksh":
			return true
		case "env", "busybox", "-S":
			continue
		}
		return false
	}
	return false
}

// maintainers is where dpkg has the scripts of packages, hundreds of them; nothing else
// starts them.
const maintainers = "var/lib/dpkg/info/"

// The bounds of a script whose commands are read, and of what is kept of them.
const (
	maxScript       = 64 << 10
	maxCommandBytes = 32 << 10
)

// readCommands takes the commands of a shell script.
func readCommands(src *source, where string, p *analyzer.Program) {
	if strings.HasPrefix(where, maintainers) {
		p.Unknown = "scripts of dpkg are not read for their commands"
		return
	}
	if src.size > maxScript {
		p.Unknown = fmt.Sprintf("a script of %d bytes, at most %d are read for its commands", src.size, maxScript)
		return
	}
	commands, err := shell.Commands(src.part(0, uint64(src.size)))
	if err != nil {
		p.Unknown = err.Error()
	}
	room := maxCommandBytes
	for i, words := range commands {
		for _, w := range words {
			room -= len(w) + 1
		}
		if room < 0 {
			p.Unknown = fmt.Sprintf("its commands have more than %d bytes", maxCommandBytes)
			commands = commands[:i]
			break
		}
	}
	p.Commands = commands
}
