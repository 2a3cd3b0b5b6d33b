package scan

import (
	"path"
	"strings"

	"github.com/stella-ops/stella/scan/layer"
)

const maxHops = 40 // symbolic links followed for one path, as Linux does (ELOOP)

// links are the symbolic links that the squashed image shows.
type links map[string]string

// askLinks asks v about every symbolic link of the fragments.
func askLinks(v *visibility, fragments []*layer.Fragment) error {
	for _, f := range fragments {
		err := f.Entries.Visit(func(kind layer.EntryKind, name, _ []byte) bool {
			if kind == layer.EntrySymlink {
				v.ask(string(name))
			}
			return true
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// visibleLinks collects the links that no later layer hides.
func visibleLinks(v *visibility, fragments []*layer.Fragment) (links, error) {
	out := links{}
	for i, f := range fragments {
		err := f.Entries.Visit(func(kind layer.EntryKind, name, target []byte) bool {
			if kind != layer.EntrySymlink {
				return true
			}
			if p := string(name); !v.hidden(p, i) {
				out[p] = string(target)
			}
			return true
		})
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

// resolve follows links in every part of p, within the root. A cycle, or more
// than maxHops links, gives "".
func (l links) resolve(p string) string {
	if len(l) == 0 {
		return p
	}
	for hops := 0; ; hops++ {
		next, followed := l.step(p)
		if !followed {
			return p
		}
		if hops == maxHops {
			return ""
		}
		p = next
	}
}

// step follows the first link in p.
func (l links) step(p string) (string, bool) {
	for end := 0; end <= len(p); end++ {
		if end < len(p) && p[end] != '/' {
			continue
		}
		target, ok := l[p[:end]]
		if !ok {
			continue
		}
		rest := p[end:]
		if !strings.HasPrefix(target, "/") {
			target = path.Dir("/"+p[:end]) + "/" + target
		}
		return path.Clean("/" + target + rest)[1:], true
	}
	return p, false
}
