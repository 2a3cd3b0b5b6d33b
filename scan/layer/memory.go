package layer

import (
	"sync/atomic"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/analyzer"
)

// maxMemory is the default of Memory.Max: some ten times of what the largest
// images in use need.
const maxMemory = 256 << 20

// Memory bounds what the fragments of one scan hold together: names, links,
// facts and notes. Small input can say very much, since it compresses well. The
// zero value is ready to use, and safe for concurrent use.
type Memory struct {
	Max  int64 // bytes, as estimated here; 0 means 256 MiB
	used atomic.Int64
}

// Take charges n bytes that are held because of the layer or file at where. Over
// the limit it returns a limit error.
func (m *Memory) Take(where string, n int64) error {
	limit := m.Max
	if limit <= 0 {
		limit = maxMemory
	}
	if used := m.used.Add(n); used > limit {
		return &fault.LimitError{What: "bytes of memory for names and facts", Where: where, Max: limit, Seen: used}
	}
	return nil
}

// Hold charges a fragment that was not read here but decoded.
func (m *Memory) Hold(f *Fragment) error {
	n := int64(f.Entries.size)
	for i := range f.Files {
		n += weight(f.Files[i].Path, f.Files[i].Facts)
	}
	for _, g := range f.Gaps {
		n += weightGap + int64(len(g.Where)+len(g.What))
	}
	for _, list := range [][]string{f.Whiteouts, f.Opaque} {
		n += weightOf(list)
	}
	return m.Take("layer "+f.DiffID, n)
}

// What things take beside their text: the values themselves and what is made
// of them when the document is put together.
const (
	weightString  = 32
	weightLink    = 128
	weightGap     = 256
	weightFact    = 256
	weightPackage = 1024
)

// weight is what the facts of one file take.
func weight(path string, facts []analyzer.Fact) int64 {
	n := int64(weightFact + len(path))
	for i := range facts {
		f := &facts[i]
		n += int64(weightFact + len(f.Key) + len(f.Scope) + len(f.Inner) + len(f.Parent))
		n += weightOf(f.DependsOn) + weightOf(f.Provides) + weightOf(f.Owns) + weightOf(f.Holds)
		if x := f.Program; x != nil {
			n += int64(weightFact+len(x.Interpreter)+len(x.Soname)+len(x.Unknown)) + weightOf(x.Needed) + weightOf(x.RunPath)
			for _, words := range x.Commands {
				n += weightString + weightOf(words)
			}
		}
		if s := f.Secret; s != nil {
			n += int64(weightFact + len(s.Rule) + len(s.Title) + len(s.Masked))
		}
		p := f.Package
		if p == nil {
			continue
		}
		n += int64(weightPackage + len(p.Name) + len(p.Version) + len(p.Description) + len(p.Supplier) + len(p.Originator) + len(p.Homepage) + len(p.Download) + len(p.Copyright))
		n += weightOf(p.CPEs) + int64(len(p.Hashes))*weightString
		for _, l := range p.Licenses {
			n += int64(weightString + len(l.Expression) + len(l.Name) + len(l.URL))
		}
		for _, x := range p.Properties {
			n += int64(weightString + len(x.Name) + len(x.Value))
		}
	}
	return n
}

func weightOf(list []string) (n int64) {
	for _, s := range list {
		n += int64(weightString + len(s))
	}
	return n
}
