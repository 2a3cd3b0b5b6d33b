package usage

import (
	"strings"

	"github.com/stella-ops/stella/internal/shell"
)

// javaValued are options of java that take the next word (java(1)).
const javaValued = "-p --module-path --upgrade-module-path --add-modules --add-reads --add-exports --add-opens --limit-modules --patch-module --enable-native-access -d --describe-module"

// java follows the launcher of Java: a jar can name others in its folder, and a class path
// says where all else lies.
func (r *resolver) java(rt *runtime, c call, p string, args []string) {
	var roots []string
	anywhere, told := false, false
	for _, name := range []string{"JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "_JAVA_OPTIONS"} {
		for _, v := range r.learned[name].values() {
			text, ok := shell.Static(v)
			anywhere = anywhere || !ok || strings.ContainsAny(text, "@") || strings.Contains(text, "-javaagent") || strings.Contains(text, "-cp") || strings.Contains(text, "path")
		}
	}
	path := r.learned["CLASSPATH"].values()
	for len(args) > 0 && !told {
		w := args[0]
		args = args[1:]
		value := ""
		if len(args) > 0 {
			value = args[0]
		}
		switch {
		case w == "-jar":
			told = true
			at, ok := r.jar(c, p, value)
			roots, anywhere = append(roots, at...), anywhere || !ok
		case w == "-cp" || w == "-classpath" || w == "--class-path":
			path = []string{value}
			args = args[min(1, len(args)):]
		case strings.HasPrefix(w, "--class-path="):
			path = []string{w[len("--class-path="):]}
		case w == "-m" || w == "--module" || strings.HasPrefix(w, "--module"), w == "-p", strings.HasPrefix(w, "@"), strings.HasPrefix(w, "-Xbootclasspath"):
			anywhere, told = true, told || w == "-m" || w == "--module"
		case strings.HasPrefix(w, "-javaagent:"):
			agent, _, _ := strings.Cut(w[len("-javaagent:"):], "=")
			at, ok := r.jar(c, p, agent)
			roots, anywhere = append(roots, at...), anywhere || !ok
		case has(javaValued, w):
			args = args[min(1, len(args)):]
		case w == "-version" || w == "--version":
			told = true
		case strings.HasPrefix(w, "-D"):
			// Servers are told so where their own folders are.
			if _, at, ok := strings.Cut(w, "="); ok && strings.HasPrefix(at, "/") && strings.Count(at, "/") > 1 {
				if dir, known := shell.Static(at); known && r.real(dir) != "" {
					roots = append(roots, r.real(dir)+"/")
				}
			}
		case strings.HasPrefix(w, "-"):
		default:
			_, known := shell.Static(w)
			told = true
			anywhere = anywhere || !known || strings.HasSuffix(w, ".java") // may be options that a variable has
			at, ok := r.classPath(c, path)
			roots, anywhere = append(roots, at...), anywhere || !ok
		}
	}
	if !told {
		r.gap(c.by(p), "Java is started without a program")
	}
	if anywhere {
		roots = nil
	}
	r.speak(rt, p, roots)
}

// jar reaches a jar, and says where what it names can lie.
func (r *resolver) jar(c call, p, word string) ([]string, bool) {
	name, ok := shell.Static(word)
	if !ok || name == "" {
		r.gap(c.by(p), "Java runs a jar whose name is made at run time: "+show(word))
		return nil, false
	}
	for _, at := range r.places(c, name) {
		if r.exists(at) {
			q := r.reach(c.by(p), at)
			return []string{q, aroundJar(q)}, true
		}
	}
	r.gap(c.by(p), "Java runs a jar that the image does not have: "+show(word))
	return nil, false
}

// aroundJar is the folder in which what a jar loads lies: its own, or the one above where
// that is the bin or lib of something.
func aroundJar(p string) string {
	folder := folderOf(p)
	if b := base(folder); b == "bin" || b == "lib" {
		return folderOf(strings.TrimSuffix(folder, "/"))
	}
	return folder
}

// classPath says where the classes of a class path lie.
func (r *resolver) classPath(c call, words []string) ([]string, bool) {
	if len(words) == 0 {
		words = []string{"."}
	}
	var roots []string
	for _, word := range words {
		for _, entry := range strings.Split(word, ":") {
			name, ok := shell.Static(entry)
			if !ok {
				return nil, false
			}
			name = strings.TrimSuffix(name, "*")
			for _, at := range r.places(c, name) {
				q := clean(r.real(at))
				if strings.HasSuffix(q, ".jar") {
					roots = append(roots, q, aroundJar(q))
				} else if q == "" {
					return nil, false
				} else {
					roots = append(roots, q+"/")
				}
			}
		}
	}
	return roots, true
}
