package npm
import ("testing";"os";"fmt";"context";"encoding/json";"github.com/stella-ops/stella/scan/analyzer";"path/filepath";"io/fs";"strings";"slices";"time")
type arb struct { Loc, Name, Version string; Dev, Optional, DevOptional bool; Deps []string }
func loadArb(p string) map[string]arb { b, _ := os.ReadFile(p); var a []arb; if err := json.Unmarshal(b, &a); err != nil { panic(err) }; m := map[string]arb{}; for _, x := range a { m[x.Loc] = x }; return m }
func TestArbVirtual(t *testing.T) {
	for _, v := range []string{"1","2","3"} {
	b, _ := os.ReadFile("/tmp/locks/npm"+v+"/package-lock.json")
	var l lockfile
	if err := readPackageLock(&l, b); err != nil { t.Fatal(err) }
	want := loadArb("/tmp/arb-v"+v+".json")
	n, e := 0, 0
	for i := range l.entries { x := &l.entries[i]; w, ok := want[x.place]; if !ok { fmt.Println("extra", x.place); continue }
		if w.Name != x.name || w.Version != x.version { fmt.Println("DIFF", x.place, x.name, x.version, w) }
		if sc := scoped(w.Dev, w.Optional, w.DevOptional); sc != x.scope { fmt.Println("SCOPE", x.place, x.scope, w) }
		var deps []string
		for _, m := range x.needs { deps = append(deps, l.entries[m].place) }
		slices.Sort(deps); deps = slices.Compact(deps)
		wd := slices.Compact(w.Deps)
		if x.place != "" && !slices.Equal(deps, wd) { e++; if e < 5 {fmt.Println("EDGES", x.place, deps, wd)} }
		n++; delete(want, x.place) }
	fmt.Println("v", v, "agreed", n, "edgediff", e, "missing", len(want))
	}
}
func TestArbActual(t *testing.T) {
	want := loadArb("/tmp/arb-actual.json")
	var in analyzer.Squashed
	links := map[string]string{}
	filepath.WalkDir("/tmp/nodeapp", func(p string, d fs.DirEntry, err error) error {
		rel := strings.TrimPrefix(p, "/tmp/nodeapp/")
		if d.Type()&fs.ModeSymlink != 0 { l, _ := os.Readlink(p); links[rel] = l }
		if !d.Type().IsRegular() || !accept(rel) { return nil }
		switch filepath.Base(p) { case "package.json", ".package-lock.json": default: return nil }
		b, _ := os.ReadFile(p)
		facts, err := Analyzer{}.Extract(context.Background(), analyzer.NewMemoryFile(rel, b))
		if err != nil { fmt.Println(err) }
		for _, f := range facts { in.Facts = append(in.Facts, analyzer.Located{Fact: f, Path: rel}) }
		return nil
	})
	slices.SortStableFunc(in.Facts, func(a, b analyzer.Located) int { return strings.Compare(a.Path, b.Path) })
	calls := 0
	in.Resolve = func(p string) string { calls++; return p }
	start := time.Now()
	out, gaps := Analyzer{}.Join(&in)
	fmt.Println("join", time.Since(start), len(in.Facts), len(out), "resolve calls", calls, gaps)
	e, n, extra := 0, 0, 0
	for _, f := range out {
		if f.Scope != installed { fmt.Println("declared", f.Key, f.Path, f.Package.Name); continue }
		w, ok := want[f.Key]
		if !ok { extra++; continue }
		n++
		if w.Name != f.Package.Name || w.Version != f.Package.Version { fmt.Println("DIFF", f.Key, f.Package.Name, f.Package.Version, w) }
		if sc := scoped(w.Dev, w.Optional, w.DevOptional); sc != f.Package.Scope { fmt.Println("SCOPE", f.Key, f.Package.Scope, w) }
		if wd := slices.Compact(w.Deps); !slices.Equal(f.DependsOn, wd) { e++; if e < 8 { fmt.Println("EDGES", f.Key, f.DependsOn, wd) } }
		delete(want, f.Key)
	}
	fmt.Println("agreed", n, "edgediff", e, "not arborist", extra)
	for k := range want { fmt.Println("MISSING", k) }
}
