package sum_test

import (
	"strings"
	"testing"

	"github.com/stella-ops/stella/internal/sum"
)

// The sums of FIPS 180-2, appendix B.
func TestOf(t *testing.T) {
	for content, want := range map[string]string{
		"":    "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
		"abc": "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
	} {
		if got := sum.Of([]byte(content)); got != want || !sum.Is(got) {
			t.Errorf("%q: %s, want %s", content, got, want)
		}
	}
}

func TestIs(t *testing.T) {
	good := sum.Of(nil)
	for _, s := range []string{
		"", "sha256:", good[:len(good)-1], good + "0", strings.ToUpper(good), "sha256:" + strings.ToUpper(good[7:]),
		strings.Replace(good, "sha256", "sha512", 1), good[7:], " " + good, good + "\n", strings.Replace(good, "e3", "/.", 1), strings.Replace(good, "e3", "g3", 1),
	} {
		if sum.Is(s) {
			t.Errorf("%q passes", s)
		}
	}
}
