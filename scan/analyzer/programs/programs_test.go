package programs_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"debug/elf"
	"encoding/hex"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/analyzer/analyzertest"
	"github.com/stella-ops/stella/scan/analyzer/programs"
	"github.com/stella-ops/stella/scan/layer"
)

// extract returns what the analyzer says of a file that is held, after comparing it with
// what it says of the same file as it streams by.
func extract(t testing.TB, path string, mode fs.FileMode, data []byte) *analyzer.Program {
	t.Helper()
	one := func(f *analyzer.File) *analyzer.Program {
		facts, err := programs.Analyzer{}.Extract(context.Background(), f)
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		if len(facts) == 0 {
			return nil
		}
		if len(facts) != 1 || facts[0].Kind != analyzer.KindProgram {
			t.Fatalf("%s: %v", path, facts)
		}
		return facts[0].Program
	}
	held := analyzer.NewMemoryFile(path, data)
	held.Mode = mode
	whole, passing := one(held), one(analyzertest.Streamed(path, mode, data))
	if diff := cmp.Diff(whole, passing); diff != "" && (passing == nil || passing.Unknown == "") {
		t.Errorf("%s: streamed by (-held +streamed):\n%s", path, diff)
	}
	return whole
}

// Every program of this machine says to us what it says to debug/elf.
func TestELFAgreesWithDebugELF(t *testing.T) {
	n := 0
	for _, dir := range []string{"/usr/bin", "/usr/sbin", "/usr/lib", "/usr/libexec"} {
		_ = filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
			if err != nil || !d.Type().IsRegular() || n >= 400 {
				return nil
			}
			info, err := d.Info()
			if err != nil || info.Size() > 32<<20 || info.Size() < 64 {
				return nil
			}
			head := make([]byte, 4)
			f, err := os.Open(name)
			if err != nil {
				return nil
			}
			defer f.Close()
			if _, err := io.ReadFull(f, head); err != nil || string(head) != "\x7fELF" {
				return nil
			}
			data, err := os.ReadFile(name)
			if err != nil {
				return nil
			}
			n++
			got := extract(t, strings.TrimPrefix(name, "/"), info.Mode(), data)
			if diff := cmp.Diff(oracle(t, data), got, cmpopts.EquateEmpty(), cmpopts.IgnoreFields(analyzer.Program{}, "Size", "Mode", "Kind")); diff != "" {
				t.Errorf("%s (-debug/elf +got):\n%s", name, diff)
			}
			return nil
		})
	}
	if n == 0 {
		t.Skip("no ELF files here")
	}
	t.Logf("%d files", n)
}

