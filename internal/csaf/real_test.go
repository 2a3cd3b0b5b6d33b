package csaf_test

import (
	"fmt"
	"path"
	"slices"
	"testing"

	"github.com/stella-ops/stella/internal/csaf"
)

func TestReal(t *testing.T) {
	type tally struct{ read, valid, refused int }
	counts := map[string]*tally{}
	fails := map[string]int{}
	example := map[string]string{}
	realDocuments(t, func(pack, name string, text []byte) {
		c := counts[pack]
		if c == nil {
			c = &tally{}
			counts[pack] = c
		}
		doc, err := csaf.Decode(text, nil)
		if err != nil {
			c.refused++
			t.Logf("%s: %v", name, err)
			return
		}
		c.read++
		problems, err := csaf.Validate(doc, path.Base(name), &csaf.ValidateOptions{CVSS: calculate})
		if err != nil {
			t.Fatal(name, err)
		}
		if csaf.Valid(problems) {
			c.valid++
		}
		for _, id := range testsOf(problems, func(csaf.Problem) bool { return true }) {
			fails[id]++
			if example[id] == "" {
				i := slices.IndexFunc(problems, func(p csaf.Problem) bool { return p.Test == id })
				example[id] = name + ": " + problems[i].String()
			}
		}
	})
	for pack, c := range counts {
		t.Logf("%s: %+v", pack, *c)
	}
	for id, n := range fails {
		t.Log(id, n, fmt.Sprintf("%.300s", example[id]))
	}
}
