package advisory

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/stella-ops/stella/advisory/cpe"
	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/purl"
	"github.com/stella-ops/stella/scan/sbom"
)

// PackageKey is one package as an index keeps it.
type PackageKey = finding.PackageKey

// MaxKeyName bounds the name of a key, in bytes. No advisory has a longer one, so
// a package with such a name is not asked about by it.
const MaxKeyName = 1024

// Keys returns, for each package of a document in its order, what a Matcher asks
// any view about it, and the fact from which it can be matched again. Whatever a
// view has: the ecosystem (without its release) and the name of every finding
// about a package are among its keys.
func Keys(doc *sbom.Document) []PackageKey {
	isOwned := owned(doc)
	out := make([]PackageKey, len(doc.Packages))
	for i := range doc.Packages {
		p := &doc.Packages[i]
		out[i].Package = p.ID
		if notPackage(p) {
			continue
		}
		keys := packageKeys(p, doc.Subject.OS)
		if len(keys) == 0 {
			continue
		}
		text, err := factOf(p, doc.Subject.OS, isOwned[p.ID]).encode()
		if err != nil {
			continue // of strings alone: it cannot fail
		}
		out[i].Keys, out[i].Fact = keys, text
	}
	return out
}

func packageKeys(p *sbom.Package, os *sbom.OS) []finding.Key {
	var keys []finding.Key
	add := func(ecosystem, name string) {
		k := finding.Key{Ecosystem: ecosystem, Name: name}
		if name != "" && len(name) <= MaxKeyName && !slices.Contains(keys, k) {
			keys = append(keys, k)
		}
	}
	base, by := "", byPURL
	if isSystemType(p.PURL.Type) {
		name, naming, matches := systemOf(systemKey(p), os).ecosystems()
		if matches != nil {
			base, by = BaseEcosystem(name), naming
		}
	} else {
		base = languageEcosystem(p.PURL.Type)
	}
	if base != "" {
		var list [2]query
		for _, q := range queriesFor(by, base, p, list[:0]) {
			add(base, q.name)
		}
	}
	for _, c := range p.CPEs {
		if name, err := cpe.Parse(c); err == nil {
			add("CPE", name.Key())
		}
	}
	slices.SortFunc(keys, func(a, b finding.Key) int {
		return cmp.Or(strings.Compare(a.Ecosystem, b.Ecosystem), strings.Compare(a.Name, b.Name))
	})
	return keys
}

// BaseEcosystem cuts the release off an ecosystem's name: "Debian" of
// "Debian:12".
func BaseEcosystem(ecosystem string) string {
	base, _, _ := strings.Cut(ecosystem, ":")
	return base
}

// fact is all that matching reads of a package and its document.
type fact struct {
	PURL            string   `json:"p,omitempty"`
	Name            string   `json:"n,omitempty"`
	Version         string   `json:"v,omitempty"`
	Type            string   `json:"t,omitempty"`
	Upstream        *string  `json:"u,omitzero"`
	UpstreamVersion string   `json:"w,omitempty"`
	Arch            string   `json:"a,omitempty"`
	Modularity      string   `json:"m,omitempty"`
	CPEs            []string `json:"c,omitempty"`
	Owned           bool     `json:"o,omitzero"`
	OS              *factOS  `json:"s,omitempty"` // for packages of a system
}

type factOS struct {
	ID         string `json:"i,omitempty"`
	VersionID  string `json:"v,omitempty"`
	Codename   string `json:"c,omitempty"`
	PrettyName string `json:"p,omitempty"`
	CPE        string `json:"e,omitempty"`
}

func factOf(p *sbom.Package, os *sbom.OS, isOwned bool) *fact {
	f := &fact{PURL: p.PURL.String(), Name: p.Name, Version: p.Version, Type: p.Type, Arch: p.Arch, Modularity: modularity(p), CPEs: p.CPEs, Owned: isOwned}
	if p.Upstream != nil {
		f.Upstream, f.UpstreamVersion = &p.Upstream.Name, p.Upstream.Version
	}
	if os != nil && isSystemType(p.PURL.Type) {
		f.OS = &factOS{ID: os.ID, VersionID: os.VersionID, Codename: os.Codename, PrettyName: os.PrettyName, CPE: os.CPE}
	}
	return f
}

func (f *fact) encode() (string, error) {
	b, err := json.Marshal(f, json.Deterministic(true), jsontext.AllowInvalidUTF8(true))
	return string(b), err
}

// pkg makes a package that is matched as the one that the fact is of.
func (f *fact) pkg(id string) (sbom.Package, error) {
	p := sbom.Package{ID: id, Name: f.Name, Version: f.Version, Type: f.Type, Arch: f.Arch, CPEs: f.CPEs}
	if f.Upstream != nil {
		p.Upstream = &sbom.Upstream{Name: *f.Upstream, Version: f.UpstreamVersion}
	}
	if f.Modularity != "" {
		p.Properties = []sbom.Property{{Name: "rpm:modularitylabel", Value: f.Modularity}}
	}
	if f.PURL == "" {
		return p, nil
	}
	u, err := purl.Parse(f.PURL)
	if err != nil {
		return p, fmt.Errorf("%v: %w", err, fault.Invalid)
	}
	p.PURL = u
	return p, nil
}

// Recall makes documents of the facts of packages, one for each operating
// system: to match one is to match these packages wherever they are. A package's
// ID is the index of its fact, in decimal. A fact that cannot be read is an error
// that wraps ErrInvalid.
func Recall(facts []string) ([]*sbom.Document, error) {
	var docs []*sbom.Document
	byOS := map[factOS]*sbom.Document{}
	for i, text := range facts {
		var f fact
		err := json.Unmarshal([]byte(text), &f)
		var p sbom.Package
		if err == nil {
			p, err = f.pkg(strconv.Itoa(i))
		}
		if err != nil {
			return nil, fmt.Errorf("package fact %.200q: %v: %w", text, err, fault.Invalid)
		}
		var key factOS
		if f.OS != nil {
			key = *f.OS
		}
		d := byOS[key]
		if d == nil {
			d = &sbom.Document{}
			if f.OS != nil {
				d.Subject.OS = &sbom.OS{ID: key.ID, VersionID: key.VersionID, Codename: key.Codename, PrettyName: key.PrettyName, CPE: key.CPE}
			}
			byOS[key] = d
			docs = append(docs, d)
		}
		d.Packages = append(d.Packages, p)
		if f.Owned {
			d.Relationships = append(d.Relationships, sbom.Relationship{From: p.ID, To: p.ID, Kind: sbom.OwnedBy})
		}
	}
	return docs, nil
}
