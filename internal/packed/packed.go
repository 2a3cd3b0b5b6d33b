// Package packed writes plain Go values in little space and reads them back
// fast: for caches whose reader is the program that wrote them. Fields go in
// order without names, so the reader must know the exact type; callers put a
// version into their keys. Strings are stored once.
//
// It knows structs with exported fields, slices, strings, booleans, integers,
// pointers and maps with string keys. Anything else is a programming error and
// panics in Marshal.
package packed

import (
	"encoding/binary"
	"fmt"
	"reflect"
	"slices"

	"github.com/stella-ops/stella/internal/fault"
)

// Marshal packs the value that v points to or is. Equal values give equal bytes.
func Marshal(v any) []byte {
	e := encoder{index: map[string]uint64{}}
	e.value(reflect.Indirect(reflect.ValueOf(v)))
	head := binary.AppendUvarint(nil, uint64(len(e.table)))
	total := 0
	for _, s := range e.table {
		head = binary.AppendUvarint(head, uint64(len(s)))
		total += len(s)
	}
	out := make([]byte, 0, len(head)+total+len(e.body))
	out = append(out, head...)
	for _, s := range e.table {
		out = append(out, s...)
	}
	return append(out, e.body...)
}

type encoder struct {
	table []string
	index map[string]uint64
	body  []byte
}

func (e *encoder) uint(n uint64) { e.body = binary.AppendUvarint(e.body, n) }

func (e *encoder) text(s string) {
	at, known := e.index[s]
	if !known {
		at = uint64(len(e.table))
		e.index[s] = at
		e.table = append(e.table, s)
	}
	e.uint(at)
}

func (e *encoder) value(v reflect.Value) {
	switch v.Kind() {
	case reflect.String:
		e.text(v.String())
	case reflect.Bool:
		if v.Bool() {
			e.uint(1)
		} else {
			e.uint(0)
		}
	case reflect.Int, reflect.Int64, reflect.Int32:
		e.body = binary.AppendVarint(e.body, v.Int())
	case reflect.Pointer:
		if v.IsNil() {
			e.uint(0)
			return
		}
		e.uint(1)
		e.value(v.Elem())
	case reflect.Slice:
		if v.IsNil() {
			e.uint(0)
			return
		}
		e.uint(uint64(v.Len()) + 1)
		for i := range v.Len() {
			e.value(v.Index(i))
		}
	case reflect.Map:
		e.mapping(v)
	case reflect.Struct:
		for i := range v.NumField() {
			e.value(v.Field(i))
		}
	default:
		panic("packed: cannot hold " + v.Type().String())
	}
}

func (e *encoder) mapping(v reflect.Value) {
	if v.IsNil() {
		e.uint(0)
		return
	}
	keys := v.MapKeys()
	slices.SortFunc(keys, func(a, b reflect.Value) int {
		if a.String() < b.String() {
			return -1
		}
		return 1
	})
	e.uint(uint64(len(keys)) + 1)
	for _, k := range keys {
		e.text(k.String())
		e.value(v.MapIndex(k))
	}
}

var errDamaged = fmt.Errorf("packed value is damaged: %w", fault.Invalid)

// Unmarshal unpacks data into the value that v points to. Strings share the
// memory of one copy of data. Damaged data gives an error.
func Unmarshal(data []byte, v any) (err error) {
	d := decoder{text: string(data), data: data}
	if !d.readTable() {
		return errDamaged
	}
	d.value(reflect.ValueOf(v).Elem())
	if d.bad || d.pos != len(d.data) {
		return errDamaged
	}
	return nil
}

type decoder struct {
	text  string // of data, for slicing
	data  []byte
	pos   int
	table []string
	bad   bool
}

func (d *decoder) uint() uint64 {
	n, w := binary.Uvarint(d.data[d.pos:])
	if w <= 0 {
		d.bad = true
		d.pos = len(d.data)
		return 0
	}
	d.pos += w
	return n
}

// length reads the size of a list, which cannot be more than the bytes left.
func (d *decoder) length() int {
	n := d.uint()
	if n > uint64(len(d.data)-d.pos) {
		d.bad = true
		return 0
	}
	return int(n)
}

func (d *decoder) readTable() bool {
	lengths := make([]int, d.length())
	total := 0
	for i := range lengths {
		n := d.uint()
		if n > uint64(len(d.data)) || total > len(d.data) {
			return false
		}
		lengths[i] = int(n)
		total += int(n)
	}
	if d.bad || total > len(d.data)-d.pos {
		return false
	}
	d.table = make([]string, len(lengths))
	for i, n := range lengths {
		d.table[i] = d.text[d.pos : d.pos+n]
		d.pos += n
	}
	return true
}

func (d *decoder) string() string {
	at := d.uint()
	if at >= uint64(len(d.table)) {
		d.bad = true
		return ""
	}
	return d.table[at]
}

func (d *decoder) value(v reflect.Value) {
	if d.bad {
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(d.string())
	case reflect.Bool:
		v.SetBool(d.uint() == 1)
	case reflect.Int, reflect.Int64, reflect.Int32:
		n, w := binary.Varint(d.data[d.pos:])
		if w <= 0 {
			d.bad = true
			return
		}
		d.pos += w
		v.SetInt(n)
	case reflect.Pointer:
		if d.uint() == 1 {
			v.Set(reflect.New(v.Type().Elem()))
			d.value(v.Elem())
		}
	case reflect.Slice:
		d.slice(v)
	case reflect.Map:
		d.mapping(v)
	case reflect.Struct:
		for i := range v.NumField() {
			d.value(v.Field(i))
		}
	default:
		d.bad = true
	}
}

// slice grows as elements are read, so that a forged length costs nothing.
func (d *decoder) slice(v reflect.Value) {
	n := d.uint()
	if n == 0 {
		return
	}
	n--
	if n > uint64(len(d.data)-d.pos) { // each element takes a byte at least
		d.bad = true
		return
	}
	v.Set(reflect.MakeSlice(v.Type(), int(n), int(n)))
	for i := range int(n) {
		if d.bad {
			return
		}
		d.value(v.Index(i))
	}
}

func (d *decoder) mapping(v reflect.Value) {
	n := d.uint()
	if n == 0 {
		return
	}
	v.Set(reflect.MakeMap(v.Type()))
	for ; n > 1 && !d.bad; n-- {
		key := reflect.New(v.Type().Key()).Elem()
		key.SetString(d.string())
		value := reflect.New(v.Type().Elem()).Elem()
		d.value(value)
		v.SetMapIndex(key, value)
	}
}

// Shape describes the type of v in full: names and types of all fields, as
// deep as they go. Callers that put it into their keys never read bytes of
// another version of the type.
func Shape(v any) string {
	var b []byte
	seen := map[reflect.Type]bool{}
	var describe func(t reflect.Type)
	describe = func(t reflect.Type) {
		b = append(b, t.Kind().String()...)
		switch t.Kind() {
		case reflect.Pointer, reflect.Slice, reflect.Map:
			b = append(b, '(')
			describe(t.Elem())
			b = append(b, ')')
		case reflect.Struct:
			if seen[t] {
				b = append(b, t.Name()...)
				return
			}
			seen[t] = true
			b = append(b, '{')
			for i := range t.NumField() {
				b = append(b, t.Field(i).Name...)
				b = append(b, ' ')
				describe(t.Field(i).Type)
				b = append(b, ';')
			}
			b = append(b, '}')
		}
	}
	describe(reflect.TypeOf(v))
	return string(b)
}
