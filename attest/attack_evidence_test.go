package attest_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stella-ops/stella/attest"
	"github.com/stella-ops/stella/attest/intoto"
	"github.com/stella-ops/stella/attest/intoto/verdict"
	"github.com/stella-ops/stella/internal/sum"
)

// decided is a verdict as it stands in a statement.
func decided(outcome, environment string, at time.Time) doc {
	d := func(s string) string { return sum.Of([]byte(s)) }
	counts := doc{"findings": 0, "pass": 0, "warn": 0, "not_assessed": 0, "block": 0, "error": 0, "gaps": 0}
	if outcome == "block" {
		counts["findings"], counts["block"] = 1, 1
	}
	return doc{
		"schema": verdict.Schema, "outcome": outcome, "environment": environment, "at": at.Format(time.RFC3339), "subject": doc{"image": doc{"digests": []any{image}}}, "counts": counts,
		"inputs": doc{"sbom": d("sbom"), "report": d("report"), "advisories": d("advisories"), "policy": d("policy"), "exceptions": d("exceptions"), "subject": d("subject")},
		"policy": doc{"id": "release", "version": 1}, "engine": doc{"semantics": 1}, "trace": d("trace " + environment),
	}
}

// part is a statement of evidence, and what is listed of it.
type part struct {
	statement doc
	key       *ecdsa.PrivateKey // nil: the first that is trusted
	unlisted  bool
	absent    bool // listed, and there is no line
	named     bool // listed as not included
}

// body is evidence that a case can change before it is written.
type body struct {
	parts []part
	list  doc    // the predicate
	items []any  // beside those of the parts
	tail  []byte // behind the last line
	order func(lines [][]byte)
}

func item(role, name, digest string) doc {
	d := doc{"role": role, "digest": digest}
	if name != "" {
		d["name"] = name
	}
	return d
}

// evidence is that of one scan with one verdict.
func (l *lab) evidence() *body {
	return &body{
		parts: []part{{statement: l.statement()}, {statement: with(with(l.statement(), "predicateType", intoto.PredicateVerdict), "predicate", decided("pass", "production", l.stamped))}},
		list:  doc{"schema": "https://stella-ops.dev/schema/evidence/v1", "image": []any{image}, "at": l.stamped.Format(time.RFC3339)},
	}
}

var roles = []string{"sbom", "findings", "advisories", "vex", "trust", "policy", "exceptions", "verdict", "trace", "statement", "export"}

// lines writes the evidence.
func (l *lab) lines(b *body) []byte {
	items := slices.Clone(b.items)
	var lines [][]byte
	write := func(p part) []byte {
		k := p.key
		if k == nil {
			k = l.a
		}
		text := p.statement.text()
		if !p.absent {
			lines = append(lines, append(seal(statType, text, k).text(), '\n'))
		}
		return text
	}
	for _, p := range b.parts {
		text := write(p)
		if !p.unlisted {
			i := doc{"role": "statement", "digest": sum.Of(text), "predicate_type": p.statement["predicateType"]}
			if !p.named {
				i["included"] = true
			}
			items = append(items, i)
		}
		if v, ok := p.statement["predicate"].(doc); ok && p.statement["predicateType"] == intoto.PredicateVerdict {
			if in, ok := v["inputs"].(doc); ok && !p.unlisted {
				items = append(items, item("verdict", v["environment"].(string), sum.Of(v.text())), item("trace", v["environment"].(string), v["trace"].(string)),
					item("sbom", "", in["sbom"].(string)), item("findings", "", in["report"].(string)), item("advisories", "", in["advisories"].(string)), item("policy", "", in["policy"].(string)), item("exceptions", "", in["exceptions"].(string)))
			}
		}
	}
	name := func(i any) string { s, _ := i.(doc)["name"].(string); return s }
	slices.SortFunc(items, func(a, b any) int {
		x, y := a.(doc), b.(doc)
		if c := slices.Index(roles, x["role"].(string)) - slices.Index(roles, y["role"].(string)); c != 0 {
			return c
		}
		return strings.Compare(name(x)+"\x00"+x["digest"].(string), name(y)+"\x00"+y["digest"].(string))
	})
	items = slices.CompactFunc(items, func(a, b any) bool { return bytes.Equal(a.(doc).text(), b.(doc).text()) })
	if b.list != nil {
		write(part{statement: with(with(l.statement(), "predicateType", intoto.PredicateEvidence), "predicate", with(b.list, "items", items))})
	}
	if b.order != nil {
		b.order(lines)
	}
	return append(bytes.Join(lines, nil), b.tail...)
}

