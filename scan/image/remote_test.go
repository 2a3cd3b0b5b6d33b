package image

import (
	"errors"
	"strings"
	"testing"
)

func TestParseRemote(t *testing.T) {
	for in, want := range map[string]string{
		"alpine":                             "index.docker.io/library/alpine:latest",
		"docker://alpine:3.20":               "index.docker.io/library/alpine:3.20",
		"registry:registry.example:5000/a:1": "registry.example:5000/a:1",
		"docker://odd.tar":                   "index.docker.io/library/odd.tar:latest",
	} {
		r, err := ParseRemote(in)
		if err != nil || r.String() != want {
			t.Errorf("%s: %v %v, want %s", in, r, err, want)
		}
	}
	for in, want := range map[string]string{
		"dir:/etc": "scheme dir", "docker-archive:x.tar": "scheme docker-archive", "oci:x": "scheme oci ", "oci-dir:x": "oci-dir", "oci-archive:x": "oci-archive",
		"docker:alpine": "scheme docker ", "docker-daemon:alpine": "docker-daemon", "podman:alpine": "podman", "sbom:x": "sbom", "https://a/b": "https", "ftp://a/b": "ftp",
		"/etc": "path", "./a": "path", "../a": "path", "..": "path", "image.tar": "path", `C:\x`: "path", "~/x": "path",
	} {
		if _, err := ParseRemote(in); !errors.Is(err, ErrUnsupported) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want unsupported and %q", in, err, want)
		}
	}
	for _, in := range []string{"", "A/b", "docker://", "user:secret@registry.example/a", "a b", "registry:dir:x:y"} {
		if _, err := ParseRemote(in); !errors.Is(err, ErrInvalid) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: %v, want invalid", in, err)
		}
	}
}
