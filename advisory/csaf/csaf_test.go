package csaf_test

import (
	"testing"

	"github.com/stella-ops/stella/advisory/advisorytest"
	"github.com/stella-ops/stella/advisory/csaf"
)

var example = csaf.Trusted{Name: "example", Metadata: "https://example.com/csaf/provider-metadata.json", Namespace: "https://example.com"}

func TestSources(t *testing.T) {
	for name, s := range map[string]*csaf.Source{
		"redhat-csaf": csaf.RedHatAdvisories(), "redhat-vex": csaf.RedHatVEX(), "suse-vex": csaf.SUSEVEX(), "cisa": csaf.CISA(), "provider": csaf.Provider(example),
	} {
		t.Run(name, func(t *testing.T) { advisorytest.TestSource(t, s, "testdata/"+name+".txtar") })
	}
}
