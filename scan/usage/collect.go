package usage

import (
	"strings"

	"github.com/stella-ops/stella/internal/shell"
)

// collect takes up what a command says about variables, arguments and functions.
func (p *process) collect(st statement) {
	words := st.words
	f := p.frame(st.scope)
	n := 0
	for n < len(words) && assignment(words[n]) != "" {
		n++
	}
	for _, w := range words[:n] {
		name, values := p.assign(w, f)
		if n < len(words) {
			p.export(name, values)
		}
	}
	if words = words[n:]; len(words) == 0 {
		return
	}
	if name, op, ok := strings.Cut(words[0], "()"); ok && (op == "=" || op == "+=") {
		p.array(name, op == "+=", words[1:], f)
		return
	}
	for len(words) > 1 && (words[0] == "command" || words[0] == "builtin") {
		words = words[1:]
	}
	if inert[words[0]] {
		return
	}
	if p.declares(words, st, f) {
		return
	}
	if name, ok := shell.Static(words[0]); ok && p.scopes[name] == nil {
		return // a program
	}
	for _, w := range p.alternatives(words, f) {
		if len(w) == 0 {
			continue
		}
		if name, ok := shell.Static(w[0]); ok && p.scopes[name] != nil {
			s := p.scopes[name]
			if !s.live || s.given.add(w[1:]) {
				s.given.add(w[1:])
				s.live = true
				p.touch()
			}
		}
	}
}

// declares takes up a command of the shell, and reports whether it is one.
func (p *process) declares(words []string, st statement, f *frame) bool {
	switch args := words[1:]; words[0] {
	case "export", "declare", "local", "readonly", "typeset", "nameref":
		p.declaration(args, words[0] == "export", f)
	case "for", "select":
		for _, w := range args[min(2, len(args)):] {
			for _, alt := range p.alternatives([]string{w}, f) {
				for _, v := range alt {
					p.value(args[0], v, true)
				}
			}
		}
	case "set":
		p.set(words, st.scope)
	case "shift":
		if !st.scope.shifted {
			st.scope.shifted = true
			p.touch()
		}
	case "cd", "pushd":
		p.enter(operand("", args), f)
	case "read", "mapfile", "readarray", "getopts", "printf":
		p.reads(words[0], args)
	case "eval":
		for _, alt := range p.alternatives(args, f) {
			p.evaluate([]string{strings.Join(alt, " ")}, st.scope, "eval", false)
		}
	case "trap":
		if len(args) > 0 {
			if _, known := shell.Static(args[0]); !known { // the others are in the script's commands
				p.evaluate(p.expand(args[0], f), st.scope, "trap", shell.Split(args[0])[0].Kind == shell.Text)
			}
		}
	case ".", "source":
		for _, alt := range p.alternatives(args, f) {
			if len(alt) > 0 {
				p.source(alt, st.scope)
			}
		}
	default:
		return false
	}
	return true
}

// assign takes up an assignment.
func (p *process) assign(w string, f *frame) (name string, values []string) {
	name = assignment(w)
	before, word, _ := strings.Cut(w, "=")
	itself := strings.HasSuffix(before, "+")
	if itself {
		word = "${" + name + "}" + word
	} else {
		itself = strings.Contains(word, "${"+name+"}") || strings.Contains(word, "${"+name+":")
	}
	if itself {
		p.itself = name
	}
	values = p.expand(word, f)
	p.itself = ""
	for _, v := range values {
		p.value(name, v, !itself)
	}
	return name, values
}

// value adds a value of a variable.
func (p *process) value(name, v string, base bool) {
	add := func(m map[string]*set) {
		s := m[name]
		if s == nil {
			s = &set{}
			m[name] = s
		}
		if s.add(v) {
			p.touch()
		}
	}
	add(p.vars)
	if base {
		add(p.base)
	}
	if name == "PATH" || name == "LD_LIBRARY_PATH" || p.r.inEnv(name) {
		p.r.give(name, v)
	}
}

// export gives a variable to the programs that are started.
func (p *process) export(name string, values []string) {
	for _, v := range values {
		p.r.give(name, v)
	}
}

