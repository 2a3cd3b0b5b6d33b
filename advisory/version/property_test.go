package version

import (
	goversion "go/version"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// grammar is a scheme and a regular expression of versions that it accepts,
// narrow enough that many compare equal up to their last character.
type grammar struct {
	rules *rules
	expr  string
}

// grammars are of versions of usual form, on which every scheme's order is total.
var grammars = []grammar{
	{&deb, `([01]:)?[01](\.[012]|[ab]|~|\+|-[01]){0,5}(-[0-2a~]{1,2})?`},
	{&opam, `(v?[01](\.[012]|[ab]|~|\+|_|-[01]){0,5})`},
	{&rpm, `([01]:)?[01ab](\.|[012]|[ab]|~|\^|_|-|é){0,6}`},
	{&apk, `[01](\.(0?[012])?){0,3}[ab]?[01]?(_(p|pre|rc|git)[01]?){0,2}(~[0-1a]{1,2})?(-r[01]?)?`},
	{&semver, `v?[01](\.[012]){0,3}(-(0|1|10|a|b|-)(\.(0|1|a)){0,2})?(\+a)?`},
	{&pub, `[01](\.[01]){0,2}(-(0|a)(\.(0|1|a)){0,2})?(\+(0|1|a)(\.(0|a))?)?`},
	{&julia, `v?[01](\.[01]){0,2}(-|rc1?|-(0|a)(\.(0|1|a))?)?(\+(0|1|a))?`},
	{&golang, `((go)?1\.2[01](\.[01])?((rc|beta)[01])?|v?1(\.2[01](\.[01](-(0|rc\.1|a))?)?)?(\+incompatible)?)`},
	{&npm, `[v=]?[01]\.[01]\.[012](-?(a|b)|-(0|1|10|a)(\.(0|1|a)){0,2})?(\+b)?`},
	{&pypi, `v?([01]!)?[01](\.[01]){0,2}([-_.]?(a|b|rc|c|pre)[01]?)?(-1|\.?post[01]?|r1)?(\.?dev[01]?)?(\+(a|1|b)(\.(0|a))?)?|[01ab](-|\.|_|[01ab]|rc|dev|pre){0,5}`},
	{&gem, `[01](\.(0|1|a|b|0a|a0)){0,4}(-(a|0|1)(\.(0|b))?)?`},
	{&nuget, `[01](\.[01]){0,3}(-(0|1|a|B|b|-1|3000000000)(\.(0|A|a)){0,2})?(\+b)?`},
	{&composer, `v?[01](\.[012]){0,4}([-_.]?(a|beta|RC|p|stable)(\.?[01])?)?(-dev)?|1\.x-dev|dev-[ab]|2010-0[12]-0[12]|1(\.[01]|-|_|x|a|p){0,4}`},
	{&cpe, `v?[01]([.-]?([012]|a|b|rc|p|za|final|beta)){0,4}\+?`},
	{&cran, `[01]([.-][012]){0,4}`},
	{&hackage, `[01](\.[012]){0,4}`},
	{&intdot, `[01](\.[012]){0,4}(-x)?`},
	{&conan, `[01](\.(0|1|2|a|b)){0,3}(-(a|1|0)?(\.(0|b))?)?(\+(0|1|b))?`},
	{&gentoo, `[01](\.(0?[012])){0,3}[ab]?(_(p|pre|rc|alpha)[01]?){0,2}(-r[01])?`},
	{&openssl, `(0\.9\.8|1\.0\.[12]|1\.1\.1)([a-c]|z[a-c])?(-(pre|beta)[12])?|3\.[01]\.[01](-alpha[12])?`},
	{&lexicographic, `[abé]{1,3}`},
	{&datetime, `2024-01-0[12]T0[01]:00:00(\.5)?(Z|\+01:00)`},
	{&maven, `[01](\.[012]){0,3}([.-]?(a|b|rc|sp|x|SNAPSHOT|alpha)(-?[12])?|[.-]?(ga|final)|-[12])?`},
}

// cyclic are versions of any form of the schemes whose order is not transitive.
var cyclic = []grammar{
	{&maven, `[01]([.-]([012]|a|b|rc|ga|sp|x|SNAPSHOT|alpha)|[01]|a|x){0,5}`},
	{&conan, `[01](\.(0|1|2|10|a|1a)){0,3}(-(a|1|0)?(\.(0|1b))?)?(\+(0|1|b))?`},
	{&alpm, `([01]:)?[01](\.|[012]|[ab]|_){0,5}(-[12])?`},
}

// TestTotalOrder checks that comparing is a total order and one with comparing
// parsed versions.
func TestTotalOrder(t *testing.T) {
	for _, g := range grammars {
		t.Run(g.rules.name, func(t *testing.T) {
			version := rapid.StringMatching(g.expr)
			rapid.Check(t, func(t *rapid.T) {
				a, b, c := version.Draw(t, "a"), version.Draw(t, "b"), version.Draw(t, "c")
				ab, bc, ac := compareBoth(t, g.rules, a, b), compareBoth(t, g.rules, b, c), compareBoth(t, g.rules, a, c)
				if ab == bc && ac != ab || ab == 0 && ac != bc || bc == 0 && ac != ab {
					t.Fatalf("%q, %q, %q: %d and %d, but %d from first to last", a, b, c, ab, bc, ac)
				}
			})
		})
	}
}

// TestAntisymmetry checks the orders that are not transitive.
func TestAntisymmetry(t *testing.T) {
	for _, g := range cyclic {
		t.Run(g.rules.name, func(t *testing.T) {
			version := rapid.StringMatching(g.expr)
			rapid.Check(t, func(t *rapid.T) {
				compareBoth(t, g.rules, version.Draw(t, "a"), version.Draw(t, "b"))
			})
		})
	}
}

// compareBoth compares texts and parsed versions, and both ways round, which
// must agree, and a version with itself.
func compareBoth(t *rapid.T, r *rules, a, b string) int {
	s := Scheme{r}
	got, err := s.Compare(a, b)
	if err != nil {
		t.Fatal(err)
	}
	v, err := s.Parse(a)
	if err != nil {
		t.Fatal(err)
	}
	w, err := s.Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	if parsed := v.Compare(w); parsed != got || v.String() != a || v.Scheme() != s {
		t.Fatalf("%q and %q: %d as texts, %d parsed; %q is of %v", a, b, got, parsed, v, v.Scheme())
	}
	if back := w.Compare(v); back != -got {
		t.Fatalf("%q and %q: %d, and %d the other way round", a, b, got, back)
	}
	if same, err := s.Compare(a, a); err != nil || same != 0 {
		t.Fatalf("%q and itself: %d, %v", a, same, err)
	}
	return got
}

// TestGoReleases holds the order of Go releases against the standard library's.
// Language versions (1.21 alone) are left out: see [golang].
func TestGoReleases(t *testing.T) {
	release := rapid.StringMatching(`go1\.(1[89]|20|2[0-3](\.[0-3]|\.1[01]|rc[12]|beta1))`)
	rapid.Check(t, func(t *rapid.T) {
		a, b := release.Draw(t, "a"), release.Draw(t, "b")
		if got, want := compareBoth(t, &golang, a, b), goversion.Compare(a, b); got != want {
			t.Fatalf("%s and %s: got %d, want %d", a, b, got, want)
		}
	})
}

// TestRangeWalk holds the intervals of a range against the evaluation that the
// OSV schema gives in pseudocode: walk the events up to the version.
func TestRangeWalk(t *testing.T) {
	s := Scheme{&semver}
	number := rapid.StringMatching(`[1-9]`)
	rapid.Check(t, func(t *rapid.T) {
		events := []Event{{Introduced: rapid.SampledFrom([]string{"0", "2", "5"}).Draw(t, "introduced")}}
		used := map[string]bool{events[0].Introduced: true}
		for range rapid.IntRange(0, 5).Draw(t, "events") {
			v := number.Draw(t, "version")
			if used[v] { // the schema leaves open which of two events at one version is first
				continue
			}
			used[v] = true
			events = append(events, rapid.SampledFrom([]Event{{Introduced: v}, {Fixed: v}, {LastAffected: v}, {Limit: v}}).Draw(t, "event"))
		}
		events = rapid.Permutation(events).Draw(t, "order")
		r, err := NewRange(s, events)
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range []string{"0.5", "1", "2", "3", "3.5", "5", "6", "7.1", "8", "9", "10"} {
			want := No
			if osvIsVulnerable(s, v, events) {
				want = Yes
			}
			if got := r.Contains(v); got.State != want {
				t.Fatalf("%v contains %s: got %s, want %s; it is %v", events, v, got, want, r)
			}
		}
	})
}

// osvIsVulnerable is IncludedInRanges of the OSV schema.
func osvIsVulnerable(s Scheme, v string, events []Event) bool {
	compare := func(a, b string) int {
		c, _ := s.Compare(a, b)
		return c
	}
	isVulnerable, isLimited, isBefore := false, false, false
	var sorted []Event
	for _, e := range events {
		if e.Limit != "" {
			isLimited = true
			isBefore = isBefore || compare(v, e.Limit) < 0
			continue
		}
		i := 0
		for i < len(sorted) && compare(sorted[i].Introduced+sorted[i].Fixed+sorted[i].LastAffected, e.Introduced+e.Fixed+e.LastAffected) < 0 {
			i++
		}
		sorted = append(sorted[:i], append([]Event{e}, sorted[i:]...)...)
	}
	for _, e := range sorted {
		switch {
		case e.Introduced != "" && (e.Introduced == "0" || compare(v, e.Introduced) >= 0):
			isVulnerable = true
		case e.Fixed != "" && compare(v, e.Fixed) >= 0:
			isVulnerable = false
		case e.LastAffected != "" && compare(v, e.LastAffected) > 0:
			isVulnerable = false
		}
	}
	return isVulnerable && (!isLimited || isBefore)
}

// TestLinear compares hostile texts: one comparison must take nothing like the
// 64 times that a quadratic algorithm takes over 64 comparisons of texts of one
// 64th the length. The two are timed one after the other, so that a busy machine
// slows both, and again if it slowed only one.
func TestLinear(t *testing.T) {
	patterns := []string{"0", "1", "1.", "0.", "1.0.", ".", "a", "a1", "a.", "a.1.", "-", "1-", "-a", "-a1", "~", "^", "_p", "_p1", "_", "-0", "a0.", "0-", "+", "é"}
	for _, g := range append(grammars, grammar{rules: &alpm}) {
		s := Scheme{g.rules}
		for _, p := range patterns {
			checkLinear(t, s.String()+" of "+p, func(size int) func() {
				text := "1." + strings.Repeat(p, size/len(p))
				a, b := text+"1", text+"0"
				return func() { _, _ = s.Compare(a, b) }
			})
		}
	}
	for _, p := range []string{"~ ", "1 ", "^1 || ", "> ", "1.2.3 ", "+a", "x||", "1 - 2||", "<0.0.0-0||", "a ", "||", " "} {
		checkLinear(t, "npm range of "+p, func(size int) func() {
			text := strings.Repeat(p, size/len(p))
			return func() { _, _ = ParseNPMRange(text, &NPMOptions{Loose: true}) }
		})
	}
	for _, sign := range []string{"", "!="} {
		checkLinear(t, "VERS of "+sign, func(size int) func() {
			text := []byte("vers:intdot/0")
			for i := 1; len(text) < size; i++ {
				text = strconv.AppendInt(append(append(text, '|'), sign...), int64(i), 10)
			}
			return func() { _, _ = ParseVERS(string(text)) }
		})
	}
}

// checkLinear times work on hostile text, which build prepares for a size.
func checkLinear(t *testing.T, name string, build func(size int) func()) {
	t.Helper()
	const long, factor, tolerance, attempts = 1 << 14, 64, 12, 20
	large, small := build(long), build(long/factor)
	var one, many time.Duration
	for range attempts {
		start := time.Now()
		large()
		one = time.Since(start)
		for range factor {
			small()
		}
		if many = time.Since(start) - one; one <= tolerance*many {
			return
		}
	}
	t.Errorf("%s: %v for %d bytes, %v for %d times %d", name, one, long, many, factor, long/factor)
}
