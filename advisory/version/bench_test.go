package version

import "testing"

// benchmarked are pairs that differ late, as versions of one package do.
var benchmarked = []struct{ ecosystem, a, b string }{
	{"Debian:12", "1:2.36.1-8+deb12u1", "1:2.36.1-8+deb12u2"},
	{"Red Hat:enterprise_linux:9", "0:5.14.0-362.8.1.el9_3", "0:5.14.0-362.13.1.el9_3"},
	{"Alpine:v3.18", "3.1.4-r5", "3.1.4-r6"},
	{"Go", "v0.0.0-20230815123456-abcdef012345", "v0.0.0-20231015123456-abcdef012345"},
	{"crates.io", "1.18.3-beta.2", "1.18.3-beta.11"},
	{"npm", "4.17.20", "4.17.21"},
	{"PyPI", "2.0.0rc1", "2.0.0.post1"},
	{"Maven", "2.15.0-beta-1-SNAPSHOT", "2.15.0-rc2"},
	{"RubyGems", "6.1.7.1", "6.1.7.2"},
	{"NuGet", "13.0.1-beta2", "13.0.1"},
	{"Packagist", "v6.2.7-BETA1", "v6.2.7"},
	{"Hackage", "0.11.3.0", "0.11.4.0"},
	{"CRAN", "1.0-10", "1.0-11"},
	{"ConanCenter", "1.2.11", "1.2.12"},
	{"Pub", "1.2.3+1", "1.2.3+2"},
}

func BenchmarkCompare(b *testing.B) {
	for _, c := range benchmarked {
		b.Run(c.ecosystem, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if got, err := Compare(c.ecosystem, c.a, c.b); err != nil || got == 0 {
					b.Fatal(got, err)
				}
			}
		})
	}
}

func BenchmarkVersionCompare(b *testing.B) {
	for _, c := range benchmarked {
		b.Run(c.ecosystem, func(b *testing.B) {
			s, err := For(c.ecosystem)
			if err != nil {
				b.Fatal(err)
			}
			v, err := s.Parse(c.a)
			if err != nil {
				b.Fatal(err)
			}
			w, err := s.Parse(c.b)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if v.Compare(w) == 0 {
					b.Fatal("equal")
				}
			}
		})
	}
}

func BenchmarkRange(b *testing.B) {
	s, err := For("Debian:12")
	if err != nil {
		b.Fatal(err)
	}
	events := []Event{{Introduced: "0"}, {Fixed: "1:2.36.1-8+deb12u2"}}
	r, err := NewRange(s, events)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("New", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := NewRange(s, events); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("Contains", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if r.Contains("1:2.36.1-8+deb12u1").State != Yes {
				b.Fatal("not in the range")
			}
		}
	})
}
