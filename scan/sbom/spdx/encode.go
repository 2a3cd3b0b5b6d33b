package spdx

import (
	"bufio"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/stella-ops/stella/scan/purl"
	"github.com/stella-ops/stella/scan/sbom"
)

// Encode writes d to w in the form opt asks for and returns what that form cannot
// carry, sorted. d must be normalised ([sbom.Document.Normalize]); it is not
// changed. Equal documents give equal bytes: without a namespace of its own a
// document gets one made of the SHA-256 of its content, leaving out Source, so
// that removing Source changes nothing else.
//
// An error wraps "invalid input" where d is not normalised, its Foreign["spdx"] is
// not what Decode made or opt.Created is no time, "unsupported" for an unknown
// version, or is that of w. Only the last comes after anything was written.
func Encode(w io.Writer, d *sbom.Document, opt *EncodeOptions) ([]sbom.Loss, error) {
	if opt == nil {
		opt = &EncodeOptions{}
	}
	version, err := checkOptions(opt)
	if err != nil {
		return nil, err
	}
	losses := otherFamilies(d)
	d, repaired := valid(d)
	losses = append(losses, repaired...)
	doc, more, err := finish(d, version, opt)
	if err != nil {
		return nil, err
	}
	losses = append(losses, more...)
	switch {
	case version == Version301:
		more, err = writeJSONLD(w, doc, opt.Indent)
	case opt.TagValue:
		more, err = writeTagValue(w, doc)
	default:
		more, err = nil, writeJSON(w, doc, opt.Indent)
	}
	if err != nil {
		return nil, err
	}
	losses = append(losses, more...)
	slices.SortFunc(losses, func(a, b sbom.Loss) int {
		return cmp.Or(strings.Compare(a.Where, b.Where), strings.Compare(a.What, b.What))
	})
	return slices.Compact(losses), nil
}

// otherFamilies lists the members of other formats that d holds.
func otherFamilies(d *sbom.Document) []sbom.Loss {
	losses := d.Foreign.Losses("document", Family)
	if d.Subject.Package != nil {
		losses = append(losses, d.Subject.Package.Foreign.Losses(d.Subject.ID, Family)...)
	}
	for i := range d.Packages {
		losses = append(losses, d.Packages[i].Foreign.Losses(d.Packages[i].ID, Family)...)
	}
	return losses
}

// finish turns d into a whole document of version 2.2 or 2.3 with our
// annotations, sorted, with a namespace. For version 3.0.1 it is that of 2.3.
func finish(d *sbom.Document, version string, opt *EncodeOptions) (*document, []sbom.Loss, error) {
	w, losses, err := build(d)
	if err != nil {
		return nil, nil, err
	}
	from := w.version()
	if version == Version22 {
		losses = append(losses, conform(w, Version22)...)
		if from != Version22 {
			complete(w)
		}
	} else {
		losses = append(losses, conform(w, Version23)...)
	}
	if opt.TagValue {
		losses = append(losses, tagSafe(w)...)
	}
	more, err := extend(w, d, created(w, opt))
	if err != nil {
		return nil, nil, err
	}
	losses = append(losses, more...)
	sortElements(w)
	w.SPDXVersion = new("SPDX-" + version)
	if text(w.Namespace) == "" {
		err = deriveNamespace(w)
	}
	return w, losses, err
}

// created fills in the time of creation where there is none, and returns it.
func created(w *document, opt *EncodeOptions) string {
	if w.CreationInfo == nil {
		return cmp.Or(opt.Created, epoch)
	}
	if text(w.CreationInfo.Created) == "" {
		c := *w.CreationInfo
		c.Created = new(cmp.Or(opt.Created, epoch))
		w.CreationInfo = &c
	}
	return *w.CreationInfo.Created
}

// extend adds annotations for what reading w would not give back, and returns
// what even they cannot carry. The packages of w must be as build left them.
func extend(w *document, d *sbom.Document, date string) ([]sbom.Loss, error) {
	r := interpret(w)
	var losses []sbom.Loss
	for i := range d.Packages {
		want, got := d.Packages[i], &r.doc.Packages[i]
		losses = append(losses, checkPURL(&want, got, want.ID)...)
		patch, err := difference(&want, got, outsidePackage)
		if err != nil {
			return nil, err
		}
		if err := attach(&w.Packages[i], extension{Package: patch}, date); err != nil {
			return nil, err
		}
	}
	for i := len(d.Packages); i < len(w.Packages); i++ {
		if e := &w.Packages[i]; e.ext != nil { // the distribution
			if err := attach(e, *e.ext, date); err != nil {
				return nil, err
			}
		}
	}
	more, err := extendDocument(w, d, r, date)
	return append(losses, append(more, lostRelationships(d, r.doc)...)...), err
}

