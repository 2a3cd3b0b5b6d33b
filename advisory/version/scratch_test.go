package version

import (
	"os"
	"testing"
)

func TestScratchPairs(t *testing.T) {
	l := pairs(200000, "", "0", "1", "10", "01", "a", "b", "m", "rc", "cr", "ga", "final", "sp", "x", "alpha", "SNAPSHOT", ".", "-", ".", "-", "0", "00", "_")
	var s []pair
	for _, p := range l {
		if p[0] != "" && p[1] != "" {
			s = append(s, p)
		}
	}
	os.WriteFile("/tmp/mv/pairs", []byte(lines(s)), 0o600)
	agree(t, "Maven", s, run(t, lines(s), "java", "-cp", "/tmp/mv/new", "Cmp"))
	a := pairs(200000, "1", "0", "1", "10", "01", "a", "b", "_p", "_pre", "_rc", "_alpha", "_git", "~ab", "-r", "-r1", ".", ".", "_", "1", "2")
	agree(t, "Alpine", a, run(t, lines(a), "python3", "/tmp/vproto/apkcmp.py"))
}
