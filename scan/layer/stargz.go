package layer

import (
	"encoding/json"
	"fmt"
	"io"
	"path"
	"strings"

	"github.com/stella-ops/stella/internal/fault"
)

const (
	tocName = "stargz.index.json" // eStargz spec, "TOC"
	maxTOC  = 256 << 20           // bytes
)

// tocEntry is one entry of the table of contents of an eStargz layer.
type tocEntry struct {
	Name string `json:"name"`
	Type string `json:"type"`
}

var tocKinds = map[string]EntryKind{
	"reg": EntryFile, "dir": EntryDir, "symlink": EntrySymlink, "hardlink": EntryHardlink,
	"char": EntryOther, "block": EntryOther, "fifo": EntryOther,
}

// readTOC reads the table of contents that lazy-pulling runtimes use instead
// of the tar.
func readTOC(r io.Reader, size int64) (map[string]EntryKind, error) {
	if size > maxTOC {
		return nil, &fault.LimitError{What: "bytes of a table of contents", Where: tocName, Max: maxTOC, Seen: size}
	}
	var toc struct {
		Entries []tocEntry `json:"entries"`
	}
	if err := json.NewDecoder(r).Decode(&toc); err != nil {
		return nil, fmt.Errorf("%s: %v: %w", tocName, err, fault.Invalid)
	}
	out := make(map[string]EntryKind, len(toc.Entries))
	for _, e := range toc.Entries {
		name, _ := cleanPath(e.Name)
		whiteout := strings.HasPrefix(path.Base(name), ".wh.") // not an entry
		if kind, ok := tocKinds[e.Type]; ok && name != "" && !whiteout {
			out[name] = kind
		}
	}
	return out, nil
}

// checkTOC refuses a layer whose table of contents names other files than its
// tar: a runtime that trusts the table would run what no scanner saw. Content
// is not compared: the table's own digests bind it to the verified blob.
func (p *pass) checkTOC() error {
	if p.toc == nil {
		return nil
	}
	left := len(p.toc)
	for e := range p.frag.Entries.All() {
		if e.Path == tocName {
			continue
		}
		kind, listed := p.toc[e.Path]
		if kind == 0 && listed {
			continue // a repeated path, counted already
		}
		if !listed && e.Kind == EntryDir {
			continue // folders may be implied
		}
		if !listed || kind != e.Kind {
			return fmt.Errorf("%q: the tar has it as %q, the table of contents (%s) as %q: %w", e.Path, e.Kind, tocName, kind, fault.Mismatch)
		}
		p.toc[e.Path] = 0
		left--
	}
	if left == 0 {
		return nil
	}
	for _, name := range sortedKeys(p.toc) {
		if p.toc[name] != 0 && p.toc[name] != EntryDir {
			return fmt.Errorf("%q: the table of contents (%s) has it, the tar has not: %w", name, tocName, fault.Mismatch)
		}
	}
	return nil
}
