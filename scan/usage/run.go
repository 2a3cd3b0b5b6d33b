package usage

import (
	"cmp"
	"path"
	"slices"
	"strings"

	"github.com/stella-ops/stella/internal/shell"
	"github.com/stella-ops/stella/scan/analyzer"
)

// call is a command that is about to be started.
type call struct {
	from  string   // the file that starts it; "" is the start itself
	words []string // without parameters
	said  string   // the first word as the script has it; "" where it is the same
	sh    *process // the shell that reads it; nil outside of shells
	cwd   []string // the folders that it can be started in, as "/…"; nil is the image's
	depth int      // programs that started each other within the command
}

// by is the file that what the program at p starts is started by: the script that has the
// command, since many scripts start p, or p where the image starts it.
func (c call) by(p string) string { return cmp.Or(c.from, p) }

// next is a command that a file starts, by what c says.
func (c call) next(from string, words []string) call {
	return call{from: from, words: words, cwd: c.cwd, depth: c.depth + 1}
}

// run follows a command.
func (r *resolver) run(c call) {
	if len(c.words) == 0 || !r.step(1) {
		return
	}
	if c.depth > maxWrappers {
		r.gap(c.from, "too many programs start each other in one command")
		return
	}
	word := c.words[0]
	name, known := shell.Static(word)
	if !known {
		paths, ok := r.match(word)
		r.tried++
		if !ok {
			r.gap(c.from, "a program is started by a name that is made at run time: "+show(cmp.Or(c.said, word)))
		}
		for _, p := range paths {
			r.exec(c, p, p)
		}
		return
	}
	if c.sh != nil && c.sh.inner(c, name) {
		return
	}
	found := r.lookup(c, name)
	r.tried += len(found)
	for _, at := range found {
		r.exec(c, name, at)
	}
	if len(found) == 0 && c.from == "" {
		r.gap("", "the image has no program "+show(word))
	}
}

// places are what a path, relative or not, can be.
func (r *resolver) places(c call, name string) []string {
	if strings.HasPrefix(name, "/") {
		return []string{name}
	}
	if c.cwd == nil {
		return []string{r.home + "/" + name}
	}
	var out []string
	for _, dir := range c.cwd {
		if d, ok := shell.Static(dir); ok {
			out = append(out, d+"/"+name)
		} else {
			r.gap(c.from, "a path is relative to a folder that is made at run time: "+show(name))
		}
	}
	return out
}

