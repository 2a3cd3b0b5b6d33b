package config

import (
	"reflect"
	"strconv"

	"github.com/stella-ops/stella/internal/redact"
)

// walk calls each for every single value that is not zero, those in lists and maps as
// well, in the model's order; names of maps are not sorted.
func (l *loader) walk(each func(path string, v any, f field)) {
	for _, f := range fields() {
		visit(l.out.at(f.index), f.key, f, each)
	}
}

func visit(v reflect.Value, path string, f field, each func(path string, v any, f field)) {
	switch {
	case !leaf(v.Type()):
		for i := range v.NumField() {
			sub := v.Type().Field(i)
			visit(v.Field(i), join(path, sub.Tag.Get("yaml")), field{key: f.key, typ: sub.Type, tag: sub.Tag, reads: f.reads}, each)
		}
	case v.Kind() == reflect.Slice:
		for i := range v.Len() {
			visit(v.Index(i), path+"["+strconv.Itoa(i)+"]", f, each)
		}
	case v.Kind() == reflect.Map:
		for _, key := range v.MapKeys() {
			visit(v.MapIndex(key), join(path, key.String()), f, each)
		}
	case !v.IsZero():
		each(path, v.Interface(), f)
	}
}

// Secrets returns the texts that must not leave this process: passwords and keys, as they
// are now. It is for whoever cleans logs.
func (c *Config) Secrets() []string {
	out := append([]string(nil), c.secrets...)
	for _, f := range fields() {
		visit(c.at(f.index), f.key, f, func(_ string, v any, _ field) {
			switch v := v.(type) {
			case Secret:
				out = append(out, v.Reveal())
			case URL:
				out = append(out, v.password()...)
			}
		})
	}
	return out
}

// Redact takes the secrets of the configuration out of a text.
func (c *Config) Redact(text string) string { return redact.Text(text, c.Secrets()...) }

// Origin says where the value of a key is from: "default", FILE:LINE, a variable or a
// flag; "" for keys that nobody gave.
func (c *Config) Origin(key string) string { return c.origins[key] }