// more adds another verdict.
func (l *lab) more(b *body, outcome, environment string, change func(p *part)) {
	p := part{statement: with(with(l.statement(), "predicateType", intoto.PredicateVerdict), "predicate", decided(outcome, environment, l.stamped))}
	if change != nil {
		change(&p)
	}
	b.parts = append(b.parts, p)
}

// TestEvidenceAttacks: whoever orders, leaves out, adds or mixes lines.
func TestEvidenceAttacks(t *testing.T) {
	l := newLab(t)
	passing := &attest.Decision{Outcomes: []verdict.Outcome{verdict.Pass, verdict.Warn}}
	for _, c := range []struct {
		name, code string
		change     func(b *body)
		decision   *attest.Decision
		want       func(e *attest.Expectation)
		digest     string
	}{
		{name: "as it is"},
		{name: "in another order", change: func(b *body) { b.order = slices.Reverse[[][]byte] }},
		{name: "two verdicts that pass", change: func(b *body) { l.more(b, "pass", "staging", nil) }},
		{name: "nothing", code: "malformed", change: func(b *body) { b.list, b.parts = nil, nil }},
		{name: "the list alone", code: "outcome", change: func(b *body) {
			b.parts, b.items = nil, []any{item("sbom", "", sum.Of([]byte("sbom")))}
		}},
		{name: "no list", code: "evidence", change: func(b *body) { b.list = nil }},
		{name: "a line missing", code: "evidence", change: func(b *body) { b.parts[0].absent = true }},
		{name: "the verdict missing", code: "evidence", change: func(b *body) { b.parts[1].absent = true }},
		{name: "a line more", code: "evidence", change: func(b *body) {
			b.parts = append(b.parts, part{statement: with(l.statement(), "predicate", doc{}), unlisted: true})
		}},
		{name: "a line that is listed as something else", code: "evidence", change: func(b *body) {
			b.parts[0].unlisted = true
			b.items = append(b.items, doc{"role": "statement", "digest": sum.Of(l.statement().text()), "predicate_type": intoto.PredicateCycloneDX, "included": true})
		}},
		{name: "a line that is listed with another size", code: "evidence", change: func(b *body) {
			b.parts[0].unlisted = true
			b.items = append(b.items, doc{"role": "statement", "digest": sum.Of(l.statement().text()), "predicate_type": intoto.PredicateSPDX, "included": true, "size": 1})
		}},
		{name: "a line that is listed as not included", code: "evidence", change: func(b *body) { b.parts[0].named = true }},
		{name: "a verdict that is listed as not included, and is there", code: "evidence", change: func(b *body) { b.parts[1].named = true }},
		{name: "a verdict that blocks and is listed as not included", code: "evidence", change: func(b *body) {
			l.more(b, "block", "production", func(p *part) { p.named, p.absent = true, true })
		}},
		{name: "a verdict document that is listed, and no statement of it", code: "evidence", change: func(b *body) {
			b.items = append(b.items, item("verdict", "production", sum.Of(decided("block", "production", l.stamped).text())))
		}},
		{name: "a line twice", code: "evidence", change: func(b *body) {
			b.parts = append(b.parts, part{statement: l.statement(), unlisted: true})
		}},
		{name: "a line twice, by two keys", code: "evidence", change: func(b *body) {
			b.parts = append(b.parts, part{statement: l.statement(), unlisted: true, key: l.b})
		}},
		{name: "two lists", code: "evidence", change: func(b *body) {
			b.parts = append(b.parts, part{statement: with(with(l.statement(), "predicateType", intoto.PredicateEvidence), "predicate", with(b.list, "items", []any{item("sbom", "", image)}))})
		}},
		{name: "a line of a stranger", code: unsigned, change: func(b *body) { b.parts[0].key = l.nobody }},
		{name: "a line by a key for other things", code: "key/key for other purposes", change: func(b *body) { b.parts[0].key = l.narrow }},
		{name: "a line about something else", code: "subject", change: func(b *body) {
			b.parts[0].statement["subject"] = []any{digests(doc{"sha256": not256})}
		}},
		{name: "a line about something else, and nothing is expected", code: "subject", want: func(e *attest.Expectation) { e.Subjects = nil }, change: func(b *body) {
			b.parts[0].statement["subject"] = []any{digests(doc{"sha256": not256})}
		}},
		{name: "a verdict about another image", code: "predicate", change: func(b *body) {
			v := decided("pass", "production", l.stamped)
			v["subject"] = doc{"image": doc{"digests": []any{other}}}
			b.parts[1].statement["predicate"] = v
		}},
		{name: "a verdict on another SBOM", code: "evidence", change: func(b *body) {
			l.more(b, "pass", "staging", func(p *part) {
				in := p.statement.at("predicate", "inputs")
				in["sbom"], in["report"] = sum.Of([]byte("another")), sum.Of([]byte("another"))
				p.unlisted = true
			})
			b.items = append(b.items, doc{"role": "statement", "digest": sum.Of(b.parts[2].statement.text()), "predicate_type": intoto.PredicateVerdict, "included": true})
		}},
		{name: "a verdict that contradicts itself", code: "predicate", change: func(b *body) {
			b.parts[1].statement.at("predicate", "counts")["findings"] = 1
			b.parts[1].statement.at("predicate", "counts")["block"] = 1
		}},
		{name: "a verdict with a member more", code: "predicate", change: func(b *body) { b.parts[1].statement.at("predicate")["override"] = true }},
		{name: "a verdict that is null", code: "predicate", change: func(b *body) { b.parts[1].statement["predicate"] = nil }},
		{name: "a list with a member more", code: "predicate", change: func(b *body) { b.list["trusted"] = true }},
		{name: "a list of another schema", code: "predicate", change: func(b *body) { b.list["schema"] = "https://stella-ops.dev/schema/evidence/v2" }},
		{name: "a list of another image", code: "predicate", change: func(b *body) { b.list["image"] = []any{other} }},
		{name: "a verdict of the next version", code: "outcome", change: func(b *body) {
			b.parts[1].statement["predicateType"] = "https://stella-ops.dev/attestation/verdict/v2"
			b.items = append(b.items, item("sbom", "", sum.Of([]byte("sbom"))))
		}},
		{name: "no verdict", code: "outcome", change: func(b *body) {
			b.parts, b.items = b.parts[:1], []any{item("sbom", "", sum.Of([]byte("sbom")))}
		}},
		{name: "a predicate that is expected", code: "evidence", want: func(e *attest.Expectation) { e.Predicates = []string{intoto.PredicateProvenance} }},
		{name: "one verdict of two blocks", code: "outcome", change: func(b *body) { l.more(b, "block", "staging", nil) }},
		{name: "another environment", code: "outcome", decision: &attest.Decision{Environment: "staging"}},
		{name: "another environment that begins alike", code: "outcome", decision: &attest.Decision{Environment: "prod"}},
		{name: "another policy", code: "outcome", decision: &attest.Decision{Policies: []string{image}}},
		{name: "another outcome", code: "outcome", decision: &attest.Decision{Outcomes: []verdict.Outcome{verdict.Warn}}},
		{name: "too old", code: "age", decision: &attest.Decision{MaxAge: time.Hour - 1}},
		{name: "from the future", code: "age", change: func(b *body) {
			b.parts[1].statement["predicate"] = decided("pass", "production", now.Add(6*time.Minute))
		}},
		{name: "held until now", code: "age", decision: &attest.Decision{Standing: true}, change: func(b *body) {
			b.parts[1].statement.at("predicate")["next_change_at"] = now.Format(time.RFC3339)
		}},
		{name: "the last line cut", code: "malformed", change: func(b *body) { b.tail = []byte(`{"payload":`) }},
		{name: "an empty line", code: "malformed", change: func(b *body) { b.tail = []byte("\n") }},
		{name: "blanks as a line", code: "malformed", change: func(b *body) { b.tail = []byte("  \n") }},
		{name: "null bytes behind it", code: "malformed", change: func(b *body) { b.tail = make([]byte, 512) }},
		{name: "a line that is nothing", code: "malformed", change: func(b *body) { b.tail = []byte("{}\n") }},
		{name: "another digest of the whole", code: "malformed", digest: image},
		{name: "a digest that is none", code: "malformed", digest: "sha256:"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := l.evidence()
			if c.change != nil {
				c.change(b)
			}
			want := &attest.Expectation{At: now, Subjects: []string{image}}
			if c.want != nil {
				c.want(want)
			}
			e, err := (&attest.Verifier{Trust: l.trust}).Evidence(t.Context(), l.lines(b), c.digest, want)
			if err == nil {
				d := c.decision
				if d == nil {
					d = passing
				}
				err = e.Decide(d, now)
			}
			if c.code == "" && err != nil {
				t.Error(err)
			} else if c.code != "" {
				mustRefuse(t, err, c.code)
			}
		})
	}
}

