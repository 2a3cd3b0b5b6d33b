package version

import (
	"strconv"
	"testing"
)

func agreeS(t *testing.T, s Scheme, list []pair, answers []string) {
	t.Helper()
	valid, bad, lenient := 0, 0, 0
	for i, p := range list {
		got := "x"
		if c, err := s.Compare(p[0], p[1]); err == nil {
			got = strconv.Itoa(c)
			valid++
		}
		if answers[i] == "n" && got != "0" {
			continue
		}
		if answers[i] == "x" && got != "x" {
			lenient++
			continue
		}
		if got != answers[i] {
			bad++
			if bad < 12 {
				t.Errorf("%s: %q and %q: got %s, the program says %s", s, p[0], p[1], got, answers[i])
			}
		}
	}
	t.Logf("%s: %d pairs, %d of them of valid versions, %d lenient, %d bad", s, len(list), valid, lenient, bad)
}

func TestScratchPairs(t *testing.T) {
	const n = 60000
	for _, c := range []struct {
		s      *rules
		script string
		list   []pair
	}{
		{&gem, "/tmp/orc/gemcmp.py", pairs(n, "1", "0", "1", "10", "01", "a", "b", "A", ".", ".", ".0", ".0.", "-", ".a", ".b", "00")},
		{&composer, "/tmp/orc/composercmp.py", pairs(n, "1", "0", "1", "10", "01", "a", "b", "RC", "p", "pl", "beta", "-alpha", "dev", "-dev", ".", ".x", "-", "_", "+", "v", "stable", "2010-01-02", "20100102", "@dev", "dev-q", "1.x-dev")},
		{&composer, "/tmp/orc/composercmp.py", pairs(n, "1", ".0", ".1", ".10", "a", "b", "RC1", "p", "pl2", "beta", "-alpha", "-dev", ".x", "-", "stable", ".2", "2.1", "-b.2", "-DEV")},
		{&conan, "/tmp/orc/conancmp.py", pairs(n, "1", "0", "1", "10", "01", "a", "b", ".", ".", "-", "+", ".0", "_")},
		{&gentoo, "/tmp/orc/gentoocmp.py", pairs(n, "1", "0", "1", "10", "01", "a", "b", ".", ".", "_p", "_alpha", "_pre", "_rc", "-r1", "-r", ".0", ".10")},
		{&alpm, "/tmp/orc/alpmcmp.py", pairs(n, "", "0", "1", "10", "01", "a", "b", ".", ".", "-", "1:", "_", "..", "Z")},
		{&apk, "/tmp/vproto/apkcmp.py", pairs(n, "1", "0", "1", "10", "01", "a", "b", "_p", "_pre", "_rc", "_alpha", "_git", "~ab", "-r", "-r1", ".", ".", "_", "1", "2")},
	} {
		agreeS(t, Scheme{c.s}, c.list, run(t, lines(c.list), "python3", c.script))
	}
	var s []pair
	for _, p := range pairs(200000, "", "0", "1", "10", "01", "a", "b", "m", "rc", "cr", "ga", "final", "sp", "x", "alpha", "SNAPSHOT", ".", "-", ".", "-", "0", "00", "_", "Beta") {
		if p[0] != "" && p[1] != "" {
			s = append(s, p)
		}
	}
	agreeS(t, Scheme{&maven}, s, run(t, lines(s), "java", "-cp", "/tmp/mv/new", "Cmp"))
}
