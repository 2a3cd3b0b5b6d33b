package npm
import ("testing";"os";"fmt")
func TestYY(t *testing.T) {
	b, _ := os.ReadFile("/tmp/locks/pnpm9.15.9/pnpm-lock.yaml")
	var l lockfile
	tree, _ := readYAML(b)
	p := pnpmLock{lockfile: &l, yamlTree: tree, root: tree.docs[0]}
	p.read()
	seen := make([]bool, len(l.entries))
	for g := range p.roots { p.claim(seen, p.roots[g], g) }
	rev := map[int]int{}
	for i, e := range l.entries { for _, m := range e.needs { if !seen[i] { rev[m]++ } } }
	for i, s := range seen { if !s && rev[i] == 0 { fmt.Println(l.entries[i].place) } }
}
