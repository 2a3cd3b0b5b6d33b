package usage

import (
	"maps"
	"slices"
	"strings"

	"github.com/stella-ops/stella/internal/shell"
)

// The bounds of what one name can stand for. Beyond them it can stand for anything.
const (
	maxValues = 32   // of a variable
	maxLists  = 64   // of arguments, or elements of an array
	maxWord   = 4096 // bytes of a value
)

// anything is the word that any text can be.
const anything = "${}"

// set is the values that a variable can have, as words without parameters, in the order in
// which they were found.
type set struct {
	list []string
	open bool // it can have any value
}

// values returns the values; those of nil are none.
func (s *set) values() []string {
	if s == nil {
		return nil
	}
	return s.list
}

// add adds a value, and reports whether it is new.
func (s *set) add(v string) bool {
	switch {
	case s.open || slices.Contains(s.list, v):
		return false
	case len(s.list) >= maxValues || len(v) > maxWord:
		v, s.open = anything, true
		if slices.Contains(s.list, v) {
			return false
		}
	}
	s.list = append(s.list, v)
	return true
}

func (s *set) clone() *set { return &set{list: slices.Clone(s.list), open: s.open} }

// give adds a value that a variable of the environment can have.
func (r *resolver) give(name, value string) {
	s := r.learned[name]
	if s == nil {
		s = &set{}
		r.learned[name] = s
	}
	if s.add(value) {
		r.grown = true
	}
}

// quoted is the word that stands for a text of the image's configuration.
func quoted(s string) string { return shell.Quote(s) }

func quotedAll(list []string) []string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = quoted(s)
	}
	return out
}

// lists are lists of words: what arguments, or the elements of an array, can be.
type lists struct {
	all  [][]string
	open bool // they can be anything
}

func (l *lists) add(words []string) bool {
	switch {
	case l.open || slices.ContainsFunc(l.all, func(have []string) bool { return slices.Equal(have, words) }):
		return false
	case len(l.all) >= maxLists || len(words) > maxWord:
		l.open = true
		return true
	}
	l.all = append(l.all, slices.Clip(words))
	return true
}

// show is a word for people, bounded.
func show(word string) string {
	const most = 80
	if len(word) <= most {
		return word
	}
	return strings.ToValidUTF8(word[:most], "") + "…"
}

// inEnv reports whether the image sets a variable.
func (r *resolver) inEnv(name string) bool {
	return slices.ContainsFunc(r.Env, func(e string) bool { return strings.HasPrefix(e, name) && strings.HasPrefix(e[len(name):], "=") })
}

// sortedKeys are the keys of a set of names in order.
func sortedKeys(m map[string]bool) []string { return slices.Sorted(maps.Keys(m)) }
