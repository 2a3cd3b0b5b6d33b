package usage

import (
	"path"
	"slices"
	"strings"

	"github.com/stella-ops/stella/internal/shell"
)

// frame returns what the arguments of a scope can be.
func (p *process) frame(s *scope) *frame {
	if s.cached != nil && s.at == p.version {
		return s.cached
	}
	f := &frame{shifted: s.shifted}
	f.open = s.given.open
	for _, words := range s.given.all {
		f.add(words)
	}
	s.cached, s.at = f, p.version // what "set --" makes of them uses those before
	for _, words := range s.sets {
		p.prepend(words, f)
	}
	return f
}

// prepend adds what a "set --" makes of arguments. What it puts before them is not put
// there again: scripts do so where it is missing, and often start themselves once more.
func (p *process) prepend(words []string, f *frame) {
	n := slices.Index(words, "$@")
	if n <= 0 || n+1 < len(words) {
		for _, alt := range p.alternatives(words, f) {
			if p.r.step(len(f.all)) {
				f.add(alt)
			}
		}
		return
	}
	heads := p.alternatives(words[:n], f)
	for _, tail := range f.options() {
		for _, head := range heads {
			if (len(head) == 0 || len(tail) == 0 || head[0] != tail[0]) && p.r.step(len(f.all)) {
				f.add(slices.Concat(head, tail))
			}
		}
	}
}

// alternatives are the lists of words that a list of words can become: arguments and
// arrays are several words, variables without quotes may be several or none. What is more
// than a bound becomes a word that can be anything.
func (p *process) alternatives(list []string, f *frame) [][]string {
	out := [][]string{nil}
	for _, w := range list {
		if !strings.Contains(w, "$") || !p.r.step(1) {
			for i := range out {
				out[i] = append(out[i], w)
			}
			continue
		}
		options := p.options(w, f)
		if len(out)*len(options) > maxLists {
			options = [][]string{{anything}}
		}
		if !p.r.step(len(out) * len(options)) {
			return [][]string{{anything}}
		}
		next := make([][]string, 0, len(out)*len(options))
		for _, head := range out {
			for _, o := range options {
				next = append(next, slices.Concat(head, o))
			}
		}
		out = next
	}
	return out
}

// options are the lists of words that one word can become.
func (p *process) options(w string, f *frame) [][]string {
	parts := shell.Split(w)
	alone := len(parts) == 1
	switch {
	case alone && parts[0].Kind == shell.Args:
		return f.options()
	case alone && parts[0].Kind == shell.Array:
		l := p.arrays[parts[0].Text]
		out := [][]string{}
		if l != nil {
			out = append(out, l.all...)
			if l.open {
				out = append(out, []string{anything})
			}
		}
		for _, v := range p.variable(parts[0].Text) { // one that is no array
			out = append(out, fields(v)...)
		}
		return out
	}
	var out [][]string
	for _, v := range p.expand(w, f) {
		if alone {
			out = append(out, fields(v)...)
		} else {
			out = append(out, []string{v})
		}
	}
	return out
}

// fields are the lists of words that a value can be without and with quotes.
func fields(v string) [][]string {
	if v == "" {
		return [][]string{nil}
	}
	split := strings.Fields(v)
	switch {
	case len(split) == 1 && split[0] == v:
		return [][]string{{v}}
	case strings.Contains(v, anything):
		return [][]string{split} // the whole of it would be any file
	}
	return [][]string{split, {v}}
}

// options are the lists that all arguments can be.
func (f *frame) options() [][]string {
	var out [][]string
	for _, words := range f.all {
		out = append(out, words)
		if f.shifted {
			for i := 1; i < len(words) && len(out) < maxLists; i++ {
				out = append(out, words[i:])
			}
		}
	}
	if f.open {
		out = append(out, []string{anything})
	}
	if len(out) == 0 {
		out = [][]string{nil}
	}
	return out
}

// argument is what the n-th argument can be, from 1 on.
func (f *frame) argument(n int) []string {
	out := &set{}
	for _, words := range f.all {
		if n > len(words) {
			out.add("")
			continue
		}
		out.add(words[n-1])
		for i := n; f.shifted && i < len(words); i++ {
			out.add(words[i])
		}
	}
	if f.open {
		out.add(anything)
	}
	return out.list
}

