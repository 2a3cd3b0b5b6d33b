package servers

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

const (
	cosignVariable = "STELLA_COSIGN"
	cosign         = "github.com/sigstore/cosign/v3/cmd/cosign"
	cosignVersion  = "v3.1.3"
)

// Cosign returns the path of the cosign program: the one that STELLA_COSIGN names,
// else one on PATH, else one that is built into the cache folder, once. That takes some
// minutes, so it is done where STELLA_LONG=1 asks for it, and the test is skipped
// otherwise: cosign is a peer, and nothing of stella needs it.
func Cosign(t testing.TB) string {
	t.Helper()
	p, err := findCosign()
	if err != nil && os.Getenv("STELLA_LONG") == "" {
		t.Skipf("no cosign: %v", err)
	}
	if err != nil {
		missing(t, "cosign", cosignVariable, err)
	}
	t.Logf("cosign from %s", p.how)
	return p.path
}

func findCosign() (program, error) {
	if p := os.Getenv(cosignVariable); p != "" {
		_, err := os.Stat(p)
		return program{path: p, how: cosignVariable + " " + p}, err
	}
	if p := lookUp("cosign"); p != "" {
		return program{path: p, how: p}, nil
	}
	dir, err := fetch("cosign-"+cosignVersion, func(dir string) error {
		if os.Getenv("STELLA_LONG") == "" {
			return errors.New("STELLA_LONG=1 builds one, which takes minutes")
		}
		return run(dir, []string{"GOBIN=" + dir, "GOWORK=off"}, "go", "install", "-ldflags=-s -w", cosign+"@"+cosignVersion)
	})
	if err != nil {
		return program{}, err
	}
	return program{path: filepath.Join(dir, "cosign"), how: "go install in " + dir}, nil
}
