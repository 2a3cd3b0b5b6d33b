package usage

import (
	"path"
	"slices"
	"strings"

	"github.com/stella-ops/stella/internal/shell"
	"github.com/stella-ops/stella/scan/analyzer"
)

// language is a language that is reached.
type language struct {
	home     string // the folder above that of the interpreter that was found first
	from     string // the first interpreter in the order of paths
	anywhere bool
	roots    map[string]bool
}

func (l *language) result(name string) Language {
	out := Language{Name: name, Anywhere: l.anywhere, Interpreter: l.from}
	if !l.anywhere {
		for root := range l.roots {
			out.Roots = append(out.Roots, root)
		}
		slices.Sort(out.Roots)
	}
	return out
}

// runtime is how a language is recognized.
type runtime struct {
	language string
	// programs are names of interpreters, without what follows of version numbers, and
	// libraries how the names of libraries that are interpreters begin.
	programs, libraries []string
	// folders are names of folders that its shared objects lie below; "name*" is how such a
	// name begins.
	folders []string
	// valued are options that take the next word.
	valued string
	// code are options after which code follows on the command line or in a module.
	code string
	// placed is set if the code lies by the script: packages elsewhere are not seen by it.
	placed bool
}

var runtimes = []runtime{
	{language: "python", programs: []string{"python", "pypy", "gunicorn", "uvicorn"}, libraries: []string{"libpython", "mod_wsgi"},
		folders: []string{"site-packages", "dist-packages", "lib-dynload"}, valued: "-W -X --check-hash-based-pycs", code: "-m -c"},
	{language: "node", programs: []string{"node", "nodejs"}, libraries: []string{"libnode.so"}, folders: []string{"node_modules"},
		valued: "-r --require --import --loader --experimental-loader -C --conditions --env-file --max-old-space-size --inspect-port --icu-data-dir --openssl-config", code: "-e -p -pe --eval --print", placed: true},
	{language: "java", programs: []string{"java", "javaw", "jshell", "jwebserver"}, libraries: []string{"libjvm.so"}, placed: true},
	{language: "perl", programs: []string{"perl"}, libraries: []string{"libperl.so", "mod_perl"}, folders: []string{"auto"}, code: "-e -E"},
	{language: "ruby", programs: []string{"ruby", "jruby", "truffleruby"}, libraries: []string{"libruby"}, folders: []string{"ruby", "gems"}, valued: "-C -I -r", code: "-e -S"},
	{language: "php", programs: []string{"php", "php-fpm", "php-cgi", "frankenphp"}, libraries: []string{"libphp"}, folders: []string{"php*", "extensions"}, valued: "-c -d -g -p -y -z -F", code: "-r -S"},
	{language: "dotnet", programs: []string{"dotnet", "mono", "pwsh"}, libraries: []string{"libcoreclr.so", "libmono"}, folders: []string{"dotnet", "mono"}},
	{language: "erlang", programs: []string{"beam.smp", "beam", "erlexec", "erl", "escript", "elixir", "iex"}, folders: []string{"erlang", "erts-*"}},
	{language: "lua", programs: []string{"lua", "luajit"}, libraries: []string{"liblua", "libluajit"}, folders: []string{"lua*"}, valued: "-l", code: "-e"},
	{language: "r", programs: []string{"R", "Rscript"}, libraries: []string{"libR.so"}, folders: []string{"R"}, code: "-e"},
	{language: "julia", programs: []string{"julia"}, libraries: []string{"libjulia"}, folders: []string{"julia*"}, code: "-e -E"},
	{language: "deno", programs: []string{"deno"}},
	{language: "bun", programs: []string{"bun", "bunx"}, folders: []string{"node_modules"}},
	{language: "tcl", programs: []string{"tclsh", "wish", "expect"}, libraries: []string{"libtcl"}, folders: []string{"tcl*", "tcltk"}},
	{language: "guile", programs: []string{"guile"}, libraries: []string{"libguile"}, folders: []string{"guile*"}},
	{language: "dart", programs: []string{"dart", "dartaotruntime"}},
	{language: "prolog", programs: []string{"swipl"}, libraries: []string{"libswipl"}, folders: []string{"swipl*", "swi-prolog"}, code: "-g -t"},
}

// versionless takes a version from the end of a name: "python3.12", "php-fpm8.2", "perl5.36.0".
func versionless(name string) string {
	return strings.TrimRight(strings.TrimSuffix(name, ".exe"), "0123456789.-")
}

// runtimeOf is what a program of this name interprets, or nil.
func runtimeOf(name string) *runtime {
	for i := range runtimes {
		if slices.Contains(runtimes[i].programs, name) || slices.Contains(runtimes[i].programs, versionless(name)) {
			return &runtimes[i]
		}
	}
	return nil
}

// recognize notes a library that is an interpreter, which code of any place can be given
// to, and programs of .NET, whose code lies beside them.
func (r *resolver) recognize(p string, prog *analyzer.Program) {
	if prog.Kind == analyzer.Script {
		return
	}
	for i := range runtimes {
		for _, lib := range runtimes[i].libraries {
			// The interpreter that was started loads the library of its own installation.
			l := r.languaged[runtimes[i].language]
			if strings.HasPrefix(base(p), lib) && (l == nil || !within(l.home, p)) {
				r.speak(&runtimes[i], p, nil)
			}
		}
	}
	if name := strings.TrimSuffix(p, ".exe"); r.exists(name+".dll") && (r.exists(name+".runtimeconfig.json") || r.exists(name+".deps.json")) {
		r.speak(runtimeOf("dotnet"), p, []string{folderOf(p)})
	}
}

