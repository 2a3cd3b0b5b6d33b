package pypi

import (
	"testing"

	"github.com/stella-ops/stella/scan/analyzer/analyzertest"
)

func TestGolden(t *testing.T) { analyzertest.TestGolden(t, Analyzer{}) }
