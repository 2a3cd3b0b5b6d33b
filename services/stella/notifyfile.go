package main

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"go.yaml.in/yaml/v3"

	"github.com/stella-ops/stella/internal/suggest"
	"github.com/stella-ops/stella/notify"
	"github.com/stella-ops/stella/notify/channels"
)

// settingList is one list of a file of settings.
type settingList struct {
	member string
	kind   notify.SettingKind
	shape  reflect.Type
	most   int
}

// settingLists are those that a file may have, in the order in which they are kept: what
// others name comes first.
var settingLists = []settingList{
	{"endpoints", notify.SettingEndpoint, reflect.TypeFor[notify.Endpoint](), notify.MaxEndpoints},
	{"templates", notify.SettingTemplate, reflect.TypeFor[notify.Template](), notify.MaxTemplates},
	{"rules", notify.SettingRule, reflect.TypeFor[notify.Rule](), notify.MaxRules},
	{"preferences", notify.SettingPreference, reflect.TypeFor[notify.Rule](), notify.MaxPreferences},
	{"maintenance", notify.SettingMaintenance, reflect.TypeFor[notify.Maintenance](), notify.MaxWindows},
	{"inhibitions", notify.SettingInhibition, reflect.TypeFor[notify.Inhibition](), notify.MaxInhibitions},
}

// settingsFile is a file of settings, read and checked.
type settingsFile struct {
	document
	has      map[notify.SettingKind]bool // the lists that the file has
	elements []*element
}

// element is one setting of a file.
type element struct {
	*settingList
	id   string
	path string
	node *yaml.Node
	// body is canonical JSON, nil where something is wrong with it.
	body []byte
	// value is what could be read of it: one of *notify.Endpoint, *notify.Rule and so on.
	value any
}

// checkOptions say what a file of settings is checked against.
type checkOptions struct {
	allow []string
	// known are settings that stand elsewhere and that a file may name. Nil means none.
	known *notify.Settings
}

// readSettings reads and checks a file of settings. What is wrong is noted in what it
// returns; an error means that it could not be read.
func (p *program) readSettings(name string, o checkOptions) (*settingsFile, error) {
	text, err := p.readFile(name, maxSettings)
	if err != nil {
		return nil, err
	}
	return parseSettings(name, text, o), nil
}

func parseSettings(name string, text []byte, o checkOptions) *settingsFile {
	f := &settingsFile{document: document{name: name}, has: map[notify.SettingKind]bool{}}
	root := f.parse(text)
	if root == nil {
		return f
	}
	c := &checker{settingsFile: f, channels: &channels.Options{Allow: o.allow}, known: o.known}
	var members []string
	for i := range settingLists {
		members = append(members, settingLists[i].member)
	}
	fields := f.fields(root, "", members)
	for i := range settingLists {
		l := &settingLists[i]
		n := fields[l.member]
		if n == nil {
			continue
		}
		f.has[l.kind] = true
		if n.Kind != yaml.SequenceNode {
			f.bad(n, l.member, "want a list of %s", l.member)
			continue
		}
		if len(n.Content) > l.most {
			f.bad(n, l.member, "%d are over the limit of %d", len(n.Content), l.most)
			continue
		}
		for j, x := range n.Content {
			c.element(&element{settingList: l, path: fmt.Sprintf("%s[%d]", l.member, j), node: x})
		}
	}
	c.crosswise()
	return f
}

// settings are those of the file. None of them is wrong where the file is not.
func (f *settingsFile) settings() *notify.Settings {
	out := new(notify.Settings)
	for _, e := range f.elements {
		if e.body != nil {
			_ = out.Read(e.kind, e.body) // it is what notify.Check returned
		}
	}
	return out
}

// fields returns the members of a mapping by name, nil where it is none. Unknown ones are
// noted.
func (d *document) fields(n *yaml.Node, path string, known []string) map[string]*yaml.Node {
	if n.Kind != yaml.MappingNode {
		d.bad(n, path, "want a mapping with %s", strings.Join(known, ", "))
		return nil
	}
	out := make(map[string]*yaml.Node, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		if !slices.Contains(known, key.Value) {
			hint := suggest.Phrase(key.Value, known)
			if hint == "" {
				hint = ": want " + strings.Join(known, ", ")
			}
			d.bad(key, path, "unknown field %.60q%s", key.Value, hint)
			continue
		}
		out[key.Value] = n.Content[i+1]
	}
	return out
}

