package usage

import (
	"path"
	"slices"
	"strings"

	"github.com/stella-ops/stella/internal/shell"
	"github.com/stella-ops/stella/scan/analyzer"
)

// triples are Debian's names of architectures, for folders of libraries.
var triples = []string{
	"x86_64-linux-gnu", "aarch64-linux-gnu", "arm-linux-gnueabihf", "arm-linux-gnueabi", "i386-linux-gnu", "powerpc64le-linux-gnu",
	"s390x-linux-gnu", "riscv64-linux-gnu", "mips64el-linux-gnuabi64", "mipsel-linux-gnu", "loongarch64-linux-gnu",
}

// libraryFolders are where loaders look: the folders that are built into those of glibc
// (ld.so(8)) and musl, and what distributions add in etc/ld.so.conf.d. Which of several
// libraries of one name is loaded depends on that configuration; all are reached.
func libraryFolders() []string {
	out := []string{"lib", "usr/lib", "usr/local/lib", "lib64", "usr/lib64", "usr/local/lib64", "lib32", "usr/lib32", "libx32", "usr/libx32"}
	for _, t := range triples {
		out = append(out, "lib/"+t, "usr/lib/"+t, "usr/local/lib/"+t)
	}
	return append(out, "usr/lib64/iscsi", "usr/lib64/dyninst", "usr/lib64/mysql", "usr/lib64/mariadb", "usr/lib/mysql", "usr/lib64/atlas", "usr/lib64/pgsql", "usr/glibc-compat/lib")
}

var defaultFolders = libraryFolders()

// load follows what the program at p loads, and what is said of it that cannot be followed.
func (r *resolver) load(p string, prog *analyzer.Program) {
	if prog.Unknown != "" {
		r.gap(p, prog.Unknown)
	}
	r.recognize(p, prog)
	switch {
	case prog.Kind == analyzer.Script:
		return
	case !isELF(prog):
		r.gap(p, "what files in the format "+prog.Format+" load is not followed")
		return
	}
	if prog.Interpreter != "" && r.exists(prog.Interpreter) {
		r.reach(p, prog.Interpreter)
	}
	for _, name := range prog.Needed {
		if !r.step(1) {
			return
		}
		for _, lib := range r.library(p, prog, name) {
			r.reach(p, lib)
		}
	}
	r.plugins(p, prog)
}

// library returns the files that a loader can take for a library that the program at p
// needs. What the image does not have leads nowhere.
func (r *resolver) library(p string, prog *analyzer.Program, name string) []string {
	if strings.Contains(name, "/") {
		if strings.HasPrefix(name, "/") && r.exists(name) {
			return []string{name}
		}
		return r.byName[base(name)]
	}
	var out []string
	if at, ok := r.first(r.own(p, prog), name); ok {
		out = append(out, at)
	}
	if at, ok := r.first(r.libraryPath(), name); ok {
		out = append(out, at)
	}
	if len(out) == 0 {
		for _, dir := range defaultFolders {
			if at := dir + "/" + name; r.exists(at) {
				out = append(out, at)
			}
		}
	}
	if len(out) == 0 {
		out = r.byName[name] // in a folder that somebody configured, or that a program before said
	}
	for _, other := range r.byName[name] {
		if segment(other, "glibc-hwcaps") {
			out = append(out, other)
		}
	}
	return out
}

// first is the first folder that has a file of this name.
func (r *resolver) first(folders []string, name string) (string, bool) {
	for _, dir := range folders {
		if at := dir + "/" + name; r.exists(at) {
			return at, true
		}
	}
	return "", false
}

// own are the folders that a file says itself, DT_RUNPATH or DT_RPATH, and the one it lies
// in where loaders do not look by themselves: then a program before it said so.
func (r *resolver) own(p string, prog *analyzer.Program) []string {
	var out []string
	origin := path.Dir(p)
	for _, dir := range prog.RunPath {
		for _, name := range []string{"ORIGIN", "{ORIGIN}"} {
			dir = strings.ReplaceAll(dir, "$"+name, "/"+origin)
		}
		if !strings.Contains(dir, "$") {
			out = append(out, clean(dir))
			continue
		}
		libs := []string{"lib", "lib64"}
		for _, t := range triples {
			libs = append(libs, "lib/"+t)
		}
		for _, lib := range libs {
			if d := strings.NewReplacer("${LIB}", lib, "$LIB", lib).Replace(dir); !strings.Contains(d, "$") {
				out = append(out, clean(d))
			}
		}
	}
	if prog.Kind == analyzer.SharedObject && !slices.Contains(defaultFolders, origin) {
		out = append(out, origin)
	}
	return out
}

// libraryPath are the folders of LD_LIBRARY_PATH.
func (r *resolver) libraryPath() []string { return r.folders("LD_LIBRARY_PATH") }

// folders are those that a variable lists, as far as they are known.
func (r *resolver) folders(variable string) []string {
	var out []string
	for _, value := range r.learned[variable].values() {
		for _, word := range strings.Split(value, ":") {
			if dir, ok := shell.Static(word); ok && strings.HasPrefix(dir, "/") {
				out = append(out, clean(dir))
			}
		}
	}
	return out
}

// preload reaches the libraries that the environment puts before all others.
func (r *resolver) preload() {
	for _, value := range r.learned["LD_PRELOAD"].values() {
		text, ok := shell.Static(value)
		if !ok {
			r.gap("", "LD_PRELOAD is made at run time")
			continue
		}
		for _, name := range strings.FieldsFunc(text, func(c rune) bool { return c == ' ' || c == ':' }) {
			for _, lib := range r.library("", &analyzer.Program{}, name) {
				r.reach("", lib)
			}
		}
	}
}
