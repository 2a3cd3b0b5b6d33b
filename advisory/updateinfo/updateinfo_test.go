package updateinfo_test

import (
	"testing"

	"github.com/stella-ops/stella/advisory/advisorytest"
	"github.com/stella-ops/stella/advisory/updateinfo"
)

func TestSources(t *testing.T) {
	for name, s := range map[string]*updateinfo.Source{"amazon": updateinfo.Amazon(), "fedora": updateinfo.Fedora()} {
		t.Run(name, func(t *testing.T) { advisorytest.TestSource(t, s, "testdata/"+name+".txtar") })
	}
}
