package version

import (
	"strings"
	"testing"
)

func BenchmarkScratch(b *testing.B) {
	for _, size := range []int{1 << 8, 1 << 10, 1 << 12, 1 << 14, 1 << 16} {
		for _, p := range []string{"0-", "a.1."} {
			text := "1." + strings.Repeat(p, size/len(p))
			s := Scheme{&gem}
			b.Run(p+"/"+string(rune('a'+size>>8%26)), func(b *testing.B) {
				b.ReportAllocs()
				b.SetBytes(int64(size))
				for b.Loop() {
					_, _ = s.Compare(text+"1", text+"0")
				}
			})
		}
	}
}
