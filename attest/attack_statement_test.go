package attest_test

import (
	"bytes"
	"strings"

	"github.com/stella-ops/stella/attest"
	"github.com/stella-ops/stella/attest/intoto"
)

// stated gives the statement another value of a member.
func stated(name string, value any) func(l *lab) doc {
	return statementWith(func(s doc) { s[name] = value })
}

// unstated takes a member from the statement.
func unstated(name string) func(l *lab) doc { return statementWith(func(s doc) { delete(s, name) }) }

// about makes the statement about subjects.
func about(subjects ...any) func(l *lab) doc { return stated("subject", subjects) }

// digests is a subject.
func digests(d doc) doc { return doc{"name": "example/app", "digest": d} }

// raw changes the text of the statement, and has it signed.
func raw(change func(text string) string) func(l *lab) doc {
	return payload(func(l *lab) []byte { return []byte(change(string(l.statement().text()))) })
}

func put(old, by string) func(string) string {
	return func(s string) string { return strings.Replace(s, old, by, 1) }
}

// predicated makes the statement one of a type, and expects another.
func predicated(name, is, want string) attack {
	return attack{name: name, code: "predicate type", bundle: stated("predicateType", is), want: func(_ *lab, e *attest.Expectation) { e.Predicates = []string{want} }}
}

var (
	hex256 = strings.TrimPrefix(image, "sha256:")
	not256 = strings.TrimPrefix(other, "sha256:")
)

