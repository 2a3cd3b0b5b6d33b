package elfnote

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/analyzer/analyzertest"
	"github.com/stella-ops/stella/scan/sbom"
)

const fedora = `{"type":"rpm","name":"coreutils","version":"9.4-7.fc40","architecture":"x86_64","osCpe":"cpe:/o:fedoraproject:fedora:40"}`

// build describes an ELF file.
type build struct {
	big, narrow bool
	align       int      // 4 unless set
	table, at   int      // places of the program headers and the notes; 0: one after the other
	kind        uint16   // 3 (ET_DYN) unless set
	notes       []string // contents of package notes; each is a segment
	tail        int      // bytes at the end
}

func (b build) bytes() []byte {
	var order binary.AppendByteOrder = binary.LittleEndian
	if b.big {
		order = binary.BigEndian
	}
	head, entry := 64, 56
	if b.narrow {
		head, entry = 52, 32
	}
	table, align := max(b.table, head), max(b.align, 4)
	at := max(b.at, table+entry*len(b.notes))
	at = (at + 7) &^ 7
	var headers, notes []byte
	word := func(out []byte, v int) []byte {
		if b.narrow {
			return order.AppendUint32(out, uint32(v))
		}
		return order.AppendUint64(out, uint64(v))
	}
	for _, text := range b.notes {
		note := noteOf(order, 1, "GNU\x00", "version", align)
		note = append(note, noteOf(order, 0xcafe1a7e, "FDO\x00", text+"\x00", align)...)
		off := at + len(notes)
		notes = append(notes, note...)
		headers = order.AppendUint32(headers, 4)
		if !b.narrow {
			headers = order.AppendUint32(headers, 4)
		}
		for range 3 {
			headers = word(headers, off)
			off += 0x1000
		}
		headers = word(word(headers, len(note)), len(note))
		if b.narrow {
			headers = order.AppendUint32(headers, 4)
		}
		headers = word(headers, align)
	}
	out := []byte("\x7fELF\x02\x01\x01" + strings.Repeat("\x00", 9))
	if b.narrow {
		out[4] = 1
	}
	if b.big {
		out[5] = 2
	}
	kind := b.kind
	if kind == 0 {
		kind = 3
	}
	out = order.AppendUint32(order.AppendUint16(order.AppendUint16(out, kind), 62), 1)
	out = order.AppendUint32(word(word(word(out, 0), table), 0), 0)
	for _, v := range []int{head, entry, len(b.notes), 0, 0, 0} {
		out = order.AppendUint16(out, uint16(v))
	}
	all := make([]byte, max(at+len(notes), table+len(headers), 64)+b.tail)
	copy(all, out)
	copy(all[table:], headers)
	copy(all[at:], notes)
	return all
}

func noteOf(order binary.AppendByteOrder, kind uint32, owner, content string, align int) []byte {
	out := order.AppendUint32(order.AppendUint32(order.AppendUint32(nil, uint32(len(owner))), uint32(len(content))), kind)
	pad := func() {
		for len(out)%align != 0 {
			out = append(out, 0)
		}
	}
	out = append(out, owner...)
	pad()
	out = append(out, content...)
	pad()
	return out
}

func passing(data []byte) ([]analyzer.Fact, error) {
	return Analyzer{}.Extract(context.Background(), analyzertest.Streamed("a", 0o755, data))
}