// expand returns the words without parameters that a word can become.
func (p *process) expand(w string, f *frame) []string {
	if !strings.Contains(w, "$") {
		return []string{w}
	}
	out := []string{""}
	for _, part := range shell.Split(w) {
		if !p.r.step(1) {
			return []string{anything}
		}
		options := p.part(part, f)
		if len(out)*len(options) > maxValues {
			options = []string{anything}
		}
		next := &set{}
		for _, head := range out {
			for _, o := range options {
				next.add(head + o)
			}
		}
		out = next.list
	}
	return out
}

func (p *process) part(part shell.Part, f *frame) []string {
	switch part.Kind {
	case shell.Text:
		return []string{quoted(part.Text)}
	case shell.Name:
		return []string{"$[]"}
	case shell.Args:
		out := &set{}
		for _, words := range f.options() {
			out.add(strings.Join(words, " "))
		}
		return out.list
	case shell.Param:
		return p.parameter(part.Text, f)
	case shell.Default:
		out := &set{}
		for _, v := range p.parameter(part.Text, f) {
			if v != "" {
				out.add(v)
			}
		}
		if p.given(part.Text) {
			return out.list
		}
		for _, v := range p.expand(part.Word, f) {
			out.add(v)
		}
		return out.list
	case shell.Instead:
		return append([]string{""}, p.expand(part.Word, f)...)
	case shell.Dir:
		out := &set{}
		for _, v := range p.expand(part.Word, f) {
			out.add(dirOf(v))
		}
		return out.list
	}
	return []string{anything}
}

// dirOf is the folder of a path.
func dirOf(v string) string {
	i := strings.LastIndexByte(v, '/')
	switch {
	case strings.Contains(v, anything):
		return anything
	case i < 0:
		return "."
	case i == 0:
		return "/"
	}
	return path.Clean(v[:i])
}

// given reports whether a variable has a value at the start, and nothing empties it.
func (p *process) given(name string) bool {
	if !p.r.inEnv(name) || p.wild {
		return false
	}
	return !slices.Contains(p.r.learned[name].values(), "") && !slices.Contains(p.vars[name].values(), "")
}

func (p *process) parameter(name string, f *frame) []string {
	if name == "0" {
		return []string{p.zero}
	}
	if name[0] >= '1' && name[0] <= '9' {
		return f.argument(int(name[0] - '0'))
	}
	return p.variable(name)
}

// atRunTime are variables that a shell, or who starts it, sets.
var atRunTime = words(`HOSTNAME RANDOM SRANDOM UID EUID PPID GROUPS SECONDS LINENO EPOCHSECONDS OPTARG OPTIND REPLY OLDPWD FUNCNAME BASHPID BASH_VERSION
	BASH_COMMAND SHLVL TERM USER LOGNAME SHELL IFS _ HOSTTYPE MACHTYPE OSTYPE COLUMNS LINES PIPESTATUS`)

// variable is what a variable can be. It can be empty unless the image sets it.
func (p *process) variable(name string) []string {
	out := &set{}
	switch name {
	case "BASH_SOURCE":
		out.add(quoted("/" + p.self))
		for _, q := range sortedKeys(p.sourced) {
			out.add(quoted("/" + q))
		}
	case "BASH":
		out.add("/bin/bash")
	case "PWD":
		for _, v := range p.cwd.values() {
			out.add(v)
		}
		return out.list
	}
	known, assigned := p.r.learned[name], p.vars[name]
	if name == p.itself {
		known, assigned = p.r.initial[name], p.base[name]
	}
	for _, v := range slices.Concat(known.values(), assigned.values()) {
		out.add(v)
	}
	if l := p.arrays[name]; l != nil {
		for _, words := range l.all {
			if len(words) > 0 {
				out.add(words[0])
			}
		}
	}
	switch {
	case p.wild, atRunTime[name] && !p.r.inEnv(name):
		out.add(anything)
	case name == "HOME" && len(out.list) == 0:
		out.add(anything)
	}
	if name != "PATH" && !p.r.inEnv(name) {
		out.add("")
	}
	return out.list
}
