package nuget_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/analyzer/nuget"
)

// named returns "name version rid error" of an assembly.
func named(data string) string {
	facts, err := nuget.Analyzer{}.Extract(context.Background(), analyzer.NewMemoryFile("a.dll", []byte(data)))
	text := ""
	for _, f := range facts {
		text += f.Package.Name + " " + f.Package.Version
		for _, q := range f.Package.Properties {
			if q.Name == "nuget:rid" {
				text += " " + q.Value
			}
		}
	}
	if err != nil {
		_, why, _ := strings.Cut(err.Error(), ": ")
		text += " !" + why
	}
	return text
}

// TestAssembly: names and versions as compilers write them.
func TestAssembly(t *testing.T) {
	set := [4]uint16{13, 0, 0, 0}
	version := func(texts ...string) forged { return forged{name: "A", version: set, texts: texts} }
	tests := []struct {
		name string
		in   forged
		want string
	}{
		{"informational", version("FileVersion", "13.0.3.27908", "ProductVersion", "13.0.3+0a2e291c0d9c"), "A 13.0.3 win-x64"},
		{"pre-release", version("ProductVersion", "2.0.0-rc.1.21451.13+d7619cd4"), "A 2.0.0-rc.1.21451.13 win-x64"},
		{"words behind it", version("ProductVersion", "4.6.27617.04 @BuiltBy: dlab14 @Branch: release/2.1"), "A 4.6.27617.04 win-x64"},
		{"no version", version("ProductVersion", "Release of May", "FileVersion", "1.2.3.4"), "A 1.2.3.4 win-x64"},
		{"never set", version("ProductVersion", "0.0.0.0", "FileVersion", "0.0.0.0"), "A 13.0.0.0 win-x64"},
		{"five numbers", version("ProductVersion", "1.2.3.4.5"), "A 13.0.0.0 win-x64"},
		{"first language counts", version("ProductVersion", "1.0.0", "ProductVersion", "2.0.0"), "A 1.0.0 win-x64"},
		{"no resource", forged{name: "A", version: set}, "A 13.0.0.0 win-x64"},
		{"nothing", forged{name: "A"}, "A  win-x64"},
		{"PE32, any machine", forged{name: "A", version: set, old: true, machine: 0x14c}, "A 13.0.0.0"},
		{"Linux x64", forged{name: "A", version: set, machine: 0x8664 ^ 0x7b79}, "A 13.0.0.0 linux-x64"},
		{"Linux arm64", forged{name: "A", version: set, machine: 0xaa64 ^ 0x7b79}, "A 13.0.0.0 linux-arm64"},
		{"macOS arm64", forged{name: "A", version: set, machine: 0xaa64 ^ 0x4644}, "A 13.0.0.0 osx-arm64"},
		{"translations", forged{name: "A.resources", culture: "de", version: set}, ""},
		{"no name", forged{version: set}, " !an assembly without a name: invalid input"},
		{"ill-formed name", forged{name: "A\xff", version: set}, "A\uFFFD 13.0.0.0 win-x64"},
		{"long name", forged{name: strings.Repeat("a", 2000)}, " !byte 1225: bytes of an assembly's name: 1025 is over the limit of 1024"},
		{"module of another assembly", forged{name: "A", rows: map[int]uint32{0x20: 0}}, ""},
	}
	for _, tt := range tests {
		if got := named(tt.in.file()); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

// TestTables: the sizes of rows, by hand from the specification.
func TestTables(t *testing.T) {
	narrow := []int{10, 6, 14, 2, 6, 2, 14, 2, 6, 4, 6, 6, 6, 4, 6, 8, 6, 2, 4, 2, 6, 4, 2, 6, 6, 6, 2, 2, 8, 6, 8, 4}
	wide := []int{18, 10, 18, 2, 10, 2, 18, 2, 8, 4, 10, 8, 8, 6, 8, 8, 6, 4, 4, 2, 8, 4, 2, 10, 6, 6, 4, 4, 10, 6, 8, 4}
	many := []int{10, 6, 14, 2, 6, 2, 16, 4, 6, 4, 6, 8, 8, 6, 6, 8, 6, 2, 4, 2, 6, 4, 2, 6, 6, 6, 2, 2, 8, 6, 8, 4}
	for _, tt := range []struct {
		name   string
		heaps  byte
		widths []int
		params uint32
	}{{"narrow", 0, narrow, 1}, {"wide heaps", 7, wide, 1}, {"many parameters", 0, many, 70_000}} {
		a := forged{name: "A", version: [4]uint16{1, 2, 3, 4}, heaps: tt.heaps, rows: map[int]uint32{}, widths: map[int]int{}}
		for i, w := range tt.widths {
			a.rows[i], a.widths[i] = 1, w
		}
		a.rows[8] = tt.params
		if got, want := named(a.file()), "A 1.2.3.4 win-x64"; got != want {
			t.Errorf("%s: %q, want %q", tt.name, got, want)
		}
	}
}

// TestForged: what lies about itself is refused, and what is no assembly is nothing.
func TestForged(t *testing.T) {
	good := forged{name: "A", version: [4]uint16{1}, texts: []string{"ProductVersion", "1.0.0"}}.file()
	code, tree := forgedCode, strings.Index(good, "V\x00S\x00_\x00")-6-88
	with := func(off int, values ...any) string {
		b := []byte(good)
		put(b, off, values...)
		return string(b)
	}
	const tables = forgedCode + 72 + 64
	tests := []struct{ name, in, want string }{
		{"whole", good, "A 1.0.0 win-x64"},
		{"empty", "", ""},
		{"text", "MZ and nothing else", ""},
		{"DOS", with(0x3c, uint32(0xffffffff)), ""},
		{"NE", with(0x80, []byte("NE")), ""},
		{"native", with(0x98+112+14*8, uint64(0)), ""},
		{"few directories", with(0x98+108, uint32(14)), ""},
		{"other magic", with(0x98, uint16(0x107)), ""},
		{"headers cut off", good[:0x100], " !optional header at byte 152: the file ends before it: invalid input"},
		{"sections cut off", good[:0x190], " !section table at byte 392: the file ends before it: invalid input"},
		{"sections", with(0x86, uint16(97)), " !byte 134: sections of a PE file: 97 is over the limit of 96"},
		{"no section", with(0x86, uint16(0)), " !CLI header: no section has the address 0x2000: invalid input"},
		{"CLI header nowhere", with(0x98+112+14*8, uint32(0x7000)), " !CLI header: no section has the address 0x7000: invalid input"},
		{"beyond the file", with(0x188+20, uint32(0xfffffff0)), " !CLI header at byte 4294967280: the file ends before it: invalid input"},
		{"metadata nowhere", with(code+8, uint32(0xffffffff)), " !metadata: no section has the address 0xffffffff: invalid input"},
		{"no signature", with(code+72, uint32(0)), " !metadata at byte 1096 do not begin with their signature: invalid input"},
		{"long version", with(code+72+12, uint32(0xfffffff0)), " !metadata streams at byte 4294968392: the file ends before it: invalid input"},
		{"streams", with(code+72+30, uint16(33)), " !byte 1124: streams of metadata: 33 is over the limit of 32"},
		{"a stream without a name's end", with(code+72+40, bytes.Repeat([]byte("#"), 64)), " !metadata streams at byte 1124: a name without end: invalid input"},
		{"no tables", with(code+72+40, []byte("#x")), " !metadata at byte 1096 have no tables: invalid input"},
		{"tables beyond", with(code+72+32, uint32(0x7fffffff)), " !metadata tables at byte 2147484743: the file ends before it: invalid input"},
		{"rows", with(tables+24, uint32(0xffffffff)), " !metadata tables at byte 1160 are larger than their stream: invalid input"},
		{"all tables", with(tables+8, uint64(1<<64-1)), " !metadata tables at byte 1160 are larger than their stream: invalid input"},
		{"name outside", with(tables+24+8+10+18, uint16(0xffff)), " !name 65535 is outside of its heap: invalid input"},
		{"resources nowhere", with(0x98+112+2*8, uint32(0x7000)), "A 1.0.0.0 win-x64 !resources: no section has the address 0x7000: invalid input"},
		{"many resources", with(tree+12, uint32(0xffffffff)), "A 1.0.0.0 win-x64 !byte 1228: resources of a folder: 131070 is over the limit of 4096"},
		{"no versions", with(tree+16, uint32(17)), "A 1.0.0.0 win-x64"},
		{"resources in a circle", with(tree+24+20, uint32(1<<31)), "A 1.0.0.0 win-x64"},
		{"shallow", with(tree+20, uint32(72)), fmt.Sprintf("A 1.0.0.0 win-x64 !resources at byte %d have another depth than three: invalid input", tree)},
		{"deep", with(tree+48+20, uint32(1<<31|24)), fmt.Sprintf("A 1.0.0.0 win-x64 !resources at byte %d have another depth than three: invalid input", tree)},
		{"huge version", with(tree+76, uint32(1<<20)), "A 1.0.0.0 win-x64 !byte 1300: bytes of a version resource: 1048576 is over the limit of 65536"},
		{"version beyond", with(tree+72, uint32(0x1000)), "A 1.0.0.0 win-x64 !version resource: no section has the address 0x1000: invalid input"},
		{"node of no length", with(tree+88, uint16(0)), "A 1.0.0.0 win-x64"},
		{"value of all", with(tree+90, uint16(0xffff)), "A 1.0.0.0 win-x64"},
	}
	for _, tt := range tests {
		if got := named(tt.in); got != tt.want {
			t.Errorf("%s:\n got %q\nwant %q", tt.name, got, tt.want)
		}
	}
}

// TestCutOff: no prefix of an assembly gives another name or version than the whole.
func TestCutOff(t *testing.T) {
	good := forged{name: "A", version: [4]uint16{1}, texts: []string{"ProductVersion", "1.0.0"}}.file()
	for n := range good {
		got := named(good[:n])
		if name, _, _ := strings.Cut(got, " !"); name != "" && name != "A 1.0.0.0 win-x64" {
			t.Fatalf("%d bytes: %q", n, got)
		}
	}
}

// counted counts what is read of a file.
type counted struct {
	r     io.ReaderAt
	bytes int
	err   error
}

func (c *counted) ReadAt(p []byte, off int64) (int, error) {
	if c.err != nil {
		return 0, c.err
	}
	c.bytes += len(p)
	return c.r.ReadAt(p, off)
}

func (c *counted) Read([]byte) (int, error)       { return 0, errors.New("read in order") }
func (c *counted) ReaderAt() (io.ReaderAt, error) { return c, nil }

// TestFrugal: little is read of a large file, and an error of reading is none of the file.
func TestFrugal(t *testing.T) {
	data := forged{name: "A", version: [4]uint16{1}, texts: []string{"ProductVersion", "1.0.0"}}.file() + strings.Repeat("x", 1<<20)
	extract := func(c *counted) error {
		c.r = strings.NewReader(data)
		_, err := nuget.Analyzer{}.Extract(context.Background(), analyzer.NewFile("a.dll", int64(len(data)), 0o644, c, nil, nil))
		return err
	}
	c := new(counted)
	if err := extract(c); err != nil || c.bytes > 8<<10 {
		t.Errorf("read %d bytes: %v", c.bytes, err)
	}
	lost := errors.New("disk on fire")
	if err := extract(&counted{err: lost}); !errors.Is(err, lost) || errors.Is(err, fault.Invalid) {
		t.Errorf("error %v, want %v", err, lost)
	}
}

// TestAssemblyFacts: what else an assembly says of itself.
func TestAssemblyFacts(t *testing.T) {
	a := forged{name: "A", version: [4]uint16{1, 2}, texts: []string{"CompanyName", "Müller & Söhne", "LegalCopyright", "© 2024", "FileVersion", "1.2.3.4"}}
	facts, err := nuget.Analyzer{}.Extract(context.Background(), analyzer.NewMemoryFile("lib/a.dll", []byte(a.file())))
	if err != nil || len(facts) != 1 {
		t.Fatalf("%v, %v", facts, err)
	}
	p := facts[0].Package
	got := fmt.Sprintf("%s|%s|%s|%v", p.Originator, p.Copyright, p.PURL, p.Properties)
	want := "Müller & Söhne|© 2024|pkg:nuget/A@1.2.3.4|[{nuget:assemblyversion 1.2.0.0} {nuget:evidence assembly} {nuget:fileversion 1.2.3.4} {nuget:rid win-x64}]"
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
