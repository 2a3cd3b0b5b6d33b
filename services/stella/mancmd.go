package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

const manHelp = `Write a manual page of each command into a folder: stella.1, stella-scan.1, … They carry
no date, unless SOURCE_DATE_EPOCH says one, so equal programs write equal pages.

To read them: "man -l DIR/stella.1", or copy them to a folder man1 of the MANPATH, such as
~/.local/share/man/man1.

Exit codes: 0 written, 1 error, 64 wrong arguments.`

func (p *program) manCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "man DIR",
		Short:   "Write manual pages of all commands",
		Long:    manHelp,
		Example: "  stella man ~/.local/share/man/man1 && man stella-scan",
		Args:    usage(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := os.MkdirAll(args[0], 0o755); err != nil {
				return fmt.Errorf("man: %w", err)
			}
			n := 0
			var walk func(*cobra.Command) error
			walk = func(c *cobra.Command) error {
				if !c.IsAvailableCommand() && c.HasParent() {
					return nil
				}
				text := manPage(c, sourceDate(p.env("SOURCE_DATE_EPOCH")))
				n++
				if err := replaceFile(filepath.Join(args[0], manName(c)+".1"), text); err != nil {
					return err
				}
				for _, sub := range c.Commands() {
					if err := walk(sub); err != nil {
						return err
					}
				}
				return nil
			}
			if err := walk(cmd.Root()); err != nil {
				return err
			}
			_, err := fmt.Fprintf(p.stdout, "%d pages in %s\n", n, clean(args[0]))
			return err
		},
	}
}

// manName is the name of a command's page: stella-db-import.
func manName(c *cobra.Command) string { return strings.ReplaceAll(c.CommandPath(), " ", "-") }

// manWriter writes a page with the macros of man(7).
type manWriter struct{ b bytes.Buffer }

// manPage writes the page of a command. date is RFC 3339, or "".
func manPage(c *cobra.Command, date string) []byte {
	var m manWriter
	if t, err := time.Parse(time.RFC3339, date); err == nil {
		date = t.UTC().Format(time.DateOnly)
	}
	m.macro("TH", strings.ToUpper(manName(c)), "1", date, "stella "+buildVersion().Version, "Stella")
	m.macro("SH", "NAME")
	m.text(manName(c) + " - " + c.Short)
	m.macro("SH", "SYNOPSIS")
	m.synopsis(c)
	m.macro("SH", "DESCRIPTION")
	long := c.Long
	if long == "" {
		long = c.Short + "."
	}
	long, codes, hasCodes := strings.Cut(long, "Exit codes:")
	m.paragraphs(long)
	m.commands(c)
	m.options("OPTIONS", c.NonInheritedFlags())
	m.options("OPTIONS OF ALL COMMANDS", c.InheritedFlags())
	if hasCodes {
		m.macro("SH", "EXIT STATUS")
		m.paragraphs(strings.TrimSpace(codes))
	}
	if c.Example != "" {
		m.macro("SH", "EXAMPLES")
		m.verbatim(unindent(c.Example))
	}
	m.related(c)
	return m.b.Bytes()
}

// macro writes a line that begins with a macro, its arguments in quotes.
func (m *manWriter) macro(name string, args ...string) {
	m.b.WriteString("." + name)
	for _, a := range args {
		m.b.WriteString(` "` + strings.ReplaceAll(manText(a), `"`, `\(dq`) + `"`)
	}
	m.b.WriteByte('\n')
}

// text writes a line of text, which begins no macro whatever it is.
func (m *manWriter) text(line string) {
	line = manText(line)
	if strings.HasPrefix(line, ".") || strings.HasPrefix(line, "'") {
		line = `\&` + line
	}
	m.b.WriteString(line + "\n")
}

// manText escapes what roff takes for its own, and what is no ASCII. A hyphen that is
// typed is a minus.
func manText(s string) string {
	var b strings.Builder
	for _, r := range strings.ReplaceAll(s, "\t", "    ") {
		switch {
		case r == '\\':
			b.WriteString(`\e`)
		case r == '-':
			b.WriteString(`\-`)
		case r > '~' || r < ' ':
			fmt.Fprintf(&b, `\[u%04X]`, []rune(clean(string(r)))[0])
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

func (m *manWriter) synopsis(c *cobra.Command) {
	line := c.UseLine()
	name := c.CommandPath()
	m.b.WriteString(`\fB` + manText(name) + `\fR`)
	m.b.WriteString(manText(strings.TrimPrefix(line, name)) + "\n")
}

// paragraphs writes text: paragraphs are filled, and what is indented stays as it is.
func (m *manWriter) paragraphs(text string) {
	for i, block := range strings.Split(strings.Trim(text, "\n"), "\n\n") {
		if i > 0 {
			m.macro("PP")
		}
		lines := strings.Split(strings.Trim(block, "\n"), "\n")
		at := 0
		for at < len(lines) && !strings.HasPrefix(lines[at], " ") {
			m.text(lines[at])
			at++
		}
		if at < len(lines) {
			m.verbatim(strings.Join(lines[at:], "\n"))
		}
	}
}

// verbatim writes lines as they are.
func (m *manWriter) verbatim(text string) {
	m.macro("PP")
	m.macro("nf")
	for line := range strings.SplitSeq(text, "\n") {
		m.text(line)
	}
	m.macro("fi")
}

func (m *manWriter) commands(c *cobra.Command) {
	if !c.HasAvailableSubCommands() {
		return
	}
	m.macro("SH", "COMMANDS")
	for _, sub := range c.Commands() {
		if sub.IsAvailableCommand() {
			m.macro("TP")
			m.b.WriteString(`\fB` + manText(sub.Name()) + "\\fR\n")
			m.text(sub.Short)
		}
	}
}

func (m *manWriter) options(title string, flags *pflag.FlagSet) {
	if !flags.HasAvailableFlags() {
		return
	}
	m.macro("SH", title)
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Hidden || f.Deprecated != "" {
			return
		}
		m.macro("TP")
		name := `\fB` + manText("--"+f.Name) + `\fR`
		if f.Shorthand != "" {
			name = `\fB` + manText("-"+f.Shorthand) + `\fR, ` + name
		}
		kind, usage := pflag.UnquoteUsage(f)
		if kind != "" {
			name += ` \fI` + manText(kind) + `\fR`
		}
		m.b.WriteString(name + "\n")
		if d := f.DefValue; kind != "" && d != "" && d != "0" && d != "0s" && d != "[]" && !strings.Contains(usage, "default") {
			usage += " (default " + d + ")"
		}
		m.text(usage)
	})
}

// related refers to the pages above and below.
func (m *manWriter) related(c *cobra.Command) {
	var names []string
	if c.HasParent() {
		names = append(names, manName(c.Parent()))
	}
	for _, sub := range c.Commands() {
		if sub.IsAvailableCommand() {
			names = append(names, manName(sub))
		}
	}
	if len(names) == 0 {
		return
	}
	m.macro("SH", "SEE ALSO")
	for i, name := range names {
		end := ","
		if i == len(names)-1 {
			end = ""
		}
		m.b.WriteString(`\fB` + manText(name) + `\fR(1)` + end + "\n")
	}
}

// unindent takes away what all lines begin with.
func unindent(text string) string {
	lines := strings.Split(strings.Trim(text, "\n"), "\n")
	least := len(text)
	for _, l := range lines {
		if strings.TrimSpace(l) != "" {
			least = min(least, len(l)-len(strings.TrimLeft(l, " ")))
		}
	}
	for i := range lines {
		lines[i] = lines[i][min(least, len(lines[i])):]
	}
	return strings.Join(lines, "\n")
}
