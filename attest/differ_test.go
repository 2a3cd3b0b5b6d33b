package attest_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"slices"
	"sort"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/stella-ops/stella/attest"
	"github.com/stella-ops/stella/attest/intoto"
	"github.com/stella-ops/stella/attest/intoto/verdict"
	"github.com/stella-ops/stella/attest/key"
)

// mutant draws changes of JSON that is good.
type mutant struct {
	*rapid.T
	pool []any    // what is good elsewhere
	text []string // strings that occur there
}

// place is where a value stands.
type place struct {
	path []any
	set  func(any)
	cut  func()
	v    any
}

// places lists all values of a tree, in an order that does not change.
func places(v any, path []any, set func(any), cut func()) []place {
	out := []place{{slices.Clone(path), set, cut, v}}
	switch x := v.(type) {
	case map[string]any:
		names := make([]string, 0, len(x))
		for n := range x {
			names = append(names, n)
		}
		sort.Strings(names)
		for _, n := range names {
			out = append(out, places(x[n], append(path, n), func(v any) { x[n] = v }, func() { delete(x, n) })...)
		}
	case []any:
		for i := range x {
			out = append(out, places(x[i], append(path, i), func(v any) { x[i] = v }, func() { set(slices.Delete(slices.Clone(x), i, i+1)) })...)
		}
	}
	return out
}

func (m *mutant) pick(list []place) place {
	return list[rapid.IntRange(0, len(list)-1).Draw(m.T, "place")]
}

// change makes one change.
func (m *mutant) change(root *any) {
	all := places(*root, nil, func(v any) { *root = v }, func() {})
	at := m.pick(all)
	switch rapid.IntRange(0, 9).Draw(m.T, "change") {
	case 0, 1: // the same place of another good one
		other := m.pool[rapid.IntRange(0, len(m.pool)-1).Draw(m.T, "other")]
		if v := get(other, at.path...); v != nil {
			at.set(copyOf(v))
		}
	case 2:
		at.cut()
	case 3: // two places change sides
		b := m.pick(all)
		if !slices.Equal(at.path[:min(len(at.path), len(b.path))], b.path[:min(len(at.path), len(b.path))]) {
			at.set(copyOf(b.v))
			b.set(copyOf(at.v))
		}
	case 4: // twice, or in another order
		if x, ok := at.v.([]any); ok && len(x) > 0 {
			if rapid.Bool().Draw(m.T, "twice") {
				at.set(append(slices.Clone(x), copyOf(x[rapid.IntRange(0, len(x)-1).Draw(m.T, "which")])))
			} else {
				slices.Reverse(x)
			}
		}
	case 5:
		at.set(rapid.SampledFrom([]any{nil, true, "", map[string]any{}, []any{}, json.Number("0"), json.Number("-1"), json.Number("9223372036854775808")}).Draw(m.T, "value"))
	case 6:
		if x, ok := at.v.(map[string]any); ok {
			x[rapid.SampledFrom([]string{"payload", "Payload", "extra", "integratedTime", "mediaType", "keyid", "messageSignature"}).Draw(m.T, "name")] = rapid.SampledFrom(m.text).Draw(m.T, "text")
		}
	default:
		if s, ok := at.v.(string); ok {
			at.set(m.string(s))
		}
	}
}

