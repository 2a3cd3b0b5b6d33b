package usage

import (
	"slices"
	"strings"

	"github.com/stella-ops/stella/internal/shell"
)

// process is a shell that reads commands: those of a script, of the files that it reads
// with ".", and of texts that it evaluates. The order of the commands, and what decides
// whether they are run, are not looked at: a variable has all the values that it is given
// anywhere, and each command is started with each of them.
type process struct {
	r       *resolver
	self    string // the file that commands are started by
	zero    string // $0, as a word
	body    []statement
	main    *scope
	scopes  map[string]*scope // of functions
	vars    map[string]*set   // by assignments
	base    map[string]*set   // the same, by those that do not name the variable itself
	itself  string            // the variable that an assignment names in its own value
	arrays  map[string]*lists
	cwd     *set
	sourced map[string]bool
	texts   map[string]bool // that were evaluated
	strict  bool            // the image itself says the commands: what they name should be there
	wild    bool            // a variable whose name is not known is assigned to
	changed bool
	version int // of all the above
}

// statement is a command in the script, or in a function.
type statement struct {
	words []string
	scope *scope
	made  bool // of a text that is made of what variables can be: one of several
}

// scope is where arguments belong: the script, or a function.
type scope struct {
	given   lists      // by the start, or by calls
	sets    [][]string // what "set --" makes of them, in the order of the text
	shifted bool       // some may be taken away from the front
	live    bool       // it is called
	cached  *frame
	at      int // version of cached
}

// frame is what arguments can be.
type frame struct {
	lists
	shifted bool
}

// The bounds of a process.
const (
	maxPasses = 30 // over its commands, until its variables settle
	maxBody   = 40_000
	maxTexts  = 32
	maxSets   = 64 // "set" in a script or a function
)

// process follows a shell, later, that reads the commands of the script self, or those of a
// text that it was given.
func (r *resolver) process(c call, self, zero, text string, commands [][]string, args []string) {
	cwd := c.cwd
	key := strings.Join(slices.Concat([]string{zero}, args, []string{"in"}, cwd), "\x00")
	ways := r.runs[self+"\x00"+text]
	if ways == nil {
		ways = map[string]bool{}
		r.runs[self+"\x00"+text] = ways
	}
	if ways[key] {
		return
	}
	if len(ways) >= maxRuns {
		r.gap(self, "it is started in too many ways")
		return
	}
	ways[key] = true
	p := &process{r: r, strict: c.from == "" && text != "", self: self, zero: zero, main: &scope{live: true}, scopes: map[string]*scope{}, vars: map[string]*set{}, base: map[string]*set{},
		arrays: map[string]*lists{}, cwd: &set{}, sourced: map[string]bool{}, texts: map[string]bool{}, changed: true}
	p.main.given.add(args)
	if cwd == nil {
		cwd = []string{quoted(r.home)}
	}
	for _, dir := range cwd {
		p.cwd.add(dir)
	}
	p.add(commands, p.main, false)
	r.queue = append(r.queue, p.follow)
}

// add takes up commands of a script. Functions have a scope of their own.
func (p *process) add(commands [][]string, in *scope, made bool) {
	stack := []*scope{in}
	for _, words := range commands {
		if len(p.body) >= maxBody || !p.r.step(len(words)) {
			p.r.gap(p.self, "its commands, with those that it reads, are too many")
			return
		}
		if len(words) == 2 && strings.HasSuffix(words[0], "()") {
			name := strings.TrimSuffix(words[0], "()")
			switch {
			case words[1] == "{":
				if p.scopes[name] == nil {
					p.scopes[name] = &scope{}
				}
				stack = append(stack, p.scopes[name])
				continue
			case words[1] == "}" && len(stack) > 1:
				stack = stack[:len(stack)-1]
				continue
			}
		}
		p.body = append(p.body, statement{words, stack[len(stack)-1], made})
	}
	p.touch()
}

// touch says that something is known that was not.
func (p *process) touch() { p.changed = true; p.version++ }

// follow finds out what the variables and arguments can be, and starts the commands.
func (p *process) follow() {
	for pass := 0; p.changed; pass++ {
		if pass == maxPasses {
			p.r.gap(p.self, "what its variables can be did not settle")
			break
		}
		p.changed = false
		for i := 0; i < len(p.body); i++ { // it grows
			if p.body[i].scope.live && p.r.step(1) {
				p.collect(p.body[i])
			}
		}
	}
	for _, st := range p.body {
		if st.scope.live && p.r.step(1) {
			p.start(st)
		}
	}
}