var statementAttacks = []attack{
	{name: "no JSON", code: "statement", bundle: raw(func(string) string { return "statement" })},
	{name: "empty", code: "statement", bundle: raw(func(string) string { return "" })},
	{name: "null", code: "statement", bundle: raw(func(string) string { return "null" })},
	{name: "an array", code: "statement", bundle: raw(func(s string) string { return "[" + s + "]" })},
	{name: "in base64 once more", code: "statement", bundle: raw(func(s string) string { return b64([]byte(s)) })},
	{name: "something behind it", code: "statement", bundle: raw(func(s string) string { return s + "x" })},
	{name: "another behind it", code: "statement", bundle: raw(func(s string) string { return s + "\n" + s })},
	{name: "no UTF-8", code: "statement", bundle: raw(put("example", "ex\xffmple"))},
	{name: "a lone surrogate", code: "statement", bundle: raw(put("example", `\udfff`))},
	{name: "a byte order mark", code: "statement", bundle: raw(func(s string) string { return "\ufeff" + s })},
	{name: "subject twice", code: "statement", bundle: raw(put(`"subject"`, `"subject":[{"digest":{"sha256":"`+not256+`"}}],"subject"`))},
	{name: "subject twice, once escaped", code: "statement", bundle: raw(put(`"subject"`, `"sub\u006aect":[{"digest":{"sha256":"`+not256+`"}}],"subject"`))},
	{name: "subject of another case beside it", code: "statement", bundle: stated("Subject", []any{digests(doc{"sha256": not256})})},
	{name: "predicate type twice", code: "statement", bundle: raw(put(`"predicateType"`, `"predicateType":"`+intoto.PredicateVerdict+`","predicateType"`))},
	{name: "predicate type of another case beside it", code: "statement", bundle: stated("predicatetype", intoto.PredicateVerdict)},
	{name: "a digest twice", code: "statement", bundle: raw(put(`"sha256"`, `"sha256":"`+not256+`","sha256"`))},
	{name: "a digest of another case beside it, of another thing", code: "statement", bundle: raw(put(`"sha256"`, `"SHA256":"`+not256+`","sha256":"`+not256+`","sha256"`))},
	{name: "two names within the predicate", code: "statement", bundle: raw(put(`"spdxVersion"`, `"spdxVersion":"x","spdxVersion"`))},

	{name: "no type", code: "statement", bundle: unstated("_type")},
	{name: "type null", code: "statement", bundle: stated("_type", nil)},
	{name: "type a number", code: "statement", bundle: stated("_type", 1)},
	{name: "type of another version", code: "statement", bundle: stated("_type", "https://in-toto.io/Statement/v2")},
	{name: "type of a layout", code: "statement", bundle: stated("_type", "https://in-toto.io/Layout/v1")},
	{name: "type with a slash behind it", code: "statement", bundle: stated("_type", intoto.TypeV1+"/")},
	{name: "type by http", code: "statement", bundle: stated("_type", strings.Replace(intoto.TypeV1, "https", "http", 1))},

	{name: "no subject", code: "statement", bundle: unstated("subject")},
	{name: "subject null", code: "statement", bundle: stated("subject", nil)},
	{name: "subject empty", code: "statement", bundle: stated("subject", []any{})},
	{name: "subject an object", code: "statement", bundle: stated("subject", digests(doc{"sha256": hex256}))},
	{name: "subject without digests", code: "statement", bundle: about(doc{"name": "example/app"})},
	{name: "subject with no digest", code: "statement", bundle: about(digests(doc{}))},
	{name: "subject by its name alone", code: "statement", bundle: about(doc{"name": image})},
	{name: "digest null", code: "statement", bundle: about(digests(doc{"sha256": nil}))},
	{name: "digest empty", code: "statement", bundle: about(digests(doc{"sha256": ""}))},
	{name: "digest in upper case", code: "statement", bundle: about(digests(doc{"sha256": strings.ToUpper(hex256)}))},
	{name: "digest too short", code: "statement", bundle: about(digests(doc{"sha256": hex256[:63]}))},
	{name: "digest cut to what another algorithm has", code: "statement", bundle: about(digests(doc{"sha512": hex256}))},
	{name: "digest with a blank", code: "statement", bundle: about(digests(doc{"sha256": hex256 + " "}))},
	{name: "digest with its algorithm", code: "statement", bundle: about(digests(doc{"sha256": image}))},
	{name: "one of two subjects broken", code: "statement", bundle: about(digests(doc{"sha256": hex256}), digests(doc{"sha256": "x"}))},
	{name: "another thing (CVE-2023-33959)", code: "subject", bundle: about(digests(doc{"sha256": not256}))},
	{name: "another thing by that name", code: "subject", bundle: about(doc{"name": image, "uri": image, "digest": doc{"sha256": not256}})},
	{name: "a weak digest alone", code: "subject", bundle: about(digests(doc{"sha1": "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"})),
		want: func(_ *lab, e *attest.Expectation) {
			e.Subjects = []string{"sha1:e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"}
		}},
	{name: "a digest of an unknown algorithm", code: "subject", bundle: about(digests(doc{"gitCommit": "1"})), want: func(_ *lab, e *attest.Expectation) { e.Subjects = []string{"gitCommit:1"} }},
	{name: "the right digest by another algorithm's name", code: "subject", bundle: about(digests(doc{"SHA256": hex256}))},
	{name: "the right digest, and another by another algorithm", code: "subject", bundle: about(digests(doc{"sha256": hex256, "sha512": strings.Repeat("0", 128)})),
		want: func(_ *lab, e *attest.Expectation) {
			e.Subjects = []string{image, "sha512:" + strings.Repeat("1", 128)}
		}},
	{name: "digests of one thing in two subjects", code: "subject",
		bundle: about(digests(doc{"sha256": hex256, "sha512": strings.Repeat("0", 128)}), digests(doc{"sha256": not256, "sha512": strings.Repeat("1", 128)})),
		want: func(_ *lab, e *attest.Expectation) {
			e.Subjects = []string{image, "sha512:" + strings.Repeat("1", 128)}
		}},
	{name: "what is expected is empty", code: "subject", want: func(_ *lab, e *attest.Expectation) { e.Subjects = []string{""} }},
	{name: "what is expected has no algorithm", code: "subject", want: func(_ *lab, e *attest.Expectation) { e.Subjects = []string{hex256} }},
	{name: "what is expected is in upper case", code: "subject", want: func(_ *lab, e *attest.Expectation) { e.Subjects = []string{strings.ToUpper(image)} }},
	{name: "another artifact", code: "artifact", want: func(_ *lab, e *attest.Expectation) { e.Artifact = []byte("images") }},
	{name: "an artifact that is empty", code: "artifact", want: func(_ *lab, e *attest.Expectation) { e.Artifact = []byte{} }},
	{name: "10⁵ subjects of other things", code: "subject", bundle: payload(func(l *lab) []byte {
		one := digests(doc{"sha256": not256}).text()
		return bytes.Replace(with(l.statement(), "subject", []any{}).text(), []byte(`[]`), append(append([]byte{'['}, bytes.TrimSuffix(bytes.Repeat(append(one, ','), 100_000), []byte(","))...), ']'), 1)
	})},
	{name: "too many subjects", code: "statement", bundle: payload(func(l *lab) []byte {
		one := digests(doc{"sha256": hex256}).text()
		return bytes.Replace(with(l.statement(), "subject", []any{}).text(), []byte(`[]`), append(append([]byte{'['}, bytes.TrimSuffix(bytes.Repeat(append(one, ','), 100_001), []byte(","))...), ']'), 1)
	})},

	{name: "no predicate type", code: "statement", bundle: unstated("predicateType")},
	{name: "predicate type empty", code: "statement", bundle: stated("predicateType", "")},
	{name: "predicate type null", code: "statement", bundle: stated("predicateType", nil)},
	{name: "predicate an array", code: "statement", bundle: stated("predicate", []any{})},
	{name: "predicate a string", code: "statement", bundle: stated("predicate", "SPDX")},
	{name: "no predicate", code: "predicate", bundle: unstated("predicate")},
	{name: "predicate null", code: "predicate", bundle: stated("predicate", nil)},
	predicated("another predicate type", intoto.PredicateVerdict, intoto.PredicateSPDX),
	predicated("a type that begins alike", intoto.PredicateSPDX+"x", intoto.PredicateSPDX),
	predicated("a version that is none", intoto.PredicateSPDX+"/vx", intoto.PredicateSPDX),
	predicated("a version that is empty", intoto.PredicateSPDX+"/v", intoto.PredicateSPDX),
	predicated("a path behind the type", intoto.PredicateSPDX+"/v2.3/../x", intoto.PredicateSPDX),
	predicated("a query behind the type", intoto.PredicateSPDX+"?v2.3", intoto.PredicateSPDX),
	predicated("a slash behind the type", intoto.PredicateSPDX+"/", intoto.PredicateSPDX),
	predicated("the type in upper case", strings.ToUpper(intoto.PredicateSPDX), intoto.PredicateSPDX),
	predicated("the type by http", "http://spdx.dev/Document", intoto.PredicateSPDX),
	predicated("a letter that looks alike", "https://spdх.dev/Document", intoto.PredicateSPDX),
	predicated("another version", intoto.PredicateOpenVEX+"/v0.2.0", intoto.PredicateOpenVEX+"/v0.0.1"),
	predicated("another version with a zero more", intoto.PredicateOpenVEX+"/v0.2", intoto.PredicateOpenVEX+"/v0.2.0"),
	predicated("a version of what has none", intoto.PredicateVerdict+"/v1", intoto.PredicateVerdict),
	predicated("the next version of the verdict", "https://stella-ops.dev/attestation/verdict/v2", intoto.PredicateVerdict),
	predicated("provenance of an earlier form (slsa-verifier)", intoto.PredicateProvenance02, intoto.PredicateProvenance),
	predicated("a summary for provenance", intoto.PredicateVSA, intoto.PredicateProvenance),
	predicated("two kinds of vulnerabilities", intoto.PredicateVuln, intoto.PredicateVulns),
	predicated("evidence for a verdict", intoto.PredicateEvidence, intoto.PredicateVerdict),
	predicated("an empty type is expected", intoto.PredicateSPDX, ""),
}