// TestMeetAttacks: whoever attaches to an image what was said of it before.
func TestMeetAttacks(t *testing.T) {
	l := newLab(t)
	line := func(v doc, k *ecdsa.PrivateKey) []byte {
		return seal(statType, with(with(l.statement(), "predicateType", intoto.PredicateVerdict), "predicate", v).text(), k).text()
	}
	old, hour := l.stamped.Add(-2*time.Hour), time.Hour
	pass, block := decided("pass", "production", old), decided("block", "production", old.Add(hour))
	otherPolicy := decided("block", "production", old.Add(hour))
	otherPolicy["policy"] = doc{"id": "another", "version": 1}
	spaced := bytes.ReplaceAll(with(with(l.statement(), "predicateType", intoto.PredicateVerdict), "predicate", decided("pass", "production", old)).text(), []byte(`"subject":[`), []byte(`"subject": [`))
	for _, c := range []struct {
		name  string
		texts [][]byte
		need  int
		lines []int // nil: not met
	}{
		{name: "a pass", texts: [][]byte{line(pass, l.a)}, lines: []int{1}},
		{name: "a block", texts: [][]byte{line(block, l.a)}},
		{name: "a pass before a block (CVE-2024-23332)", texts: [][]byte{line(pass, l.a), line(block, l.a)}},
		{name: "a pass behind a block", texts: [][]byte{line(block, l.a), line(pass, l.a)}},
		{name: "a pass after a block", texts: [][]byte{line(decided("block", "production", old), l.a), line(decided("pass", "production", old.Add(hour)), l.a)}, lines: []int{2}},
		{name: "both at once", texts: [][]byte{line(pass, l.a), line(decided("block", "production", old), l.a)}},
		{name: "a later block of a stranger", texts: [][]byte{line(pass, l.a), line(block, l.nobody)}, lines: []int{1}},
		{name: "a later block elsewhere", texts: [][]byte{line(pass, l.a), line(decided("block", "staging", now.Add(-hour)), l.a)}, lines: []int{1}},
		{name: "a later block by another policy", texts: [][]byte{line(pass, l.a), line(otherPolicy, l.a)}, lines: []int{1}},
		{name: "two keys", need: 2, texts: [][]byte{line(pass, l.a), line(pass, l.b)}, lines: []int{1, 2}},
		{name: "one key twice", need: 2, texts: [][]byte{line(pass, l.a), line(pass, l.a)}},
		{name: "one bundle twice", need: 2, texts: [][]byte{line(pass, l.a), line(pass, l.a)}[:1:1]},
		{name: "two keys, one of which is revoked", need: 2, texts: [][]byte{line(pass, l.a), line(pass, l.stolen)}},
		{name: "two keys on the same in two spellings", need: 2, texts: [][]byte{line(pass, l.a), seal(statType, spaced, l.b).text()}},
		{name: "two keys on two verdicts", need: 2, texts: [][]byte{line(pass, l.a), line(decided("pass", "production", old.Add(hour)), l.b)}},
		{name: "two keys on the earlier of two", need: 2, texts: [][]byte{line(pass, l.a), line(pass, l.b), line(decided("pass", "production", old.Add(hour)), l.b)}},
		{name: "something else than a verdict", texts: [][]byte{plainText(nil)(l)}},
		{name: "nothing", texts: nil},
		{name: "a broken one", texts: [][]byte{[]byte("{"), line(pass, l.a)}, lines: []int{2}},
	} {
		t.Run(c.name, func(t *testing.T) {
			met, err := (&attest.Verifier{Trust: l.trust}).Meet(t.Context(), c.texts, []attest.Requirement{{Threshold: c.need, Decision: &attest.Decision{Outcomes: []verdict.Outcome{verdict.Pass}}}},
				&attest.Expectation{At: now, Subjects: []string{image}})
			if err != nil {
				t.Fatal(err)
			}
			if m := met[0]; !slices.Equal(m.Lines, c.lines) || (m.Err == nil) != (c.lines != nil) || c.lines == nil && attest.Code(m.Err) == "" {
				t.Errorf("%+v, want lines %v", m, c.lines)
			}
		})
	}
}

