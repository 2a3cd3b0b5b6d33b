package cargo

import (
	"bytes"
	"context"
	"debug/elf"
	"debug/macho"
	"debug/pe"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/analyzer/analyzertest"
)

// list is what cargo-auditable writes: format 1 with all kinds of sources, one crate in two
// versions, and one crate that is needed to build.
const list = `{"packages":[` +
	`{"name":"bitflags","version":"1.3.2","source":"crates.io"},` +
	`{"name":"bitflags","version":"2.6.0","source":"crates.io"},` +
	`{"name":"cc","version":"1.1.30","source":"crates.io","kind":"build"},` +
	`{"name":"inner","version":"0.3.0","source":"registry","dependencies":[0]},` +
	`{"name":"forked","version":"0.9.0","source":"git","kind":"runtime","dependencies":[1,2]},` +
	`{"name":"shared","version":"0.1.0","source":"local"},` +
	`{"name":"app","version":"1.4.0","source":"local","dependencies":[0,3,4,5],"root":true}` +
	`],"format":1}`

const listFacts = `usr/bin/app: bitflags 1.3.2 (crates.io)
	name: bitflags | 1.3.2
	purl: pkg:cargo/bitflags@1.3.2
usr/bin/app: bitflags 2.6.0 (crates.io)
	name: bitflags | 2.6.0
	purl: pkg:cargo/bitflags@2.6.0
usr/bin/app: cc 1.1.30 (crates.io)
	name: cc | 1.1.30
	purl: pkg:cargo/cc@1.1.30
	as: dev
usr/bin/app: inner 0.3.0 (registry)
	name: inner | 0.3.0
	cargo:source: registry
	needs: bitflags 1.3.2 (crates.io)
usr/bin/app: forked 0.9.0 (git)
	name: forked | 0.9.0
	cargo:source: git
	needs: bitflags 2.6.0 (crates.io), cc 1.1.30 (crates.io)
usr/bin/app: shared 0.1.0
	name: shared | 0.1.0
	cargo:source: local
usr/bin/app: app 1.4.0
	name: app | 1.4.0
	as: application
	cargo:source: local
	needs: bitflags 1.3.2 (crates.io), forked 0.9.0 (git), inner 0.3.0 (registry), shared 0.1.0
`

// forged are executables of all formats with a section.
func forged(section string) map[string][]byte {
	le, be := binary.ByteOrder(binary.LittleEndian), binary.ByteOrder(binary.BigEndian)
	return map[string][]byte{
		"elf64":             forgeELF(section, le, true),
		"elf64 big-endian":  forgeELF(section, be, true),
		"elf32":             forgeELF(section, le, false),
		"elf32 big-endian":  forgeELF(section, be, false),
		"pe":                forgePE(section),
		"mach-o 64":         forgeMachO(section, le, true),
		"mach-o 32":         forgeMachO(section, le, false),
		"mach-o big-endian": forgeMachO(section, be, true),
		"universal":         forgeUniversal(forgeMachO(section, le, true), false),
		"universal 64":      forgeUniversal(forgeMachO(section, le, true), true),
	}
}

