package version

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
)

func TestRangeContains(t *testing.T) {
	intro, fixed := func(v string) Event { return Event{Introduced: v} }, func(v string) Event { return Event{Fixed: v} }
	last, limit := func(v string) Event { return Event{LastAffected: v} }, func(v string) Event { return Event{Limit: v} }
	for _, c := range []struct {
		name, ecosystem string
		events          []Event
		text            string
		yes, no, un     []string
	}{
		{"all", "npm", []Event{intro("0")}, "*", []string{"0.0.0-0", "1.0.0", "not a version", ""}, nil, nil},
		{"fixed", "npm", []Event{intro("0"), fixed("1.0.2")}, "<1.0.2", []string{"0.0.0", "1.0.2-rc"}, []string{"1.0.2", "2.0.0"}, []string{"latest", ""}},
		{"two intervals, unordered", "npm", []Event{fixed("3.2.5"), intro("3.0.0"), fixed("1.0.2"), intro("1.0.0")},
			">=1.0.0 <1.0.2||>=3.0.0 <3.2.5", []string{"1.0.0", "3.2.4"}, []string{"0.9.0", "1.0.2", "2.0.0", "3.2.5"}, nil},
		{"last affected", "PyPI", []Event{intro("0"), last("2.1")}, "<=2.1", []string{"2.1", "2.1.0"}, []string{"2.1.post1", "2.2"}, []string{"a b"}},
		{"order of the scheme", "Debian:12", []Event{fixed("1.10"), intro("1.9")}, ">=1.9 <1.10", []string{"1.9", "1.9.5-1"}, []string{"1.8", "1.10"}, []string{"v1"}},
		{"no fix", "Red Hat", []Event{intro("1:0")}, ">=1:0", []string{"1:0", "2:1"}, []string{"99"}, []string{"1 2"}},
		{"ends where the next starts", "npm", []Event{intro("0"), fixed("1.0.0"), intro("1.0.0"), fixed("2.0.0")}, "<1.0.0||>=1.0.0 <2.0.0",
			[]string{"0.1.0", "1.0.0", "1.5.0"}, []string{"2.0.0"}, nil},
		{"last affected where the next starts", "npm", []Event{intro("0"), last("1.0.0"), intro("1.0.0"), fixed("2.0.0")}, "<=1.0.0||>=1.0.0 <2.0.0",
			[]string{"1.0.0", "1.5.0"}, []string{"2.0.0"}, nil},
		{"empty interval", "npm", []Event{intro("1.0.0"), fixed("1.0.0")}, "", nil, []string{"0.9.0", "1.0.0", "1.1.0"}, nil},
		{"one version", "npm", []Event{intro("1.0.0"), last("1.0.0")}, "1.0.0", []string{"1.0.0"}, []string{"0.9.0", "1.0.1"}, nil},
		{"doubled events", "npm", []Event{intro("1.0.0"), intro("1.5.0"), fixed("2.0.0"), fixed("3.0.0")}, ">=1.0.0 <2.0.0",
			[]string{"1.0.0", "1.9.0"}, []string{"2.0.0", "2.5.0", "3.0.0"}, nil},
		{"limit", "npm", []Event{intro("1.0.0"), limit("1.5.0")}, ">=1.0.0 <1.5.0", []string{"1.4.0"}, []string{"1.5.0"}, nil},
		{"highest of limits", "npm", []Event{intro("1.0.0"), limit("1.5.0"), limit("1.7.0"), limit("1.2.0")}, ">=1.0.0 <1.7.0", []string{"1.6.0"}, []string{"1.7.0"}, nil},
		{"endless limit", "npm", []Event{intro("1.0.0"), limit("1.5.0"), limit("*")}, ">=1.0.0", []string{"1.6.0"}, []string{"0.9.0"}, nil},
		{"unreadable bound", "npm", []Event{intro("0"), fixed("soon")}, "||?", nil, nil, []string{"0.1.0", "9.0.0"}},
		{"unreadable limit", "npm", []Event{intro("0"), limit("soon")}, "||?", nil, nil, []string{"0.1.0"}},
		{"branch", "Packagist", []Event{intro("0"), fixed("2.0.0")}, "<2.0.0", []string{"1.9", "1.x-dev"}, []string{"2.0", "2.x-dev"}, []string{"dev-main", "master", "dev-1.0"}},
		{"Go release candidates", "Go", []Event{intro("1.21.0-0"), fixed("1.21.8")}, ">=1.21.0-0 <1.21.8", []string{"go1.21rc2", "1.21", "go1.21.7 X:boringcrypto"}, []string{"go1.20.14", "go1.21.8", "1.22"}, []string{"devel go1.22-abc"}},
	} {
		s, err := For(c.ecosystem)
		if err != nil {
			t.Fatal(err)
		}
		r, err := NewRange(s, c.events)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if r.String() != c.text {
			t.Errorf("%s: it is %q, want %q", c.name, r, c.text)
		}
		checkContains(t, c.name, r, c.yes, c.no, c.un)
	}
}

