package rubygems

import "testing"

func TestAllow(t *testing.T) {
	tests := []struct {
		requirements, version string
		want                  bool
	}{
		{"", "1.0", true}, {">= 0", "1.0", true}, {"= 1.0", "1.0.0", true}, {"1.0", "1.0", true}, {"1.0", "1.1", false}, {"!= 1.0", "1.0.0", false}, {"!= 1.0", "1.1", true},
		{"> 1.0", "1.0", false}, {"> 1.0", "1.0.1", true}, {"< 2", "2.0.0.rc1", true}, {">= 2", "2.0.0.rc1", false}, {"<= 1.10", "1.9", true},
		{"~> 2.2", "2.9", true}, {"~> 2.2", "3.0", false}, {"~> 2.2", "2.1", false}, {"~> 2.2.3", "2.2.10", true}, {"~> 2.2.3", "2.3.0", false},
		{"~> 2", "2.9", true}, {"~> 2", "3.0", false}, {"~> 2.0.a", "2.0", true}, {"~> 1.0.0.beta2", "1.0.9", true}, {"~> 1.0.0.beta2", "1.1.0", false},
		{"~> 0", "0.5", true}, {"~>1.0", "1.5", true}, {">= 1.0, < 2", "1.5", true}, {">= 1.0, < 2", "2.0", false}, {">= 1.0,", "1.5", true}, {"=", "1", true},
	}
	for _, tt := range tests {
		if got := allow(clauses(tt.requirements), segments(tt.version)); got != tt.want {
			t.Errorf("%q allows %s: %v, want %v", tt.requirements, tt.version, got, tt.want)
		}
	}
}

func TestCompare(t *testing.T) {
	// In order, as RubyGems sorts them; equal ones are in one line.
	order := [][]string{
		{"0.9"}, {"1.0.a", "1.a"}, {"1.0.b1", "1.0.0.b.1"}, {"1.0-2"}, {"1.0.rc10"}, {"1.0.rc11"}, {"1", "1.0", "1.0.0", "01"},
		{"1.0.1"}, {"1.9"}, {"1.10"}, {"99999999999999999999"}, {"100000000000000000000"},
	}
	for i, xs := range order {
		for j, ys := range order {
			for _, x := range xs {
				for _, y := range ys {
					if got := compare(segments(x), segments(y)); got < 0 != (i < j) || got > 0 != (i > j) {
						t.Errorf("compare(%s, %s) = %d", x, y, got)
					}
				}
			}
		}
	}
}

func TestFromFile(t *testing.T) {
	tests := map[string][3]string{
		"rack-3.0.8": {"rack", "3.0.8", ""}, "nokogiri-1.16.0-x86_64-linux": {"nokogiri", "1.16.0", "x86_64-linux"}, "ffi-1.15-universal-darwin-20": {"ffi", "1.15", "universal-darwin-20"},
		"http_parser.rb-0.6.0": {"http_parser.rb", "0.6.0", ""}, "aws-sdk-s3-1.2.rc1": {"aws-sdk-s3", "1.2.rc1", ""}, "mod-2-own-1.0": {"mod-2-own", "1.0", ""},
		"simple_form-159f4015973c": {}, "rack": {}, "": {}, "-": {}, "-1.0": {"", "1.0", ""}, "a-1..0": {}, "a-1.": {},
	}
	for in, want := range tests {
		name, version, platform := fromFile(in)
		if got := [3]string{name, version, platform}; got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

// TestText holds the forms of quotes against what Ruby makes of them.
func TestText(t *testing.T) {
	tests := map[string]string{
		`"a\"b\\c\n\t\x41\u00e9\u{1F600}\101\e\#{x}\z"`: "a\"b\\c\n\tAé😀A\x1b#{x}z", `'a\'b\\c\n"'`: `a'b\c\n"`, `%q<a<b>\>c\d>`: `a<b>>c\d`, `%Q{a{b}\n}`: "a{b}\n", `%(x)`: "x",
		`%q[a]`: "a", `%q|a|`: "a", "\"a\\\nb\"": "ab", `"a # b"`: "a # b", `""`: "", `"\xff"`: "\uFFFD", `%w[a b]`: "a b",
	}
	for in, want := range tests {
		s := scanner{data: []byte(in)}
		got := s.next()
		if got.text != want || got.odd || s.err != nil || s.next() != (token{}) {
			t.Errorf("%s: %+v (%v), want %q", in, got, s.err, want)
		}
	}
	for _, in := range []string{`"a#{b}"`, `"#$x"`, `"#@x"`, `%Q<#{a}>`} {
		s := scanner{data: []byte(in)}
		if got := s.next(); !got.odd {
			t.Errorf("%s: %+v is taken for a plain text", in, got)
		}
	}
}

func TestIsDefault(t *testing.T) {
	for in, want := range map[string]bool{
		"https://rubygems.org/": true, "http://rubygems.org": true, "https://index.rubygems.org/": true, "https://rubygems.org.example/": false,
		"https://notrubygems.org/": false, "": false, "https://gems.example/rubygems.org": false,
	} {
		if got := isDefault(in); got != want {
			t.Errorf("%q: %v", in, got)
		}
	}
}