func oracle(t *testing.T, data []byte) *analyzer.Program {
	f, err := elf.NewFile(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	if f.Type != elf.ET_EXEC && f.Type != elf.ET_DYN {
		return nil
	}
	p := &analyzer.Program{Format: "elf"}
	for _, g := range f.Progs {
		if g.Type == elf.PT_INTERP {
			b, err := io.ReadAll(g.Open())
			if err != nil {
				t.Fatal(err)
			}
			p.Interpreter = strings.TrimRight(string(b), "\x00")
		}
	}
	p.Needed, _ = f.ImportedLibraries()
	one := func(tag elf.DynTag) string {
		if list, _ := f.DynString(tag); len(list) > 0 {
			return list[0]
		}
		return ""
	}
	p.Soname = one(elf.DT_SONAME)
	run := one(elf.DT_RUNPATH)
	if run == "" {
		run = one(elf.DT_RPATH)
	}
	if run != "" {
		p.RunPath = strings.Split(run, ":")
	}
	return p
}

func TestKinds(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	own, err := os.ReadFile(self)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(own)
	pe := append(append([]byte("MZ"), make([]byte, 62)...), "PE\x00\x00\x64\x86\x02\x00"+strings.Repeat("\x00", 14)+"\x02\x20"...)
	pe[0x3c] = 64
	machO := "\xcf\xfa\xed\xfe" + strings.Repeat("\x00", 8) + "\x02" + strings.Repeat("\x00", 40)
	for _, c := range []struct {
		path string
		mode fs.FileMode
		data string
		want *analyzer.Program
	}{
		{"app/server", 0o755, string(own), &analyzer.Program{Kind: "executable", Format: "elf", SHA256: hex.EncodeToString(sum[:])}},
		{"usr/bin/server", 0o755 | fs.ModeSetuid, string(own), &analyzer.Program{Kind: "executable", Format: "elf", Mode: 0o4755}},
		{"app/x.dll", 0o644, string(pe), &analyzer.Program{Kind: "shared-object", Format: "pe", Unknown: "what it loads is not read"}},
		{"app/dos.com", 0o644, "MZ" + strings.Repeat("\x00", 100), nil},
		{"app/mac", 0o755, machO, &analyzer.Program{Kind: "executable", Format: "mach-o", Unknown: "what it loads is not read"}},
		{"app/A.class", 0o644, "\xca\xfe\xba\xbe\x00\x00\x00\x34" + strings.Repeat("\x00", 40), nil},
		{"app/m.wasm", 0o644, "\x00asm\x01\x00\x00\x00", &analyzer.Program{Kind: "executable", Format: "wasm"}},
		{"app/run.py", 0o755, "#!/usr/bin/env  python3\nprint()\n", &analyzer.Program{Kind: "script", Format: "script", Interpreter: "/usr/bin/env python3"}},
		{"app/lib.py", 0o644, "#!/usr/bin/env python3\nprint()\n", nil},
		{"app/start.sh", 0o644, "#!/bin/sh -e\nexec nginx -g 'daemon off;'\n", &analyzer.Program{Kind: "script", Format: "script", Interpreter: "/bin/sh -e", Commands: [][]string{{"exec", "nginx", "-g", "daemon off;"}}}},
		{"app/half.sh", 0o755, "#!/bin/bash\necho a\nif then\n", &analyzer.Program{Kind: "script", Format: "script", Interpreter: "/bin/bash", Commands: [][]string{{"echo", "a"}}}},
		{"app/none", 0o755, "#!\nxxxxxxx", nil},
		{"app/damaged", 0o755, string(own[:100]), &analyzer.Program{Kind: "executable", Format: "elf", Unknown: "its program headers cannot be read"}},
	} {
		got := extract(t, c.path, c.mode, []byte(c.data))
		if got != nil {
			if got.Size != int64(len(c.data)) {
				t.Errorf("%s: size %d, want %d", c.path, got.Size, len(c.data))
			}
			if c.path == "app/half.sh" && got.Unknown == "" {
				t.Errorf("%s: nothing says that it was not read whole", c.path)
			}
			if c.want != nil && c.want.SHA256 == "" && c.path != "usr/bin/server" {
				sum := sha256.Sum256([]byte(c.data))
				c.want.SHA256 = hex.EncodeToString(sum[:])
			}
		}
		if c.want != nil && c.want.Mode == 0 {
			c.want.Mode = uint32(c.mode)
		}
		opts := []cmp.Option{cmpopts.EquateEmpty(), cmpopts.IgnoreFields(analyzer.Program{}, "Size")}
		if c.path == "app/half.sh" {
			opts = append(opts, cmpopts.IgnoreFields(analyzer.Program{}, "Unknown"))
		}
		if diff := cmp.Diff(c.want, got, opts...); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.path, diff)
		}
	}
}

func FuzzExtract(f *testing.F) {
	if self, err := os.Executable(); err == nil {
		if data, err := os.ReadFile(self); err == nil {
			f.Add(data[:min(len(data), 8<<10)])
		}
	}
	for _, name := range []string{"/bin/true", "/usr/lib/x86_64-linux-gnu/libz.so.1"} {
		if data, err := os.ReadFile(name); err == nil && len(data) < 200<<10 {
			f.Add(data)
		}
	}
	f.Add([]byte("#!/bin/sh\nfor x in a b; do $x; done\n"))
	f.Add([]byte("\xcf\xfa\xed\xfe" + strings.Repeat("\x00", 60)))
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) == 0 {
			return
		}
		analyzertest.Check(t, programs.Analyzer{}, "opt/x", data)
		if p := extract(t, "opt/x", 0o755, data); p != nil && p.SHA256 == "" {
			t.Fatal("no digest")
		}
	})
}

// BenchmarkTree reads the folder that STELLA_TREE names.
func BenchmarkTree(b *testing.B) {
	dir := os.Getenv("STELLA_TREE")
	if dir == "" {
		b.Skip("STELLA_TREE names no folder")
	}
	b.ReportAllocs()
	for b.Loop() {
		f, err := layer.ScanTree(b.Context(), layer.Tree{FS: os.DirFS(dir)}, &layer.Options{Analyzers: analyzer.NewSet(programs.Analyzer{})})
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(len(f.Files)), "programs")
	}
}
