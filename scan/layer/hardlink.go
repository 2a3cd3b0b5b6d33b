package layer

import (
	"slices"

	"github.com/stella-ops/stella/scan/sbom"
)

// maxAgain bounds the bytes that analyzers are shown a second time, in one
// layer, because links lead to them: a million links to one file cost nothing
// to write.
const maxAgain = 8 << 30

// hardlink is a further name of a file of the layer.
type hardlink struct {
	path   string
	target string // an entry that is not a hard link itself
	before int64  // position in the tar; the target is the last entry of its path before
}

// link takes a hard link. Like an unpacker it means the file that has the
// target's name at this point: a later entry may take the name away, not the
// content.
func (p *pass) link(path, target string) error {
	l := hardlink{path, target, p.s.offset()}
	if at, ok := p.linked[target]; ok {
		l.target, l.before = p.links[at].target, p.links[at].before
	}
	if p.linked == nil {
		p.linked = map[string]int{}
	}
	p.linked[path] = len(p.links)
	p.links = append(p.links, l)
	if err := p.keep(2*weightLink + int64(len(path)+len(target))); err != nil {
		return err
	}
	p.by = p.set.ByPath(p.by[:0], path)
	for _, c := range slices.Clone(p.seen[target]) {
		f := p.frag.Files[c.at]
		if !c.content || slices.Contains(p.by, p.set.Index(f.Analyzer)) {
			continue // read again under its new path, if that is wanted
		}
		if err := p.record(path, f.Analyzer, f.Facts, true); err != nil {
			return err
		}
	}
	return nil
}

// target is what a path of the layer is.
type target struct {
	kind EntryKind
	link string // of a symbolic link
}

// settleLinks finds out what hard links lead to. It returns the files that
// analyzers want under the path of a link. A link to something that the layer
// does not have is a gap: some unpackers take it from a layer below.
func (p *pass) settleLinks() (map[string][]want, error) {
	if len(p.linked) == 0 {
		return nil, nil
	}
	targets := make(map[string]target, len(p.linked))
	for _, at := range p.linked {
		targets[p.links[at].target] = target{}
	}
	err := p.frag.Entries.Visit(func(kind EntryKind, path, link []byte) bool {
		if _, ok := targets[string(path)]; ok && kind != EntryHardlink {
			targets[string(path)] = target{kind, string(link)}
		}
		return true
	})
	late := map[string][]want{}
	for at, l := range p.links {
		if now, ok := p.linked[l.path]; !ok || now != at {
			continue // another entry took the path
		}
		switch t := targets[l.target]; t.kind {
		case EntryFile:
			if p.by = p.set.ByPath(p.by[:0], l.path); len(p.by) > 0 {
				late[l.target] = append(late[l.target], want{as: l.path, before: l.before})
			}
		case EntrySymlink: // a second name of a link is a link
			p.frag.Entries.Add(EntrySymlink, l.path, t.link)
		case EntryOther:
		default:
			p.gap(sbom.GapUncaptured, true, l.path, "hard link to "+l.target+", which the layer does not have as a file")
		}
	}
	for _, wants := range late {
		slices.SortStableFunc(wants, func(a, b want) int { return int(min(max(a.before-b.before, -1), 1)) })
	}
	return late, err
}
