package sources_test

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/advisory/sources"
)

var update = flag.Bool("update", false, "rewrite the table of sources in docs/modules/concelier.md")

const (
	pageFile   = "../../docs/modules/concelier.md"
	tableBegin = "<!-- sources: written by TestPage in advisory/sources, with -update -->\n"
	tableEnd   = "<!-- end of sources -->\n"
)

// TestPage: the page for people has every source as it describes itself.
func TestPage(t *testing.T) {
	text, err := os.ReadFile(pageFile)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, begun := strings.Cut(string(text), tableBegin)
	got, after, ended := strings.Cut(rest, tableEnd)
	if !begun || !ended {
		t.Fatalf("%s has no place for the table of sources", pageFile)
	}
	want := table()
	if *update {
		if err := os.WriteFile(pageFile, []byte(before+tableBegin+want+tableEnd+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the table of sources; run this test with -update (-registry +page)\n%s", diff)
	}
}

func table() string {
	var b strings.Builder
	b.WriteString("\n| Name | Title | Licence | May be passed on | Hosts |\n|---|---|---|---|---|\n")
	for _, s := range sources.All() {
		d := s.Describe()
		may := "no"
		if d.Redistribute {
			may = "yes"
		}
		fmt.Fprintf(&b, "| `%s` | [%s](%s) | %s | %s | %s |\n", d.Name, d.Title, d.Home, d.License, may, strings.Join(d.Hosts, ", "))
	}
	b.WriteString("\n")
	return b.String()
}
