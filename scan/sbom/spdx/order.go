package spdx

import (
	"cmp"
	"slices"
	"strings"
)

// sortElements puts those lists in order whose order means nothing, so that the
// same document has the same form wherever it was read from. Creators,
// annotations and texts stay in the order they were written in.
func sortElements(w *document) {
	slices.SortStableFunc(w.Packages, func(a, b packageElement) int { return strings.Compare(a.SPDXID, b.SPDXID) })
	slices.SortStableFunc(w.Files, func(a, b fileElement) int { return strings.Compare(a.SPDXID, b.SPDXID) })
	slices.SortStableFunc(w.Snippets, func(a, b snippetElement) int { return strings.Compare(a.SPDXID, b.SPDXID) })
	slices.SortStableFunc(w.Licenses, func(a, b extractedLicense) int { return strings.Compare(a.ID, b.ID) })
	slices.SortStableFunc(w.ExternalDocuments, func(a, b externalDocumentRef) int {
		return cmp.Or(strings.Compare(a.ID, b.ID), strings.Compare(a.Document, b.Document))
	})
	slices.SortStableFunc(w.Relationships, func(a, b relationship) int {
		return cmp.Or(strings.Compare(a.From, b.From), strings.Compare(a.Type, b.Type), strings.Compare(a.To, b.To),
			strings.Compare(text(a.Comment), text(b.Comment)))
	})
	slices.Sort(w.Describes)
	for i := range w.Packages {
		sortPackage(&w.Packages[i])
	}
	for i := range w.Files {
		sortChecksums(w.Files[i].Checksums)
	}
}

func sortPackage(p *packageElement) {
	sortChecksums(p.Checksums)
	slices.SortStableFunc(p.ExternalRefs, compareExternalRefs)
	slices.Sort(p.HasFiles)
}

func sortChecksums(list []checksum) {
	slices.SortStableFunc(list, func(a, b checksum) int {
		return cmp.Or(strings.Compare(a.Algorithm, b.Algorithm), strings.Compare(a.Value, b.Value))
	})
}

func compareExternalRefs(a, b externalRef) int {
	return cmp.Or(strings.Compare(a.Category, b.Category), strings.Compare(a.Type, b.Type), strings.Compare(a.Locator, b.Locator),
		strings.Compare(text(a.Comment), text(b.Comment)))
}
