//go:build !unix

package analyzertest

import (
	"testing"
	"time"
)

func processorTime(t *testing.T) time.Duration {
	t.Skip("this system does not tell processor time")
	return 0
}
