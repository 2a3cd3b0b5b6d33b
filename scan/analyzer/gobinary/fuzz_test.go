package gobinary

import (
	"bytes"
	"context"
	"debug/buildinfo"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/analyzer"
)

// FuzzExtract feeds whole files: headers that lie must not make it panic, and
// a file gives the same facts however it arrives.
func FuzzExtract(f *testing.F) {
	now := blob("go1.22.1", frame(sampleModules))
	texts, old := oldBlob("go1.16.4", frame(sampleModules[:100]))
	for _, data := range [][]byte{
		forgeELF("", now, true), forgeELF(texts, old, true), forgeELF("", "", true), forgePE("", now),
		forgeMachO("", now, true), forgeMachO("", now, false), forgeFat(forgeMachO("", now, true)),
	} {
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		facts, err := Analyzer{}.Extract(context.Background(), analyzer.NewMemoryFile("app", data))
		if err != nil && fault.KindOf(err) == "" {
			t.Errorf("error without a kind: %v", err)
		}
		checkFacts(t, facts)
		again, err2 := Analyzer{}.Extract(context.Background(), analyzer.NewFile("app", int64(len(data)), 0, streamOf(dribble{bytes.NewReader(data)}), nil, nil))
		if diff := cmp.Diff(facts, again); diff != "" || (err == nil) != (err2 == nil) {
			t.Errorf("read in small pieces (+): %s\n%v, %v", diff, err, err2)
		}
	})
}

// FuzzBlob puts bytes into the data segment of a sound executable. What
// debug/buildinfo finds there must be found.
func FuzzBlob(f *testing.F) {
	now := blob("go1.22.1", frame(sampleModules))
	texts, old := oldBlob("go1.16.4", frame(sampleModules[:100]))
	f.Add("", now)
	f.Add(texts, old)
	f.Add("", "0123456789abcdef"+now)
	f.Fuzz(func(t *testing.T, texts, data string) {
		file := forgeELF(texts, data, true)
		want, oracle := buildinfo.Read(bytes.NewReader(file))
		facts, err := Analyzer{}.Extract(context.Background(), analyzer.NewMemoryFile("app", file))
		checkFacts(t, facts)
		switch {
		case oracle != nil || errors.Is(err, fault.Limit) || errors.Is(err, errPassed):
		case !strings.HasPrefix(want.GoVersion, "go") && !strings.HasPrefix(want.GoVersion, "devel"):
			// what is damaged and names no toolchain is not taken for Go's
		case len(facts) == 0:
			t.Fatalf("debug/buildinfo finds %v, nothing found, error %v", want, err)
		}
	})
}

func checkFacts(t *testing.T, facts []analyzer.Fact) {
	t.Helper()
	seen := map[string]bool{}
	for _, f := range facts {
		if f.Package == nil || f.Package.Name == "" || seen[f.Key] {
			t.Errorf("fact without a name or with a key that is taken: %+v", f)
		}
		seen[f.Key] = true
	}
}

// dribble gives a few bytes at a time.
type dribble struct{ *bytes.Reader }

func (d dribble) Read(p []byte) (int, error) { return d.Reader.Read(p[:min(len(p), 7)]) }
