package image

import (
	"slices"
	"strings"
	"testing"

	"github.com/stella-ops/stella/scan/sbom"
)

func TestImageNames(t *testing.T) {
	good := []string{"app:latest", "docker.io/library/app:1", "latest", "V1.0+build", "localhost:5000/a/b@sha256:" + strings.Repeat("a", 64)}
	bad := []string{"", "user:secret@localhost/app", "a b", "a\nb", "a\x00b", "<none>:<none>", "../a", "http://a/b", strings.Repeat("a/", 600) + "a"}
	names, gaps := imageNames(slices.Concat(bad, good, good))
	if !slices.Equal(names, slices.Sorted(slices.Values(good))) {
		t.Errorf("kept %q", names)
	}
	if len(gaps) != 1 || gaps[0].Code != sbom.GapOddity || gaps[0].Blocking || !strings.HasPrefix(gaps[0].What, "9 of 19 ") || strings.Contains(gaps[0].What, "secret") {
		t.Errorf("%+v", gaps)
	}
	if names, gaps = imageNames(nil); names != nil || gaps != nil {
		t.Errorf("of none: %q, %+v", names, gaps)
	}
}