func TestNewRangeErrors(t *testing.T) {
	for _, events := range [][]Event{
		nil,
		{{}},
		{{Introduced: "0"}, {}},
		{{Introduced: "0", Fixed: "1.0.0"}},
		{{Fixed: "1.0.0"}},
		{{Limit: "1.0.0"}, {LastAffected: "2.0.0"}},
	} {
		if r, err := NewRange(Scheme{&npm}, events); !errors.Is(err, ErrInvalid) || r.Contains("1.0.0").State != No {
			t.Errorf("%v: got %v, %v, want an error of kind invalid", events, r, err)
		}
	}
	r, err := NewRange(Scheme{}, []Event{{Introduced: "1"}})
	if answer := r.Contains("1"); err != nil || answer.State != Unknown || answer.Reason == "" {
		t.Errorf("without a scheme: got %v, %v", answer, err)
	}
}

func TestEventJSON(t *testing.T) {
	var events []Event
	const text = `[{"introduced":"0"},{"last_affected":"1.0"},{"fixed":"2"},{"limit":"*"}]`
	if err := json.Unmarshal([]byte(text), &events); err != nil {
		t.Fatal(err)
	}
	if got, err := json.Marshal(events); err != nil || string(got) != text {
		t.Errorf("got %s, %v", got, err)
	}
}

func TestEnumerated(t *testing.T) {
	versions := []string{"1.0", "2.0.0-beta", "weird one"}
	r := Enumerated(Scheme{&pypi}, versions)
	versions[0] = "9" // the range keeps its own copy
	checkContains(t, "pypi list", r, []string{"1.0", "1", "v1.0.0", "2b0", "weird one"}, []string{"9", "1.1"}, []string{"weird two", ""})
	if got := r.String(); got != "1.0||2.0.0-beta||weird one" {
		t.Errorf("it is %q", got)
	}
	checkContains(t, "branches", Enumerated(Scheme{&composer}, []string{"dev-main"}), []string{"dev-main"}, []string{"1.0"}, []string{"dev-other"})
	checkContains(t, "nothing", Enumerated(Scheme{&npm}, nil), nil, []string{"1.0.0", "not a version"}, nil)
}

func TestUnion(t *testing.T) {
	s := Scheme{&npm}
	r, err := NewRange(s, []Event{{Introduced: "1.0.0"}, {Fixed: "1.5.0"}})
	if err != nil {
		t.Fatal(err)
	}
	gap, err := NewRange(s, []Event{{Introduced: "0"}, {Fixed: "soon"}})
	if err != nil {
		t.Fatal(err)
	}
	list := Enumerated(s, []string{"3.0.0", "odd"})
	for _, c := range []struct {
		name        string
		ranges      []Range
		yes, no, un []string
	}{
		{"nothing", nil, nil, []string{"1.0.0", "odd"}, nil},
		{"range and list", []Range{r, {}, list}, []string{"1.0.0", "3.0.0", "odd"}, []string{"1.5.0", "2.0.0"}, []string{"even"}},
		{"with a gap", []Range{gap, r, list}, []string{"1.0.0", "3.0.0", "odd"}, nil, []string{"2.0.0"}},
	} {
		u, err := Union(c.ranges...)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		checkContains(t, c.name, u, c.yes, c.no, c.un)
	}
	if _, err := Union(r, Enumerated(Scheme{&deb}, []string{"1"})); !errors.Is(err, ErrInvalid) {
		t.Errorf("two schemes: got %v", err)
	}
}

func TestContainsVersion(t *testing.T) {
	s := Scheme{&npm}
	r, err := NewRange(s, []Event{{Introduced: "0"}, {Fixed: "1.0.0"}})
	if err != nil {
		t.Fatal(err)
	}
	v, err := s.Parse("0.9.0")
	if err != nil {
		t.Fatal(err)
	}
	other, err := Scheme{&deb}.Parse("0.9.0")
	if err != nil {
		t.Fatal(err)
	}
	if got := r.ContainsVersion(v); got.State != Yes || r.Scheme() != s {
		t.Errorf("got %v of %v", got, r.Scheme())
	}
	if got := r.ContainsVersion(other); got.State != Unknown || !strings.Contains(got.Reason, "deb") {
		t.Errorf("another scheme: got %v", got)
	}
	if got := Enumerated(s, []string{"0.9.0"}).ContainsVersion(v); got.State != Yes {
		t.Errorf("an enumerated version: got %v", got)
	}
	if got := (Range{}).ContainsVersion(v); got.State != No {
		t.Errorf("the empty range: got %v", got)
	}
}