// extendDocument adds the annotations of the document and its subject.
func extendDocument(w *document, d *sbom.Document, r *reading, date string) ([]sbom.Loss, error) {
	var losses []sbom.Loss
	var x extension
	var err error
	if x.Document, err = difference(d, r.doc, outsideDocument); err != nil {
		return nil, err
	}
	outside := []string{"package"}
	want, got := subjectPackage(d), subjectPackage(r.doc)
	losses = append(losses, checkPURL(&want, &got, d.Subject.ID)...)
	subject := d.Subject
	switch {
	case r.root < 0 || want.ID != "" || want.Name != "" || want.Version != "":
		if !reflect.DeepEqual(want, got) {
			outside, subject.Package = nil, &want
		}
	default:
		patch, err := difference(&want, &got, outsidePackage)
		if err != nil {
			return nil, err
		}
		if err := attach(&w.Packages[r.root], extension{Package: patch}, date); err != nil {
			return nil, err
		}
	}
	if x.Subject, err = difference(&subject, &r.doc.Subject, outside); err != nil {
		return nil, err
	}
	known := make(map[sbom.Gap]bool, len(r.doc.Gaps))
	for _, g := range r.doc.Gaps {
		known[g] = true
	}
	list := []extension{x, {Composition: d.Composition}}
	for i := range d.Secrets {
		list = append(list, extension{Secret: &d.Secrets[i]})
	}
	for i := range d.Gaps {
		if !known[d.Gaps[i]] {
			list = append(list, extension{Gap: &d.Gaps[i]})
		}
	}
	list = append(list, extension{Source: d.Source})
	w.Annotations = slices.Clip(w.Annotations)
	for _, x := range list {
		if !reflect.ValueOf(x).IsZero() {
			a, err := annotate(x, date)
			if err != nil {
				return nil, err
			}
			w.Annotations = append(w.Annotations, a)
		}
	}
	return losses, nil
}

// subjectPackage returns the subject's package without foreign members.
func subjectPackage(d *sbom.Document) sbom.Package {
	if d.Subject.Package == nil {
		return sbom.Package{}
	}
	p := *d.Subject.Package
	p.Foreign = nil
	return p
}

// attach adds an annotation of ours to a package.
func attach(e *packageElement, x extension, date string) error {
	if reflect.ValueOf(x).IsZero() {
		return nil
	}
	a, err := annotate(x, date)
	e.Annotations = append(slices.Clip(e.Annotations), a)
	return err
}

// checkPURL drops a package URL that does not survive being written.
func checkPURL(want, got *sbom.Package, where string) []sbom.Loss {
	s := want.PURL.String()
	if s == got.PURL.String() {
		want.PURL = got.PURL // the same but for empty lists
		return nil
	}
	if u, err := purl.Parse(s); s == "" || err == nil && u.String() == s {
		return nil
	}
	want.PURL = got.PURL
	return []sbom.Loss{{Where: where, What: fmt.Sprintf("the package URL %q: it is not a valid one", s)}}
}

// lostRelationships lists the relationships of d that got lacks. The packages of
// both are in the same order; identifiers may differ, annotations restore them.
func lostRelationships(d, got *sbom.Document) []sbom.Loss {
	ids := map[string]string{got.Subject.ID: d.Subject.ID}
	for i := range d.Packages {
		ids[got.Packages[i].ID] = d.Packages[i].ID
	}
	has := make(map[sbom.Relationship]bool, len(got.Relationships))
	for _, r := range got.Relationships {
		has[sbom.Relationship{From: ids[r.From], Kind: r.Kind, To: ids[r.To]}] = true
	}
	var losses []sbom.Loss
	for _, r := range d.Relationships {
		if !has[r] {
			losses = append(losses, sbom.Loss{Where: "relationship " + r.From + " " + string(r.Kind) + " " + r.To,
				What: "the relationship: an end of it does not exist, or SPDX has no such kind"})
		}
	}
	return losses
}

// deriveNamespace makes a namespace of the content.
func deriveNamespace(w *document) error {
	content := *w
	content.Namespace = nil
	if n := len(content.Annotations); n > 0 && strings.HasPrefix(content.Annotations[n-1].Comment, `{"source":`) &&
		content.Annotations[n-1].Annotator == annotator {
		content.Annotations = content.Annotations[:n-1]
	}
	if len(content.Annotations) == 0 {
		content.Annotations = nil
	}
	h := sha256.New()
	if err := json.MarshalWrite(h, &content, json.Deterministic(true)); err != nil {
		return fmt.Errorf("encode SPDX: %w", err)
	}
	w.Namespace = new(namespacePrefix + hex.EncodeToString(h.Sum(nil)))
	return nil
}

// writeJSON writes the JSON form.
func writeJSON(out io.Writer, v any, indent bool) error {
	opts := []json.Options{json.Deterministic(true)}
	if indent {
		opts = append(opts, jsontext.WithIndent("  "))
	}
	bw := bufio.NewWriterSize(out, 64<<10)
	err := json.MarshalWrite(bw, v, opts...)
	if err == nil {
		err = bw.WriteByte('\n')
	}
	if err == nil {
		err = bw.Flush()
	}
	if err != nil {
		return fmt.Errorf("encode SPDX: %w", err)
	}
	return nil
}
