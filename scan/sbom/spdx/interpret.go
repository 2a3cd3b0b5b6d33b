package spdx

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/stella-ops/stella/scan/sbom"
	"github.com/stella-ops/stella/scan/sbom/license"
)

// namespacePrefix starts the namespaces that are derived from content.
const namespacePrefix = "https://github.com/stella-ops/stella/spdx/"

// selfID is the ID of a subject that is the document itself.
const selfID = "DOCUMENT"

// interpreter turns wire elements into the model.
type interpreter struct {
	w        *document
	licenses map[string]string // names of extracted licences by their reference
	root     int               // index of the package that is the subject, or -1
	ids      map[string]string // model IDs by SPDXID, of packages and the subject
	missing  []string          // references that lead nowhere, each once, sorted
	gaps     []sbom.Gap
	unsaid   int // notes beyond maxNotes
}

// reading is what a document was understood as.
type reading struct {
	doc     *sbom.Document
	root    int      // index of the package that is the subject, or -1
	missing []string // references that lead nowhere, each once, sorted
}

// interpret returns what a document means, without what the model has no place
// for. It is a pure function of w. The packages of the model are in the order of
// those of w.
func interpret(w *document) *reading {
	in := &interpreter{w: w, licenses: licenseNames(w), ids: make(map[string]string, len(w.Packages)+1)}
	for _, n := range w.notes {
		in.note(n.where, "%s", n.what)
	}
	in.root = in.findRoot()
	d := &sbom.Document{Namespace: readNamespace(w.Namespace), Name: text(w.Name), Packages: make([]sbom.Package, 0, len(w.Packages))}
	if w.CreationInfo == nil {
		in.note("document", "creationInfo is missing")
	} else {
		d.Created = in.time(w.CreationInfo.Created)
		d.Tools = tools(w.CreationInfo.Creators)
	}
	in.packages(d)
	if in.root < 0 {
		d.Subject = sbom.Subject{ID: selfID, Kind: sbom.SubjectOther, Name: d.Name}
		in.ids[text(w.SPDXID)] = selfID
	}
	if d.Subject.OS == nil {
		d.Subject.OS = distribution(w)
	}
	if d.Name == d.Subject.Name {
		d.Name = ""
	}
	in.applyExtension(d)
	in.relationships(d)
	in.references()
	in.finishNotes()
	d.Gaps = append(d.Gaps, in.gaps...)
	return &reading{doc: d, root: in.root, missing: in.missing}
}

// packages reads the packages into the document, the root into its subject and
// an operating system package of ours into the subject's OS.
func (in *interpreter) packages(d *sbom.Document) {
	taken := map[string]bool{selfID: true}
	for i := range in.w.Packages {
		e := &in.w.Packages[i]
		if isOurOS(e) && i != in.root {
			d.Subject.OS = e.ext.OS
			continue
		}
		p := in.pkg(e)
		if e.ext != nil && i != in.root {
			_ = amend(&p, e.ext.Package, outsidePackage) // was tried when it was read: it fits
		}
		for taken[p.ID] {
			in.note(e.SPDXID, "another element has the same identifier %q", p.ID)
			p.ID = "SPDXID:" + p.ID
		}
		taken[p.ID] = true
		in.ids[e.SPDXID] = p.ID
		if i == in.root {
			os := d.Subject.OS
			d.Subject = in.subject(p)
			d.Subject.OS = os
			continue
		}
		d.Packages = append(d.Packages, p)
	}
}

// subject reads the package that the document describes.
func (in *interpreter) subject(p sbom.Package) sbom.Subject {
	s := sbom.Subject{ID: p.ID, Kind: sbom.SubjectOther, Name: p.Name, Version: p.Version}
	if p.Type == "container" || p.PURL.Type == "oci" || p.PURL.Type == "docker" {
		s.Kind = sbom.SubjectImage
	}
	if p.Type == "container" {
		p.Type = ""
	}
	imageFacts(&s, &in.w.Packages[in.root])
	p.ID, p.Name, p.Version = "", "", ""
	if x := in.w.Packages[in.root].ext; x != nil {
		_ = amend(&p, x.Package, outsidePackage) // as above
	}
	if !reflect.ValueOf(p).IsZero() {
		s.Package = &p
	}
	return s
}

// applyExtension applies what our annotations of the document say.
func (in *interpreter) applyExtension(d *sbom.Document) {
	x := in.w.ext
	if x == nil {
		return
	}
	subject := d.Subject.ID
	// The patches were tried when they were read: they fit.
	_ = amend(d, x.Document, outsideDocument)
	_ = amend(&d.Subject, x.Subject, outsideSubject)
	for spdxID, id := range in.ids {
		if id == subject && id != d.Subject.ID {
			in.ids[spdxID] = d.Subject.ID
		}
	}
	d.Source, d.Composition, d.Secrets, d.Gaps = x.Source, x.Composition, x.secrets, x.gaps
}

// findRoot returns the index of the only package that the document describes, or
// -1 where it describes none, several or something else.
func (in *interpreter) findRoot() int {
	self := text(in.w.SPDXID)
	described := slices.Clone(in.w.Describes)
	for _, r := range in.w.Relationships {
		switch {
		case r.Type == "DESCRIBES" && r.From == self:
			described = append(described, r.To)
		case r.Type == "DESCRIBED_BY" && r.To == self:
			described = append(described, r.From)
		}
	}
	slices.Sort(described)
	described = slices.Compact(described)
	if len(described) != 1 {
		return -1
	}
	return slices.IndexFunc(in.w.Packages, func(p packageElement) bool { return p.SPDXID == described[0] })
}

// note records a tolerated irregularity.
func (in *interpreter) note(where, format string, args ...any) {
	in.gap(sbom.Gap{Code: sbom.GapOddity, Where: where, What: fmt.Sprintf(format, args...)})
}

func (in *interpreter) gap(g sbom.Gap) {
	if len(in.gaps) >= maxNotes && !g.Blocking {
		in.unsaid++
		return
	}
	in.gaps = append(in.gaps, g)
}

func (in *interpreter) finishNotes() {
	if in.unsaid > 0 {
		in.gaps = append(in.gaps, sbom.Gap{Code: sbom.GapOddity, Where: "document", What: fmt.Sprintf("%d more irregularities", in.unsaid)})
	}
}

// time reads a time of creation. SPDX wants UTC with seconds; fractions and other
// zones occur.
func (in *interpreter) time(p *string) string {
	if p == nil {
		return ""
	}
	t, err := time.Parse(time.RFC3339, *p)
	if err != nil || t.UTC().Year() < 0 || t.UTC().Year() > 9999 {
		in.note("document", "created %.40q is not a time", *p)
		return ""
	}
	return t.UTC().Format("2006-01-02T15:04:05Z")
}

// licenseNames returns the names of the extracted licences that have one.
func licenseNames(w *document) map[string]string {
	names := make(map[string]string, len(w.Licenses))
	for _, l := range w.Licenses {
		if name := asserted(l.Name); name != "" {
			names[l.ID] = name
		}
	}
	return names
}

// licenses reads one licence member of a package. A reference that stands alone
// is the name it stands for; what is no expression is a name as it is.
func (in *interpreter) license(p *string, kind sbom.LicenseKind) []sbom.License {
	s := strings.TrimSpace(asserted(p))
	switch {
	case s == "":
		return nil
	case in.licenses[s] != "":
		return []sbom.License{{Kind: kind, Name: in.licenses[s]}}
	case license.Valid(s):
		return []sbom.License{{Kind: kind, Expression: s}}
	}
	return []sbom.License{{Kind: kind, Name: s}}
}
