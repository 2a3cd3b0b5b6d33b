// Package crashtest kills processes of a test at crash points.
package crashtest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stella-ops/stella/store/crashpoint"
)

// Child is the body of the test TestCrashChild, which is the process that dies: it
// lives in a folder until it reaches the point. Without Run it is skipped.
func Child(t *testing.T, live func(dir string) error) {
	dir := os.Getenv("STELLA_CRASH")
	if dir == "" {
		t.Skip("TestCrashes starts it")
	}
	at, left := crashpoint.Point(os.Getenv("STELLA_CRASH_POINT")), atomic.Int64{}
	if n, err := strconv.Atoi(os.Getenv("STELLA_CRASH_NTH")); err == nil {
		left.Store(int64(n))
	}
	crashpoint.Set(func(p crashpoint.Point) {
		if p == at && left.Add(-1) == 0 {
			if self, err := os.FindProcess(os.Getpid()); err == nil {
				self.Kill()
			}
			select {}
		}
	})
	if err := live(dir); err != nil {
		t.Fatal(err)
	}
}

// Run runs this program's TestCrashChild in a folder, to be killed when it is at a
// point for the nth time, and reports whether it was. Any other end is an error.
func Run(t *testing.T, dir string, p crashpoint.Point, nth int) bool {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestCrashChild$", "-test.count=1")
	cmd.Env = append(os.Environ(), "STELLA_CRASH="+dir, "STELLA_CRASH_POINT="+string(p), fmt.Sprint("STELLA_CRASH_NTH=", nth))
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() != -1 && !strings.Contains(exit.String(), "killed") || err != nil && exit == nil {
		t.Errorf("at %s: %v\n%s", p, err, out)
	}
	return err != nil
}
