package npm
import ("testing";"os";"path/filepath";"context";"github.com/stella-ops/stella/scan/analyzer")
func BenchmarkLocks(b *testing.B) {
	m, _ := filepath.Glob("/tmp/locks/*/*lock*")
	for _, p := range m { b.Run(filepath.Base(filepath.Dir(p)), func(b *testing.B) {
		x, _ := os.ReadFile(p)
		b.SetBytes(int64(len(x))); b.ReportAllocs()
		for b.Loop() { Analyzer{}.Extract(context.Background(), analyzer.NewMemoryFile(p[1:], x)) }
	})}
}
