package vendored

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/analyzer/internal/locked"
	"github.com/stella-ops/stella/scan/sbom"
)

// ofSystem is the key of the fact that tells how many packages of an operating system a
// document names.
const ofSystem = "operating system packages"

// testimony turns a document, which must be normalised, into facts.
func testimony(d *sbom.Document, name string) ([]analyzer.Fact, error) {
	t := teller{format: name, at: map[string]int{}}
	if p := d.Subject.Package; p != nil && !p.PURL.IsZero() && !isImage(p) {
		whole := *p
		whole.ID, whole.Name, whole.Version = d.Subject.ID, cmp.Or(p.Name, d.Subject.Name), cmp.Or(p.Version, d.Subject.Version)
		t.add(&whole)
	}
	for i := range d.Packages {
		t.add(&d.Packages[i])
	}
	t.relate(d.Relationships)
	for _, g := range d.Gaps {
		if g.Code != sbom.GapOddity {
			t.odd(fmt.Errorf("%.200s: %.200s (%s): %w", g.Where, g.What, g.Code, fault.Invalid))
		}
	}
	if t.system > 0 {
		t.facts = append(t.facts, analyzer.Fact{Kind: analyzer.KindPart, Key: ofSystem, Package: &sbom.Package{Name: ofSystem, Version: strconv.Itoa(t.system)}})
	}
	return t.facts, t.err
}

type teller struct {
	format string
	facts  []analyzer.Fact
	at     map[string]int // fact of an identifier
	system int            // packages that belong to an operating system
	err    error
}

func (t *teller) odd(err error) { t.err = cmp.Or(t.err, err) }

// add takes up a package, with what the model says of a package itself and nothing that the
// document alone gives a meaning to.
func (t *teller) add(p *sbom.Package) {
	switch {
	case p.Name == "" || p.Type == "file" || p.Type == "operating-system" || isImage(p):
		return
	case isSystem(p.PURL.Type):
		t.system++
		return
	case len(t.facts) >= locked.MaxEntries:
		t.odd(&fault.LimitError{What: "packages of an SBOM document", Where: p.Name, Max: locked.MaxEntries, Seen: locked.MaxEntries + 1})
		return
	}
	if _, again := t.at[p.ID]; again {
		return // the subject, which some formats also list
	}
	t.at[p.ID] = len(t.facts)
	t.facts = append(t.facts, analyzer.Fact{Kind: analyzer.KindPackage, Key: p.ID, Package: &sbom.Package{
		Type: p.Type, Name: p.Name, Version: p.Version, PURL: p.PURL, State: p.State, Scope: p.Scope,
		Licenses: p.Licenses, Hashes: p.Hashes, CPEs: p.CPEs, Description: p.Description, Supplier: p.Supplier,
		Originator: p.Originator, Homepage: p.Homepage, Download: p.Download, Copyright: p.Copyright,
		Properties: []sbom.Property{{Name: "vendored:format", Value: t.format}},
	}})
}

// isImage reports whether a package is a container image: that around the document.
func isImage(p *sbom.Package) bool {
	return p.Type == "container" || p.PURL.Type == "oci" || p.PURL.Type == "docker"
}

func isSystem(purlType string) bool {
	switch purlType {
	case "deb", "rpm", "apk", "alpm", "opkg", "ebuild":
		return true
	}
	return false
}

// relate adds dependencies, and to each package the first one that contains it. Who owns
// files is not for a document to say.
func (t *teller) relate(list []sbom.Relationship) {
	edges := 0
	for _, r := range list {
		from, ok1 := t.at[r.From]
		to, ok2 := t.at[r.To]
		if !ok1 || !ok2 || from == to {
			continue
		}
		if edges++; edges > locked.MaxEdges {
			t.odd(&fault.LimitError{What: "relationships of an SBOM document", Where: r.From, Max: locked.MaxEdges, Seen: int64(edges)})
			break
		}
		switch f := &t.facts[to]; {
		case r.Kind == sbom.DependsOn:
			t.facts[from].DependsOn = append(t.facts[from].DependsOn, r.To)
		case r.Kind == sbom.Contains && f.Parent == "":
			f.Parent = r.From
		}
	}
	for i := range t.facts {
		f := &t.facts[i]
		slices.Sort(f.DependsOn)
		f.DependsOn = slices.Compact(f.DependsOn)
	}
	t.uncircle()
}

// uncircle takes packages that contain themselves, by way of others, out of what contains
// them.
func (t *teller) uncircle() {
	const unseen, onWay, done = 0, 1, 2
	state := make([]int8, len(t.facts))
	for i := range t.facts {
		var way []int
		for at := i; state[at] == unseen; {
			state[at] = onWay
			way = append(way, at)
			parent, ok := t.at[t.facts[at].Parent]
			if t.facts[at].Parent == "" || !ok {
				break
			}
			if state[parent] == onWay {
				t.facts[at].Parent = ""
				break
			}
			at = parent
		}
		for _, at := range way {
			state[at] = done
		}
	}
}
