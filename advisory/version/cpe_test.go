package version

import "testing"

func TestCPEOrder(t *testing.T) {
	// Each line ascends; versions with = between them are equal.
	for _, line := range [][]string{
		{"1.0-dev", "1.0-alpha1", "1.0a2", "1.0-beta", "1.0b1", "1.0-M1", "1.0.0-pre3", "1.0-rc1", "1.0.rc.2", "1.0", "1.0+", "1.0.1"},
		{"0.9.8", "1.0.2", "1.0.2a", "1.0.2z", "1.0.2za", "1.0.2.1", "1.1.0"},
		{"7.3p2", "7.4", "7.4+", "7.4p1", "7.4p2", "7.5"},
		{"2", "2.0.0.1", "2.0.1-beta", "2.0.1"},
		{"9", "10", "11_u2", "11_u10"},
		{"v1.2", "1.2 sp1", "1.2.1"},
	} {
		for i, a := range line {
			for j, b := range line {
				got, err := Scheme{&cpe}.Compare(a, b)
				if want := sign(i - j); err != nil || got != want {
					t.Errorf("%s and %s: %d, %v, want %d", a, b, got, err, want)
				}
			}
		}
	}
	for _, line := range [][]string{
		{"1", "1.0", "1.0.0", "v1", "1.0-final", "1 GA", "1.0.0.release"},
		{"5.5p3", "5.5 Patch 3", "5.5pl3", "5.5-patchlevel3"},
		{"2.0-beta0", "2-BETA", "2.0.0.beta"},
		{"8u201", "8 update 201", "8.0_update_201"},
	} {
		for _, a := range line {
			for _, b := range line {
				if got, err := (Scheme{&cpe}).Compare(a, b); err != nil || got != 0 {
					t.Errorf("%s and %s: %d, %v, want equal", a, b, got, err)
				}
			}
		}
	}
	for _, v := range []string{"", "*", "-", "+", "..", "1\n2", "<1", "1.*", "1, 2", "~>1"} {
		if _, err := (Scheme{&cpe}).Parse(v); err == nil {
			t.Errorf("%q is a version", v)
		}
	}
}
