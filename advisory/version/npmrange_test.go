package version

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/stella-ops/stella/internal/testdata"
)

// npmRow is one row of a node-semver fixture: two or more strings or nulls, and
// options at the end.
type npmRow []json.RawMessage

func npmFixture(t *testing.T, name string) []npmRow {
	t.Helper()
	data, ok := testdata.Open(t, "conformance/npm-semver.tar.gz")[name]
	if !ok {
		t.Fatalf("the fixtures have no %s", name)
	}
	var rows []npmRow
	if err := json.Unmarshal(data, &rows); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	t.Logf("%s: %d rows", name, len(rows))
	return rows
}

// text returns column i; ok is false for null and a column that is not there.
func (r npmRow) text(i int) (s string, ok bool) {
	return s, i < len(r) && string(r[i]) != "null" && json.Unmarshal(r[i], &s) == nil
}

// options reads column i as node-semver does: true is loose, an object may have
// two options, all else is the default.
func (r npmRow) options(i int) *NPMOptions {
	if i >= len(r) {
		return nil
	}
	var o struct{ Loose, IncludePrerelease any }
	if string(r[i]) == "true" {
		return &NPMOptions{Loose: true}
	}
	if json.Unmarshal(r[i], &o) != nil {
		return nil
	}
	isTrue := func(v any) bool {
		switch v := v.(type) {
		case bool:
			return v
		case float64:
			return v != 0
		}
		return false
	}
	return &NPMOptions{Loose: isTrue(o.Loose), IncludePrerelease: isTrue(o.IncludePrerelease)}
}

func TestNPMVersions(t *testing.T) {
	for _, row := range npmFixture(t, "comparisons.json") {
		a, _ := row.text(0)
		b, _ := row.text(1)
		if ok, got := (ordered{a, ">", b}).agrees("npm"); !ok {
			t.Errorf("%q > %q: got %s", a, b, got)
		}
	}
	for _, row := range npmFixture(t, "equality.json") {
		a, _ := row.text(0)
		b, _ := row.text(1)
		if ok, got := (ordered{a, "=", b}).agrees("npm"); !ok {
			t.Errorf("%q = %q: got %s", a, b, got)
		}
	}
	for _, row := range npmFixture(t, "valid-versions.json") {
		v, _ := row.text(0)
		if p := readNPM(v, false); p.why != "" {
			t.Errorf("%q: refused: %s", v, p.why)
		}
	}
}

// TestNPMStrict has what is valid only in loose mode.
func TestNPMStrict(t *testing.T) {
	for _, v := range []string{"=1.2.3", "01.2.3", "1.2.3beta", "1.2.3-01", " v 1.2.3", "1.2.3-"} {
		if p := readNPM(v, false); p.why == "" {
			t.Errorf("%q: accepted strictly", v)
		}
		if p := readNPM(v, true); p.why != "" {
			t.Errorf("%q: refused in loose mode: %s", v, p.why)
		}
	}
}

func TestNPMRangeParse(t *testing.T) {
	for _, row := range npmFixture(t, "range-parse.json") {
		in, _ := row.text(0)
		want, isValid := row.text(1)
		got, err := ParseNPMRange(in, row.options(2))
		switch {
		case !isValid && !errors.Is(err, ErrInvalid):
			t.Errorf("range %q: got %v (%v), want an error", in, got, err)
		case isValid && (err != nil || got.String() != want):
			t.Errorf("range %q: got %s (%v), want %s", in, got, err, want)
		}
	}
}

func TestNPMRangeContains(t *testing.T) {
	for _, f := range []struct {
		name string
		want State
	}{{"range-include.json", Yes}, {"version-gt-range.json", No}} {
		for _, row := range npmFixture(t, f.name) {
			in, _ := row.text(0)
			v, _ := row.text(1)
			r, err := ParseNPMRange(in, row.options(2))
			if got := r.Contains(v); err != nil || got.State != f.want {
				t.Errorf("%s: range %q contains %q: got %v (%v)", f.name, in, v, got, err)
			}
		}
	}
}
