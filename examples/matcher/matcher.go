package matcher

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/advisory/osv"
	"github.com/stella-ops/stella/advisory/snapshot"
	"github.com/stella-ops/stella/scan/sbom"
)

// Feed is a folder of compiled advisories. It may be shared by processes: one refreshes it,
// the others keep what they have open until they open it again.
type Feed struct{ Dir string }

// Refresh compiles OSV records, in folders, archives or files, into the feed. What cannot be
// read of a record does not keep the others out; it is in the result.
func (f Feed) Refresh(ctx context.Context, records ...string) (*snapshot.Result, error) {
	return snapshot.Store{Dir: f.Dir}.Import(osv.Walk(ctx, nil, records...))
}

// Open opens what was compiled last. The caller closes it.
func (f Feed) Open() (*snapshot.Snapshot, error) { return snapshot.Store{Dir: f.Dir}.Open() }

// Affected is a package of the inventory that one vulnerability affects.
type Affected struct {
	PURL          string // as the inventory has it
	Vulnerability string
	Severity      string   // "" is unknown, which is not the same as low
	Fixed         []string // versions that repair it; none means that none is known
	Why           string   // in one line
}

// Answer is what is known about an inventory.
type Answer struct {
	Snapshot string     // digest of the advisories, "" for none: the same one gives the same answer
	Affected []Affected // by system, then in the order of matching
	Gaps     []string   // what was not assessed
}

// Match tells which package URLs are affected, as of a time: after it advisories are stale
// and distributions have no support any more. A package URL that cannot be read is an error.
func Match(ctx context.Context, view advisory.View, at time.Time, inventory []string) (*Answer, error) {
	matcher := advisory.Matcher{View: view, Options: advisory.Options{At: at}}
	documents, written, err := documents(inventory)
	if err != nil {
		return nil, err
	}
	answer := &Answer{}
	for _, doc := range documents {
		report, err := matcher.Match(ctx, doc)
		if err != nil {
			return nil, err
		}
		answer.Snapshot = report.Snapshot
		for _, f := range report.Findings {
			x, err := matcher.Explain(ctx, doc, f.Package, f.Vulnerability)
			if err != nil {
				return nil, err
			}
			answer.Affected = append(answer.Affected, Affected{
				PURL: written[f.Package], Vulnerability: f.Vulnerability, Severity: string(f.Severity), Fixed: f.Fixed, Why: x.Why,
			})
		}
		for _, g := range report.Gaps {
			answer.Gaps = append(answer.Gaps, g.Where+": "+g.What)
		}
	}
	return answer, nil
}

// Explain tells in full how one package and one vulnerability were decided about, also
// where the answer is no.
func Explain(ctx context.Context, view advisory.View, at time.Time, purl, vulnerability string) (string, error) {
	doc, err := advisory.PackageDocument(purl)
	if err != nil {
		return "", err
	}
	x, err := advisory.Matcher{View: view, Options: advisory.Options{At: at}}.Explain(ctx, doc, doc.Packages[0].ID, vulnerability)
	if err != nil {
		return "", err
	}
	var text bytes.Buffer
	err = x.WriteText(&text)
	return text.String(), err
}

// documents puts the inventory into one document for each system that its packages are of,
// in the order in which systems first occur: a document is about one system. written has
// each package URL as the inventory has it, by the ID of its package.
func documents(inventory []string) (list []*sbom.Document, written map[string]string, err error) {
	bySystem, written := map[string]*sbom.Document{}, map[string]string{}
	for i, url := range inventory {
		one, err := advisory.PackageDocument(strings.TrimSpace(url))
		if err != nil {
			return nil, nil, fmt.Errorf("entry %d of the inventory: %w", i+1, err)
		}
		p := one.Packages[0]
		if _, twice := written[p.ID]; twice {
			continue
		}
		written[p.ID] = url
		system := ""
		if one.Subject.OS != nil {
			system = one.Subject.OS.ID + "-" + one.Subject.OS.VersionID + one.Subject.OS.Codename
		}
		if bySystem[system] == nil {
			bySystem[system] = one
			list = append(list, one)
			continue
		}
		bySystem[system].Packages = append(bySystem[system].Packages, p)
	}
	for _, doc := range list {
		doc.Normalize()
	}
	return list, written, nil
}