// TestExpectationRefused: what is expected and makes no sense verifies nothing.
func TestExpectationRefused(t *testing.T) {
	l := newLab(t)
	v := &attest.Verifier{Trust: l.trust}
	for name, want := range map[string]*attest.Expectation{
		"nil": nil, "zero": {}, "no time": {Subjects: []string{image}}, "negative threshold": {At: now, Threshold: -1}, "smallest threshold": {At: now, Threshold: -1 << 63},
		"negative age": {At: now, MaxAge: -1}, "smallest age": {At: now, MaxAge: -1 << 63},
	} {
		text := plainText(nil)(l)
		_, one := v.Verify(t.Context(), text, want)
		_, lines := v.Lines(t.Context(), text, "", want)
		_, evidence := v.Evidence(t.Context(), text, "", want)
		_, meet := v.Meet(t.Context(), [][]byte{text}, []attest.Requirement{{}}, want)
		for call, err := range map[string]error{"Verify": one, "Lines": lines, "Evidence": evidence, "Meet": meet} {
			if !errors.Is(err, attest.ErrInvalid) || attest.Code(err) != "" {
				t.Errorf("%s of %s: %v", call, name, err)
			}
		}
	}
}

// TestMeetStricter: a requirement never loosens what holds for all.
func TestMeetStricter(t *testing.T) {
	l := newLab(t)
	a, b := idOf(l.a.Public()), idOf(l.b.Public())
	vex := intoto.PredicateOpenVEX
	type pair struct {
		want attest.Expectation
		r    attest.Requirement
	}
	for name, c := range map[string]struct {
		pair
		met bool
	}{
		"nothing more":             {met: true},
		"a signer of all":          {pair: pair{want: attest.Expectation{Signers: []string{b}}}},
		"a signer of both":         {pair: pair{attest.Expectation{Signers: []string{a, b}}, attest.Requirement{Signers: []string{a}}}, met: true},
		"signers that differ":      {pair: pair{attest.Expectation{Signers: []string{b}}, attest.Requirement{Signers: []string{a}}}},
		"a predicate of all":       {pair: pair{want: attest.Expectation{Predicates: []string{intoto.PredicateSPDX}}}},
		"predicates that differ":   {pair: pair{attest.Expectation{Predicates: []string{intoto.PredicateSPDX}}, attest.Requirement{Predicates: []string{vex}}}},
		"a version of all":         {pair: pair{attest.Expectation{Predicates: []string{vex + "/v0.0.1"}}, attest.Requirement{Predicates: []string{vex}}}},
		"a version of one":         {pair: pair{attest.Expectation{Predicates: []string{vex}}, attest.Requirement{Predicates: []string{vex + "/v0.0.1"}}}},
		"the version of one":       {pair: pair{attest.Expectation{Predicates: []string{vex}}, attest.Requirement{Predicates: []string{vex + "/v0.2.0"}}}, met: true},
		"a threshold of all":       {pair: pair{want: attest.Expectation{Threshold: 2}}},
		"an age of all":            {pair: pair{attest.Expectation{MaxAge: time.Minute}, attest.Requirement{MaxAge: time.Hour}}},
		"an age of one":            {pair: pair{attest.Expectation{MaxAge: 2 * time.Hour}, attest.Requirement{MaxAge: time.Minute}}},
		"an age that is kept":      {pair: pair{attest.Expectation{MaxAge: 2 * time.Hour}, attest.Requirement{MaxAge: time.Hour}}, met: true},
		"an entry for all":         {pair: pair{want: attest.Expectation{Logged: true}}, met: true},
		"a subject of all":         {pair: pair{want: attest.Expectation{Subjects: []string{other}}}},
		"a payload type of all":    {pair: pair{want: attest.Expectation{PayloadType: "application/json"}}},
		"a decision about no such": {pair: pair{r: attest.Requirement{Decision: &attest.Decision{}}}},
	} {
		t.Run(name, func(t *testing.T) {
			c.want.At = now
			text := l.signed(with(l.statement(), "predicateType", vex+"/v0.2.0").text(), l.a).text()
			met, err := (&attest.Verifier{Trust: l.trust}).Meet(t.Context(), [][]byte{text}, []attest.Requirement{c.r}, &c.want)
			if err != nil || (met[0].Err == nil) != c.met {
				t.Errorf("%+v, %v", met, err)
			}
		})
	}
	for name, r := range map[string]attest.Requirement{"threshold": {Threshold: -1}, "age": {MaxAge: -1}, "age of a verdict": {Decision: &attest.Decision{MaxAge: -1}}} {
		if _, err := (&attest.Verifier{Trust: l.trust}).Meet(t.Context(), nil, []attest.Requirement{r}, &attest.Expectation{At: now}); !errors.Is(err, attest.ErrInvalid) {
			t.Errorf("negative %s: %v", name, err)
		}
	}
}

