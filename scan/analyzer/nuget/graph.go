package nuget

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/analyzer/internal/held"
	"github.com/stella-ops/stella/scan/analyzer/internal/jsontext"
	"github.com/stella-ops/stella/scan/analyzer/internal/locked"
	"github.com/stella-ops/stella/scan/sbom"
)

// graph is what a *.deps.json (dotnet/sdk, "Runtime Configuration Files") and a
// project.assets.json (NuGet.ProjectModel, LockFileFormat) have in common: libraries, and for
// each target framework what each library needs and which of its files are used.
type graph struct {
	runtime   string // the target that counts; "" for all
	targets   []target
	libraries []library
	project   project
	entries   int // of all targets
	err       error
}

// target is one framework, or one framework on one platform.
type target struct {
	name    string
	entries []entry
}

// entry is what a target says of a library.
type entry struct {
	id    string // "Newtonsoft.Json/13.0.1"
	kind  string
	needs []string // names
	files []string // at run time
	refs  []string // to compile against
}

// project is the one that a project.assets.json was made for.
type project struct {
	name, version string
	needs         []string // names
}

// library is one of the libraries.
type library struct {
	id, kind, sha512 string
}

func readGraph(data []byte) (*graph, error) {
	g, r := new(graph), jsontext.New(data)
	err := r.Document(func() {
		if r.Peek() != '{' {
			r.Fail("expected an object")
			return
		}
		r.Object(func(key []byte) {
			switch string(key) {
			case "runtimeTarget":
				g.readRuntime(r)
			case "targets":
				r.Object(func(key []byte) { g.readTarget(r, jsontext.Clean(key)) })
			case "libraries":
				r.Object(func(key []byte) { g.readLibrary(r, jsontext.Clean(key)) })
			case "project":
				r.Object(func(key []byte) { g.project.member(r, string(key)) })
			}
		})
	})
	if err == nil {
		err = g.err
	}
	return g, err
}

// readRuntime reads the name of the target that the application runs on: a text in .NET
// Core 1.0.
func (g *graph) readRuntime(r *jsontext.Reader) {
	if r.Peek() == '"' {
		g.runtime, _ = r.Text()
		return
	}
	r.Object(func(key []byte) {
		if string(key) == "name" {
			g.runtime, _ = r.Text()
		}
	})
}

func (g *graph) readTarget(r *jsontext.Reader, name string) {
	t := target{name: name}
	r.Object(func(key []byte) {
		if g.entries++; g.entries > locked.MaxEntries {
			if g.err == nil {
				g.err = &fault.LimitError{What: "libraries of all targets", Where: name, Max: locked.MaxEntries, Seen: int64(g.entries)}
			}
			return
		}
		e := entry{id: jsontext.Clean(key)}
		r.Object(func(key []byte) { e.member(r, string(key)) })
		t.entries = append(t.entries, e)
	})
	g.targets = append(g.targets, t)
}

func (e *entry) member(r *jsontext.Reader, name string) {
	switch name {
	case "type":
		e.kind, _ = r.Text()
	case "dependencies":
		r.Object(func(key []byte) { e.needs = append(e.needs, jsontext.Clean(key)) })
	case "runtime", "native", "resources", "runtimeTargets":
		r.Object(func(key []byte) {
			// "_._" stands for a folder that is empty on purpose.
			if file := jsontext.Clean(key); path.Base(file) != "_._" {
				e.files = append(e.files, file)
			}
		})
	case "compile":
		r.Object(func(key []byte) { e.refs = append(e.refs, jsontext.Clean(key)) })
	}
}

func (g *graph) readLibrary(r *jsontext.Reader, id string) {
	l := library{id: id}
	r.Object(func(key []byte) {
		switch string(key) {
		case "type":
			l.kind, _ = r.Text()
		case "sha512":
			l.sha512, _ = r.Text()
		}
	})
	g.libraries = append(g.libraries, l)
}

