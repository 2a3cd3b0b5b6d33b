// Package usage finds out, without running anything, what an image starts: programs,
// the scripts and programs that those start, and the libraries that they load.
//
// [Resolve] follows, from ENTRYPOINT and CMD on:
//
//   - names with and without a folder, through PATH and symbolic links;
//   - programs that start another one, as tini, gosu, env, timeout, sudo and xargs, and
//     the applets of BusyBox;
//   - first lines of scripts;
//   - scripts of POSIX shells and bash: all their commands, whatever decides whether they
//     are run, with the values that variables, arguments, functions and loops can have by
//     what the scripts and the image's environment say;
//   - libraries of ELF files by the rules of the loaders of glibc and musl, and what
//     libraries and servers are known to load from a folder of their own;
//   - interpreters of languages: [Language] says where the code that they run can lie.
//
// # What the view promises
//
// Reached is an upper bound as far as the image says what it runs: where a script leaves
// open which of two programs is run, both are reached. What could not be followed is in
// Unresolved, and then the view is not complete: nothing may be called unused on its ground.
// A library or a command that the image does not have leads nowhere; it is a reason only where
// the image's own start names it, or exec.
//
// A complete view does not cover what no file read here says: code of other languages and
// machine code can start programs and load libraries by names of their own, beyond those
// listed above; whoever starts the container can give it other words, another environment
// and other files, and can run something else in it.
package usage

import (
	"slices"

	"github.com/stella-ops/stella/scan/analyzer"
)

// Image is what an image starts, and what it has to start. Paths are relative to the root,
// without a leading slash.
type Image struct {
	Entrypoint []string
	Cmd        []string // arguments of Entrypoint, or all there is
	Env        []string // "NAME=value"
	WorkingDir string   // "" is the root
	// Unknown says why the above is not known, in one line.
	Unknown string
	// Programs are the programs of the squashed image by their paths, links followed.
	Programs map[string]*analyzer.Program
	// Resolve follows symbolic links in every part of a path, and returns "" for a cycle.
	// Nil means that there are none.
	Resolve func(path string) string
	// Exists reports whether there is a file at a path, links followed. Nil means that the
	// programs are all there is.
	Exists func(path string) bool
	// List returns the files below a folder, at any depth. With nil, what a script reads
	// from a whole folder cannot be followed.
	List func(folder string) []string
}

// View says what of an image its start leads to.
type View struct {
	// Reached has the files that the start leads to, by path, each with the file before it on
	// one shortest way to it; "" comes before what the image starts. Symbolic links on the
	// way are files of it.
	Reached map[string]string
	// Languages are the languages that code is run in, by name.
	Languages []Language
	// Unresolved is what could not be followed, sorted.
	Unresolved []Reason
	// Complete is set if nothing is unresolved.
	Complete bool
}

// Chain returns one shortest way to a file: paths, from what the image starts to the file
// itself. It is nil where the file is not reached. Among several ways it is always the same.
func (v *View) Chain(path string) []string {
	if _, ok := v.Reached[path]; !ok {
		return nil
	}
	var out []string
	for ; path != ""; path = v.Reached[path] {
		out = append(out, path)
	}
	slices.Reverse(out)
	return out
}

// Language is a language that the image runs code in. What is not where the code can lie is
// not reached; for all else that is of the language it cannot be told.
type Language struct {
	// Name is a word: "java", "node", "python", "perl", "ruby", "php", "dotnet", "erlang",
	// "lua", "r", "julia", "deno", "bun", "tcl", "guile", "dart", "prolog".
	Name string
	// Anywhere is set if the code can lie anywhere in the image. Roots is empty then.
	Anywhere bool
	// Roots are the files that the code lies in, and the folders, with all below them; these
	// end in a slash. They are sorted.
	Roots []string
	// Interpreter is the program that runs it, which is reached; the first one by its path.
	Interpreter string
}

// Reason is something that could not be followed.
type Reason struct {
	Path string // the file that it is said in; "" is the start itself
	What string // why, in one line
}

// The bounds of a view. Beyond one of them it is not complete.
const (
	maxSteps    = 2_000_000 // words that are looked at, and names that are compared
	maxRounds   = 6         // times that everything is followed, while the environment grows
	maxRuns     = 64        // ways to start one script
	maxWrappers = 32        // programs that start another one, in one command
	maxReasons  = 1000
)

// Resolve returns the view of an image. It depends on in alone, as far as its functions do,
// and never fails: what cannot be known is a reason. It is safe for concurrent use where
// those functions are.
func Resolve(in *Image) *View {
	files := newFiles(in)
	learned := map[string]*set{}
	for round := 1; ; round++ {
		r := newResolver(in, files, learned)
		r.start()
		if !r.grown {
			return r.view()
		}
		if round == maxRounds {
			r.gap("", "the environment that scripts give to others did not settle")
			return r.view()
		}
		learned = r.learned
	}
}

// Contains reports whether code of the language can lie at a path.
func (l *Language) Contains(path string) bool {
	if l.Anywhere {
		return true
	}
	for _, root := range l.Roots {
		if within(root, path) {
			return true
		}
	}
	return false
}
