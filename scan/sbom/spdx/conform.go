package spdx

import (
	"fmt"
	"slices"
	"strings"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/sbom"
)

// version returns the version of the specification without "SPDX-".
func (w *document) version() string {
	return strings.TrimPrefix(text(w.SPDXVersion), "SPDX-")
}

// conform makes w a document of another version: it removes what that version
// lacks and fills in what it demands. w.SPDXVersion says which version the
// elements are of; elements of the same version stay as they are, but nothing of
// 2.3 remains in a document of 2.2.
func conform(w *document, version string) []sbom.Loss {
	from := w.version()
	w.SPDXVersion = new("SPDX-" + version)
	if version == Version22 {
		return downgrade(w)
	}
	if from == Version22 {
		upgrade(w)
	}
	return nil
}

// upgrade spells the categories of external references as 2.3 does.
func upgrade(w *document) {
	for i := range w.Packages {
		refs := w.Packages[i].ExternalRefs
		for j := range refs {
			switch refs[j].Category {
			case "PACKAGE_MANAGER", "PERSISTENT_ID":
				refs = slices.Clone(refs)
				refs[j].Category = strings.ReplaceAll(refs[j].Category, "_", "-")
			}
		}
		w.Packages[i].ExternalRefs = refs
	}
}

// downgrade removes what 2.2 lacks.
func downgrade(w *document) []sbom.Loss {
	var losses []sbom.Loss
	lose := func(where, what string) {
		losses = append(losses, sbom.Loss{Where: where, What: what + ": not in SPDX 2.2"})
	}
	for i := range w.Packages {
		p := &w.Packages[i]
		if p.Purpose != nil {
			if typeOf(p.Purpose) == "" {
				lose(p.SPDXID, "primaryPackagePurpose "+*p.Purpose)
			}
			p.Purpose = nil
		}
		for _, date := range []struct {
			name   string
			member **string
		}{{"releaseDate", &p.ReleaseDate}, {"builtDate", &p.BuiltDate}, {"validUntilDate", &p.ValidUntilDate}} {
			if *date.member != nil {
				lose(p.SPDXID, date.name)
				*date.member = nil
			}
		}
		p.Checksums = oldChecksums(p.Checksums, func(c checksum) {
			if _, ok := hashOf(c); !ok { // else the model carries it
				lose(p.SPDXID, "checksum "+c.Algorithm)
			}
		})
	}
	for i := range w.Files {
		f := &w.Files[i]
		f.Checksums = oldChecksums(f.Checksums, func(c checksum) { lose(f.SPDXID, "checksum "+c.Algorithm) })
	}
	w.Relationships = slices.DeleteFunc(slices.Clone(w.Relationships), func(r relationship) bool {
		if r.Type != "REQUIREMENT_DESCRIPTION_FOR" && r.Type != "SPECIFICATION_FOR" {
			return false
		}
		lose(relationName(r), "the relationship")
		return true
	})
	return losses
}

// oldChecksums drops checksums by algorithms that are new in 2.3.
func oldChecksums(list []checksum, lost func(checksum)) []checksum {
	isNew := func(c checksum) bool {
		a := algorithms[strings.ReplaceAll(strings.ToLower(c.Algorithm), "-", "")]
		return a.new && a.name == c.Algorithm
	}
	if !slices.ContainsFunc(list, isNew) {
		return list
	}
	var old []checksum
	for _, c := range list {
		if isNew(c) {
			lost(c)
		} else {
			old = append(old, c)
		}
	}
	return old
}

// complete fills in what 2.2 demands and 2.3 does not.
func complete(w *document) {
	fill := func(members ...**string) {
		for _, m := range members {
			if *m == nil {
				*m = new(noAssertion)
			}
		}
	}
	for i := range w.Packages {
		p := &w.Packages[i]
		fill(&p.LicenseConcluded, &p.LicenseDeclared, &p.Copyright, &p.Download)
	}
	w.Files = slices.Clone(w.Files)
	for i := range w.Files {
		f := &w.Files[i]
		fill(&f.LicenseConcluded, &f.Copyright)
		if len(f.LicenseInfo) == 0 {
			f.LicenseInfo = []string{noAssertion}
		}
	}
	w.Snippets = slices.Clone(w.Snippets)
	for i := range w.Snippets {
		s := &w.Snippets[i]
		fill(&s.LicenseConcluded, &s.Copyright)
	}
}

// checkOptions resolves EncodeOptions.Version and checks the rest.
func checkOptions(opt *EncodeOptions) (version string, err error) {
	if opt.Created != "" && (&interpreter{}).time(&opt.Created) != opt.Created {
		return "", fmt.Errorf("encode SPDX: created %.40q is not a time in UTC with seconds: %w", opt.Created, fault.Invalid)
	}
	switch v := opt.Version; {
	case v == "":
		return Version23, nil
	case v == Version301 && opt.TagValue:
		return "", fmt.Errorf("encode SPDX: version 3.0.1 has no tag-value form: %w", fault.Unsupported)
	case v == Version22 || v == Version23 || v == Version301:
		return v, nil
	default:
		return "", fmt.Errorf("encode SPDX: version %q is not written, only 2.2, 2.3 and 3.0.1 are: %w", v, fault.Unsupported)
	}
}
