package npm
import ("testing";"os";"fmt";"context";"github.com/stella-ops/stella/scan/analyzer";"path/filepath";"sort";"strings")
func TestZZ(t *testing.T) {
	all := map[string]map[string]bool{}
	var files []string
	for _, g := range []string{"/tmp/locks/*/*lock*"} { m, _ := filepath.Glob(g); files = append(files, m...) }
	sort.Strings(files)
	for _, p := range files {
		b, _ := os.ReadFile(p)
		facts, err := Analyzer{}.Extract(context.Background(), analyzer.NewMemoryFile(p[1:], b))
		sc := map[string]int{}; edges := 0; nop := 0
		set := map[string]bool{}
		for _, f := range facts { sc[string(f.Package.Scope)]++; edges += len(f.DependsOn); if f.Package.PURL.IsZero() {nop++; fmt.Println("  nopurl", f.Key)}; set[f.Package.PURL.String()]=true }
		fmt.Println(p, len(facts), sc, "edges", edges, "nopurl", nop, err)
		all[p]=set
	}
	diff := func(a, b string) { var x []string; for k := range all[a] { if !all[b][k] { x = append(x, k) } }; sort.Strings(x); if len(x) > 15 {x = x[:15]}; fmt.Println(a, "not in", b, len(x), strings.Join(x, "\n    ")) }
	diff("/tmp/locks/npm3/package-lock.json","/tmp/locks/npm1/package-lock.json")
	diff("/tmp/locks/npm1/package-lock.json","/tmp/locks/npm3/package-lock.json")
	diff("/tmp/locks/npm3/package-lock.json","/tmp/locks/npm2/package-lock.json")
	diff("/tmp/locks/npm3/package-lock.json","/tmp/locks/pnpm9.15.9/pnpm-lock.yaml")
	diff("/tmp/locks/pnpm8.15.9/pnpm-lock.yaml","/tmp/locks/pnpm9.15.9/pnpm-lock.yaml")
	diff("/tmp/locks/pnpm7.33.7/pnpm-lock.yaml","/tmp/locks/pnpm9.15.9/pnpm-lock.yaml")
}
