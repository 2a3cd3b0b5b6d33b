package version

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/internal/testdata"
)

// versDeviations are all cases of the VERS test suite that this package does
// not agree with, by their input, and why the case is not right.
var versDeviations = map[string]string{
	"vers:pypi/>0.0.0|>=0.0.1|0.0.2|0.0.3|0.0.4|<0.0.5|>=0.0.6|!=0.8": "the core specification: two lower bounds in a row," +
		" and an upper bound after a single version, are invalid and an error",
	"npm >= 2.2.x": "node-semver: >=2.2.x is >=2.2.0, without an upper bound",
	"npm >= 1.x":   "node-semver: >=1.x is >=1.0.0, without an upper bound",
}

type versCase struct {
	Type            string          `json:"test_type"`
	Input           json.RawMessage `json:"input"`
	ExpectedOutput  json.RawMessage `json:"expected_output"`
	ExpectedFailure bool            `json:"expected_failure"`
}

type versInput struct {
	Scheme      string   `json:"scheme"`
	InputScheme string   `json:"input_scheme"`
	NativeRange string   `json:"native_range"`
	Versions    []string `json:"versions"`
}

func TestVERSSuite(t *testing.T) {
	files := testdata.Open(t, "conformance/vers-tests.tar.gz")
	for _, name := range testdata.Names(files) {
		var suite struct{ Tests []versCase }
		if err := json.Unmarshal(files[name], &suite); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		ran := 0
		for _, c := range suite.Tests {
			if c.run(t, name) {
				ran++
			}
		}
		t.Logf("%s: %d of %d cases", name, ran, len(suite.Tests))
	}
}

// run reports whether the case is of a kind that this package has.
func (c versCase) run(t *testing.T, name string) bool {
	t.Helper()
	switch c.Type {
	case "comparison", "equality":
		c.runOrder(t, name)
	case "parse", "validate":
		c.runParse(t, name)
	case "from_native":
		return c.runNative(t)
	default:
		t.Fatalf("%s: unknown kind of case %q", name, c.Type)
	}
	return true
}

func decode[T any](t *testing.T, data json.RawMessage) (v T) {
	t.Helper()
	if err := json.Unmarshal(data, &v); err != nil {
		t.Fatalf("%s: %v", data, err)
	}
	return v
}

func (c versCase) runOrder(t *testing.T, name string) {
	t.Helper()
	in := decode[versInput](t, c.Input)
	s, err := ForVERS(in.InputScheme)
	if err != nil {
		t.Errorf("%s: %v", name, err)
		return
	}
	got, err := s.Compare(in.Versions[0], in.Versions[1])
	if err != nil {
		t.Errorf("%s: %v: %v", name, in.Versions, err)
		return
	}
	if c.Type == "equality" {
		if want := decode[bool](t, c.ExpectedOutput); (got == 0) != want {
			t.Errorf("%s: %s %v: equal is %v, want %v", name, in.InputScheme, in.Versions, got == 0, want)
		}
		return
	}
	want := decode[[]string](t, c.ExpectedOutput)
	if o, err := s.Compare(want[0], want[1]); err != nil || o > 0 || o == 0 && want[0] != want[1] {
		t.Errorf("%s: %s %v: got %d (%v), want the order %v", name, in.InputScheme, in.Versions, got, err, want)
	}
}

func (c versCase) runParse(t *testing.T, name string) {
	t.Helper()
	in := decode[string](t, c.Input)
	_, err := ParseVERS(in)
	if _, isListed := versDeviations[in]; isListed {
		if err == nil {
			t.Errorf("%s: %s: agrees, yet it is listed as a deviation", name, in)
		}
		return
	}
	if c.ExpectedFailure {
		if !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: %s: got %v, want an error of kind invalid", name, in, err)
		}
		return
	}
	if err != nil {
		t.Errorf("%s: %v", name, err)
		return
	}
	if c.Type == "validate" {
		if want := decode[string](t, c.ExpectedOutput); want != in {
			t.Errorf("%s: %s: accepted as canonical, want %s", name, in, want)
		}
		return
	}
	want := decode[struct {
		Scheme      string
		Constraints [][2]string `json:"version_constraints"`
	}](t, c.ExpectedOutput)
	typ, constraints, err := splitVERS(in)
	var got [][2]string
	for _, c := range constraints {
		op := c.op.String()
		if op == "" {
			op = "="
		}
		got = append(got, [2]string{op, c.version})
	}
	if diff := cmp.Diff(want.Constraints, got); err != nil || typ != want.Scheme || diff != "" {
		t.Errorf("%s: %s: type %s, %v, (-want +got):\n%s", name, in, typ, err, diff)
	}
}

