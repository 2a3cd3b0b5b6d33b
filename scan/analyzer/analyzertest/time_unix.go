//go:build unix

package analyzertest

import (
	"syscall"
	"testing"
	"time"
)

// processorTime is what this process has used: other work on the machine does not count.
func processorTime(t *testing.T) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
