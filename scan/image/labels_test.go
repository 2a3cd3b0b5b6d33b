package image

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/scan/sbom"
)

// TestLabels: labels are kept sorted; what is wrong with them costs the labels, is
// noted, and costs nothing else. A name given twice is refused with the whole
// config, as everywhere.
func TestLabels(t *testing.T) {
	limits := new(Limits).withDefaults()
	twice := `{"os":"linux","architecture":"amd64","rootfs":{"type":"layers","diff_ids":[]},"config":{"Labels":{"a":"1","a":"2"}}}`
	if _, err := parseConfig([]byte(twice), "sha256:x", &limits); err == nil {
		t.Error("a label given twice was read")
	}
	many := map[int]string{}
	for _, n := range []int{maxLabels, maxLabels + 1} {
		var list []string
		for i := range n {
			list = append(list, fmt.Sprintf(`"l%04d":""`, i))
		}
		many[n] = strings.Join(list, ",")
	}
	for name, c := range map[string]struct {
		config string
		count  int
		gap    string // "" for none
	}{
		"none":          {`{}`, 0, ""},
		"null":          {`{"Labels":null}`, 0, ""},
		"two":           {`{"Labels":{"b":"2","a":"1"},"Env":["SECRET=x"]}`, 2, ""},
		"most":          {`{"Labels":{` + many[maxLabels] + `}}`, maxLabels, ""},
		"too many":      {`{"Labels":{` + many[maxLabels+1] + `}}`, 0, "1001 labels"},
		"too long":      {`{"Labels":{"a":"` + strings.Repeat("x", maxLabelBytes) + `"}}`, 0, "65537 bytes"},
		"NUL":           {`{"Labels":{"a":"\u0000"}}`, 0, "NUL"},
		"a number":      {`{"Labels":{"a":1}}`, 0, "cannot be read"},
		"a list":        {`{"Labels":["a"]}`, 0, "cannot be read"},
		"not an object": {`"x"`, 0, "cannot be read"},
	} {
		text := fmt.Sprintf(`{"os":"linux","architecture":"amd64","rootfs":{"type":"layers","diff_ids":[]},"config":%s}`, c.config)
		got, err := parseConfig([]byte(text), "sha256:x", &limits)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		what := ""
		for _, g := range got.gaps {
			what += g.What
		}
		if len(got.labels) != c.count || (c.gap == "") != (what == "") || !strings.Contains(what, c.gap) {
			t.Errorf("%s: %d labels, gaps %q", name, len(got.labels), what)
		}
		if name == "two" {
			if diff := cmp.Diff([]sbom.Property{{Name: "a", Value: "1"}, {Name: "b", Value: "2"}}, got.labels); diff != "" {
				t.Error(diff)
			}
		}
	}
}
