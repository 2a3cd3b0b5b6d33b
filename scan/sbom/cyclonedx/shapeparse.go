package cyclonedx

import (
	"strconv"
	"strings"
)

func parseTable(text string) *table {
	t := &table{shapes: map[string]*shape{}, enums: map[string]*enum{}}
	var rule string
	flush := func() {
		head, body, _ := strings.Cut(rule, ":")
		if name, ok := strings.CutPrefix(head, "enum "); ok {
			name, fallback, _ := strings.Cut(name, " ")
			t.enums[name] = parseEnum(fallback, body)
		} else if head != "" {
			t.shapes[head] = parseShape(head, body)
		}
		rule = ""
	}
	for line := range strings.Lines(text) {
		if definition, ok := strings.CutPrefix(line, "let "); ok {
			name, value, _ := strings.Cut(strings.TrimSpace(definition), " ")
			text = strings.ReplaceAll(text, "$"+name, value)
		}
	}
	for line := range strings.Lines(text) {
		switch {
		case strings.HasPrefix(line, "#"), strings.HasPrefix(line, "let "):
		case strings.HasPrefix(line, " "):
			rule += line
		default:
			flush()
			rule = strings.TrimSpace(line)
		}
	}
	flush()
	return t
}

func parseEnum(fallback, body string) *enum {
	e := &enum{fallback: fallback, since: map[string]int{}}
	for _, f := range strings.Fields(body) {
		value, since, _ := strings.Cut(f, "^")
		e.since[value], _ = strconv.Atoi(since)
	}
	return e
}

func parseShape(name, body string) *shape {
	s := &shape{name: name, text: -1, json: map[string]int{}, element: map[string]int{}, attr: map[string]int{}}
	for _, f := range strings.Fields(body) {
		m := parseMember(f)
		i := len(s.members)
		s.members = append(s.members, m)
		s.json[m.json] = i
		switch m.form {
		case formAttribute:
			s.attr[m.xml] = i
		case formText:
			s.text = i
		case formChildAttr:
		default:
			s.element[m.xml] = i
		}
	}
	return s
}

func parseMember(f string) member {
	var m member
	f, since, _ := strings.Cut(f, "^")
	m.since = parseSince(since)
	spec, types, typed := cutTypes(f)
	switch spec[0] {
	case '@':
		m.form, spec = formAttribute, spec[1:]
	case '.':
		m.form, spec = formText, spec[1:]
	}
	item := ""
	if list, i, ok := strings.Cut(spec, "/"); ok && !strings.Contains(list, "=") {
		m.form, spec, item = formList, list, i
	}
	m.json, m.xml, _ = strings.Cut(spec, "=")
	if list, i, ok := strings.Cut(m.xml, "/"); ok {
		m.form, m.xml, item = formList, list, i
	}
	if name, attr, ok := strings.Cut(m.xml, "@"); ok {
		m.form, m.xml, m.child = formChildAttr, name, attr
	}
	if name, ok := strings.CutSuffix(m.json, "*1"); ok {
		m.form, m.json, m.single = formRepeat, name, true
	} else if name, ok := strings.CutSuffix(m.json, "*"); ok {
		m.form, m.json = formRepeat, name
	}
	if m.xml == "" {
		m.xml = m.json
	}
	m.parseKinds(item, types, typed)
	return m
}

// cutTypes parts the names of a member from what follows: ":T", "(…)", "<…>".
func cutTypes(f string) (spec, types string, delimiter byte) {
	i := strings.IndexAny(f, ":(<")
	if i < 0 {
		return f, "s", ':'
	}
	types = f[i+1:]
	if f[i] != ':' {
		types = types[:len(types)-1]
	}
	return f[:i], types, f[i]
}

func (m *member) parseKinds(item, types string, delimiter byte) {
	m.choice = delimiter == '<'
	if delimiter != ':' {
		for t := range strings.SplitSeq(types, "|") {
			element, t, _ := strings.Cut(t, ":")
			k := parseKind(t)
			k.element = element
			m.kinds = append(m.kinds, k)
		}
		return
	}
	t, other, has := strings.Cut(types, "~")
	k := parseKind(t)
	k.element = item
	m.kinds = []kind{k}
	if has {
		o := parseKind(other)
		m.other = &o
	}
}

func parseKind(t string) kind {
	var k kind
	t, when, has := strings.Cut(t, "?")
	if has {
		k.when = strings.Split(when, ",")
	}
	t, k.wrap, _ = strings.Cut(t, ">")
	switch {
	case t == "json":
		k.scalar = 'j'
	case len(t) == 1:
		k.scalar = t[0]
	case t[0] == '=':
		k.enum = t[1:]
	default:
		k.shape = t
	}
	return k
}

func parseSince(s string) [2]int {
	if s == "" {
		return [2]int{}
	}
	j, x, two := strings.Cut(s, "/")
	if !two {
		x = j
	}
	parse := func(s string) int {
		n, err := strconv.Atoi(s)
		if err != nil {
			return never
		}
		return n
	}
	return [2]int{parse(j), parse(x)}
}
