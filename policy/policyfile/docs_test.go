package policyfile

import (
	"cmp"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stella-ops/stella/policy"
)

const page = "../../docs/policy.md"

// factTable is the table of facts as the page has it.
func factTable() string {
	var b strings.Builder
	b.WriteString("| Fact | Kind | In expressions | Of | |\n|---|---|---|---|---|\n")
	for _, f := range policy.Fields() {
		in := map[policy.Kind]string{policy.KindTexts: "list of strings", policy.KindFlag: "bool", policy.KindLabels: "map", policy.KindSeverity: "int, such as `HIGH`"}[f.Kind]
		switch {
		case f.Kind == policy.KindNumber && f.Scale > 0:
			in = fmt.Sprintf("int, 1.0 is 1%s", strings.Repeat("0", f.Scale))
		case f.Kind == policy.KindNumber:
			in = "int"
		case in == "":
			in = "string"
		}
		of := cmp.Or(strings.Join(strs(f.Of), ", "), "finding")
		switch {
		case f.Image:
			of = "image"
		case strings.HasPrefix(of, ","):
			of = "finding" + of
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s |\n", f.Name, f.Kind, in, of, f.Doc)
	}
	return b.String()
}

// TestPage: the page has the facts that there are, and its examples are true.
func TestPage(t *testing.T) {
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(text), "<!-- facts -->\n")
	table, after, ok2 := strings.Cut(rest, "<!-- /facts -->")
	if !ok || !ok2 {
		t.Fatal("the page has no place for the facts")
	}
	if *update {
		if err := os.WriteFile(page, []byte(before+"<!-- facts -->\n"+factTable()+"<!-- /facts -->"+after), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if table != factTable() {
		t.Error("the page's table of facts is not what there is: go test ./policy/policyfile -update")
	}
	var first, last *policy.Policy // last is a part that tests may follow
	tests := 0
	for i, m := range regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(string(text), -1) {
		name := fmt.Sprintf("example-%d.yaml", i+1)
		if strings.HasPrefix(m[1], "id:") {
			p, warnings, err := Parse(name, []byte(m[1]))
			if err != nil || len(warnings) > 0 {
				t.Errorf("%v %v", err, warnings)
			}
			if first == nil {
				first = p
			}
			continue
		}
		if strings.HasPrefix(m[1], "rules:") { // a part of a policy
			p, warnings, err := Parse(name, []byte("id: part\nversion: 1\n"+m[1]))
			if err != nil || len(warnings) > 0 {
				t.Errorf("%v %v", err, warnings)
			}
			last = p
			continue
		}
		if strings.HasPrefix(m[1], "exceptions:") {
			if list, err := ParseExceptions(name, []byte(m[1])); err != nil || len(list) == 0 {
				t.Errorf("%d exceptions, %v", len(list), err)
			}
			continue
		}
		of := first
		if last != nil {
			of, last = last, nil
		}
		results, err := Test(of, name, []byte(m[1]))
		if err != nil {
			t.Error(err)
		}
		for _, r := range results {
			tests++
			if !r.Passed {
				t.Errorf("%s: want %s, got %s", r.Name, r.Want, r.Got)
			}
		}
	}
	if tests == 0 {
		t.Error("the page shows no tests")
	}
	for _, word := range append(append(factNames(), strs(policy.Actions)...), append(strs(policy.Effects), "all", "exists", "exists_one", "filter", "map", "matches")...) {
		if !strings.Contains(string(text), "`"+word+"`") {
			t.Errorf("the page does not name %s", word)
		}
	}
}
