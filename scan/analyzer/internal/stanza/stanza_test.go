package stanza

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/internal/fault"
)

func read(text string) ([]string, error) {
	var got []string
	err := Read([]byte(text),
		func(name, value []byte) { got = append(got, fmt.Sprintf("%s=%s", name, Line(value))) },
		func(line int) { got = append(got, fmt.Sprint("end ", line)) })
	return got, err
}

func TestRead(t *testing.T) {
	for _, c := range []struct {
		name, text string
		want       string
		wrong      string // part of the error
	}{
		{"empty", "", "", ""},
		{"only blank lines", "\n \n\n", "", ""},
		{"two stanzas", "A: 1\nB:2\n\n\nC: 3", "A=1 B=2 end 1 C=3 end 5", ""},
		{"line ends of Windows", "A: 1\r\nB: 2\r\n\r\nC: 3\r\n", "A=1 B=2 end 1 C=3 end 4", ""},
		{"a value over lines", "A: x\n  y\n\tz\nB:\n  1\n", "A=x y z B=1 end 1", ""},
		{"a value with colons", "A: http://h/\nB:\n", "A=http://h/ B= end 1", ""},
		{"byte order mark", "\xef\xbb\xbfA: 1\n", "A=1 end 1", ""},
		{"ill-formed", "A: \xff\n", "A=\uFFFD end 1", ""},
		{"a line without a name", "A: 1\nwhat\nB: 2\n", "A=1 B=2 end 1", "line 2: no field name"},
		{"a line with an empty name", ": 1\nB: 2\n", "B=2 end 2", "line 1: no field name"},
		{"a continuation of nothing", " x\nA: 1\n", "A=1 end 2", "line 1: a continuation of nothing"},
		{"the first of two errors", "x\ny\n", "", "line 1:"},
	} {
		got, err := read(c.text)
		if diff := cmp.Diff(c.want, strings.Join(got, " ")); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
		if (err == nil) != (c.wrong == "") || err != nil && (!errors.Is(err, fault.Invalid) || !strings.Contains(err.Error(), c.wrong)) {
			t.Errorf("%s: error %v, want %q", c.name, err, c.wrong)
		}
	}
}