// start starts a command in all the ways that it can be meant.
func (p *process) start(st statement) {
	words := st.words
	for len(words) > 0 && assignment(words[0]) != "" {
		words = words[1:]
	}
	if len(words) == 0 || strings.HasSuffix(words[0], "=") || inert[words[0]] || collected[words[0]] {
		return
	}
	before, said := p.r.tried, words[0]
	for _, w := range p.alternatives(words, p.frame(st.scope)) {
		p.r.run(call{from: p.self, words: w, said: said, sh: p, cwd: p.cwd.values()})
	}
	if said == "exec" && len(words) > 1 {
		said = words[1]
	} else if !p.strict {
		return // scripts try what need not be there
	}
	if p.r.tried == before && !st.made {
		p.r.gap(p.self, "the image has no program "+show(said))
	}
}

// inner follows a command that a shell runs itself, and reports whether it is one.
func (p *process) inner(c call, name string) bool {
	switch name {
	case "exec":
		rest := operand("-a:", c.words[1:])
		c.words, c.depth, c.sh = rest, c.depth+1, nil // no command of the shell, and no function
		p.r.run(c)
		return true
	case "command", "builtin", "time", "coproc", "noglob", "!":
		if len(c.words) > 1 && (c.words[1] == "-v" || c.words[1] == "-V") {
			return true
		}
		c.words, c.depth = operand("", c.words[1:]), c.depth+1
		p.r.run(c)
		return true
	}
	if inert[name] || collected[name] || p.scopes[name] != nil {
		p.r.tried++
		return true
	}
	return false
}

// inert are commands of shells that start nothing, and say nothing about variables.
var inert = words(`: [ [[ alias bg bind break caller cap compgen complete compopt continue dirs disown echo enable exit false fc fg hash help history
	jobs kill let limit logout popd pwd return shopt suspend test times true type ulimit umask unalias unset wait`)

// collected are those that say something, and start nothing.
var collected = words(`. source cd pushd declare eval export for getopts local mapfile nameref printf read readarray readonly select set shift trap typeset`)

func words(list string) map[string]bool {
	out := map[string]bool{}
	for _, w := range strings.Fields(list) {
		out[w] = true
	}
	return out
}

// evaluate takes up the commands of a text that the script makes. What is not known in it
// can be more commands, unless trusted says that it is only about words.
func (p *process) evaluate(texts []string, in *scope, what string, trusted bool) {
	for _, text := range texts {
		if p.texts[text] {
			continue
		}
		if len(p.texts) >= maxTexts {
			p.r.gap(p.self, what+" has too many texts")
			return
		}
		p.texts[text] = true
		var b strings.Builder
		known := true
		for _, part := range shell.Split(text) {
			if part.Kind == shell.Text {
				b.WriteString(part.Text)
			} else {
				known = false
				b.WriteString("$(:)")
			}
		}
		if !known && !trusted {
			p.r.gap(p.self, what+" runs a text that is made at run time: "+show(text))
		}
		commands, err := shell.Commands([]byte(b.String()))
		if err != nil {
			p.r.gap(p.self, what+": "+err.Error())
		}
		p.add(commands, in, true)
	}
}

// source takes up the commands of a file that "." reads.
func (p *process) source(words []string, in *scope) {
	c := call{from: p.self, cwd: p.cwd.values()}
	_, known := shell.Static(words[0])
	found, ok := p.r.readFrom(c, words[0])
	if !known {
		found, ok = p.r.listed(words[0])
	}
	if !ok {
		p.r.gap(p.self, "commands are read from a file whose name is made at run time: "+show(words[0]))
	}
	for _, at := range found {
		q := p.r.reach(p.self, at)
		if p.sourced[q] {
			continue
		}
		p.sourced[q] = true
		prog := p.r.Programs[q]
		switch {
		case readable(prog):
			p.add(prog.Commands, in, false)
		case !assignsOnly[base(q)]:
			p.r.gap(q, "a script reads commands from it, and they were not read")
		}
	}
	if len(words) > 1 && in.given.add(words[1:]) {
		p.touch()
	}
}

// assignsOnly are files that hold nothing but assignments, of constants, by their own
// specification: os-release(5).
var assignsOnly = map[string]bool{"os-release": true, "initrd-release": true, "lsb-release": true}

// listed are the files that a word with unknown parts can name, and whether that is known.
// Files that "." reads need not be programs.
func (r *resolver) listed(word string) ([]string, bool) {
	parts := shell.Split(word)
	first := parts[0]
	i := strings.LastIndexByte(first.Text, '/')
	if r.List == nil || first.Kind != shell.Text || first.Text[0] != '/' || i <= 0 {
		found, _ := r.match(word)
		return found, false
	}
	prefix := r.prefix(first.Text)
	all := slices.Clone(parts)
	all[0].Text = "/" + prefix
	folder := prefix[:max(strings.LastIndexByte(prefix, '/'), 0)]
	var out []string
	for _, p := range slices.Sorted(slices.Values(r.List(folder))) {
		if r.step(1) && glob(all, "/"+p, maxMatches) {
			out = append(out, p)
		}
		if len(out) > maxMatches {
			return nil, false
		}
	}
	return out, true
}