// string changes a string: its letters, its spelling, or what is encoded in it.
func (m *mutant) string(s string) any {
	at := rapid.IntRange(0, max(len(s)-1, 0)).Draw(m.T, "at")
	switch rapid.IntRange(0, 9).Draw(m.T, "how") {
	case 0:
		if s != "" {
			return s[:at] + string(s[at]^1) + s[at+1:]
		}
	case 1:
		return s[:at]
	case 2:
		return rapid.SampledFrom(m.text).Draw(m.T, "text")
	case 3:
		return strings.NewReplacer("+", "-", "/", "_").Replace(s)
	case 4:
		return strings.TrimRight(s, "=")
	case 5:
		return s[:at] + rapid.SampledFrom([]string{"\n", " ", "=", "\u00a0", "\r\n", "A"}).Draw(m.T, "more") + s[at:]
	case 6:
		return json.Number(strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ+/=-. \n\u2014:_") + "0")[:1]
	case 7: // lines of a note
		lines := strings.SplitAfter(s, "\n")
		i, j := rapid.IntRange(0, len(lines)-1).Draw(m.T, "line"), rapid.IntRange(0, len(lines)-1).Draw(m.T, "line")
		if rapid.Bool().Draw(m.T, "drop") {
			return strings.Join(slices.Delete(lines, i, i+1), "")
		}
		lines[i], lines[j] = lines[j], lines[i]
		return strings.Join(lines, "")
	default: // what is in base64
		raw, err := getBytes(s)
		if err != nil || len(raw) == 0 {
			return s
		}
		if v, err := readJSON(raw); err == nil && rapid.Bool().Draw(m.T, "inside") {
			m.change(&v)
			return b64(m.write(v))
		}
		raw[rapid.IntRange(0, len(raw)-1).Draw(m.T, "byte")] ^= 1 << rapid.IntRange(0, 7).Draw(m.T, "bit")
		return b64(raw)
	}
	return s
}

// write writes a tree as JSON, in one of its many spellings.
func (m *mutant) write(v any) []byte {
	style := rapid.IntRange(0, 5).Draw(m.T, "style")
	var b bytes.Buffer
	var value func(v any)
	text := func(s string) {
		var q bytes.Buffer
		e := json.NewEncoder(&q)
		e.SetEscapeHTML(style == 1)
		_ = e.Encode(s)
		out := strings.TrimSuffix(q.String(), "\n")
		if style == 2 && s != "" && s[0] < 0x80 {
			out = fmt.Sprintf(`"\u%04x`, s[0]) + strings.TrimPrefix(out, `"`)[len(escaped(s[0])):]
		}
		b.WriteString(out)
	}
	blank := func() {
		if style == 3 {
			b.WriteString(" \n\t")
		}
	}
	value = func(v any) {
		blank()
		switch x := v.(type) {
		case map[string]any:
			names := make([]string, 0, len(x))
			for n := range x {
				names = append(names, n)
			}
			if sort.Strings(names); style == 4 {
				slices.Reverse(names)
			}
			b.WriteByte('{')
			for i, n := range names {
				if i > 0 {
					b.WriteByte(',')
				}
				text(n)
				blank()
				b.WriteByte(':')
				value(x[n])
			}
			b.WriteByte('}')
		case []any:
			b.WriteByte('[')
			for i := range x {
				if i > 0 {
					b.WriteByte(',')
				}
				value(x[i])
			}
			b.WriteByte(']')
		case string:
			text(x)
		case json.Number:
			b.WriteString(string(x))
		default:
			fmt.Fprint(&b, map[any]string{nil: "null", true: "true", false: "false"}[v])
		}
		blank()
	}
	value(v)
	return b.Bytes()
}

// escaped is how the encoder writes a character.
func escaped(c byte) string {
	b, _ := json.Marshal(string(c))
	s := strings.Trim(string(b[1:len(b)-1]), " ")
	switch c {
	case '<', '>', '&', ' ':
		return string(c)
	}
	return s
}

func copyOf(v any) any {
	switch x := v.(type) {
	case map[string]any:
		out := map[string]any{}
		for n, v := range x {
			out[n] = copyOf(v)
		}
		return out
	case []any:
		out := make([]any, len(x))
		for i := range x {
			out[i] = copyOf(x[i])
		}
		return out
	}
	return v
}

// stringsOf lists the strings of a tree.
func stringsOf(v any) (out []string) {
	for _, p := range places(v, nil, nil, nil) {
		if s, ok := p.v.(string); ok && len(s) < 200 {
			out = append(out, s)
		}
	}
	return out
}

// slow is the slow check of the lab's trust, of which few keys are left: most of the time
// goes into trying them.
func (l *lab) slow() *checker {
	m := l.trust.Keys.Members
	l.trust.Keys.Members = []key.Member{m[0], m[1], m[3], m[5]}
	s := &checker{logs: []note{l.log, l.second}, witnesses: l.watch, threshold: 1, stampers: l.tsa.Certificates(), now: now}
	day := now.AddDate(0, 0, -1)
	s.keys = []slowKey{
		{public: &l.a.PublicKey, from: day, to: now.AddDate(0, 0, 1)}, {public: &l.b.PublicKey, from: day}, {public: &l.past.PublicKey, from: day, to: now.Add(-90 * 60e9)},
		{public: &l.stolen.PublicKey, from: day, revoked: now.Add(-7200e9)},
	}
	return s
}

// goods are bundles and envelopes that pass, and some that pass but for their key.
func (l *lab) goods(t testing.TB) (trees []any) {
	vex := with(l.statement(), "predicateType", intoto.PredicateOpenVEX+"/v0.2.0")
	elsewhere := with(l.statement(), "subject", []any{digests(doc{"sha256": not256})})
	relogged := l.good()
	l.relog(relogged, l.second)
	v1, bare, lone := l.good(), l.good(), l.good()
	v1.material()[entries] = []any{l.entryV1(v1)}
	delete(bare.material(), stampData)
	delete(lone.material(), entries)
	both := l.good()
	both.material()[entries] = append(both.material()[entries].([]any), relogged.entry())
	for _, d := range []doc{
		l.good(), relogged, v1, bare, lone, both, l.signed(vex.text(), l.a), l.signed(elsewhere.text(), l.b), l.signed(l.statement().text(), l.b), l.signed(l.statement().text(), l.stolen),
		l.signed(l.statement().text(), l.past), l.signed(l.statement().text(), l.nobody), seal(statType, l.statement().text(), l.a), seal(statType, vex.text(), l.a, l.b), seal(statType, l.statement().text(), l.b, l.stolen, l.nobody),
	} {
		v, err := readJSON(d.text())
		if err != nil {
			t.Fatal(err)
		}
		trees = append(trees, v)
	}
	return trees
}

// many has rapid run a number of checks: fewer in short runs, more in long ones.
func many(t *testing.T, n int) {
	t.Helper()
	f := flag.Lookup("rapid.checks")
	before := f.Value.String()
	switch {
	case os.Getenv("STELLA_LONG") != "":
		n *= 20
	case testing.Short():
		n /= 10
	}
	if err := f.Value.Set(fmt.Sprint(n)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Value.Set(before) })
}