func TestAudit(t *testing.T) {
	for name, data := range forged(deflate(list)) {
		t.Run(name, func(t *testing.T) {
			got := analyzertest.Scan(Analyzer{}, map[string][]byte{"usr/bin/app": data}).String()
			if diff := cmp.Diff(listFacts, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestForgesAreSound: the readers of the standard library find the same section.
func TestForgesAreSound(t *testing.T) {
	section := deflate(list)
	for name, data := range forged(section) {
		r := bytes.NewReader(data)
		var got []byte
		var err error
		switch {
		case strings.HasPrefix(name, "elf"):
			var f *elf.File
			if f, err = elf.NewFile(r); err == nil {
				got, err = f.Sections[2].Data()
			}
		case name == "pe":
			var f *pe.File
			if f, err = pe.NewFile(r); err == nil {
				got, err = f.Section(sectionName).Data()
			}
		case strings.HasPrefix(name, "mach-o"):
			var f *macho.File
			if f, err = macho.NewFile(r); err == nil {
				got, err = f.Section(sectionName).Data()
			}
		default:
			continue // debug/macho wants whole executables inside
		}
		if err != nil || !bytes.HasPrefix(got, []byte(section)) {
			t.Errorf("%s: %d bytes, %v", name, len(got), err)
		}
	}
}

// TestObjcopy puts the section into a real program.
func TestObjcopy(t *testing.T) {
	objcopy, err := exec.LookPath("objcopy")
	if err != nil {
		t.Skip("no objcopy on this machine")
	}
	program, err := exec.LookPath("true")
	if err != nil {
		t.Skip("no program to change on this machine")
	}
	dir := t.TempDir()
	section, out := filepath.Join(dir, "section"), filepath.Join(dir, "out")
	if err := os.WriteFile(section, []byte(deflate(list)), 0o600); err != nil {
		t.Fatal(err)
	}
	if text, err := exec.Command(objcopy, "--add-section", sectionName+"="+section, program, out).CombinedOutput(); err != nil {
		t.Skipf("objcopy: %v: %s", err, text)
	}
	data, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(listFacts, analyzertest.Scan(Analyzer{}, map[string][]byte{"usr/bin/app": data}).String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// counting counts what is read of a file.
type counting struct {
	io.ReaderAt
	read int
}

func (c *counting) ReadAt(p []byte, off int64) (int, error) {
	c.read += len(p)
	return c.ReaderAt.ReadAt(p, off)
}

// TestWithout: executables without the section cost a few KiB, whatever their size.
func TestWithout(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	program, err := os.ReadFile(self)
	if err != nil {
		t.Fatal(err)
	}
	named := strings.NewReplacer(sectionName+"\x00", ".dep-v1\x00")
	files := map[string][]byte{"the test itself": program, "class": []byte("\xca\xfe\xba\xbe\x00\x00\x00\x34" + strings.Repeat("\x00", 100)), "short": []byte("MZ"), "text": []byte("MZ " + strings.Repeat("text ", 100))}
	for name, data := range forged(deflate(list)) {
		files[name] = []byte(named.Replace(string(data)))
	}
	stripped := forgeELF("", binary.LittleEndian, true)
	put(stripped, binary.LittleEndian, 40, uint64(0))
	put(stripped, binary.LittleEndian, 58, uint16(0), uint16(0), uint16(0))
	files["without section headers"] = stripped
	object := forgeELF(deflate(list), binary.LittleEndian, true)
	put(object, binary.LittleEndian, 16, uint16(1))
	files["object file"] = object
	files["cut off"] = forgeELF(deflate(list), binary.LittleEndian, true)[:forgeAt+10]
	for name, data := range files {
		at := &counting{ReaderAt: bytes.NewReader(data)}
		r, err := findSection(at, int64(len(data)))
		if r != nil || err != nil {
			t.Errorf("%s: found %v, %v", name, r, err)
		}
		if at.read > 16<<10 {
			t.Errorf("%s: read %d bytes", name, at.read)
		}
	}
}

func TestAuditHostile(t *testing.T) {
	le := binary.ByteOrder(binary.LittleEndian)
	behind := forgeELF(deflate(list), le, true)
	put(behind, le, len(behind)-64+32, uint64(1<<40))
	names := forgeELF("", le, true)
	put(names, le, len(names)-128+32, uint64(2<<20))
	names = append(names, make([]byte, 3<<20)...)
	commands := append(forgeMachO("", le, true), make([]byte, 2<<20)...)
	put(commands, le, 20, uint32(2<<20))
	many := `{"packages":[` + strings.Repeat(`{"name":"a","version":"1","source":"crates.io"},`, 100_001) + `{"name":"b"}]}`
	in := func(section string) string { return string(forgeELF(section, le, true)) }
	analyzertest.TestHostile(t, Analyzer{},
		analyzertest.Hostile{Name: "not zlib", Path: "app", Data: in("plain text"), Want: fault.Invalid},
		analyzertest.Hostile{Name: "cut", Path: "app", Data: in(deflate(list)[:100]), Want: fault.Invalid},
		analyzertest.Hostile{Name: "wrong checksum", Path: "app", Data: in(deflate(list)[:len(deflate(list))-1] + "?"), Want: fault.Invalid},
		analyzertest.Hostile{Name: "inflates too far", Path: "app", Data: in(deflate(strings.Repeat(" ", maxAudit+1))), Want: fault.Limit},
		analyzertest.Hostile{Name: "behind the end", Path: "app", Data: string(behind), Want: fault.Invalid},
		analyzertest.Hostile{Name: "section names without end", Path: "app", Data: string(names), Want: fault.Limit},
		analyzertest.Hostile{Name: "load commands without end", Path: "app", Data: string(commands), Want: fault.Limit},
		analyzertest.Hostile{Name: "not JSON", Path: "app", Data: in(deflate(list[:60])), Want: fault.Invalid},
		analyzertest.Hostile{Name: "no object", Path: "app", Data: in(deflate("[]")), Want: fault.Invalid},
		analyzertest.Hostile{Name: "no packages", Path: "app", Data: in(deflate("{}"))},
		analyzertest.Hostile{Name: "too many", Path: "app", Data: in(deflate(many)), Want: fault.Limit},
		analyzertest.Hostile{Name: "index out of range", Path: "app", Data: in(deflate(`{"packages":[{"name":"a","version":"1","source":"crates.io","dependencies":[0,7]}]}`)), Want: fault.Invalid},
		analyzertest.Hostile{Name: "index is no number", Path: "app", Data: in(deflate(`{"packages":[{"name":"a","version":"1","source":"crates.io","dependencies":[-1]}]}`)), Want: fault.Invalid},
		analyzertest.Hostile{Name: "source is an object", Path: "app", Data: in(deflate(`{"packages":[{"name":"a","version":"1","source":{"Other":"x"}}]}`))},
		analyzertest.Hostile{Name: "cycle", Path: "app", Data: in(deflate(`{"packages":[{"name":"a","dependencies":[1]},{"name":"b","dependencies":[0]}]}`))},
	)
}

// TestAuditKeeps: what was read before an error stays.
func TestAuditKeeps(t *testing.T) {
	data := forgePE(deflate(`{"packages":[{"name":"a","version":"1.0.0","source":"crates.io","dependencies":[9]},{"version":"2"}]}`))
	facts, err := Analyzer{}.Extract(context.Background(), analyzer.NewMemoryFile("app.exe", data))
	want := `read app.exe: section .dep-v0: crate "a" depends on "9" of 2: invalid input`
	if len(facts) != 1 || err == nil || err.Error() != want {
		t.Errorf("%d facts, %v, want %s", len(facts), err, want)
	}
}

// TestAuditBudget: what is inflated counts against the scan's limit, and a file that cannot
// be read is no damaged list.
func TestAuditBudget(t *testing.T) {
	data := forgeELF(deflate(list), binary.LittleEndian, true)
	budget := analyzer.NewBudget(analyzer.Limits{ArchiveBytes: 100})
	f := analyzer.NewFile("app", int64(len(data)), 0o755, content{bytes.NewReader(data), nil}, budget, nil)
	if _, err := (Analyzer{}).Extract(context.Background(), f); !errors.Is(err, fault.Limit) {
		t.Errorf("%v, want a limit", err)
	}
	broken := errors.New("the layer is cut off")
	f = analyzer.NewFile("app", int64(len(data)), 0o755, content{bytes.NewReader(data), broken}, nil, nil)
	if _, err := (Analyzer{}).Extract(context.Background(), f); !errors.Is(err, broken) {
		t.Errorf("%v, want the reader's error", err)
	}
}

// content fails behind the offset of the section where err is set.
type content struct {
	*bytes.Reader
	err error
}

func (c content) ReaderAt() (io.ReaderAt, error) { return c, nil }

func (c content) ReadAt(p []byte, off int64) (int, error) {
	if c.err != nil && off >= forgeAt && off < forgeAt+100 {
		return 0, c.err
	}
	return c.Reader.ReadAt(p, off)
}

func TestAuditCost(t *testing.T) {
	growth := func(name, format string) analyzertest.Growth {
		return analyzertest.Growth{Name: name, Path: "app", Data: func(n int) string {
			packages := strings.TrimSuffix(analyzertest.Lines(n/2, format), ",\n")
			return string(forgeELF(deflate(`{"packages":[`+packages+`]}`), binary.LittleEndian, true))
		}}
	}
	analyzertest.TestCost(t, Analyzer{},
		growth("crates", `{"name":"c%[1]d","version":"1.0.%[1]d","source":"crates.io","dependencies":[0,%[1]d]},`+"\n"),
		growth("one crate again", `{"name":"c","version":"1","source":"git","dependencies":[%d]},`+"\n"),
	)
}

// FuzzExecutable: whatever an executable says of itself.
func FuzzExecutable(f *testing.F) {
	var seeds []string
	for _, data := range forged(deflate(list)) {
		seeds = append(seeds, string(data))
	}
	analyzertest.Fuzz(f, Analyzer{}, "usr/bin/app", seeds...)
}

// FuzzAudit: whatever a list says.
func FuzzAudit(f *testing.F) {
	f.Add(list)
	f.Add(`{"packages":[{"name":"a","version":"1","source":{"Other":"x"},"dependencies":[0,1e3]}],"packages":[]}`)
	f.Fuzz(func(t *testing.T, text string) {
		text = text[:min(len(text), math.MaxUint16)]
		analyzertest.Check(t, Analyzer{}, "usr/bin/app", forgeELF(store(text), binary.LittleEndian, true))
	})
}

func BenchmarkWithout(b *testing.B) {
	self, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	file, err := os.Open(self)
	if err != nil {
		b.Fatal(err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if r, err := findSection(file, info.Size()); r != nil || err != nil {
			b.Fatal(fmt.Sprint(r, err))
		}
	}
}
