package config

import (
	"reflect"
	"strings"

	"github.com/spf13/pflag"
)

// flags are the names of the flags of a key. A secret has only the one of its file:
// others of the machine can read the flags of a process.
func (f field) flags() []string {
	switch {
	case records(f.typ):
		return nil
	case f.typ == secretType:
		return []string{f.key + fileSuffix}
	case f.typ == urlType:
		return []string{f.key, f.key + fileSuffix}
	}
	return []string{f.key}
}

// Flags are --config and a flag for each key, under the key's name.
type Flags struct {
	file   string
	values map[string]string
}

// AddFlags adds them to a set. What it returns is filled in while the set is parsed.
func AddFlags(set *pflag.FlagSet) *Flags {
	out := &Flags{values: map[string]string{}}
	set.StringVar(&out.file, "config", "", "file of configuration in YAML (default: STELLA_CONFIG)")
	for _, f := range fields() {
		for _, name := range f.flags() {
			v := &flagValue{to: out.values, name: name, several: f.typ.Kind() == reflect.Slice || f.typ.Kind() == reflect.Map, kind: f.kind()}
			usage := f.tag.Get("doc")
			if name != f.key {
				v.kind, usage = "file", "File with "+f.key+"."
			}
			x := set.VarPF(v, name, "", strings.TrimSuffix(usage, "."))
			if f.typ.Kind() == reflect.Bool {
				x.NoOptDefVal = "true"
			}
			if d := f.tag.Get("default"); d != "" && name == f.key {
				x.DefValue = d
			}
		}
	}
	return out
}

// Input returns the flags as an input.
func (f *Flags) Input(systems []string, environ []string) Input {
	return Input{Systems: systems, File: f.file, Environ: environ, Flags: f.values}
}

// flagValue is the value of one. It is checked later, with all others.
type flagValue struct {
	to      map[string]string
	name    string
	kind    string
	several bool
}

func (f *flagValue) String() string { return "" }

func (f *flagValue) Type() string { return f.kind }

func (f *flagValue) Set(text string) error {
	if old, again := f.to[f.name]; again && f.several {
		text = old + "," + text
	}
	f.to[f.name] = text
	return nil
}
