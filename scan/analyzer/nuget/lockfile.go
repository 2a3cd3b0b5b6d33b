package nuget

import (
	"fmt"
	"strings"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/analyzer/internal/jsontext"
	"github.com/stella-ops/stella/scan/analyzer/internal/locked"
	"github.com/stella-ops/stella/scan/sbom"
)

// lockEntry is one package of one target framework.
type lockEntry struct {
	name, kind, requested, resolved, hash string
	needs                                 []string // names
}

// key tells packages apart; the case of names does not count.
func (e *lockEntry) key() string {
	if e.kind == "Project" {
		return "project/" + strings.ToLower(e.name)
	}
	return strings.ToLower(e.name) + "@" + plainVersion(e.resolved)
}

// readLock reads a packages.lock.json of any version (NuGet.ProjectModel,
// PackagesLockFileFormat): for each framework, and for what differs on a platform of it
// ("net8.0/linux-x64"), the packages by name. The second version adds the type
// CentralTransitive; the shape is the same.
func readLock(_ string, data []byte) ([]analyzer.Fact, error) {
	var f locked.File
	var entries int
	frameworks := map[string]map[string]string{} // framework → name in lower case → key
	r := jsontext.New(data)
	err := r.Document(func() {
		if r.Peek() != '{' {
			r.Fail("expected an object")
			return
		}
		r.Object(func(key []byte) {
			if string(key) != "dependencies" {
				return
			}
			r.Object(func(key []byte) {
				var list []lockEntry
				r.Object(func(name []byte) {
					if entries++; entries <= locked.MaxEntries {
						list = append(list, readLockEntry(r, jsontext.Clean(name)))
					}
				})
				putFramework(&f, frameworks, jsontext.Clean(key), list)
			})
		})
	})
	if entries > locked.MaxEntries {
		f.Odd(&fault.LimitError{What: "packages of all frameworks", Where: "dependencies", Max: locked.MaxEntries, Seen: int64(entries)})
	}
	return f.Facts(err)
}

func readLockEntry(r *jsontext.Reader, name string) lockEntry {
	e := lockEntry{name: name}
	r.Object(func(key []byte) {
		switch string(key) {
		case "type":
			e.kind, _ = r.Text()
		case "requested":
			e.requested, _ = r.Text()
		case "resolved":
			e.resolved, _ = r.Text()
		case "contentHash":
			e.hash, _ = r.Text()
		case "dependencies":
			r.Object(func(key []byte) { e.needs = append(e.needs, jsontext.Clean(key)) })
		}
	})
	return e
}

// putFramework adds the packages of one framework. On a platform, what is not listed is as in
// the framework, which comes before it.
func putFramework(f *locked.File, frameworks map[string]map[string]string, framework string, list []lockEntry) {
	own := make(map[string]string, len(list))
	for i := range list {
		own[strings.ToLower(list[i].name)] = list[i].key()
	}
	frameworks[framework] = own
	base, _, _ := strings.Cut(framework, "/")
	shared := frameworks[base]
	for i := range list {
		e := &list[i]
		p := sbom.Package{Name: e.name, Version: plainVersion(e.resolved)}
		contentHash(&p, e.hash)
		switch {
		case e.kind == "Project":
			addProperty(&p, propertySource, "project")
		case e.resolved == "":
			request(&p, e.requested)
		default:
			if !isVersion(e.resolved) {
				f.Odd(fmt.Errorf("%.100q has no version but %.100q: %w", e.name, e.resolved, fault.Invalid))
				p.Version = ""
			}
			p.PURL = packageURL(p.Name, p.Version)
		}
		var wants []string
		for _, n := range e.needs {
			n = strings.ToLower(n)
			if key := own[n]; key != "" {
				wants = append(wants, key)
			} else if key = shared[n]; key != "" {
				wants = append(wants, key)
			}
		}
		f.Put(locked.Entry{Key: e.key(), Package: p, Wants: wants})
	}
}