// TestDifferential changes good bundles at random. The verifier accepts nothing that a
// slow check, which shares no code with it, does not accept, and hands on the bytes that
// this one read.
func TestDifferential(t *testing.T) {
	many(t, 10_000)
	l := newLab(t)
	pool := l.goods(t)
	var text []string
	for _, v := range pool {
		text = append(text, stringsOf(v)...)
	}
	s := l.slow()
	v := &attest.Verifier{Trust: l.trust}
	accepted, n := 0, 0
	rapid.Check(t, func(r *rapid.T) {
		m := &mutant{T: r, pool: pool, text: text}
		root := copyOf(rapid.SampledFrom(pool).Draw(r, "good"))
		for range rapid.IntRange(0, 3).Draw(r, "changes") {
			m.change(&root)
		}
		line := m.write(root)
		if rapid.IntRange(0, 40).Draw(r, "cut") == 0 {
			line = line[:rapid.IntRange(0, len(line)).Draw(r, "to")]
		}
		flip := func(name string) bool { return rapid.IntRange(0, 3).Draw(r, name) == 0 }
		want := slowWant{logged: flip("logged"), stamped: flip("stamped"), unknown: flip("unknown")}
		e := &attest.Expectation{At: now, Logged: want.logged, Stamped: want.stamped, Unknown: want.unknown, Canonical: flip("canonical")}
		if flip("subject") {
			want.subject, e.Subjects = image, []string{image}
		}
		if flip("predicate") {
			want.predicate, e.Predicates = intoto.PredicateSPDX, []string{intoto.PredicateSPDX}
		}
		if flip("threshold") {
			want.threshold, e.Threshold = 2, 2
		}
		got, err := v.Verify(t.Context(), line, e)
		n++
		if err != nil {
			if attest.Code(err) == "" || got != nil {
				r.Fatalf("%v has no code, or comes with %v", err, got)
			}
			return
		}
		accepted++
		found, err := s.check(line, want)
		if err != nil {
			r.Fatalf("accepted, and the slow check says %v:\n%s", err, line)
		}
		if !bytes.Equal(got.Payload, found.payload) || !slices.Equal(got.Signers, found.signers) {
			r.Fatalf("%q by %v, want %q by %v", got.Payload, got.Signers, found.payload, found.signers)
		}
	})
	t.Logf("%d mutants, %d accepted", n, accepted)
	if accepted < n/20 || accepted > n/2 {
		t.Errorf("%d of %d accepted: the mutants test little", accepted, n)
	}
}

