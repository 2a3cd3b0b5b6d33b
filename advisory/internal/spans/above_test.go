package spans_test

import (
	"testing"

	"github.com/stella-ops/stella/advisory/internal/spans"
)

// TestAbove: what is above a version is above it, and below all that follow it.
func TestAbove(t *testing.T) {
	for ecosystem, lines := range map[string][][]string{
		"CPE":       {{"1.2", "1.2p1", "1.2.1"}, {"1.2-rc1", "1.2-rc2", "1.2"}},
		"npm":       {{"1.2.3", "1.2.4-alpha", "1.2.4"}, {"1.2.3-beta", "1.2.3-beta.0.1", "1.2.3-beta.1", "1.2.3"}},
		"crates.io": {{"1.2.3", "1.2.4-0.1", "1.2.4"}, {"1.2", "1.2.1"}},
		"Go":        {{"1.2.3", "1.2.4-rc.1", "1.2.4"}},
		"RubyGems":  {{"1.2.3", "1.2.3.1", "1.2.4.pre"}, {"1.2.pre", "1.2.pre.1", "1.2"}},
		"Packagist": {{"1.2.3", "1.2.3-p1", "1.2.4-dev"}, {"1.2", "1.2.0-p1", "1.2.1"}},
		"PyPI":      {{"1.2", "1.2.post1", "1.2.1.dev0"}, {"1.2rc1", "1.2rc2", "1.2"}},
		"Maven":     {{"1.2", "1.2-sp1", "1.2.1"}},
	} {
		s := scheme(t, ecosystem)
		above := spans.Above(s)
		for _, line := range lines {
			next := above(line[0])
			for i, v := range line {
				want := -1
				if i == 0 {
					want = 1
				}
				if c, err := s.Compare(next, v); err != nil || c != want && !(i > 0 && c == 0) {
					t.Errorf("%s: %s and %s: %d, %v", ecosystem, next, v, c, err)
				}
			}
		}
	}
}
