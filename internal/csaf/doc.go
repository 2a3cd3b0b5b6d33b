// Package csaf reads advisories and VEX documents in the Common Security
// Advisory Framework, says what is wrong with them, and resolves the products
// that they speak of. It knows neither findings nor statements: what a document
// means for matching or for VEX is decided by its users.
//
// # Reading
//
// [Decode] reads versions 2.0 and 2.1 into one [Document]. It refuses what is
// not JSON in UTF-8, names that are there twice, values of another type than
// the schema's, more than the limits, and other versions, each with a JSON
// pointer. A document that is readable and breaks its schema otherwise is
// decoded; what breaks it is among the problems that [Validate] returns.
//
// # Validation
//
// [Validate] is a basic validator of CSAF 2.0 (OASIS Standard of 18 November
// 2022, section 9.1.14): it checks against the JSON schema, by rules written
// out in Go and compared with the published schema in tests, and performs all
// mandatory tests, 6.1.1 to 6.1.33 with 6.1.27.1 to 6.1.27.11. On demand it
// performs the optional tests 6.2.1 to 6.2.20 and the informative tests 6.3.1
// to 6.3.5 and 6.3.9 to 6.3.11. It does not perform 6.3.6 and 6.3.7, which
// fetch what URLs refer to, nor 6.3.8, which checks the spelling. Documents of
// version 2.1 are read, not validated: Validate says "unsupported".
//
// What a test needs to know of the world is in tables: the names of weaknesses
// are those of CWE 4.15, the subtags of languages those of the IANA registry of
// 2025-08-25. A weakness or a language that is younger fails its test, and the
// message names the table.
//
// Where the standard leaves a choice, this package decides as follows.
//   - Revisions of the same date may be in any order among themselves, so they
//     count as sorted by number (6.1.14, 6.1.16, 6.1.21).
//   - A word of 6.1.31 counts if it stands alone: "after-eight" is a version,
//     "4.2 and later" is a range.
//   - Properties of a CVSS object may add metrics that its vector leaves out
//     (6.2.19 says so); they contradict it only where it has the metric (6.1.10),
//     and a score may be computed with or without them (6.1.9).
//   - A reference without category is external, the schema's default (6.1.27.2).
//   - Package URLs are held against the purl type definitions too: type oci, for
//     instance, has no namespace (6.1.13).
//   - A threat or remediation that names no product speaks for none (6.1.27.9,
//     6.1.27.10).
//   - Formats ("uri", "date-time") are checked, as the published validators do.
//
// # Products
//
// [NewProducts] indexes a product tree; [Products.Resolve] follows
// relationships, also those of modules that are parts of platforms, and tells
// which component the statement is about and in what it is contained.
//
// # Distribution
//
// Package csaf/provider reads what providers publish beside the documents.
package csaf
