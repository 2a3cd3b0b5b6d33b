package crash

import (
	"flag"
	"os"
	"testing"

	"github.com/stella-ops/stella/internal/e2e/servers"
)

var (
	firstSeed = flag.Uint64("seed", 1, "seed of the first round")
	allRounds = flag.Int("rounds", 0, "rounds of each pair of backends; 0 means 1, and 10 with STELLA_LONG=1")
)

// TestMain runs the tests, or one role where the parent asked for that.
func TestMain(m *testing.M) {
	if text := os.Getenv(childVariable); text != "" {
		os.Exit(runChild(text))
	}
	servers.Main(m)
}

// rounds is how many seeds are run, beginning with the first.
func rounds() int {
	switch {
	case *allRounds > 0:
		return *allRounds
	case os.Getenv("STELLA_LONG") == "1":
		return 10
	}
	return 1
}