func (p *project) member(r *jsontext.Reader, name string) {
	switch name {
	case "version":
		p.version, _ = r.Text()
	case "restore":
		r.Object(func(key []byte) {
			if string(key) == "projectName" {
				p.name, _ = r.Text()
			}
		})
	case "frameworks":
		r.Object(func([]byte) {
			r.Object(func(key []byte) {
				if string(key) == "dependencies" {
					r.Object(func(key []byte) { p.needs = append(p.needs, jsontext.Clean(key)) })
				}
			})
		})
	}
}

// counting returns the targets that count.
func (g *graph) counting() []target {
	for i, t := range g.targets {
		if g.runtime != "" && t.name == g.runtime {
			return g.targets[i : i+1]
		}
	}
	return g.targets
}

// all returns the libraries, and those that only a target names.
func (g *graph) all() []library {
	known := make(map[string]bool, len(g.libraries))
	for _, l := range g.libraries {
		known[l.id] = true
	}
	out := slices.Clip(g.libraries)
	for _, t := range g.counting() {
		for _, e := range t.entries {
			if !known[e.id] {
				known[e.id] = true
				out = append(out, library{id: e.id, kind: e.kind})
			}
		}
	}
	return out
}

// ids returns the libraries of a target by name in lower case.
func (t *target) ids() map[string]string {
	ids := make(map[string]string, len(t.entries))
	for _, e := range t.entries {
		name, _, _ := strings.Cut(e.id, "/")
		ids[strings.ToLower(name)] = e.id
	}
	return ids
}

// needs returns for each library those that it needs. NuGet resolves names, whose case does
// not count, within one target.
func (g *graph) needs() map[string][]string {
	out := map[string][]string{}
	for _, t := range g.counting() {
		var ids map[string]string
		for _, e := range t.entries {
			for _, n := range e.needs {
				if ids == nil {
					ids = t.ids()
				}
				if id, ok := ids[strings.ToLower(n)]; ok {
					out[e.id] = append(out[e.id], id)
				}
			}
		}
	}
	return out
}

// file collects the libraries as entries of a lockfile.
func (g *graph) file() *locked.File {
	f, needs := new(locked.File), g.needs()
	for _, l := range g.all() {
		name, version, ok := strings.Cut(l.id, "/")
		if !ok {
			f.Odd(fmt.Errorf("library %.100q has no version: %w", l.id, fault.Invalid))
		}
		p := sbom.Package{Name: name, Version: plainVersion(version)}
		contentHash(&p, strings.TrimPrefix(l.sha512, "sha512-"))
		switch l.kind {
		case "package", "":
			p.PURL = packageURL(p.Name, p.Version)
		case "runtimepack":
			p.Name = strings.TrimPrefix(name, "runtimepack.")
			p.PURL = packageURL(p.Name, p.Version)
		default:
			addProperty(&p, propertySource, l.kind)
		}
		f.Put(locked.Entry{Key: l.id, Package: p, Wants: needs[l.id]})
	}
	return f
}

// readAssets reads the project.assets.json that restoring a project leaves in its obj folder.
func readAssets(_ string, data []byte) ([]analyzer.Fact, error) {
	g, err := readGraph(data)
	f := g.file()
	if p := g.project; p.name != "" {
		ids := map[string][]string{} // of any target
		for _, e := range f.Entries {
			name := strings.ToLower(e.Package.Name)
			ids[name] = append(ids[name], e.Key)
		}
		e := locked.Entry{Key: "project " + p.name, Package: sbom.Package{Type: "application", Name: p.name, Version: p.version}}
		for _, n := range p.needs {
			n = strings.ToLower(n)
			e.Wants = append(e.Wants, ids[n]...)
			delete(ids, n) // once, however many frameworks ask for it
		}
		f.Put(e)
	}
	return f.Facts(err)
}

