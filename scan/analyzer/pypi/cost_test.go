//go:build unix

package pypi

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/analyzer"
)

func many(n int, format string) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, format, i)
	}
	return b.String()
}

// TestCost checks that processor time grows with the size of the input and not
// with its square: sixteen times the input would then cost 256 times the time.
// It may cost eighty, which leaves room for the caches.
func TestCost(t *testing.T) {
	if testing.Short() {
		t.Skip("measures time")
	}
	tests := []struct {
		name, path string
		data       func(n int) string
	}{
		{"fields", "a.dist-info/METADATA", func(n int) string { return many(n, "Requires-Dist: d%d\n") }},
		{"folded field", "a.dist-info/METADATA", func(n int) string { return "Name: a\nVersion: 1\nLicense: x\n" + many(n, "  line %d\n") }},
		{"requirements", "requirements.txt", func(n int) string { return many(n, "d%[1]d==1.0.%[1]d --hash=sha256:00\n") }},
		{"one long line", "requirements.txt", func(n int) string { return "a==1.0" + many(n, " \\\n --hash=sha256:%x") }},
		{"one name", "requirements.txt", func(n int) string { return many(n, "d==1.0.%d\n") }},
		{"comment signs", "requirements.txt", func(n int) string { return many(n, "a#%d") }},
		{"keys of one table", "poetry.lock", func(n int) string { return "[metadata.files]\n" + many(n, "d%d = []\n") }},
		{"tables", "poetry.lock", func(n int) string { return many(n, "[t%d.a]\n") }},
		{"dotted keys", "poetry.lock", func(n int) string { return many(n, "a.b%d = 1\n") }},
		{"packages", "poetry.lock", func(n int) string {
			return many(n/4, "[[package]]\nname = \"d%[1]d\"\nversion = \"1\"\n[package.dependencies]\nd0 = \"*\"\n")
		}},
		{"array", "uv.lock", func(n int) string { return "a = [" + many(n, "{ name = \"d%d\" },") + "]" }},
		{"packages", "uv.lock", func(n int) string {
			return "[[package]]\nname = \"r\"\nsource = { virtual = \".\" }\ndependencies = [{ name = \"d0\" }]\n" +
				many(n/4, "[[package]]\nname = \"d%[1]d\"\nversion = \"1\"\ndependencies = [{ name = \"d%[1]d\" }, { name = \"d0\" }]\n")
		}},
		{"categories", "Pipfile.lock", func(n int) string { return "{" + many(n/4, `"c%[1]d":{"d%[1]d":{"version":"==1"}},`) + `"_meta":{}}` }},
	}
	for _, tt := range tests {
		t.Run(tt.path+" "+tt.name, func(t *testing.T) {
			cost := func(n int) time.Duration {
				data := []byte(tt.data(n))
				best := time.Hour
				for range 3 {
					start := processorTime(t)
					facts, _ := Analyzer{}.Extract(context.Background(), analyzer.NewMemoryFile(tt.path, data))
					in := &analyzer.Squashed{}
					for _, f := range facts {
						in.Facts = append(in.Facts, analyzer.Located{Fact: f, Path: tt.path})
					}
					Analyzer{}.Join(in)
					best = min(best, processorTime(t)-start)
				}
				return best
			}
			const n = 2_000
			small, large := cost(n), cost(16*n)
			t.Logf("%v, %v", small, large)
			if large > 80*small && large > 50*time.Millisecond {
				t.Errorf("%v for one part, %v for sixteen", small, large)
			}
		})
	}
}

// TestHostile feeds shapes that would exhaust a careless reader.
func TestHostile(t *testing.T) {
	repeat := func(s string, n int) string { return string(slices.Repeat([]byte(s), n)) }
	same := many(2100, "[[package]]\nname = \"a\"\nversion = \"%d\"\n") + "[[package]]\nname = \"b\"\nversion = \"1\"\n"
	tests := []struct {
		name, path, data string
		want             error
	}{
		{"nested arrays", "poetry.lock", "a = " + repeat("[", 1_000_000), fault.Limit},
		{"nested tables", "uv.lock", "a = " + repeat("{b=", 5000) + "1" + repeat("}", 5000), fault.Limit},
		{"dotted key", "uv.lock", repeat("a.", 100_000) + "b = 1", fault.Limit},
		{"dotted header", "uv.lock", "[" + repeat("a.", 100_000) + "b]", fault.Limit},
		{"nested JSON", "Pipfile.lock", repeat(`{"a":`, 1_000_000), fault.Invalid},
		{"lines of nothing", "requirements.txt", repeat("(\n", 1_000_000), fault.Limit},
		{"packages without end", "requirements.txt", repeat("a\n", 1_000_000), fault.Limit},
		{"one name many times", "poetry.lock", same + "[package.dependencies]\na = \"*\"\n" + many(1000, "A = \"%d\"\n"), fault.Limit},
		{"one name many times, with uses", "uv.lock", "[[package]]\nname = \"r\"\nsource = { virtual = \".\" }\ndependencies = [" +
			many(1000, "{ name = \"a\", marker = \"%d\" },") + "]\n" + same, fault.Limit},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Analyzer{}.Extract(context.Background(), analyzer.NewMemoryFile(tt.path, []byte(tt.data)))
			if !errors.Is(err, tt.want) {
				t.Errorf("error %v, want %v", err, tt.want)
			}
		})
	}
}

// processorTime is what this process has used: other work on the machine does
// not count.
func processorTime(t *testing.T) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
