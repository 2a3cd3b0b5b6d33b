package spdx

import (
	"fmt"
	"slices"
	"strings"

	"github.com/stella-ops/stella/internal/fault"
)

// documentID is the identifier that the specification gives every document.
const documentID = "SPDXRef-DOCUMENT"

// check refuses documents that cannot be understood: of another version, with
// elements that have no identifier or share one, with relationships that name
// nothing. form decides how places are named.
func check(w *document, form form) error {
	if err := checkVersion(w); err != nil {
		return err
	}
	if text(w.SPDXID) == "" {
		w.notes = append(w.notes, note{"document", "SPDXID is missing"})
		id := documentID
		w.SPDXID = &id
	}
	ownIdentifier(w)
	seen := make(map[string]string, len(w.Packages)+len(w.Files))
	seen[*w.SPDXID] = "the document"
	place := func(list string, i, line int) string {
		if form == formTagValue {
			return fmt.Sprintf("line %d", line)
		}
		return fmt.Sprintf("/%s/%d", list, i)
	}
	unique := func(id, where string) error {
		if id == "" {
			return invalid(where, "the element has no SPDXID")
		}
		if first, taken := seen[id]; taken {
			return invalid(where, "SPDXID %q is already that of %s", id, first)
		}
		seen[id] = where
		return nil
	}
	for i := range w.Packages {
		if err := unique(w.Packages[i].SPDXID, place("packages", i, w.Packages[i].line)); err != nil {
			return err
		}
	}
	for i := range w.Files {
		if err := unique(w.Files[i].SPDXID, place("files", i, w.Files[i].line)); err != nil {
			return err
		}
	}
	for i := range w.Snippets {
		if err := unique(w.Snippets[i].SPDXID, place("snippets", i, w.Snippets[i].line)); err != nil {
			return err
		}
	}
	for i := range w.Licenses {
		if w.Licenses[i].ID == "" {
			return invalid(place("hasExtractedLicensingInfos", i, w.Licenses[i].line), "the licence has no identifier")
		}
	}
	for i, r := range w.Relationships {
		if r.From == "" || r.Type == "" || r.To == "" {
			return invalid(place("relationships", i, 0), "the relationship does not name two elements and a type")
		}
	}
	return nil
}

// ownIdentifier gives a document that shares its identifier with one of its packages
// the one that the specification gives every document (2.3, clause 6.3), and notes
// it: Bitnami gives the document that of the application it describes. Only documents
// describe, so that in DESCRIBES the shared identifier means the document, and
// everywhere else the package.
func ownIdentifier(w *document) {
	id := *w.SPDXID
	if id == documentID || !slices.ContainsFunc(w.Packages, func(p packageElement) bool { return p.SPDXID == id }) {
		return
	}
	w.notes = append(w.notes, note{"document", fmt.Sprintf("SPDXID %.100q is also that of a package: the document is taken for %s", id, documentID)})
	w.SPDXID = new(documentID)
	for i := range w.Relationships {
		switch r := &w.Relationships[i]; {
		case r.Type == "DESCRIBES" && r.From == id:
			r.From = documentID
		case r.Type == "DESCRIBED_BY" && r.To == id:
			r.To = documentID
		}
	}
}

// forgetLines removes the line numbers that check needed, so that elements compare
// equal wherever they were read.
func forgetLines(w *document) {
	for i := range w.Packages {
		w.Packages[i].line = 0
	}
	for i := range w.Files {
		w.Files[i].line = 0
	}
	for i := range w.Snippets {
		w.Snippets[i].line = 0
	}
	for i := range w.Licenses {
		w.Licenses[i].line = 0
	}
}

func checkVersion(w *document) error {
	switch v := text(w.SPDXVersion); {
	case w.SPDXVersion == nil:
		return fmt.Errorf("no spdxVersion: %w", fault.Invalid)
	case v == "SPDX-"+Version22 || v == "SPDX-"+Version23:
		return nil
	case strings.HasPrefix(v, "SPDX-"):
		return fmt.Errorf("version %.20q is not read, only 2.2 and 2.3 are: %w", v, fault.Unsupported)
	default:
		return invalid("/spdxVersion", "%.40q is not a version of SPDX", v)
	}
}
