package binaries

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/analyzer/analyzertest"
)

// programOf makes an ELF file of texts, each with zeroes around it.
func programOf(texts ...string) []byte {
	var b bytes.Buffer
	b.WriteString("\x7fELF\x02\x01\x01")
	b.Write(make([]byte, 57))
	for _, s := range texts {
		b.WriteString(s)
		b.WriteByte(0)
	}
	return b.Bytes()
}

// TestGolden runs the cases of testdata. A file whose first line is "ELF" stands for an
// executable: each further line is a text in it, and "\n" a line break.
func TestGolden(t *testing.T) {
	cases, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(cases) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	update := flag.Lookup("update").Value.String() == "true"
	for _, name := range cases {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(name)
			if err != nil {
				t.Fatal(err)
			}
			files, want := goldenFiles(archive)
			got := analyzertest.Scan(Analyzer{}, files).String()
			if update {
				archive.Files[want].Data = []byte(got)
				if err := os.WriteFile(name, txtar.Format(archive), 0o644); err != nil {
					t.Fatal(err)
				}
			} else if diff := cmp.Diff(string(archive.Files[want].Data), got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func goldenFiles(archive *txtar.Archive) (files map[string][]byte, want int) {
	files, want = map[string][]byte{}, -1
	for i, f := range archive.Files {
		text, program := strings.CutPrefix(string(f.Data), "ELF\n")
		switch {
		case f.Name == "want":
			want = i
		case program:
			lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
			for i := range lines {
				lines[i] = strings.ReplaceAll(lines[i], `\n`, "\n")
			}
			files[f.Name] = programOf(lines...)
		default:
			files[f.Name] = f.Data
		}
	}
	if want < 0 {
		want = len(archive.Files)
		archive.Files = append(archive.Files, txtar.File{Name: "want"})
	}
	return files, want
}

// TestEveryProgram: each row of the table is found in a golden case.
func TestEveryProgram(t *testing.T) {
	data, err := os.ReadFile("testdata/found.txtar")
	if err != nil {
		t.Fatal(err)
	}
	for i := range programs {
		if name := programs[i].name; !strings.Contains(string(data), "purl: pkg:generic/"+name+"@") {
			t.Errorf("%s is in no golden case", name)
		}
	}
}

func TestNames(t *testing.T) {
	for _, tt := range []struct {
		pattern, base, version string
		ok                     bool
	}{
		{"nginx", "nginx", "", true},
		{"nginx", "nginx-debug", "", false},
		{"libssl.so", "libssl.so", "", true},
		{"libssl.so", "libssl.so.1.1", "", true},
		{"libssl.so", "libssl.so.10-x", "", false},
		{"libssl.so", "libssl3.so", "", false},
		{"libssl.so", "libssl.soft", "", false},
		{"python#", "python", "", true},
		{"python#", "python3.11", "3.11", true},
		{"python#", "python3.13t", "3.13t", true},
		{"python#", "python3.11-config", "3.11-config", false},
		{"python#", "pythonw", "w", false},
		{"libpython#.so", "libpython3.7m.so.1.0", "3.7m", true},
		{"libruby#.so", "libruby-3.1.so.3.1", "3.1", true},
		{"libstd#.so", "libstd-d1237ef7159db0a2.so", "d1237ef7159db0a2", true},
		{"libstd#.so", "libstdc++.so.6", "c++", false},
		{"libc#.so", "libc-2.31.so", "2.31", true},
		{"libc#.so", "libcap.so.2", "ap", false},
		{"ld-musl-*.so", "ld-musl-x86_64.so.1", "", true},
		{"libpcre2#.so", "libpcre2-8.so.0", "8", true},
	} {
		version, ok := matchName(tt.pattern, tt.base)
		if ok != tt.ok || ok && version != tt.version {
			t.Errorf("%s of %s: %q, %v", tt.base, tt.pattern, version, ok)
		}
	}
}

// TestAccept: files of other names are not opened.
func TestAccept(t *testing.T) {
	accept := Analyzer{}.Paths().Accept
	for _, p := range []string{"usr/bin/ls", "usr/lib/libfoo.so.1", "usr/bin/python3", "usr/bin/perldoc", "opt/release.txt", "usr/bin/nginx.conf"} {
		if accept(p) {
			t.Errorf("%s is looked at", p)
		}
	}
	for _, p := range []string{"usr/bin/python3.11", "usr/lib/libcrypto.so.3", "opt/jdk/release", "usr/local/go/VERSION", "sbin/nginx"} {
		if !accept(p) {
			t.Errorf("%s is not looked at", p)
		}
	}
}

func TestCPE(t *testing.T) {
	for in, want := range map[string]string{
		"3.0.13":         "3.0.13:*",
		"1.1.1w":         "1.1.1w:*",
		"9.2p1":          "9.2:p1",
		"3.13.0b2":       "3.13.0:beta2",
		"3.0.0-beta1":    "3.0.0:beta1",
		"16rc1":          "16:rc1",
		"1.8.0_382":      "8:update382",
		"1.97.0-nightly": "1.97.0-nightly:*",
		"8.0.0RC2":       "8.0.0:rc2",
		"2.9-dev3":       "2.9-dev3:*",
	} {
		if got := cpeName("v:p", in); got != "cpe:2.3:a:v:p:"+want+":*:*:*:*:*:*" {
			t.Errorf("%s: %s, want %s", in, got, want)
		}
	}
}

// streamed is the content of a file in a compressed layer: asking for random access fails.
type streamed struct{ io.Reader }

func (streamed) ReaderAt() (io.ReaderAt, error) { return nil, errors.New("no random access") }

// dribble gives a few bytes at a time.
type dribble struct{ io.Reader }

func (d dribble) Read(p []byte) (int, error) { return d.Reader.Read(p[:min(len(p), 1000)]) }

// TestPlaces: a text is found wherever it stands in the file, also across the ends of
// chunks, and at the end.
func TestPlaces(t *testing.T) {
	const text = "\x00@(#)Bash version 5.2.15(1) release GNU"
	for at := chunk - 500; at < chunk+before+behind+100; at += 7 {
		data := append(programOf(), bytes.Repeat([]byte{'x'}, at)...)
		data = append(data, text...)
		f := analyzer.NewFile("bin/bash", int64(len(data)), 0o755, streamed{dribble{bytes.NewReader(data)}}, nil, nil)
		facts, err := Analyzer{}.Extract(context.Background(), f)
		if len(facts) != 1 || err != nil {
			t.Fatalf("at %d: %d facts, %v", at, len(facts), err)
		}
	}
}

func TestErrors(t *testing.T) {
	broken := errors.New("the layer is cut off")
	data := append(programOf("OpenSSL 3.0.13 30 Jan 2024"), make([]byte, 200_000)...)
	failing := io.MultiReader(bytes.NewReader(data), badReader{broken})
	f := analyzer.NewFile("usr/bin/openssl", int64(len(data)+5), 0o755, streamed{failing}, nil, nil)
	if facts, err := (Analyzer{}).Extract(context.Background(), f); !errors.Is(err, broken) || len(facts) > 0 {
		t.Errorf("%d facts, %v", len(facts), err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := (Analyzer{}).Extract(ctx, analyzer.NewMemoryFile("usr/bin/openssl", data)); !errors.Is(err, context.Canceled) {
		t.Errorf("after cancel: %v", err)
	}
}

type badReader struct{ err error }

func (r badReader) Read([]byte) (int, error) { return 0, r.err }

func TestHostile(t *testing.T) {
	versions := func(format string, n int) string { return string(programOf(analyzertest.Lines(n, format))) }
	analyzertest.TestHostile(t, Analyzer{},
		analyzertest.Hostile{Name: "two versions", Path: "usr/bin/openssl", Data: string(programOf("OpenSSL 3.0.13 30 Jan 2024", "OpenSSL 1.1.1w  11 Sep 2023")), Want: fault.Unsupported},
		analyzertest.Hostile{Name: "many versions", Path: "usr/bin/jq", Data: versions("\x001.%d\x00", 1000) + "jq: error (at %s): %s", Want: fault.Unsupported},
		analyzertest.Hostile{Name: "many places", Path: "usr/lib/libz.so.1", Data: strings.Repeat("flate ", maxTries+2), Want: fault.Limit},
		analyzertest.Hostile{Name: "zeroes", Path: "usr/lib/python3.11", Data: strings.Repeat("\x00", 1<<20)},
		analyzertest.Hostile{Name: "zeroes and versions", Path: "usr/bin/redis-server", Data: versions("\x00%d.1.1\x00", 5000) + "redis_version:%s"},
		analyzertest.Hostile{Name: "a release that is none", Path: "opt/release", Data: strings.Repeat("JAVA_VERSION=\"1\n", 5000)},
		analyzertest.Hostile{Name: "a large release", Path: "opt/release", Data: strings.Repeat("x", maxTextFile+1)},
		analyzertest.Hostile{Name: "empty", Path: "usr/bin/nginx"},
	)
}

func TestCost(t *testing.T) {
	grow := func(name, path, format string) analyzertest.Growth {
		return analyzertest.Growth{Name: name, Path: path, Data: func(n int) string { return string(programOf(analyzertest.Lines(n, format))) }}
	}
	analyzertest.TestCost(t, Analyzer{},
		grow("nothing", "usr/bin/node", strings.Repeat("text and ", 10)+"%d\x00"),
		grow("zeroes", "usr/bin/python3.11", strings.Repeat("\x00", 100)+"%d"),
		grow("places", "usr/lib/libz.so.1", " deflate %d.2 Copyright 1995-"),
	)
}

// FuzzProgram: whatever an executable holds. The name is one of a program with many texts.
func FuzzProgram(f *testing.F) {
	analyzertest.Fuzz(f, Analyzer{}, "usr/bin/python3.11", string(programOf("PYTHONHOME", "3.11.2")), string(programOf("/Python-3.11.2rc1", "3.11.2+", "PYTHONHOME")))
}

// FuzzServer: a version that goes on without a mark.
func FuzzServer(f *testing.F) {
	analyzertest.Fuzz(f, Analyzer{}, "usr/bin/redis-server", string(programOf("redis_version:%s", "7.0.15", "2.6.0", "7.0.151790282056000000000")))
}

func FuzzRelease(f *testing.F) { analyzertest.Fuzz(f, Analyzer{}, "opt/jdk/release") }
func FuzzGo(f *testing.F)      { analyzertest.Fuzz(f, Analyzer{}, "usr/local/go/VERSION") }
func FuzzErlang(f *testing.F) {
	analyzertest.Fuzz(f, Analyzer{}, "usr/lib/erlang/releases/25/OTP_VERSION")
}

// BenchmarkSearch is what a large program costs that is looked at and is not what its name
// says.
func BenchmarkSearch(b *testing.B) {
	self, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	data, err := os.ReadFile(self)
	if err != nil {
		b.Fatal(err)
	}
	for _, name := range []string{"usr/bin/nginx", "usr/bin/python3.11", "usr/bin/redis-server"} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			for b.Loop() {
				f := analyzer.NewFile(name, int64(len(data)), 0o755, streamed{bytes.NewReader(data)}, nil, nil)
				if facts, err := (Analyzer{}).Extract(context.Background(), f); len(facts) > 0 || err != nil {
					b.Fatal(fmt.Sprint(facts, err))
				}
			}
		})
	}
}
