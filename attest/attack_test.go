package attest_test

import (
	"strings"
	"testing"

	"github.com/stella-ops/stella/attest"
	"github.com/stella-ops/stella/attest/intoto"
)

// attack is a case that must be refused, with the code that says why.
type attack struct {
	name, code string
	// One of these says what is verified: JSON of any kind, or the good bundle with a
	// change; the good bundle where all are nil.
	text   func(l *lab) []byte
	bundle func(l *lab) doc
	change func(l *lab, d doc)
	want   func(l *lab, e *attest.Expectation)
	trust  func(l *lab, t *attest.Trust)
}

// expected is what the control passes.
func expected() *attest.Expectation {
	return &attest.Expectation{At: now, Subjects: []string{image}, Predicates: []string{intoto.PredicateSPDX}, Logged: true, Stamped: true}
}

// verify runs a case.
func (l *lab) verify(t *testing.T, c *attack) (*attest.Verified, error) {
	t.Helper()
	want, trust := expected(), l.trustCopy()
	var text []byte
	switch {
	case c.text != nil:
		text = c.text(l)
	case c.bundle != nil:
		text = c.bundle(l).text()
	default:
		d := l.good()
		if c.change != nil {
			c.change(l, d)
		}
		text = d.text()
	}
	if c.want != nil {
		c.want(l, want)
	}
	if c.trust != nil {
		c.trust(l, trust)
	}
	return (&attest.Verifier{Trust: *trust}).Verify(t.Context(), text, want)
}

// TestAttacks is T1 and T5 of the reliability figures: whatever is wrong with a bundle,
// it is refused, and says why. Rows that name a CVE are that bug, as far as it can be put
// to a verifier. What a Verifier leaves to others is tested there: certificates, their
// chains and identities in attest/sigstore (bad_test.go, conformance_test.go), tokens in
// attest/timestamp (verify_test.go), tiles, rollback and split views of a log that is
// followed in attest/tlog (follow_test.go, edge_test.go, witness_test.go), old trust and
// mirrors that lie in attest/role and attest/kit (attack_test.go), what SLSA expects in
// attest/intoto/slsa, and a panic on the server in attest/attesthttp.
func TestAttacks(t *testing.T) {
	l := newLab(t)
	controls := []attack{
		{name: "as it is"},
		{name: "in the form that is written here", want: func(_ *lab, e *attest.Expectation) { e.Canonical = true }},
		{name: "the envelope alone", text: plainText(nil), want: plainly},
		certified("with a certificate that is believed", "", nil, nil),
		{name: "another trusted log", change: func(l *lab, d doc) { l.relog(d, l.second) }},
		{name: "another trusted key", bundle: func(l *lab) doc { return l.signed(l.statement().text(), l.b) }},
	}
	for _, c := range controls {
		if got, err := l.verify(t, &c); err != nil || got == nil {
			t.Errorf("control %q: %v", c.name, err)
		}
	}
	all := map[string][]attack{
		"json": jsonAttacks, "base64": base64Attacks, "pae": paeAttacks, "keys": keyAttacks, "signatures": signatureAttacks, "type": typeAttacks,
		"statement": statementAttacks, "entry": entryAttacks, "checkpoint": checkpointAttacks, "time": timeAttacks, "certificate": certificateAttacks, "message": messageAttacks, "canonical": canonicalAttacks,
	}
	n, codes := 0, map[string]int{}
	for group, list := range all {
		seen := map[string]bool{}
		for _, c := range list {
			if seen[c.name] {
				t.Errorf("%s: two cases are %q", group, c.name)
			}
			seen[c.name] = true
			n++
			t.Run(group+"/"+c.name, func(t *testing.T) {
				got, err := l.verify(t, &c)
				if got != nil {
					t.Error("accepted")
				}
				mustRefuse(t, err, c.code)
				codes[attest.Code(err)]++
				if err != nil && len(err.Error()) > 8<<10 {
					t.Errorf("an error of %d bytes", len(err.Error()))
				}
				if err != nil && strings.ContainsAny(err.Error(), "\x00\x1b\r") {
					t.Errorf("an error with control characters: %q", err.Error())
				}
			})
		}
	}
	if n < 150 {
		t.Errorf("%d cases, want at least 150", n)
	}
	t.Logf("%d cases, refused as %d codes", n, len(codes))
}

// plainly expects what an envelope alone can have.
func plainly(_ *lab, e *attest.Expectation) { e.Logged, e.Stamped = false, false }

// plainText is the envelope alone, changed.
func plainText(change func(l *lab, e doc)) func(l *lab) []byte {
	return func(l *lab) []byte {
		e := seal(intoto.PayloadType, l.statement().text(), l.a)
		if change != nil {
			change(l, e)
		}
		return e.text()
	}
}

// payload is the bundle of a payload that a trusted key signed.
func payload(text func(l *lab) []byte) func(l *lab) doc {
	return func(l *lab) doc { return l.signed(text(l), l.a) }
}

// statementWith is the bundle of the statement, changed.
func statementWith(change func(s doc)) func(l *lab) doc {
	return payload(func(l *lab) []byte {
		s := l.statement()
		change(s)
		return s.text()
	})
}

// replaced is the good bundle's text with a part replaced.
func replaced(old, by string) func(l *lab) []byte {
	return func(l *lab) []byte {
		text := string(l.good().text())
		if !strings.Contains(text, old) {
			l.t.Fatalf("%q is not in the bundle", old)
		}
		return []byte(strings.Replace(text, old, by, 1))
	}
}

// relog gives a bundle the entry of another log.
func (l *lab) relog(d doc, log note) {
	d.material()["tlogEntries"] = []any{l.entry(unb64(d.entry()["canonicalizedBody"].(string)), log, 2, 5)}
}
