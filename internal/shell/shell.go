// Package shell reads what commands a script of a POSIX shell or of bash can run, without
// running it.
//
// The commands are given in the order of the text, whatever decides whether they are run:
// in functions, conditions, loops, pipelines, substitutions, here-documents and traps. A
// command is a list of words. What introduces a command, such as exec, command, env or ".",
// is a command with the rest as its words, and assignments before a command are words of
// it, as "PATH=/opt/bin". Redirections are left out.
//
// Some constructs are given as commands of their own:
//
//	["f()", "{"]              a function begins: what follows is its body
//	["f()", "}"]              and ends
//	["for", "x", "in", …]     a loop, or a selection, over words
//	["x()=", …]               an array: its elements; "x()+=" adds them
//	["x=WORD"]                also for ${x:=WORD} wherever it stands
//	["x=/etc/init.d/${}"]     also for a loop that reads what "find /etc/init.d" prints
//
// # Words
//
// Quotes are removed from words. "$$" is a dollar sign, and other dollar signs are markers
// of what is known only when the script runs:
//
//	$@               all arguments, as one word each; alone in its word, or joined by spaces
//	$0 … $9          the script itself, and its arguments
//	${NAME}          a variable
//	${NAME[@]}       all elements of an array, as one word each
//	${NAME:-WORD}    the same, or WORD where it is not set
//	${NAME:+WORD}    WORD where it is set, or nothing
//	${dir WORD}      the folder of the path WORD
//	$[]              any text without a slash: a pattern for names of files
//	${}              any text: what a command prints, arithmetic, and all else
//
// [Split] takes a word apart. Whether a variable was in quotes is not told.
package shell

import (
	"bytes"
	"errors"
	"fmt"
	"unicode/utf8"

	"mvdan.cc/sh/v3/syntax"

	"github.com/stella-ops/stella/internal/fault"
)

// The bounds of a script and of what is said about it.
const (
	MaxSource   = 256 << 10 // bytes of the script
	MaxCommands = 20_000
	MaxWords    = 100_000 // of all commands
	MaxBytes    = 512 << 10
)

// maxTraps bounds traps within traps.
const maxTraps = 4

// Commands returns the commands of a script. A nil error means that they are all. With an
// error they are those before the place where reading ended: it wraps fault.Invalid where
// the text is no script of these shells, fault.Limit beyond a bound of this package. It
// depends on src alone and is safe for concurrent use; src is not kept.
func Commands(src []byte) ([][]string, error) {
	c := &collector{}
	err := c.script(src)
	return c.out, err
}

// script adds the commands of a script.
func (c *collector) script(src []byte) error {
	if len(src) > MaxSource {
		return &fault.LimitError{What: "bytes", Where: "shell script", Max: MaxSource, Seen: int64(len(src))}
	}
	src = bytes.ToValidUTF8(src, []byte("\uFFFD")) // comments are often in other encodings
	before := *c
	err := c.parse(src, syntax.LangBash)
	if err == nil || errors.Is(err, fault.Limit) {
		return err
	}
	// A few scripts of other shells use what bash gives a meaning of its own.
	bash := *c
	*c = before
	if c.parse(src, syntax.LangPOSIX) == nil {
		return nil
	}
	*c = bash
	return err
}

// parse adds the commands of a script of one dialect, statement by statement.
func (c *collector) parse(src []byte, lang syntax.LangVariant) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("shell script: the parser failed: %w", fault.Invalid)
		}
	}()
	in := newGuarded(src)
	for stmt, err := range syntax.NewParser(syntax.Variant(lang)).StmtsSeq(in) {
		switch {
		case in.err != nil:
			return in.err
		case err != nil:
			return fmt.Errorf("shell script: %s: %w", printable(err.Error()), fault.Invalid)
		}
		c.walk(stmt)
		if c.limit != nil {
			return c.limit
		}
	}
	return in.err
}

// printable bounds a text of the parser, which quotes the script.
func printable(s string) string {
	const most = 200
	if len(s) > most {
		s = s[:most]
	}
	out := make([]rune, 0, len(s))
	for _, r := range s {
		if r < ' ' || r == utf8.RuneError || r == 0x7f {
			r = '?'
		}
		out = append(out, r)
	}
	return string(out)
}
