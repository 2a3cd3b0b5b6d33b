package hackage

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/analyzer/internal/locked"
	"github.com/stella-ops/stella/scan/analyzer/internal/yamltree"
	"github.com/stella-ops/stella/scan/sbom"
)

// readStack reads a stack.yaml.lock (https://docs.haskellstack.org/en/stable/topics/lock_files/):
// of each addition what was asked for ("original") and what that came to ("completed").
func readStack(data []byte) ([]analyzer.Fact, error) {
	t, err := yamltree.Read(data)
	if err != nil {
		return nil, err
	}
	var f locked.File
	var parts []analyzer.Fact
	seen := map[string]bool{}
	for _, root := range t.Docs {
		for _, item := range items(t, root, "packages") {
			at := t.Child(item, "completed")
			if at < 0 {
				f.Odd(fmt.Errorf("line %d: a package without \"completed\": %w", t.Nodes[item].Line, fault.Invalid))
				continue
			}
			e, err := addition(t, at)
			if err != nil {
				f.Odd(fmt.Errorf("line %d: %w", t.Nodes[at].Line, err))
				continue
			}
			f.Put(e)
		}
		for _, item := range items(t, root, "snapshots") {
			name := snapshot(t, item)
			if name != "" && !seen[name] && len(seen) < maxSnapshots {
				seen[name] = true
				parts = append(parts, analyzer.Fact{Kind: analyzer.KindPart, Key: name})
			}
		}
	}
	facts, err := f.Facts(nil)
	return append(facts, parts...), err
}

// maxSnapshots bounds the layers of snapshots that one file names; there are one or two.
const maxSnapshots = 100

// items returns the nodes of a list under a key.
func items(t *yamltree.Tree, root int, key string) (out []int) {
	if list := t.Child(root, key); list >= 0 && t.Nodes[list].Kind == yamltree.List {
		for c := range t.Children(list) {
			out = append(out, c)
		}
	}
	return out
}

// addition makes an entry of what a package came to: one of Hackage, of a repository or an
// archive.
func addition(t *yamltree.Tree, at int) (locked.Entry, error) {
	if text := t.Text(at, "hackage"); text != "" {
		name, rest, _ := strings.Cut(text, "@")
		i := strings.LastIndexByte(name, '-')
		if i <= 0 || strings.Trim(name[i+1:], digits+".") != "" || name[i+1:] == "" {
			return locked.Entry{}, fmt.Errorf("%.80q is not a package of Hackage: %w", text, fault.Invalid)
		}
		e := locked.Entry{Package: pack(name[:i], name[i+1:])}
		if sum, _, _ := strings.Cut(rest, ","); strings.HasPrefix(sum, "sha256:") || strings.HasPrefix(sum, "rev:") {
			e.Package.Properties = []sbom.Property{{Name: "hackage:cabal-file", Value: sum}}
		}
		return e, nil
	}
	e := locked.Entry{Package: sbom.Package{Name: t.Text(at, "name"), Version: t.Text(at, "version")}}
	if e.Package.Name == "" {
		return e, fmt.Errorf("a package without a name: %w", fault.Invalid)
	}
	u := locked.URL("hackage", "", e.Package.Name, e.Package.Version)
	for _, vcs := range []string{"git", "hg"} {
		if from := t.Text(at, vcs); from != "" {
			address := locked.VCS(vcs, from, t.Text(at, "commit"))
			if address == "" {
				return folder(e, from), nil
			}
			e.Package.Download = address
			if !u.IsZero() {
				e.Package.PURL = u.With("vcs_url", address)
			}
			return e, nil
		}
	}
	from := cmp.Or(t.Text(at, "url"), t.Text(at, "archive"))
	if !strings.Contains(from, "://") {
		return folder(e, from), nil
	}
	from = locked.Anonymous(from)
	e.Package.Download = from
	e.Package.Hashes = locked.Hex("sha256", t.Text(at, "sha256"))
	if !u.IsZero() {
		e.Package.PURL = u.With("download_url", from)
	}
	return e, nil
}

// folder notes where a package is that comes from the machine itself.
func folder(e locked.Entry, from string) locked.Entry {
	e.Package.Properties = []sbom.Property{{Name: "hackage:source", Value: from}}
	return e
}

// snapshot names a snapshot: "lts-20.11", or the address of one.
func snapshot(t *yamltree.Tree, item int) string {
	name := t.Text(item, "original")
	if at := t.Child(item, "original"); at >= 0 && name == "" {
		name = cmp.Or(t.Text(at, "url"), t.Text(at, "filepath"), t.Text(at, "compiler"), t.Text(at, "resolver"))
	}
	if at := t.Child(item, "completed"); at >= 0 {
		name = cmp.Or(name, t.Text(at, "url"))
	}
	return locked.Anonymous(name)
}
