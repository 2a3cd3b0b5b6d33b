package npm

import (
	"bytes"
	"cmp"
	"fmt"
	"strings"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/analyzer/internal/jsontext"
	"github.com/stella-ops/stella/scan/sbom"
)

// bunLock reads a bun.lock (https://bun.com/docs/pm/lockfile; its writer is
// src/install/lockfile/bun.lock.* of Bun): JSON with commas before closing
// brackets. "workspaces" repeats what the package.json of each project asks
// for. The keys of "packages" are places as in node_modules without the words
// in between: "a/b" is the b that a gets and others do not.
type bunLock struct {
	*lockfile
	r       *jsontext.Reader
	version string
	roots   [3][]want // by the groups of pnpm
	work    int64     // see maxWork
}

// want is a dependency of a project: a name, as seen from a place.
type want struct{ from, name string }

func readBunLock(l *lockfile, data []byte) error {
	b := bunLock{lockfile: l, r: jsontext.New(plainJSON(data))}
	err := b.r.Document(func() {
		if b.r.Peek() != '{' {
			b.r.Fail("expected an object")
			return
		}
		b.r.Object(b.member)
	})
	b.connect()
	if err == nil && b.version != "0" && b.version != "1" && b.version != "2" {
		err = fmt.Errorf("lockfileVersion %.20q: %w", b.version, fault.Unsupported)
	}
	if b.work >= maxWork {
		b.odd = cmp.Or[error](b.odd, &fault.LimitError{What: "look-ups of dependencies", Where: "bun.lock", Max: maxWork})
	}
	return err
}

// readBunBinary says what to do about a lockfile that only Bun itself can read.
func readBunBinary() error {
	return fmt.Errorf("binary lockfile of Bun; bun install --save-text-lockfile writes a bun.lock: %w", fault.Unsupported)
}

// plainJSON returns a copy of data in which blanks stand for comments and for
// commas before a closing bracket, so that lines and offsets stay.
func plainJSON(data []byte) []byte {
	out := append([]byte(nil), data...)
	comma := -1 // a comma after which nothing has come
	for i := 0; i < len(out); i++ {
		switch c := out[i]; {
		case c == '"':
			comma = -1
			for i++; i < len(out) && out[i] != '"'; i++ {
				if out[i] == '\\' {
					i++
				}
			}
		case c == '/' && i+1 < len(out) && (out[i+1] == '/' || out[i+1] == '*'):
			i = blankComment(out, i)
		case c == ',':
			comma = i
		case c == '}' || c == ']':
			if comma >= 0 {
				out[comma] = ' '
			}
			comma = -1
		case c != ' ' && c != '\t' && c != '\n' && c != '\r':
			comma = -1
		}
	}
	return out
}

// blankComment overwrites the comment at i, its line breaks apart, and returns
// where it ends. One without end is left as the error that it is.
func blankComment(out []byte, i int) int {
	mark, end := []byte("\n"), len(out)
	if out[i+1] == '*' {
		mark = []byte("*/")
	}
	if n := bytes.Index(out[i+2:], mark); n >= 0 {
		end = i + 2 + n + len(mark)
	} else if out[i+1] == '*' {
		return end
	}
	for j := i; j < end; j++ {
		if out[j] != '\n' {
			out[j] = ' '
		}
	}
	return end - 1
}

func (b *bunLock) member(key []byte) {
	switch string(key) {
	case "lockfileVersion":
		b.version = string(b.r.Raw())
	case "workspaces":
		b.r.Object(func(folder []byte) { b.workspace(jsontext.Clean(folder)) })
	case "packages":
		b.r.Object(func(place []byte) { b.pkg(jsontext.Clean(place)) })
	}
}

