package cyclonedx

import (
	"slices"
	"strings"
)

// dependencies writes the dependency graph: the model's edges and what a
// decoded document had beyond them, by ref.
func (e *encoder) dependencies(foreign node) {
	entries := e.entries(&foreign)
	if len(entries) == 0 && foreign.kind != '[' {
		return
	}
	e.key("dependencies")
	e.begin('[')
	for i := range entries {
		en := &entries[i]
		e.begin('{')
		e.key("ref")
		e.quote(en.ref)
		on := en.foreign.get("dependsOn")
		if len(en.to) > 0 || on.kind == '[' {
			e.key("dependsOn")
			e.strings(en.to, &on)
		}
		en.foreign.remove("ref")
		en.foreign.remove("dependsOn")
		e.members(&en.foreign)
		e.end('}')
	}
	for i := range foreign.items { // entries without a ref
		if foreign.items[i].str("ref") == "" {
			e.node(&foreign.items[i])
		}
	}
	e.end(']')
}

// strings writes two lists of strings as one, sorted and each once.
func (e *encoder) strings(list []string, more *node) {
	for i := range more.items {
		if more.items[i].kind == '"' {
			list = append(list, more.items[i].text)
		}
	}
	slices.Sort(list)
	e.begin('[')
	for _, s := range slices.Compact(list) {
		e.comma()
		e.quote(s)
	}
	e.end(']')
}

type dependencyEntry struct {
	ref     string
	to      []string
	foreign node
}

// entries groups the edges by where they start, and joins what is foreign.
func (e *encoder) entries(foreign *node) (entries []dependencyEntry) {
	depends := e.graph.depends
	to := make([]string, len(depends))
	for i, r := range depends {
		if i == 0 || depends[i-1].From != r.From {
			entries = append(entries, dependencyEntry{ref: r.From, to: to[i:i:i]})
		}
		to[i] = r.To
		last := &entries[len(entries)-1]
		last.to = to[i-len(last.to) : i+1 : i+1]
	}
	if len(foreign.items) == 0 {
		return entries
	}
	at := make(map[string]int, len(entries))
	for i := range entries {
		at[entries[i].ref] = i
	}
	for i := range foreign.items {
		item := foreign.items[i]
		ref := item.str("ref")
		if ref == "" {
			continue
		}
		j, ok := at[ref]
		if !ok {
			j = len(entries)
			at[ref] = j
			entries = append(entries, dependencyEntry{ref: ref})
		}
		e.join(&entries[j], &item)
	}
	slices.SortFunc(entries, func(a, b dependencyEntry) int { return strings.Compare(a.ref, b.ref) })
	return entries
}

// join adds the members of another entry for the same ref.
func (e *encoder) join(en *dependencyEntry, item *node) {
	for _, f := range item.fields {
		held := en.foreign.get(f.name)
		switch {
		case held.kind == 0:
			f.value.items = slices.Clip(f.value.items) // what follows is appended elsewhere
			en.foreign.set(f.name, f.value)
		case held.kind == '[' && f.value.kind == '[':
			held.items = append(held.items, f.value.items...)
			en.foreign.set(f.name, held)
		case f.name != "ref":
			e.lose("dependencies", "member "+quote(f.name)+" of a second entry for "+quote(en.ref))
		}
	}
}
