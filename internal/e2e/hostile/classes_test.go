package hostile

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// module is the folder of the module; tests change their own.
var module, _ = filepath.Abs(filepath.Join("..", "..", ".."))

var kinds = []string{"docker-archive", "OCI layout", "registry"}

// kindsOf are the kinds of source that each case is made for.
func kindsOf(t *testing.T) map[string][]string {
	out := map[string][]string{}
	add := func(id, kind string) {
		if !slices.Contains(out[id], kind) {
			out[id] = append(out[id], kind)
		}
	}
	for _, h := range corpus() {
		id := h.class + "/" + h.name
		if out[id] != nil {
			t.Errorf("two cases are named %s", id)
		}
		for _, at := range h.places() {
			add(id, at.kind())
			silent(t, id, h.wanted(at))
		}
	}
	elsewhere := func(class, name string, _ func(*testing.T)) {
		kind := "registry"
		if class == "folder" {
			kind = class
		}
		add(class+"/"+name, kind)
	}
	l := &lab{}
	l.references(elsewhere)
	l.folders(elsewhere)
	l.registries(elsewhere)
	return out
}

// silent fails for a case whose outcome could hide a loss: it must be an error, gaps, or
// packages to the last one.
func silent(t *testing.T, id string, w *want) {
	t.Helper()
	if w.kind == nil && len(w.gaps) == 0 && w.count > 0 {
		t.Errorf("%s: packages are only counted, and no gap says why", id)
	}
}

// TestClasses holds the table of classes to the cases: none is without a case, no case
// without a class, and at least 160 are made for each kind of source.
func TestClasses(t *testing.T) {
	const least = 160
	cases := kindsOf(t)
	claimed := map[string]bool{}
	count, sections := map[string]int{}, map[string]int{}
	pairs, full := 0, 0
	list := classes()
	for _, c := range list {
		seen := map[string]bool{}
		for i, p := range c.patterns {
			found := false
			for id, of := range cases {
				if p.MatchString(id) {
					claimed[id], found = true, true
					for _, kind := range of {
						seen[kind] = true
					}
				}
			}
			if !found && !strings.HasPrefix(p.String(), "^name/") {
				t.Errorf("class %03d %s: pattern %d, %s, names no case", c.number, c.name, i+1, p)
			}
		}
		for _, test := range c.tests {
			exists(t, test)
			seen["registry"] = true
		}
		if len(seen) == 0 {
			t.Errorf("class %03d %s has no case", c.number, c.name)
		}
		all := true
		for _, kind := range kinds {
			if seen[kind] {
				count[kind]++
				pairs++
			}
			all = all && seen[kind]
		}
		if all {
			full++
			sections[c.section]++
		}
	}
	for id := range cases {
		if !claimed[id] {
			t.Errorf("%s is of no class", id)
		}
	}
	t.Logf("%d classes, %d cases: %d as docker-archive, %d as OCI layout, %d in a registry; %d in all three, %d pairs",
		len(list), len(cases), count[kinds[0]], count[kinds[1]], count[kinds[2]], full, pairs)
	t.Logf("in all three, by section: %v", sections)
	if full < least {
		t.Errorf("%d classes are made for all three kinds of source, want at least %d", full, least)
	}
}

// exists fails where the module has no such test.
func exists(t *testing.T, test string) {
	t.Helper()
	dir, name := filepath.Split(test)
	files, err := filepath.Glob(filepath.Join(module, dir, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(b), "\nfunc "+name+"(t *testing.T)") {
			return
		}
	}
	t.Errorf("there is no test %s", test)
}
