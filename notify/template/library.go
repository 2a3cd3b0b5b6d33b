package template

import (
	"fmt"
	"strings"

	"github.com/stella-ops/stella/notify"
)

// Library is the templates of one type of channel: a tenant's own and the default. It is
// immutable and safe for concurrent use.
type Library struct {
	standard *Set
	own      map[key]*Set
}

// key is what a message asks for. Names and locales are compared without case.
type key struct{ name, locale string }

func keyOf(name, locale string) key {
	return key{name, strings.ToLower(strings.ReplaceAll(locale, "_", "-"))}
}

// NewLibrary parses a tenant's templates of a type; those of other types are passed over.
// An error is an [*Error], which names every problem with its template, part, line and
// column.
func NewLibrary(channel string, parts []Part, templates []notify.Template) (*Library, error) {
	standard, wrong := parseStandard(parts)
	l := &Library{standard, map[key]*Set{}}
	ids := map[key]string{}
	var tried []*notify.Message
	for i := range templates {
		t := &templates[i]
		if t.Type != channel {
			continue
		}
		k := keyOf(t.Name, t.Locale)
		if other, twice := ids[k]; twice {
			wrong = append(wrong, Problem{Template: t.ID, What: fmt.Sprintf("it is for the same name %.80q and locale %.40q as template %.80q", t.Name, t.Locale, other)})
			continue
		}
		ids[k] = t.ID
		if tried == nil {
			tried = trial()
		}
		set, more := parseOwn(t.ID, standard, t.Parts, tried)
		l.own[k] = set
		wrong = append(wrong, more...)
	}
	if len(wrong) > 0 {
		return nil, &Error{wrong}
	}
	return l, nil
}

// Render renders a message by the template that it asks for, by name and locale, else by
// name, by locale, without either, and by the default at last. A locale such as "pt-BR"
// is tried as "pt" as well. Where nothing of the name or the locale is there, a note says
// so.
func (l *Library) Render(m *notify.Message) (map[string]string, []string, error) {
	if m == nil {
		return l.standard.Render(m)
	}
	set, notes := l.pick(m.Template, m.Locale)
	text, more, err := set.Render(m)
	return text, append(notes, more...), err
}

// pick finds a template, and says what is not there.
func (l *Library) pick(name, locale string) (*Set, []string) {
	var notes []string
	for _, n := range distinct(name, "") {
		for at := locale; at != ""; at = parent(at) {
			if s := l.own[keyOf(n, at)]; s != nil {
				return s, notes
			}
		}
		if n == "" && locale != "" {
			notes = append(notes, fmt.Sprintf("there is no template for the locale %.40q", locale))
		}
		if s := l.own[keyOf(n, "")]; s != nil {
			if n != "" && locale != "" {
				notes = append(notes, fmt.Sprintf("there is no template %.80q for the locale %.40q", n, locale))
			}
			return s, notes
		}
		if n != "" {
			notes = append(notes, fmt.Sprintf("there is no template %.80q", n))
		}
	}
	return l.standard, notes
}

// parent is a locale without its last part, "" at last.
func parent(locale string) string {
	return locale[:max(strings.LastIndexAny(locale, "-_"), 0)]
}

func distinct(a, b string) []string {
	if a == b {
		return []string{a}
	}
	return []string{a, b}
}