// TestVerifyEnds: whoever waits no longer has nothing verified.
func TestVerifyEnds(t *testing.T) {
	l := newLab(t)
	v := &attest.Verifier{Trust: l.trust}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	text, want := plainText(nil)(l), &attest.Expectation{At: now}
	_, one := v.Verify(ctx, text, want)
	_, lines := v.Lines(ctx, text, "", want)
	_, meet := v.Meet(ctx, [][]byte{text}, []attest.Requirement{{}}, want)
	for call, err := range map[string]error{"Verify": one, "Lines": lines, "Meet": meet} {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", call, err)
		}
	}
}

// TestPanic: a verifier that breaks down has accepted nothing, and says nothing that
// could be taken for that (CVE-2026-44310, CVE-2024-51491).
func TestPanic(t *testing.T) {
	l := newLab(t)
	c := certified("", "", nil, nil)
	c.trust = func(_ *lab, t *attest.Trust) { t.Certificates = breaking{} }
	defer func() {
		if recover() == nil {
			t.Error("the panic is gone")
		}
	}()
	got, err := l.verify(t, &c)
	t.Errorf("%v, %v", got, err)
}

type breaking struct{}

func (breaking) VerifyCertified(context.Context, []byte, []byte) (*attest.Verified, error) {
	panic("the certificate has no key")
}