// TestDifferentialEvidence changes the lines of evidence at random.
func TestDifferentialEvidence(t *testing.T) {
	many(t, 1_000)
	l := newLab(t)
	one, two := l.evidence(), l.evidence()
	l.more(one, "pass", "staging", nil)
	two.parts[0].statement["predicate"] = doc{"spdxVersion": "SPDX-2.2"}
	l.more(two, "block", "staging", func(p *part) { p.absent, p.named = true, true })
	l.more(two, "pass", "testing", func(p *part) { p.key = l.b })
	var pool [][]byte
	for _, b := range []*body{l.evidence(), one, two} {
		pool = append(pool, bytes.SplitAfter(bytes.TrimSuffix(l.lines(b), []byte("\n")), []byte("\n"))...)
	}
	var trees []any
	for i := range pool {
		pool[i] = bytes.TrimSuffix(pool[i], []byte("\n"))
		tree, err := readJSON(pool[i])
		if err != nil {
			t.Fatal(err)
		}
		trees = append(trees, tree)
	}
	lengths := []int{3, 4, 4}
	s := l.slow()
	v := &attest.Verifier{Trust: l.trust}
	accepted, n := 0, 0
	rapid.Check(t, func(r *rapid.T) {
		m := &mutant{T: r, pool: trees, text: stringsOf(trees[0])}
		which := rapid.IntRange(0, 2).Draw(r, "evidence")
		from := 0
		for _, k := range lengths[:which] {
			from += k
		}
		lines := slices.Clone(pool[from : from+lengths[which]])
		for range rapid.IntRange(0, 2).Draw(r, "changes") {
			i := rapid.IntRange(0, len(lines)-1).Draw(r, "line")
			switch rapid.IntRange(0, 5).Draw(r, "change") {
			case 0:
				if len(lines) > 1 {
					lines = slices.Delete(lines, i, i+1)
				}
			case 1:
				lines = append(lines, lines[i])
			case 2:
				lines[i] = rapid.SampledFrom(pool).Draw(r, "other")
			case 3:
				lines = append(lines, rapid.SampledFrom(pool).Draw(r, "more"))
			case 4:
				slices.Reverse(lines)
			case 5:
				if tree, err := readJSON(lines[i]); err == nil {
					m.change(&tree)
					lines[i] = bytes.ReplaceAll(m.write(tree), []byte("\n"), []byte(" "))
				}
			}
		}
		text := append(bytes.Join(lines, []byte("\n")), '\n')
		want := slowWant{subject: image}
		e, err := v.Evidence(t.Context(), text, "", &attest.Expectation{At: now, Subjects: []string{image}})
		if err == nil {
			err = e.Decide(&attest.Decision{Outcomes: []verdict.Outcome{verdict.Pass}}, now)
		}
		n++
		if err != nil {
			if attest.Code(err) == "" {
				r.Fatalf("%v has no code", err)
			}
			return
		}
		accepted++
		if err := s.evidence(text, want); err != nil {
			r.Fatalf("accepted, and the slow check says %v:\n%s", err, text)
		}
	})
	t.Logf("%d mutants, %d accepted", n, accepted)
	if accepted < n/20 || accepted > n*2/3 {
		t.Errorf("%d of %d accepted: the mutants test little", accepted, n)
	}
}
