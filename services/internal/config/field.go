package config

import (
	"reflect"
	"strings"
	"time"
)

// field is one key of the model.
type field struct {
	key   string // as in gateway.rate.burst
	index []int  // in Config
	typ   reflect.Type
	tag   reflect.StructTag
	reads string // the systems that read it
}

var (
	secretType   = reflect.TypeFor[Secret]()
	urlType      = reflect.TypeFor[URL]()
	sizeType     = reflect.TypeFor[Size]()
	durationType = reflect.TypeFor[time.Duration]()
)

// leaf reports whether a type is one value.
func leaf(t reflect.Type) bool { return t.Kind() != reflect.Struct || t == secretType || t == urlType }

// private reports whether a type's values can be given by file.
func private(t reflect.Type) bool { return t == secretType || t == urlType }

// records reports whether a type is a list of mappings, which a file alone can have.
func records(t reflect.Type) bool { return t.Kind() == reflect.Slice && !leaf(t.Elem()) }

// fields returns the keys of the model in its order.
func fields() []field { return below(reflect.TypeFor[Config](), "", nil, "all") }

func below(t reflect.Type, prefix string, index []int, reads string) []field {
	var out []field
	for i := range t.NumField() {
		f := t.Field(i)
		name := f.Tag.Get("yaml")
		if name == "" {
			continue
		}
		who := reads
		if s := f.Tag.Get("for"); s != "" {
			who = s
		}
		at := append(index[:len(index):len(index)], i)
		if leaf(f.Type) {
			out = append(out, field{key: prefix + name, index: at, typ: f.Type, tag: f.Tag, reads: who})
			continue
		}
		out = append(out, below(f.Type, prefix+name+".", at, who)...)
	}
	return out
}

// variable returns the environment variable of a key.
func variable(key string) string {
	return "STELLA_" + strings.ToUpper(strings.ReplaceAll(key, ".", "_"))
}

// members returns what a mapping of a struct may have: for each name its field, and under
// NAME_file what can be given by file.
func members(t reflect.Type) (names []string, byName map[string]int) {
	byName = map[string]int{}
	for i := range t.NumField() {
		f := t.Field(i)
		name := f.Tag.Get("yaml")
		if name == "" {
			continue
		}
		names, byName[name] = append(names, name), i
		if private(f.Type) {
			names, byName[name+fileSuffix] = append(names, name+fileSuffix), i
		}
	}
	return names, byName
}

// fileSuffix ends the key that names a file with the value.
const fileSuffix = "_file"

// join puts a path together.
func join(prefix, name string) string {
	if prefix == "" {
		return name
	}
	return prefix + "." + name
}

// kind names what a value is, as the documentation and the usage of flags say.
func (f field) kind() string {
	unit := f.tag.Get("unit")
	switch t := f.typ; {
	case t == secretType:
		return "secret"
	case t == urlType:
		return "URL"
	case t == durationType:
		return "duration"
	case t == sizeType:
		return "bytes"
	case records(t):
		return "mappings"
	case t.Kind() == reflect.Slice:
		return "list"
	case t.Kind() == reflect.Map && t.Elem() == durationType:
		return "NAME=duration"
	case t.Kind() == reflect.Map && t.Elem().Kind() == reflect.Slice:
		return "NAME=list"
	case t.Kind() == reflect.Map:
		return "NAME=text"
	case t.Kind() == reflect.Bool:
		return "bool"
	case t.Kind() == reflect.Int && unit != "":
		return unit
	case t.Kind() == reflect.Int:
		return "number"
	}
	return "text"
}