// runNative checks that an npm range holds the same releases as the VERS range
// that the suite expects of it: at, just below and just above each bound.
func (c versCase) runNative(t *testing.T) bool {
	t.Helper()
	in := decode[versInput](t, c.Input)
	if in.Scheme != "npm" {
		return false
	}
	got, err := ParseNPMRange(in.NativeRange, nil)
	if err != nil {
		t.Error(err)
		return true
	}
	want := looseVERS(t, decode[string](t, c.ExpectedOutput))
	differs := ""
	for _, v := range around(want) {
		if g, w := got.Contains(v), want.Contains(v); g != w {
			differs = v
		}
	}
	_, isListed := versDeviations["npm "+in.NativeRange]
	if isListed != (differs != "") {
		t.Errorf("npm range %q: differs from %s at %q; listed as a deviation: %v", in.NativeRange, c.ExpectedOutput, differs, isListed)
	}
	return true
}

// looseVERS reads an npm range of the suite, some of which are not canonical:
// bounds in the order of the text, each lower one up to the next upper one.
func looseVERS(t *testing.T, s string) Range {
	t.Helper()
	rest, ok := strings.CutPrefix(s, "vers:npm/")
	if !ok {
		t.Fatalf("%s: not an npm range", s)
	}
	if r, err := ParseVERS(s); err == nil {
		return r
	}
	var lows, all []Range
	for part := range strings.SplitSeq(rest, "|") {
		r, err := ParseVERS("vers:npm/" + part)
		if err != nil {
			t.Fatal(err)
		}
		switch r.sets[0].comparators[0].op {
		case atLeast, greater:
			lows = append(lows, r)
		case less, atMost:
			if len(lows) > 0 {
				r.sets[0].comparators = append(r.sets[0].comparators, lows[0].sets[0].comparators...)
				lows = lows[1:]
			}
			all = append(all, r)
		default:
			all = append(all, r)
		}
	}
	u, err := Union(append(all, lows...)...)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// around returns releases at and next to each bound of an npm range.
func around(r Range) []string {
	versions := []string{"0.0.0", "999.0.0"}
	for _, s := range r.sets {
		for _, c := range s.comparators {
			p := splitNPM(c.version.raw)
			versions = append(versions, p.core, p.core+"0", c.version.raw)
			major, rest, _ := strings.Cut(p.core, ".")
			versions = append(versions, major+"9."+rest, major+".999.999")
		}
	}
	return versions
}

func TestParseVERSErrors(t *testing.T) {
	for _, c := range []struct {
		in   string
		kind error
	}{
		{"", ErrInvalid},
		{"vers:", ErrInvalid},
		{"vers:npm", ErrInvalid},
		{"vers:npm/", ErrInvalid},
		{"vers:/1.0.0", ErrInvalid},
		{"VERS:npm/1.0.0", ErrInvalid},
		{"vers:NPM/1.0.0", ErrInvalid},
		{"vers:9npm/1.0.0", ErrInvalid},
		{"vers:npm/1.0.0|", ErrInvalid},
		{"vers:npm/*|1.0.0", ErrInvalid},
		{"vers:npm/>=", ErrInvalid},
		{"vers:npm/1.0.0 ", ErrInvalid},
		{"vers:npm/é", ErrInvalid},
		{"vers:npm/1.0.0|1.0.0", ErrInvalid},
		{"vers:npm/=1.0.0", ErrInvalid},
		{"vers:npm/==1.0.0", ErrInvalid},
		{"vers:npm/1.0.0%", ErrInvalid},
		{"vers:npm/1.0.0%2", ErrInvalid},
		{"vers:npm/1.0.0%2b1", ErrInvalid},
		{"vers:npm/1.0.0%2B1", ErrInvalid},
		{"vers:npm/1.0.0|<2.0.0", ErrInvalid},
		{"vers:npm/<1.0.0|<2.0.0", ErrInvalid},
		{"vers:npm/>1.0.0|>2.0.0", ErrInvalid},
		{"vers:npm/>1.0.0|!=1.5.0|>2.0.0", ErrInvalid},
		{"vers:npm/1.0.0|x", ErrInvalid},
		{"vers:all/1.0.0", ErrInvalid},
		{"vers:none/1.0.0", ErrInvalid},
		{"vers:generic/1.0.0", ErrUnsupported},
		{"vers:nosuch/*", ErrUnsupported},
	} {
		if _, err := ParseVERS(c.in); !errors.Is(err, c.kind) {
			t.Errorf("ParseVERS(%q): got %v, want %v", c.in, err, c.kind)
		}
	}
}

func TestVERSContains(t *testing.T) {
	for _, c := range []struct {
		vers        string
		yes, no, un []string
	}{
		{vers: "vers:npm/1.2.3|>=2.0.0|<5.0.0", yes: []string{"1.2.3", "2.0.0", "4.9.9", "5.0.0-rc.1"}, no: []string{"1.2.4", "5.0.0"}, un: []string{"latest"}},
		{vers: "vers:gem/>=2.2.0|!=2.2.1|<2.3.0", yes: []string{"2.2.0", "2.2.2"}, no: []string{"2.2.1", "2.3.0", "2.2.0.pre"}},
		{vers: "vers:deb/<1:2.0|>=1:3.0", yes: []string{"9", "1:1", "1:3.0-1"}, no: []string{"1:2.0", "1:2.5"}},
		{vers: "vers:pypi/!=1.0", yes: []string{"0.9", "1.1"}, no: []string{"1.0", "1.0.0"}},
		{vers: "vers:pypi/!=1.0|!=2.0", yes: []string{"1.5"}, no: []string{"1.0.0", "2.0"}},
		{vers: "vers:maven/>=1.0-beta1|<=1.7.5|>=7.0.0-M1|<=7.0.7", yes: []string{"1.7.5", "7.0.0"}, no: []string{"6.0", "7.0.8", "1.0-alpha1"}},
		{vers: "vers:rpm/>1.0-1", yes: []string{"1.0-2"}, no: []string{"1.0-1", "1.0"}},
		{vers: "vers:deb/*", yes: []string{"1.0", "not a version"}},
		{vers: "vers:all/*", yes: []string{"1.0", ""}},
		{vers: "vers:none/*", no: []string{"1.0", ""}},
		{vers: "vers:npm/1.0%252F0", yes: []string{"1.0%2F0"}, un: []string{"1.0.0"}},
		{vers: "vers:npm/<junk", un: []string{"1.0.0"}},
		{vers: "vers:intdot/>=1.2.3", yes: []string{"1.2.3", "01.2.3", "1.2.3-x", "1.2.10"}, no: []string{"1.2", "1.2.2.9"}, un: []string{"x"}},
		{vers: "vers:datetime/>=2024-01-01T00:00:00Z|<2025-01-01T00:00:00+01:00",
			yes: []string{"2024-01-01T00:00:00Z", "2024-12-31T22:59:59.5Z"}, no: []string{"2024-12-31T23:00:00Z"}, un: []string{"2024-06-01", "2024-06-01t00:00:00z", "2024-06-01T1:00:00Z"}},
	} {
		r, err := ParseVERS(c.vers)
		if err != nil {
			t.Error(err)
			continue
		}
		checkContains(t, c.vers, r, c.yes, c.no, c.un)
	}
}

func checkContains(t *testing.T, name string, r Range, yes, no, unknown []string) {
	t.Helper()
	for _, c := range []struct {
		want     State
		versions []string
	}{{Yes, yes}, {No, no}, {Unknown, unknown}} {
		for _, v := range c.versions {
			if got := r.Contains(v); got.State != c.want || (got.Reason != "") != (c.want == Unknown) {
				t.Errorf("%s contains %q: got %v, want %s", name, v, got, c.want)
			}
		}
	}
}
