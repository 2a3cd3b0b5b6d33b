package flows

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stella-ops/stella/internal/e2e/servers"
)

func TestMain(m *testing.M) { servers.Main(m) }

// binary builds the program once, where STELLA_TEST_BINARY names none.
var binary = sync.OnceValues(func() (string, error) {
	if path := os.Getenv("STELLA_TEST_BINARY"); path != "" {
		return path, nil
	}
	dir, err := os.MkdirTemp("", "stella-flows-")
	if err != nil {
		return "", err
	}
	out := filepath.Join(dir, "stella")
	if text, err := exec.Command("go", "build", "-o", out, "github.com/stella-ops/stella/services/stella").CombinedOutput(); err != nil {
		return "", fmt.Errorf("build stella: %w: %s", err, text)
	}
	return out, nil
})

// environ is the environment without what the tests themselves are told by.
func environ() []string {
	return slices.DeleteFunc(os.Environ(), func(v string) bool {
		for _, prefix := range []string{"STELLA_TEST", "STELLA_REQUIRE", "STELLA_LONG", "STELLA_SERVERS", "STELLA_COSIGN"} {
			if strings.HasPrefix(v, prefix) {
				return true
			}
		}
		return false
	})
}

// stella is the program.
func stella(t testing.TB) string {
	t.Helper()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	return path
}