// value reads a node as a type has it: what json.Marshal makes JSON of that json.Unmarshal
// reads into the type. What does not fit is noted and left out.
func (d *document) value(n *yaml.Node, t reflect.Type, path string) any {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch {
	case t == reflect.TypeFor[time.Time]():
		return d.time(n, path)
	case t.Kind() == reflect.Struct:
		return d.record(n, t, path)
	case t.Kind() == reflect.Slice:
		return d.list(n, t.Elem(), path)
	case t.Kind() == reflect.Map:
		return d.texts(n, path)
	case t.Kind() == reflect.String:
		return d.text(n, path)
	case t.Kind() == reflect.Bool:
		if n.Kind == yaml.ScalarNode && n.ShortTag() == "!!bool" {
			return strings.EqualFold(n.Value, "true")
		}
		d.bad(n, path, "want true or false, without quotes")
		return nil
	}
	number, err := strconv.Atoi(n.Value)
	if n.Kind != yaml.ScalarNode || n.ShortTag() != "!!int" || err != nil || strconv.Itoa(number) != n.Value {
		d.bad(n, path, "%.40q: want a whole number", n.Value)
		return nil
	}
	return number
}

func (d *document) record(n *yaml.Node, t reflect.Type, path string) any {
	var names []string
	types := map[string]reflect.Type{}
	for i := range t.NumField() {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		names = append(names, name)
		types[name] = t.Field(i).Type
	}
	out := map[string]any{}
	fields := d.fields(n, path, names)
	for _, name := range names {
		if x := fields[name]; x != nil {
			if v := d.value(x, types[name], below(path, name)); v != nil {
				out[name] = v
			}
		}
	}
	return out
}

// list reads a list; a single text need not be in one.
func (d *document) list(n *yaml.Node, t reflect.Type, path string) any {
	if n.Kind == yaml.ScalarNode && n.ShortTag() != "!!null" && t.Kind() == reflect.String {
		if s := d.text(n, path); s != nil {
			return []any{s}
		}
		return nil
	}
	if n.Kind != yaml.SequenceNode {
		d.bad(n, path, "want a list")
		return nil
	}
	out := []any{}
	for i, x := range n.Content {
		if v := d.value(x, t, fmt.Sprintf("%s[%d]", path, i)); v != nil {
			out = append(out, v)
		}
	}
	return out
}

func (d *document) texts(n *yaml.Node, path string) any {
	if n.Kind != yaml.MappingNode {
		d.bad(n, path, "want a mapping of names to texts")
		return nil
	}
	out := map[string]any{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		name := n.Content[i].Value
		if s := d.text(n.Content[i+1], below(path, name)); s != nil {
			out[name] = s
		}
	}
	return out
}

// text returns a text as it is, nil where it is none.
func (d *document) text(n *yaml.Node, path string) any {
	switch {
	case n.Kind != yaml.ScalarNode:
		d.bad(n, path, "want a text")
	case n.ShortTag() == "!!null":
		d.bad(n, path, "it is empty: leave it out, or write \"\"")
	case n.ShortTag() != "!!str":
		d.bad(n, path, "%.40q is a %s: want a text, in quotes", n.Value, scalarKind(n))
	default:
		return n.Value
	}
	return nil
}

func scalarKind(n *yaml.Node) string {
	switch n.ShortTag() {
	case "!!bool":
		return "truth value"
	case "!!timestamp":
		return "date"
	}
	return "number"
}

// time reads a time: a date means its beginning in UTC.
func (d *document) time(n *yaml.Node, path string) any {
	for _, layout := range []string{time.DateOnly, time.RFC3339} {
		if t, err := time.Parse(layout, n.Value); n.Kind == yaml.ScalarNode && err == nil && t.Year() > 1 {
			return t.UTC().Format(time.RFC3339Nano)
		}
	}
	d.bad(n, path, "%.40q: want a date such as 2027-01-31, or a time with its zone such as 2027-01-31T12:00:00Z", n.Value)
	return nil
}

// decode reads what could be read of an element.
func (e *element) decode(shape any) error {
	text, err := json.Marshal(shape)
	if err != nil {
		return err
	}
	value := reflect.New(e.shape)
	if err := json.Unmarshal(text, value.Interface()); err != nil {
		return err
	}
	e.value = value.Interface()
	return nil
}

// encode has the body say what the value is.
func (e *element) encode() error {
	text, err := json.Marshal(e.value)
	if err == nil {
		e.body, err = notify.Check(e.kind, text)
	}
	return err
}