// workspace reads a project. Others see it under its name, and so do the places
// of what it alone gets.
func (b *bunLock) workspace(folder string) {
	e := entry{from: source{local, "workspace:" + cmp.Or(folder, ".")}, project: folder == ""}
	var asked [3][]string
	b.r.Object(func(key []byte) {
		switch string(key) {
		case "name":
			e.name, _ = b.r.Text()
		case "version":
			e.version, _ = b.r.Text()
		case "dependencies", "peerDependencies":
			asked[runtimeRoots] = append(asked[runtimeRoots], names(b.r)...)
		case "optionalDependencies":
			asked[optionalRoots] = append(asked[optionalRoots], names(b.r)...)
		case "devDependencies":
			asked[devRoots] = append(asked[devRoots], names(b.r)...)
		}
	})
	if folder != "" {
		e.place = e.name
	}
	for group, list := range asked {
		for _, name := range list {
			b.roots[group] = append(b.roots[group], want{e.place, name})
			e.wants = append(e.wants, name)
		}
	}
	if e.name != "" { // a project without a name is no package
		b.put(e)
	}
}

// pkg reads one entry: what it is, and depending on that its registry, what it
// depends on, and its digest.
func (b *bunLock) pkg(place string) {
	e := entry{place: place}
	var texts []string
	b.r.Array(func() {
		switch b.r.Peek() {
		case '"':
			text, _ := b.r.Text()
			texts = append(texts, text)
		case '{':
			b.info(&e)
		}
	})
	if b.r.Err() != nil && len(texts) == 0 {
		return
	}
	if len(place) > maxPlace {
		b.odd = cmp.Or[error](b.odd, &fault.LimitError{What: "bytes of a package's place", Where: place[:80] + "…", Max: maxPlace, Seen: int64(len(place))})
		return
	}
	if len(texts) == 0 {
		b.odd = cmp.Or(b.odd, fmt.Errorf("entry %.80q does not say what it is: %w", place, fault.Invalid))
		return
	}
	var reference string
	e.name, reference = splitRequest(texts[0])
	scheme, _, _ := strings.Cut(reference, ":")
	switch {
	case scheme == "root", scheme == "workspace" && b.find(e.name) != nil:
		return // a project, which "workspaces" has
	case !strings.ContainsAny(reference, ":/") && !isArchive(reference):
		e.version = reference
		if len(texts) > 2 { // the registry where it is not npm's, or the file
			if e.from = sourceOf(texts[1]); e.from.kind != registry && !isArchive(texts[1]) {
				e.from = source{}
			}
		}
	case !strings.Contains(reference, ":"): // a tarball in the project
		e.from = source{archive, "file:" + reference}
	default:
		e.from = sourceOf(reference)
	}
	for _, text := range texts[1:] {
		e.hashes = append(e.hashes, integrity(text)...)
	}
	b.put(e)
}

func (b *bunLock) info(e *entry) {
	b.r.Object(func(key []byte) {
		switch string(key) {
		case "dependencies", "optionalDependencies", "peerDependencies":
			e.wants = append(e.wants, names(b.r)...)
		case "os", "cpu":
			e.scope = sbom.ScopeOptional // for some systems only
			b.r.Skip()
		}
	})
}

// connect finds what packages depend on, and what they are needed for.
func (b *bunLock) connect() {
	for i := range b.entries {
		e := &b.entries[i]
		for _, name := range e.wants {
			if n, ok := b.lookUp(e.place, name); ok && n != i {
				e.needs = append(e.needs, n)
			}
		}
		e.wants = nil
	}
	p := pnpmLock{lockfile: b.lockfile}
	claimed := make([]bool, len(b.entries))
	for group, list := range b.roots {
		places := make([]string, 0, len(list))
		for _, w := range list {
			if n, ok := b.lookUp(w.from, w.name); ok {
				places = append(places, b.entries[n].place)
			}
		}
		p.claim(claimed, places, group)
	}
}

// lookUp finds the package that the one at a place gets by name: below it, or
// below one that is above it.
func (b *bunLock) lookUp(place, name string) (int, bool) {
	for b.work < maxWork {
		b.work += 1 + int64(len(place)+len(name))/64
		if place == "" {
			n, ok := b.at[name]
			return n, ok && name != ""
		}
		if n, ok := b.at[place+"/"+name]; ok {
			return n, true
		}
		place = above(place)
	}
	return 0, false
}

// above cuts off the last name of a place, which may have a scope.
func above(place string) string {
	cut := max(strings.LastIndexByte(place, '/'), 0)
	if scope := strings.LastIndexByte(place[:cut], '/') + 1; cut > 0 && place[scope] == '@' {
		return strings.TrimSuffix(place[:scope], "/")
	}
	return place[:cut]
}
