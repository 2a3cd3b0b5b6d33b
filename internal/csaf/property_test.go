package csaf

import (
	"regexp"
	"testing"

	"pgregory.net/rapid"
)

func TestFilenameProperty(t *testing.T) {
	form := regexp.MustCompile(`^[a-z0-9+\-]*(_[a-z0-9+\-]+)*_?\.json$`)
	rapid.Check(t, func(t *rapid.T) {
		id := rapid.String().Draw(t, "id")
		name := Filename(id)
		if !form.MatchString(name) {
			t.Fatalf("%q gives %q", id, name)
		}
		if stem := name[:len(name)-len(".json")]; Filename(stem) != name {
			t.Fatalf("%q gives %q, which gives %q", id, name, Filename(stem))
		}
	})
}

// TestVersionProperty: precedence is a total order, and build metadata are of
// no account.
func TestVersionProperty(t *testing.T) {
	text := rapid.StringMatching(`(0|[1-9][0-9]?)(\.(0|1|2)\.(0|1|2)(-(a|b|0|1|10)(\.(a|1|0))?)?(\+x)?)?`)
	rapid.Check(t, func(t *rapid.T) {
		var n [3]number
		for i := range n {
			s := text.Draw(t, "version")
			var ok bool
			if n[i], ok = parseVersion(s); !ok {
				t.Fatalf("%q is no version", s)
			}
		}
		a, b, c := n[0], n[1], n[2]
		if a.compare(b) != -b.compare(a) || a.compare(a) != 0 {
			t.Fatal("not antisymmetric")
		}
		if a.compare(b) <= 0 && b.compare(c) <= 0 && a.compare(c) > 0 {
			t.Fatal("not transitive")
		}
		plain := a
		plain.build = ""
		if plain.compare(a) != 0 {
			t.Fatal("build metadata count")
		}
	})
}
