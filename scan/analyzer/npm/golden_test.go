package npm

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stella-ops/stella/scan/analyzer/analyzertest"
)

func TestGolden(t *testing.T) { analyzertest.TestGolden(t, Analyzer{}) }

// summary writes down how many packages were found and what was wrong.
func summary(n int, err error) string {
	if err == nil {
		return fmt.Sprint(n)
	}
	_, reason, _ := strings.Cut(err.Error(), ": ")
	return fmt.Sprint(n, " ", reason)
}
