package shape

import (
	"bytes"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// object reads an object whose start is next.
func (w *walker) object(r *Rule) error {
	chosen := r
	var version string
	if r.By != "" {
		version = w.choice(r.By)
		if chosen = r.Alternatives[version]; chosen == nil {
			chosen = anything
		}
	}
	if err := w.enter(); err != nil {
		return err
	}
	seen := make([]bool, len(chosen.Required))
	count, last := 0, ""
	for ; w.dec.PeekKind() != '}'; count++ {
		token, err := w.dec.ReadToken()
		if err != nil {
			return err
		}
		name := token.String()
		if i := slices.Index(chosen.Required, name); i >= 0 {
			seen[i] = true
		}
		if name < last {
			w.mention(&w.report.Unsorted)
		}
		last = max(name, last)
		if err := w.member(chosen, chosen.Members[name]); err != nil {
			return err
		}
	}
	if _, err := w.dec.ReadToken(); err != nil {
		return err
	}
	if r.By != "" && chosen == anything {
		w.problem("its %s %.64q is none of %q", r.By, version, known(r.Alternatives))
	}
	w.count(chosen, count, seen)
	return nil
}

// member reads the value of a member whose name was read.
func (w *walker) member(object, member *Rule) error {
	if member != nil && !member.Foreign {
		return w.value(member)
	}
	if object.Kind == Object {
		w.mention(&w.report.Unknown)
	}
	w.dec.PeekKind()
	start := w.start()
	err := w.value(anything)
	if member != nil {
		w.report.Foreign = append(w.report.Foreign, [2]int{start, int(w.dec.InputOffset())})
	}
	return err
}

// count reports missing members, and wrong numbers of members.
func (w *walker) count(r *Rule, count int, seen []bool) {
	for i, name := range r.Required {
		if !seen[i] {
			w.problem("it has no %q", name)
		}
	}
	if count < r.Min {
		w.problem("it has %d members, fewer than %d", count, r.Min)
	}
	if r.Max > 0 && count > r.Max {
		w.problem("it has %d members, more than %d", count, r.Max)
	}
}

func known(alternatives map[string]*Rule) []string {
	names := make([]string, 0, len(alternatives))
	for name := range alternatives {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// choice looks ahead into the object that is next for the string of its member
// by. What cannot be read gives "", and an error when the object is read.
func (w *walker) choice(by string) string {
	dec := jsontext.NewDecoder(bytes.NewBuffer(w.text[w.start():]))
	if _, err := dec.ReadToken(); err != nil {
		return ""
	}
	for dec.PeekKind() == '"' {
		token, err := dec.ReadToken()
		if err != nil {
			return ""
		}
		if token.String() != by {
			if err := dec.SkipValue(); err != nil {
				return ""
			}
			continue
		}
		if token, err = dec.ReadToken(); err != nil || token.Kind() != '"' {
			return ""
		}
		return token.String()
	}
	return ""
}

// start is where the value that was peeked at begins.
func (w *walker) start() int {
	at := int(w.dec.InputOffset())
	return at + len(w.text[at:]) - len(bytes.TrimLeft(w.text[at:], " \t\r\n,:"))
}

// array reads an array whose start is next.
func (w *walker) array(r *Rule) error {
	if err := w.enter(); err != nil {
		return err
	}
	items := r.Items
	if items == nil {
		items = anything
	}
	var seen map[string]struct{}
	if r.Unique {
		seen = map[string]struct{}{}
	}
	count := 0
	for ; w.dec.PeekKind() != ']'; count++ {
		start := 0
		if r.Unique {
			start = w.start()
		}
		if err := w.value(items); err != nil {
			return err
		}
		if r.Unique {
			key := canonical(w.text[start:w.dec.InputOffset()])
			if _, twice := seen[key]; twice {
				w.problem("it is there twice")
			}
			seen[key] = struct{}{}
		}
	}
	if _, err := w.dec.ReadToken(); err != nil {
		return err
	}
	if count < r.Min {
		w.problem("it has %d items, fewer than %d", count, r.Min)
	}
	return nil
}

// canonical is the same text for equal values: names sorted, numbers and
// strings in one spelling (RFC 8785).
func canonical(raw []byte) string {
	if raw[0] == '"' && bytes.IndexByte(raw, '\\') < 0 {
		return string(raw)
	}
	v := jsontext.Value(bytes.Clone(raw))
	if err := v.Canonicalize(); err != nil {
		return strings.TrimSpace(string(raw))
	}
	return string(v)
}
