package attest_test

import (
	"testing"

	"github.com/stella-ops/stella/attest"
)

// FuzzVerify: whatever is verified, nothing breaks down, what is refused has a code, and
// what is accepted the slow check accepts as well.
func FuzzVerify(f *testing.F) {
	l := newLab(f)
	for _, c := range []attack{{}, {text: plainText(nil)}, {bundle: signsArtifact}} {
		text := l.good().text()
		switch {
		case c.text != nil:
			text = c.text(l)
		case c.bundle != nil:
			text = c.bundle(l).text()
		}
		f.Add(text, false)
		f.Add(text, true)
	}
	s := l.slow()
	v := &attest.Verifier{Trust: l.trust}
	f.Fuzz(func(t *testing.T, text []byte, canonical bool) {
		_, err := v.Verify(t.Context(), text, &attest.Expectation{At: now, Subjects: []string{image}, Canonical: canonical})
		_, lines := v.Lines(t.Context(), text, "", &attest.Expectation{At: now, Canonical: canonical})
		for _, err := range []error{err, lines} {
			if err != nil && attest.Code(err) == "" {
				t.Errorf("%v has no code", err)
			}
		}
		if err == nil {
			if _, err := s.check(text, slowWant{subject: image}); err != nil {
				t.Errorf("accepted, and the slow check says %v", err)
			}
		}
	})
}