// folderOf is the folder that a file lies in, as a root: the root folder itself is "/".
func folderOf(p string) string {
	dir := path.Dir(clean(p))
	if dir == "." || dir == "/" {
		return "/"
	}
	return dir + "/"
}

// speak notes that code of a language is run by the program at p, which lies in the roots,
// or anywhere where there are none, and reaches the shared objects that it can load.
func (r *resolver) speak(rt *runtime, p string, roots []string) {
	l := r.languaged[rt.language]
	if l == nil {
		l = &language{from: p, home: path.Dir(path.Dir(p)) + "/", roots: map[string]bool{}}
		r.languaged[rt.language] = l
		r.queue = append(r.queue, func() { r.modules(rt, p, l.home) })
	}
	l.from = min(l.from, p)
	if len(roots) == 0 || slices.Contains(roots, "/") {
		l.anywhere = true
	}
	if r.home != "/" {
		roots = append(roots, r.real(r.home)+"/")
	}
	for _, root := range roots {
		if !l.roots[root] {
			l.roots[root] = true
			if strings.HasSuffix(root, "/") {
				r.queue = append(r.queue, func() { r.tree(p, root) })
			}
		}
	}
}

// modules reaches what an interpreter loads from the folders of its language. The runtime
// of Java has all in the folder above bin, that of Erlang its programs, too.
func (r *resolver) modules(rt *runtime, p, home string) {
	r.objects(p, func(q string) bool {
		if rt.language == "java" {
			return len(home) > len("usr/") && within(home, q) || segment(q, "jvm")
		}
		return slices.ContainsFunc(rt.folders, func(f string) bool { return segment(q, f) })
	})
	if rt.language != "erlang" {
		return
	}
	for _, q := range r.paths {
		if r.step(1) && segment(q, "erts-*") {
			r.reach(p, q)
		}
	}
}

// interpret follows an interpreter that is started with args.
func (r *resolver) interpret(rt *runtime, c call, p string, args []string) {
	if rt.language == "java" {
		r.java(rt, c, p, args)
		return
	}
	var roots []string
	told := false
	for len(args) > 0 && !told {
		w := args[0]
		args = args[1:]
		switch {
		case has(rt.code, w), len(w) > 2 && w[0] == '-' && w[1] != '-' && has(rt.code, "-"+w[len(w)-1:]):
			told = true // code, or the name of a module, follows
			r.speak(rt, p, nil)
			return
		case has(rt.valued, w):
			if len(args) > 0 {
				args = args[1:]
			}
		case strings.HasPrefix(w, "-") && w != "-" || strings.HasPrefix(w, "+"):
			// A flag, or a short option with its value.
			if strings.HasPrefix(w, "-v") || w == "--version" || w == "-h" || w == "--help" {
				told = true
			}
		default:
			told = true
			roots = r.script(rt, c, p, w)
		}
	}
	// Servers for a language take their code from a configuration.
	if name := versionless(base(p)); !told && name != "php-fpm" && name != "php-cgi" && rt.language != "erlang" {
		r.gap(c.by(p), "an interpreter reads what to run from its input")
	}
	r.speak(rt, p, roots)
}

// has reports whether a word is in a list that is separated by spaces.
func has(list, word string) bool { return slices.Contains(strings.Fields(list), word) }

// script reaches the script that an interpreter runs, and says where its code can lie: nil
// is anywhere.
func (r *resolver) script(rt *runtime, c call, p, word string) []string {
	name, ok := shell.Static(word)
	if !ok {
		found, _ := r.match(word)
		for _, q := range found {
			r.reach(c.by(p), q)
		}
		r.gap(c.by(p), "an interpreter runs a script whose name is made at run time: "+show(word))
		return nil
	}
	for _, at := range r.places(c, name) {
		for _, suffix := range []string{"", ".js", "/index.js", ".mjs", ".cjs"} {
			if suffix != "" && rt.language != "node" || !r.exists(at+suffix) {
				continue
			}
			if suffix == "" && r.Programs[r.real(at)] == nil && r.exists(at+"/package.json") {
				return []string{strings.TrimSuffix(r.real(at), "/") + "/"} // a folder
			}
			q := r.reach(c.by(p), at+suffix)
			if !rt.placed {
				r.queue = append(r.queue, func() { r.tree(p, folderOf(q)) })
				return nil
			}
			return r.project(q)
		}
	}
	if rt.placed {
		for _, at := range r.places(c, name) {
			if r.exists(at + "/package.json") {
				return []string{strings.TrimSuffix(r.real(at), "/") + "/"}
			}
		}
	}
	r.gap(c.by(p), "an interpreter runs a script that the image does not have: "+show(word))
	return nil
}

// project is the folder of a script's project, the first one above it that has a
// package.json, and the folders of modules above that.
func (r *resolver) project(p string) []string {
	root := folderOf(p)
	for dir := path.Dir(p); dir != "." && dir != "/"; dir = path.Dir(dir) {
		if r.exists(dir + "/package.json") {
			root = dir + "/"
			break
		}
	}
	out := []string{root}
	for dir := path.Dir(strings.TrimSuffix(root, "/")); root != "/" && dir != "." && dir != "/"; dir = path.Dir(dir) {
		out = append(out, dir+"/node_modules/")
	}
	return append(out, "node_modules/")
}
