package servers

import (
	"os"
	"os/exec"
	"testing"
)

// Long says whether tests have their full counts, which .ci/long asks for.
func Long() bool { return os.Getenv("STELLA_LONG") == "1" }

// Tool is the path of a program of the system. A test of a system without it is skipped.
func Tool(t testing.TB, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("%s is not on PATH", name)
	}
	return path
}
