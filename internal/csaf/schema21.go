package csaf

import "github.com/stella-ops/stella/internal/csaf/shape"

// documentRule21 is what reading needs of the schema of CSAF 2.1: the version,
// and the members without which a document says nothing. The version's own
// schema and tests are not performed.
func documentRule21() *shape.Rule {
	identified := shape.Struct(members{
		"current_release_date": date,
		"id":                   shape.Formatted(1, trimmedOK),
		"initial_release_date": date,
		"status":               shape.OneOf("draft", "final", "interim"),
		"version":              version,
	}, "current_release_date", "id", "initial_release_date", "status", "version")
	tlp := shape.Struct(members{"label": shape.OneOf("AMBER", "AMBER+STRICT", "CLEAR", "GREEN", "RED"), "url": uri}, "label")
	document := shape.Struct(members{
		"category":     shape.Formatted(1, wordsOK),
		"csaf_version": shape.OneOf(Version21),
		"distribution": shape.Struct(members{"text": text, "tlp": tlp}, "tlp"),
		"publisher":    shape.Struct(members{"name": text, "namespace": uri}, "category", "name", "namespace"),
		"title":        text,
		"tracking":     identified,
	}, "category", "csaf_version", "distribution", "publisher", "title", "tracking")
	return shape.Struct(members{"document": document}, "document")
}
