package template

import (
	"reflect"
	"time"

	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/notify"
	"github.com/stella-ops/stella/store/event"
)

// kind is what a value is good for.
type kind int

const (
	unknown kind = iota // something is wrong with it, which was said
	mixed               // of and, or: good for a condition
	text
	integer
	boolean
	moment
	list
	table // a map
	record
)

func (k kind) String() string {
	return [...]string{"something", "a mix", "a text", "a number", "a yes or no", "a time", "a list", "a map", "a record"}[k]
}

// value is what is known of a value before there is one.
type value struct {
	kind kind
	typ  reflect.Type // nil for unknown and mixed
	// constant is what the template says, of a text.
	constant string
	known    bool
}

func typed(t reflect.Type) value { return value{kind: kindOf(t), typ: t} }

func textValue() value   { return typed(reflect.TypeFor[string]()) }
func numberValue() value { return typed(reflect.TypeFor[int]()) }
func boolValue() value   { return typed(reflect.TypeFor[bool]()) }

func kindOf(t reflect.Type) kind {
	if t == reflect.TypeFor[time.Time]() {
		return moment
	}
	switch t.Kind() {
	case reflect.String:
		return text
	case reflect.Int, reflect.Int64:
		return integer
	case reflect.Bool:
		return boolean
	case reflect.Slice:
		return list
	case reflect.Map:
		return table
	case reflect.Struct, reflect.Pointer:
		return record
	}
	return unknown
}

// longest is how many elements a list or map of a view has at most.
func longest(t reflect.Type) int64 {
	if t == reflect.TypeFor[[]notify.Notice]() {
		return notify.MaxListed
	}
	return MaxList
}

// names lists what a record has.
func names(t reflect.Type) []string {
	var out []string
	base := t
	if t.Kind() == reflect.Pointer {
		base = t.Elem()
	}
	if base.Kind() != reflect.Struct {
		return nil
	}
	for i := range base.NumField() {
		out = append(out, base.Field(i).Name)
	}
	for i := range t.NumMethod() {
		out = append(out, t.Method(i).Name)
	}
	return out
}

// member returns the type of a field, or of what a method without arguments returns.
func member(t reflect.Type, name string) (reflect.Type, bool) {
	if m, ok := t.MethodByName(name); ok && m.Type.NumIn() == 1 && m.Type.NumOut() == 1 {
		return m.Type.Out(0), true
	}
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct {
		return nil, false
	}
	f, ok := t.FieldByName(name)
	return f.Type, ok && f.IsExported()
}

// values lists the values of a type that has few, nil for any other.
func values(t reflect.Type) []string {
	switch t {
	case reflect.TypeFor[finding.Severity]():
		return []string{"", "none", "low", "medium", "high", "critical"}
	case reflect.TypeFor[notify.Answer]():
		return []string{"", "yes", "no"}
	case reflect.TypeFor[notify.Kind]():
		return []string{string(notify.KindAlert), string(notify.KindDigest), string(notify.KindEscalation), string(notify.KindTest)}
	case reflect.TypeFor[event.Type]():
		return []string{
			string(event.ScanQueued), string(event.ScanStarted), string(event.ScanCompleted), string(event.ScanFailed), string(event.ScanCancelled),
			string(event.AdvisoryDrift), string(event.VerdictChanged), string(event.PolicyActivated),
			string(event.ExceptionCreated), string(event.ExceptionRevoked), string(event.ExceptionExpired),
		}
	}
	return nil
}
