package version

import (
	"errors"
	"testing"
)

// everyRules are all schemes.
func everyRules() []*rules {
	all := []*rules{&alpm}
	for _, g := range grammars {
		all = append(all, g.rules)
	}
	return all
}

// FuzzCompare holds every scheme to what its order promises: the opposite the
// other way round, equality with itself, the same as texts and parsed, and
// errors of kind invalid.
func FuzzCompare(f *testing.F) {
	for _, c := range benchmarked {
		f.Add(c.a, c.b)
	}
	for _, s := range []string{"", "1", "1-ga-1", "v1.x-dev", "1.0~^", "1!1.0.post1+a.1", "dev-x as 1", "1..r-r", "\xff", "1-\x00", "go1.21rc1", "1.0.a-0"} {
		f.Add(s, "1.0.0-rc.1")
	}
	schemes := everyRules()
	f.Fuzz(func(t *testing.T, a, b string) {
		for _, r := range schemes {
			s := Scheme{r}
			v, errA := s.Parse(a)
			w, errB := s.Parse(b)
			got, err := s.Compare(a, b)
			if (err != nil) != (errA != nil || errB != nil) || err != nil && !errors.Is(err, ErrInvalid) {
				t.Fatalf("%s: %q, %q: compared %v, parsed %v, %v", s, a, b, err, errA, errB)
			}
			if err != nil {
				continue
			}
			back, err := s.Compare(b, a)
			if err != nil || back != -got || v.Compare(w) != got || v.Compare(v) != 0 {
				t.Fatalf("%s: %q, %q: %d, back %d, parsed %d, itself %d, %v", s, a, b, got, back, v.Compare(w), v.Compare(v), err)
			}
			if r.floating != nil {
				_ = r.floating(v)
			}
		}
	})
}

// FuzzRange reads arbitrary events and asks for arbitrary versions.
func FuzzRange(f *testing.F) {
	f.Add("1.0", "2.0", "3.0", "4.0", "1.5")
	f.Add("0", "", "", "*", "dev-main")
	schemes := everyRules()
	f.Fuzz(func(t *testing.T, introduced, fixed, last, limit, v string) {
		var events []Event
		for _, e := range []Event{{Introduced: "0"}, {Introduced: introduced}, {Fixed: fixed}, {LastAffected: last}, {Limit: limit}} {
			if e != (Event{}) {
				events = append(events, e)
			}
		}
		for _, r := range schemes {
			got, err := NewRange(Scheme{r}, events)
			if err != nil {
				t.Fatal(err)
			}
			if a := got.Contains(v); (a.State == Unknown) != (a.Reason != "") {
				t.Fatalf("%s: %v contains %q: %v with the reason %q", r.name, got, v, a, a.Reason)
			}
			if got, err := NewRange(Scheme{r}, events[1:]); err == nil {
				_ = got.Contains(v)
			} else if !errors.Is(err, ErrInvalid) {
				t.Fatal(err)
			}
		}
	})
}

// FuzzVERS reads arbitrary specifiers. What is accepted has no other form, so
// that each constraint's own version can be asked for.
func FuzzVERS(f *testing.F) {
	for _, s := range []string{"vers:npm/1.2.3|>=2.0.0|<5.0.0", "vers:pypi/!=1.0", "vers:all/*", "vers:none/*", "vers:deb/<1%2C", "vers:datetime/2024-01-01T00:00:00Z", "vers:npm/1.0%252F0", "vers:alpm/>1|<2"} {
		f.Add(s, "1.0.0")
	}
	f.Fuzz(func(t *testing.T, s, v string) {
		r, err := ParseVERS(s)
		if err != nil {
			if !errors.Is(err, ErrInvalid) && !errors.Is(err, ErrUnsupported) {
				t.Fatal(err)
			}
			return
		}
		_ = r.String()
		_ = r.Contains(v)
		_, constraints, err := splitVERS(s)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range constraints {
			want := Yes
			if c.op == notEqual || c.op == less || c.op == greater {
				want = No
			}
			if got := r.Contains(c.version); got.State != want && got.State != Unknown {
				t.Fatalf("%s contains %q: got %v, want %v", s, c.version, got, want)
			}
		}
	})
}

// FuzzNPMRange reads arbitrary ranges: what one writes reads back as the same.
func FuzzNPMRange(f *testing.F) {
	for _, s := range []string{"^1.2.3", "~1.2 || >=3.x <4", "1 - 2", "*", "", ">x", "1.2.3beta", "<0.0.0-0 || 1", "~> 1", ">=1.2.3-a.1+b", "x||^0.0.1"} {
		f.Add(s, "1.2.3", false, false)
		f.Add(s, "1.2.3-a", true, true)
	}
	f.Fuzz(func(t *testing.T, s, v string, loose, pre bool) {
		opts := &NPMOptions{Loose: loose, IncludePrerelease: pre}
		r, err := ParseNPMRange(s, opts)
		if err != nil {
			if !errors.Is(err, ErrInvalid) {
				t.Fatal(err)
			}
			return
		}
		again, err := ParseNPMRange(r.String(), opts)
		if err != nil || again.String() != r.String() {
			t.Fatalf("range %q is %q, which is %q (%v)", s, r, again, err)
		}
		if got, want := again.Contains(v), r.Contains(v); got != want {
			t.Fatalf("range %q contains %q: %v; %q: %v", s, v, want, r, got)
		}
	})
}