// readDeps reads a *.deps.json. Libraries with files beside it are installed, and so are the
// application and what is no package. The files become what the fact provides, by which Join
// knows their assemblies.
func readDeps(file string, data []byte) ([]analyzer.Fact, error) {
	g, err := readGraph(data)
	base := path.Base(file)
	f := g.file()
	if root := g.root(base[:len(base)-len(".deps.json")]); root != "" {
		for i := range f.Entries {
			if p := &f.Entries[i].Package; f.Entries[i].Key == root {
				p.Type, p.Properties = "application", nil
			}
		}
	}
	facts, err := f.Facts(err)
	files, sets := map[string][]string{}, map[string]*held.Set{}
	installed := map[string]bool{}
	for _, t := range g.counting() {
		for _, e := range t.entries {
			if len(e.files) > 0 {
				installed[e.id], sets[e.id] = true, published(path.Dir(file), e.files)
			}
			for _, a := range e.files {
				if isAssembly(a) {
					files[e.id] = append(files[e.id], a)
				}
			}
			for _, a := range e.refs { // copied for compiling at run time
				if isAssembly(a) {
					files[e.id] = append(files[e.id], "refs/"+path.Base(a))
				}
			}
		}
	}
	g.splitPackages(installed)
	for _, l := range g.libraries {
		if l.kind == "runtimepack" { // of an application that brings its runtime
			installed[l.id] = true
		}
	}
	for i := range facts {
		f := &facts[i]
		if f.Provides = files[f.Key]; installed[f.Key] || f.Package.PURL.IsZero() {
			f.Package.State = sbom.Installed
		}
		if set := sets[f.Key]; set != nil {
			if f.Package.Type == "application" { // what starts it has its name
				for _, end := range []string{"", ".exe", ".dll"} {
					set.Add(path.Dir(file) + "/" + base[:len(base)-len(".deps.json")] + end)
				}
			}
			f.Holds, err = set.List(err)
		}
	}
	return facts, err
}

// published are the places of files of a package in the folder of an application: beside
// each other, but where they are for one language or one platform.
func published(dir string, files []string) *held.Set {
	set := new(held.Set)
	for _, f := range files {
		folder, base := path.Base(path.Dir(f)), path.Base(f)
		switch {
		case strings.HasPrefix(f, "runtimes/"):
			set.Add(dir + "/" + f)
			set.Add(dir + "/" + base) // of an application for one platform
		case strings.HasSuffix(base, ".resources.dll"):
			set.Add(dir + "/" + folder + "/" + base)
		default:
			set.Add(dir + "/" + base)
		}
	}
	return set
}

// root returns the library that is the application itself: the project that the file is named
// after, or the first one.
func (g *graph) root(app string) (id string) {
	for _, l := range g.libraries {
		name, _, _ := strings.Cut(l.id, "/")
		if l.kind == "project" && strings.EqualFold(name, app) {
			return l.id
		}
		if l.kind == "project" && id == "" {
			id = l.id
		}
	}
	return id
}

// splitPackages marks packages whose files came in a package of their own for each platform,
// as Microsoft.NETCore.App in runtime.linux-x64.Microsoft.NETCore.App.
func (g *graph) splitPackages(installed map[string]bool) {
	for _, t := range g.counting() {
		var ids map[string]string
		for _, e := range t.entries {
			name, _, _ := strings.Cut(e.id, "/")
			if len(name) > maxName || len(name) < len("runtime.") || !strings.EqualFold(name[:len("runtime.")], "runtime.") || !installed[e.id] {
				continue
			}
			if ids == nil {
				ids = t.ids()
			}
			for rest, ok := strings.ToLower(name[len("runtime."):]), true; ok; {
				if _, rest, ok = strings.Cut(rest, "."); ok && ids[rest] != "" {
					installed[ids[rest]] = true
					break
				}
			}
		}
	}
}

// isAssembly reports whether the name of a file is one of a PE file.
func isAssembly(file string) bool {
	ext := path.Ext(file)
	return strings.EqualFold(ext, ".dll") || strings.EqualFold(ext, ".exe")
}