// declaration takes up the operands of export and its like.
func (p *process) declaration(args []string, exports bool, f *frame) {
	for _, w := range args {
		if strings.HasPrefix(w, "-") {
			exports = exports || strings.Contains(w, "x")
			continue
		}
		if assignment(w) == "" {
			if name, known := shell.Static(w); known && !strings.Contains(w, "=") {
				if exports && p.vars[name] != nil {
					p.export(name, p.vars[name].values())
				}
				continue
			}
			names, rest, assigns := strings.Cut(w, "=")
			for _, name := range p.expand(names, f) {
				if s, known := shell.Static(name); known && assigns && assignment(s+"=") != "" {
					p.assign(s+"="+rest, f)
				} else if !known && !p.wild {
					p.wild = true
					p.touch()
				}
			}
			continue
		}
		if name, values := p.assign(w, f); exports {
			p.export(name, values)
		}
	}
}

// array takes up the elements of an array.
func (p *process) array(name string, appends bool, words []string, f *frame) {
	l := p.arrays[name]
	if l == nil {
		l = &lists{}
		p.arrays[name] = l
	}
	if appends {
		// The order of the text is not known to matter: any of them may follow any other.
		have := l.all
		if len(have) == 0 {
			have = [][]string{nil}
		}
		for _, alt := range p.alternatives(words, f) {
			for _, head := range have {
				if len(head) < maxLists && !ends(head, alt) && l.add(append(head[:len(head):len(head)], alt...)) {
					p.touch()
				}
			}
		}
		return
	}
	for _, alt := range p.alternatives(words, f) {
		if l.add(alt) {
			p.touch()
		}
	}
}

// ends reports whether a list has the words of another one at its end.
func ends(list, tail []string) bool {
	if len(tail) == 0 || len(list) < len(tail) {
		return len(tail) == 0
	}
	for i, w := range tail {
		if list[len(list)-len(tail)+i] != w {
			return false
		}
	}
	return true
}

// set takes up new arguments.
func (p *process) set(words []string, s *scope) {
	for i, w := range words[1:] {
		if w == "--" || w == "-" || !strings.HasPrefix(w, "-") && !strings.HasPrefix(w, "+") {
			if words[1] == "-o" || words[1] == "+o" || strings.HasSuffix(words[1], "o") && i == 1 {
				continue // the name of an option
			}
			if w == "--" || w == "-" {
				i++
			}
			args := words[1+i:]
			for _, have := range s.sets {
				if len(have) == len(args) && (len(args) == 0 || &have[0] == &args[0]) {
					return
				}
			}
			if len(s.sets) < maxSets {
				s.sets = append(s.sets, args)
				p.touch()
			} else if !s.given.open {
				s.given.open = true
				p.touch()
			}
			return
		}
	}
}

// enter takes up a change of the folder.
func (p *process) enter(args []string, f *frame) {
	if len(args) == 0 {
		args = []string{"${HOME}"}
	}
	for _, v := range p.expand(args[0], f) {
		dir, known := shell.Static(v)
		switch {
		case v == "" || v == "-":
		case !known:
			if p.cwd.add(anything) {
				p.touch()
			}
		case strings.HasPrefix(dir, "/"):
			if p.cwd.add(quoted("/" + p.r.real(dir))) {
				p.touch()
			}
		default:
			for _, from := range p.cwd.values() {
				at := anything
				if d, ok := shell.Static(from); ok {
					at = quoted("/" + p.r.real(d+"/"+dir))
				}
				if strings.Count(at, "/") < 64 && p.cwd.add(at) {
					p.touch()
				}
			}
		}
	}
}

// reads takes up variables that get a value from outside.
func (p *process) reads(command string, args []string) {
	switch command {
	case "printf":
		if len(args) > 1 && args[0] == "-v" {
			p.unknown(args[1])
		}
		return
	case "getopts":
		args = args[min(1, len(args)):]
	case "read":
		p.unknown("REPLY")
	}
	for len(args) > 0 {
		w := args[0]
		args = args[1:]
		switch {
		case w == "-a":
		case len(w) == 2 && w[0] == '-' && strings.Contains("dinNOpstuCc", w[1:]) && (command != "read" || w != "-s") && (command == "read" || w != "-t"):
			args = args[min(1, len(args)):]
		case strings.HasPrefix(w, "-") || strings.HasPrefix(w, "<"):
		default:
			p.unknown(w)
		}
	}
}

// unknown says that a variable, and an array, can have any value.
func (p *process) unknown(name string) {
	if _, known := shell.Static(name); !known {
		if !p.wild {
			p.wild = true
			p.touch()
		}
		return
	}
	p.value(name, anything, true)
	l := p.arrays[name]
	if l == nil {
		l = &lists{}
		p.arrays[name] = l
	}
	if !l.open {
		l.open = true
		p.touch()
	}
}