func TestNotes(t *testing.T) {
	debian := `{"type":"deb","os":"debian","name":"hello","version":"1:2.10-3","architecture":"amd64","debugInfoUrl":"https://debuginfod.debian.net","more":[1,{"a":null}]}`
	own := `{"type":"inhouse","name":"tool","version":"7","appCpe":"cpe:2.3:a:acme:tool:7:*:*:*:*:*:*:*"}`
	files := map[string][]byte{
		"etc/plain":     []byte("\x7fELF and no more"),
		"lib/none.so":   build{tail: 100}.bytes(),
		"lib/object.o":  build{kind: 1, notes: []string{fedora}}.bytes(),
		"lib/old.so":    build{big: true, narrow: true, notes: []string{debian}}.bytes(),
		"lib/own.so":    build{align: 8, notes: []string{own}}.bytes(),
		"lib/silent.so": build{notes: []string{`{"type":"rpm"}`}}.bytes(),
		"usr/bin/ls":    build{narrow: true, notes: []string{fedora}}.bytes(),
		"usr/lib/a.so":  build{big: true, at: 4 << 10, notes: []string{fedora, fedora}}.bytes(),
		"usr/lib/b.so":  build{notes: []string{`{"name":`}}.bytes(),
	}
	want := `lib/old.so: hello
	name: hello | 1:2.10-3
	purl: pkg:deb/debian/hello@1:2.10-3?arch=amd64&distro=debian
	arch: amd64
	elfnote:debuginfo: https://debuginfod.debian.net
	elfnote:os: debian
	elfnote:type: deb
lib/own.so: tool
	name: tool | 7
	cpe: cpe:2.3:a:acme:tool:7:*:*:*:*:*:*:*
	elfnote:type: inhouse
usr/bin/ls: coreutils
	name: coreutils | 9.4-7.fc40
	purl: pkg:rpm/fedora/coreutils@9.4-7.fc40?arch=x86_64&distro=fedora-40
	arch: x86_64
	elfnote:os: cpe:/o:fedoraproject:fedora:40
	elfnote:type: rpm
usr/lib/a.so: coreutils
	name: coreutils | 9.4-7.fc40
	purl: pkg:rpm/fedora/coreutils@9.4-7.fc40?arch=x86_64&distro=fedora-40
	arch: x86_64
	elfnote:os: cpe:/o:fedoraproject:fedora:40
	elfnote:type: rpm
error: read usr/lib/b.so: package note: line 1 (byte 8): unexpected end of the document: invalid input
`
	if diff := cmp.Diff(want, analyzertest.Scan(Analyzer{}, files).String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// The release of an image counts where the note names the distribution alone.
func TestDistribution(t *testing.T) {
	image := &sbom.OS{ID: "rhel", VersionID: "9.4", CPE: "cpe:/o:acme:own:1"}
	for name, c := range map[string]struct {
		n    note
		want string
	}{
		"nothing":       {note{}, ""},
		"the image's":   {note{os: "rhel"}, "rhel-9.4"},
		"its major":     {note{osCPE: "cpe:/o:redhat:enterprise_linux:9"}, "rhel-9.4"},
		"its CPE":       {note{osCPE: "cpe:/o:acme:own:1"}, "rhel-9.4"},
		"another major": {note{osCPE: "cpe:2.3:o:redhat:enterprise_linux:8:*:*:*:*:*:*:*"}, "rhel-8"},
		"another":       {note{os: "Debian"}, "debian-"},
		"words":         {note{os: "ubuntu", osVersion: "24.04"}, "ubuntu-24.04"},
		"unknown CPE":   {note{osCPE: "cpe:/o:x:y:1"}, ""},
		"no CPE":        {note{osCPE: "fedora"}, ""},
	} {
		got := ""
		if os := c.n.distribution(image); os != nil {
			got = os.ID + "-" + os.VersionID
		}
		if got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// A file that streams by says the same as one that is held, or that it must be seen again.
func TestForward(t *testing.T) {
	for name, b := range map[string]build{
		"near":                {notes: []string{fedora}, tail: 1 << 20},
		"across the start":    {notes: []string{fedora}, at: firstBytes - 32, tail: 1 << 20},
		"far":                 {notes: []string{`{}`, fedora}, at: 1 << 20},
		"headers at the end":  {notes: []string{fedora}, table: 1 << 20, at: 1 << 21},
		"headers after notes": {notes: []string{fedora}, table: 1 << 20, at: 128},
	} {
		data := b.bytes()
		held, err := Analyzer{}.Extract(t.Context(), analyzer.NewMemoryFile("a", data))
		if err != nil {
			t.Fatal(name, err)
		}
		got, err := passing(data)
		if err != nil {
			t.Fatal(name, err)
		}
		if diff := cmp.Diff(held, got); diff != "" {
			t.Errorf("%s (-held +streamed):\n%s", name, diff)
		}
		if len(held) != 1 {
			t.Errorf("%s: %d facts", name, len(held))
		}
	}
	over := build{notes: []string{"{}", fedora}, at: 1 << 20}.bytes()
	copy(over[64+56+8:64+56+16], over[64+8:64+16]) // both segments begin alike
	if _, err := passing(over); !errors.Is(err, analyzer.ErrAgain) {
		t.Errorf("segments that overlap: %v", err)
	}
}

// What a linker writes is read.
func TestLinker(t *testing.T) {
	dir := t.TempDir()
	src, out := filepath.Join(dir, "a.c"), filepath.Join(dir, "a.so")
	if err := os.WriteFile(src, []byte("int answer(void) { return 42; }\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if msg, err := exec.Command("gcc", "-shared", "-o", out, src, "-Xlinker", "--package-metadata="+fedora).CombinedOutput(); err != nil {
		t.Skipf("no linker that writes package notes: %v: %s", err, msg)
	}
	data, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	if got := analyzertest.Scan(Analyzer{}, map[string][]byte{"a.so": data}).Names(); len(got) != 1 || got[0] != "coreutils@9.4-7.fc40" {
		t.Errorf("%q", got)
	}
}

// What an image of Fedora costs: every file says something, and no package is kept.
func TestFacts(t *testing.T) {
	const files = 2000
	size := 0
	for i := range files {
		data := build{notes: []string{strings.Replace(fedora, "coreutils", fmt.Sprint("source", i/8), 1)}}.bytes()
		facts, err := Analyzer{}.Extract(t.Context(), analyzer.NewMemoryFile("a", data))
		if err != nil || len(facts) != 1 || facts[0].Package != nil {
			t.Fatal(facts, err)
		}
		text, err := json.Marshal(facts)
		if err != nil {
			t.Fatal(err)
		}
		size += len(text)
	}
	t.Logf("%d files: %d facts of %d bytes", files, files, size/files)
	if size > files*256 {
		t.Errorf("%d bytes a fact", size/files)
	}
}

func TestHostile(t *testing.T) {
	long := build{notes: []string{`{"name":"` + strings.Repeat("a", maxField+1) + `"}`}}.bytes()
	beyond := build{notes: []string{fedora}}.bytes()
	binary.LittleEndian.PutUint64(beyond[64+8:], 1<<40)
	many := build{notes: []string{fedora}}.bytes()
	binary.LittleEndian.PutUint16(many[56:], 0xffff)
	owner := build{notes: []string{fedora}}.bytes()
	for i := 0; i+4 <= len(owner)-120; i++ {
		if string(owner[i:i+4]) == "FDO\x00" {
			binary.LittleEndian.PutUint32(owner[i-12:], 0xffffffff)
			break
		}
	}
	analyzertest.TestHostile(t, Analyzer{},
		analyzertest.Hostile{Name: "a long name", Path: "a", Data: string(long), Want: fault.Invalid},
		analyzertest.Hostile{Name: "a control character", Path: "a", Data: string(build{notes: []string{`{"name":"a\u0007"}`}}.bytes()), Want: fault.Invalid},
		analyzertest.Hostile{Name: "deep", Path: "a", Data: string(build{notes: []string{strings.Repeat("[", 60_000)}}.bytes()), Want: fault.Limit},
		analyzertest.Hostile{Name: "a segment beyond the file", Path: "a", Data: string(beyond)},
		analyzertest.Hostile{Name: "many segments", Path: "a", Data: string(many)},
		analyzertest.Hostile{Name: "an owner without end", Path: "a", Data: string(owner)},
		analyzertest.Hostile{Name: "cut off", Path: "a", Data: string(long[:70])},
	)
}

func TestCost(t *testing.T) {
	analyzertest.TestCost(t, Analyzer{}, analyzertest.Growth{Name: "notes", Path: "a", Data: func(n int) string {
		return string(build{notes: []string{analyzertest.Lines(min(n, 4000), `{"a%d":`)}, tail: n}.bytes())
	}})
}

func FuzzNote(f *testing.F) {
	f.Add([]byte(fedora))
	f.Add([]byte(`{"type":"deb","name":"a b","version":"1:1","os":"x/y","osVersion":"%"}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		analyzertest.Check(t, Analyzer{}, "a", build{notes: []string{string(text)}}.bytes())
	})
}

func FuzzELF(f *testing.F) {
	f.Add(build{notes: []string{fedora}}.bytes())
	f.Add(build{big: true, narrow: true, notes: []string{"{}", fedora}}.bytes())
	f.Add(build{align: 8, at: 5000, notes: []string{fedora}}.bytes())
	f.Fuzz(func(t *testing.T, data []byte) {
		analyzertest.Check(t, Analyzer{}, "a", data)
		held, err := Analyzer{}.Extract(t.Context(), analyzer.NewMemoryFile("a", data))
		got, err2 := passing(data)
		if errors.Is(err2, analyzer.ErrAgain) {
			return
		}
		if diff := cmp.Diff(held, got); diff != "" || (err == nil) != (err2 == nil) {
			t.Fatalf("%v, %v (-held +streamed):\n%s", err, err2, diff)
		}
	})
}
