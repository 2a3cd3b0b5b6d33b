//go:build !linux

package hostile

import (
	"os/exec"
	"testing"
	"time"
)

var began = time.Now()

// processorTime is not told here: the clock counts.
func processorTime() time.Duration { return time.Since(began) }

// watch has nothing to watch with here: see the canary and the client's own trace.
func watch(t *testing.T, cmd *exec.Cmd, _ string) ([]byte, error) {
	t.Helper()
	return cmd.CombinedOutput()
}
