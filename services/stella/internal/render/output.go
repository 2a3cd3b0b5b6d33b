package render

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"text/template"
)

// The formats that every command has.
const (
	Table    = "table"
	JSON     = "json"
	NDJSON   = "ndjson"   // JSON Lines: an element of the list a line, or the one object
	Template = "template" // text/template, see [Parse]
)

// Common are the formats that every command has, in the order in which help names them.
func Common() []string { return []string{Table, JSON, NDJSON, Template} }

// Usage is the help of the flag. own are the formats that a command has besides the common
// ones, and byDefault is what it writes without the flag.
func Usage(byDefault string, own ...string) string {
	return "FORMAT[=FILE], may be repeated: " + strings.Join(append(slices.Clone(own), Table, JSON, NDJSON, "template=TEXT, template=@FILE"), ", ") + "; default " + byDefault
}

// Output is one place to write to, in one format.
type Output struct {
	Format string
	File   string // "": standard output

	template *template.Template
}

// Outputs are where an answer goes. The zero value is nowhere.
type Outputs []Output

// Has reports whether one of them is in a format.
func (l Outputs) Has(formats ...string) bool {
	return slices.ContainsFunc(l, func(o Output) bool { return slices.Contains(formats, o.Format) })
}

// Programs are those that programs read: what refuses something says so there as well.
func (l Outputs) Programs() Outputs {
	var out Outputs
	for _, o := range l {
		if o.Format == JSON || o.Format == NDJSON {
			out = append(out, o)
		}
	}
	return out
}

// maxTemplate bounds the file of a template, in bytes.
const maxTemplate = 1 << 20

// Parse reads what follows -o, each FORMAT or FORMAT=FILE; without any it is byDefault.
// known refuses formats that a command does not have; it is asked about those that are not
// common ones. At most one output may be standard output.
//
// template=TEXT is a Go text/template over what -o json writes, and template=@FILE one that
// is read from a file; it writes to standard output. A member that is not there is an error;
// {{with index . "member"}} asks whether one is. Functions besides those of text/template:
//
//	join LIST SEPARATOR   the elements in one line
//	upper TEXT, lower TEXT
//	json VALUE            as JSON, in one line
func Parse(specs []string, byDefault string, known func(format string) error) (Outputs, error) {
	if len(specs) == 0 {
		specs = []string{byDefault}
	}
	var out Outputs
	stdout := 0
	for _, spec := range specs {
		name, rest, given := strings.Cut(spec, "=")
		o := Output{Format: name, File: rest}
		switch {
		case name == Template:
			t, err := compile(rest, given)
			if err != nil {
				return nil, err
			}
			o.File, o.template = "", t
		case slices.Contains(Common(), name):
		default:
			if err := known(name); err != nil {
				return nil, err
			}
		}
		if o.File == "" {
			stdout++
		}
		out = append(out, o)
	}
	if stdout > 1 {
		return nil, fmt.Errorf("%d formats for standard output: give all but one a file, as in -o %s=FILE", stdout, otherThanTemplate(out))
	}
	return out, nil
}

// otherThanTemplate is a format that can have a file.
func otherThanTemplate(out Outputs) string {
	for _, o := range out {
		if o.Format != Template && o.File == "" {
			return o.Format
		}
	}
	return JSON
}

// OneOf knows the formats of a command's own, which may be none.
func OneOf(byDefault string, own ...string) func(string) error {
	return func(name string) error {
		if slices.Contains(own, name) {
			return nil
		}
		hint := ""
		if strings.ContainsAny(name, "./") {
			hint = fmt.Sprintf(" (a file is -o %s=%s)", byDefault, name)
		}
		return fmt.Errorf("output format %q: want %s%s", name, strings.Join(append(slices.Clone(own), Common()...), ", "), hint)
	}
}

// compile reads a template, or the file that "@" names.
func compile(text string, given bool) (*template.Template, error) {
	if !given || text == "" {
		return nil, fmt.Errorf("-o template: which one? Give -o 'template={{.member}}' or -o template=@FILE; -o json shows the names of members")
	}
	name := "-o template"
	if file, ok := strings.CutPrefix(text, "@"); ok {
		content, err := readTemplate(file)
		if err != nil {
			return nil, fmt.Errorf("-o template=@%s: %w", file, err)
		}
		name, text = file, content
	}
	t, err := template.New(name).Option("missingkey=error").Funcs(functions).Parse(text)
	if err != nil {
		return nil, fmt.Errorf("%w (a template is Go's text/template)", err) // it names template and line
	}
	return t, nil
}

func readTemplate(file string) (string, error) {
	info, err := os.Stat(file)
	if err != nil {
		return "", err
	}
	if info.Size() > maxTemplate {
		return "", fmt.Errorf("it has %d bytes, at most %d", info.Size(), maxTemplate)
	}
	text, err := os.ReadFile(file)
	return string(text), err
}