// standardPath is what container engines set where the image has no PATH.
const standardPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// lookup finds the files that a command can be: those at its places if its name has a
// slash, else the first one of each PATH.
func (r *resolver) lookup(c call, name string) []string {
	if name == "" || name == "." || name == ".." {
		return nil
	}
	if strings.Contains(name, "/") {
		return slices.DeleteFunc(r.places(c, name), func(p string) bool { return !r.exists(p) })
	}
	var out []string
	for _, value := range r.learned["PATH"].values() {
		for _, word := range strings.Split(value, ":") {
			dir, known := shell.Static(word)
			if !known {
				out = append(out, r.byName[name]...) // any folder
				continue
			}
			if dir == "" {
				dir = r.home // as the working directory
			}
			if at := dir + "/" + name; r.step(1) && r.exists(at) {
				out = append(out, at)
				break
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// exec follows the start of the file at p under a name.
func (r *resolver) exec(c call, name, at string) {
	p := r.reach(c.from, at)
	args := c.words[1:]
	name = base(name)
	if b := base(p); (b == "busybox" || b == "toybox") && len(args) > 0 && name == b {
		if applet, ok := shell.Static(args[0]); ok {
			name, args = base(applet), args[1:]
		}
	}
	prog := r.Programs[p]
	if prog == nil {
		r.gap(p, "it is started, and was not read as a program")
		return
	}
	if why := r.supervises(name, p); why != "" {
		r.gap(p, why)
	}
	script := prog.Kind == analyzer.Script
	if w, ok := wrappers[name]; ok && !script {
		for _, words := range w(args) {
			r.learn(words.env)
			r.run(c.next(c.by(p), words.words))
		}
		return
	}
	rt := runtimeOf(name)
	if rt == nil {
		rt = runtimeOf(base(p))
	}
	switch {
	case script:
		if rt != nil {
			r.speak(rt, p, nil)
		}
		r.firstLine(c, p, prog, args)
	case shell.IsShell(name) || shell.IsShell(base(p)):
		r.shell(c, p, args)
	case rt != nil:
		r.interpret(rt, c, p, args)
	}
}

// firstLine follows a script by its first line. Without one, a shell reads it.
func (r *resolver) firstLine(c call, p string, prog *analyzer.Program, args []string) {
	name, rest, _ := strings.Cut(strings.TrimSpace(prog.Interpreter), " ")
	if name == "" {
		name = "/bin/sh"
	}
	words := []string{quoted(name)}
	if rest = strings.TrimSpace(rest); rest != "" {
		words = append(words, quoted(rest))
	}
	next := c.next(p, append(append(words, quoted("/"+p)), args...))
	if len(r.lookup(next, name)) == 0 {
		r.gap(p, "the image has no interpreter "+show(name))
		return
	}
	r.run(next)
}

// shell follows a shell at p.
func (r *resolver) shell(c call, p string, args []string) {
	in := shell.Invoked(args)
	if in.Login {
		r.gap(c.by(p), "a login shell reads profiles, which are not followed")
	}
	if base(p) == "bash" && slices.ContainsFunc(r.learned["BASH_ENV"].values(), func(v string) bool { return v != "" }) {
		r.gap(c.by(p), "BASH_ENV names commands that shells read first")
	}
	switch {
	case in.Inner:
		text, known := shell.Static(in.Text)
		if !known {
			r.gap(c.from, "a shell is given commands that are made at run time: "+show(in.Text))
			return
		}
		zero, params := quoted("/"+p), in.Args
		if len(params) > 0 {
			zero, params = params[0], params[1:]
		}
		commands, err := shell.Commands([]byte(text))
		if err != nil {
			r.gap(c.from, "the commands given to a shell: "+err.Error())
		}
		r.process(c, c.by(p), zero, text, commands, params)
	case in.File != "":
		r.shellFile(c, p, in)
	default:
		r.gap(c.from, "a shell reads what to run from its input")
	}
}

// shellFile follows a shell at p that reads a file.
func (r *resolver) shellFile(c call, p string, in shell.Invocation) {
	found, ok := r.readFrom(c, in.File)
	if !ok {
		r.gap(c.from, "a shell reads commands from a file whose name is made at run time: "+show(in.File))
	}
	for _, at := range found {
		q := r.reach(c.by(p), at)
		prog := r.Programs[q]
		if !readable(prog) {
			r.gap(q, "it is given to a shell, and its commands were not read")
			continue
		}
		r.process(c, q, quoted("/"+q), "", prog.Commands, in.Args)
	}
	if len(found) == 0 && ok && c.from == "" {
		r.gap("", "the image has no script "+show(in.File))
	}
}

// readFrom returns the files that a shell, or ".", takes for a word, and whether they are all:
// a path, or a name in the working directory or in PATH.
func (r *resolver) readFrom(c call, word string) ([]string, bool) {
	name, known := shell.Static(word)
	if !known {
		return r.match(word)
	}
	found := slices.DeleteFunc(r.places(c, name), func(at string) bool { return !r.exists(at) })
	if len(found) == 0 && !strings.Contains(name, "/") {
		found = r.lookup(c, name)
	}
	return found, true
}

// readable reports whether a program is a script whose commands were read.
func readable(prog *analyzer.Program) bool {
	if prog == nil || prog.Kind != analyzer.Script {
		return false
	}
	if len(prog.Commands) > 0 || prog.Interpreter == "" {
		return true
	}
	for _, w := range strings.Fields(prog.Interpreter) {
		if shell.IsShell(path.Base(w)) {
			return true
		}
	}
	return false
}

// learn takes up what a command says of the environment.
func (r *resolver) learn(env []string) {
	for _, e := range env {
		if name, value, ok := strings.Cut(e, "="); ok {
			r.give(name, value)
		}
	}
}
