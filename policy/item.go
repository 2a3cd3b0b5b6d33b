package policy

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/stella-ops/stella/scan/sbom"
)

// About is what a rule is asked about.
type About string

// What rules may be about.
const (
	AboutFinding About = ""       // each finding
	AboutSecret  About = "secret" // each secret that lies in the image
	AboutFile    About = "file"   // each file that no package accounts for
	AboutImage   About = "image"  // the image, once, also where nothing was found in it
)

// Abouts are all of them.
var Abouts = []About{AboutFinding, AboutSecret, AboutFile, AboutImage}

// Plural names what a rule is about, for people.
func (a About) Plural() string {
	if a == AboutFinding {
		return "findings"
	}
	return string(a) + "s"
}

// Item is what was decided about something that is no finding: a secret, a file that
// no package accounts for, or the image. There are items of a kind only where the
// policy has rules about it. One without a path says that nobody looked for things of
// its kind.
type Item struct {
	About   About   `json:"about"`
	Secret  string  `json:"secret,omitempty"` // id of the rule that found it
	Path    string  `json:"path,omitempty"`
	Line    int     `json:"line,omitzero"` // of a secret, from 1; 0 for none
	Outcome Outcome `json:"outcome"`
	// Gate is GateRules, GateEvidence, or GateNone.
	Gate     Gate     `json:"gate"`
	Rule     string   `json:"rule,omitempty"`
	Because  string   `json:"because,omitempty"`
	Warnings []string `json:"warnings,omitempty"`
	// Facts are those that rules about such things read, and Rules those that were
	// asked, as in a Decided.
	Facts map[string]jsontext.Value `json:"facts,omitempty"`
	Rules []AskedRule               `json:"rules,omitempty"`
}

// Title names the item for people, such as "secret aws-key in etc/app.env:3".
func (i *Item) Title() string {
	switch {
	case i.About == AboutImage:
		return "image"
	case i.Path == "" && i.Secret == "":
		return i.About.Plural()
	case i.About == AboutFile:
		return "file " + i.Path
	case i.Line > 0:
		return fmt.Sprintf("secret %s in %s:%d", i.Secret, i.Path, i.Line)
	}
	return "secret " + i.Secret + " in " + i.Path
}

// items decides about everything that rules are about beside findings.
func (r *run) items() {
	if r.engine.about[AboutImage] {
		r.item(&Item{About: AboutImage}, &packageFacts{layer: -1})
	}
	if r.engine.about[AboutSecret] {
		list := slices.Clone(r.in.Secrets)
		slices.SortFunc(list, func(a, b sbom.Secret) int {
			return cmp.Or(strings.Compare(a.Path, b.Path), cmp.Compare(a.Line, b.Line), strings.Compare(a.Rule, b.Rule), strings.Compare(a.Layer, b.Layer), removedLast(a, b))
		})
		for i := range list {
			s := &list[i]
			pkg := &packageFacts{known: true, layer: r.layerOf(s.Layer), paths: []string{s.Path}, removed: s.Removed}
			r.item(&Item{About: AboutSecret, Secret: s.Rule, Path: s.Path, Line: s.Line}, pkg)
		}
		r.unsought(AboutSecret, r.in.Looked.Secrets, "nobody looked for secrets")
	}
	if r.engine.about[AboutFile] {
		for _, i := range r.files {
			p := &r.in.Packages[i]
			pkg := &packageFacts{layer: -1}
			pkg.describe(p, r.layers)
			pkg.file(p)
			r.item(&Item{About: AboutFile, Path: p.Name}, pkg)
		}
		r.unsought(AboutFile, r.in.Looked.Programs, "nobody looked for files that no package accounts for")
	}
}

func removedLast(a, b sbom.Secret) int {
	switch {
	case a.Removed == b.Removed:
		return 0
	case b.Removed:
		return -1
	}
	return 1
}

// findFiles lists the packages that are files which no package accounts for, by path.
func (r *run) findFiles() {
	list := r.in.Packages
	for i := range list {
		if list[i].Type == sbom.TypeFile {
			r.files = append(r.files, i)
		}
	}
	slices.SortFunc(r.files, func(a, b int) int {
		return cmp.Or(strings.Compare(list[a].Name, list[b].Name), strings.Compare(list[a].ID, list[b].ID), a-b)
	})
}

func countFiles(list []sbom.Package) (n int) {
	for i := range list {
		if list[i].Type == sbom.TypeFile {
			n++
		}
	}
	return n
}

// layerOf returns the place of a layer, -1 where it is not known.
func (r *run) layerOf(diffID string) int {
	if n, ok := r.layers[diffID]; ok {
		return n
	}
	return -1
}

// file fills in what is known of a file that no package accounts for.
func (out *packageFacts) file(p *sbom.Package) {
	out.paths = []string{p.Name}
	for _, h := range p.Hashes {
		out.digests = append(out.digests, h.Algorithm+":"+h.Value)
	}
	for _, x := range p.Properties {
		switch x.Name {
		case "file:kind":
			out.kind = x.Value
		case "file:mode":
			out.mode = x.Value
		}
	}
}

// item decides about one item, and writes it down.
func (r *run) item(i *Item, pkg *packageFacts) {
	v := &evaluated{run: r, in: r.in, pkg: pkg, consensus: &silence, about: i.About, item: i}
	d := v.decide()
	r.itemDecided(v, &d)
}

// unsought says of a kind of items that nobody looked for them, where a rule hangs on
// them that restricts.
func (r *run) unsought(about About, looked bool, because string) {
	if looked || !slices.ContainsFunc(r.engine.policy.Rules, func(x Rule) bool { return x.About == about && x.Action.restricts() }) {
		return
	}
	v := &evaluated{run: r, in: r.in, consensus: &silence, about: about, item: &Item{About: about}}
	r.itemDecided(v, &decision{outcome: cmp.Or(r.gates.Evidence.Unknown, NotAssessed), gate: GateEvidence, because: because})
}

func (r *run) itemDecided(v *evaluated, d *decision) {
	*r.verdict.Counts.Items.of(d.outcome)++
	r.verdict.worsen(d.outcome, v.item.Title()+": "+d.because)
	r.trace.item(v, d)
}
