package gobinary

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/analyzer"
)

// extract returns the names of the packages in data.
func extract(data []byte) ([]string, error) {
	facts, err := Analyzer{}.Extract(context.Background(), analyzer.NewMemoryFile("app", data))
	var names []string
	for _, f := range facts {
		names = append(names, f.Package.Name)
	}
	return names, err
}

func TestFormats(t *testing.T) {
	now := blob("go1.22.1", frame("path\ta.b/c\nmod\ta.b/c\tv1.0.0\t\n"))
	texts, old := oldBlob("go1.16.4", frame("path\ta.b/c\nmod\ta.b/c\tv1.0.0\t\n"))
	far := forgeELF("", now, true)
	put(far, 32, uint64(1<<20))
	tests := map[string][]byte{
		"elf":                      forgeELF("", now, true),
		"elf without note":         forgeELF("", now, false),
		"elf, old":                 forgeELF(texts, old, true),
		"elf, behind other data":   forgeELF("", strings.Repeat("x", 1<<20)+now, true),
		"elf, behind a decoy":      forgeELF("", "12345678"+magic+"\x08\x02"+strings.Repeat("x", 72)+now, true),
		"elf, headers far away":    far,
		"elf, behind a broken one": forgeELF("", magic+"\x08\x02"+strings.Repeat("\xff", 48)+now, true),
		"pe":                       forgePE("", now),
		"mach-o":                   forgeMachO("", now, true),
		"mach-o, not named":        forgeMachO("", now, false),
		"universal":                forgeFat(forgeMachO("", now, true)),
	}
	for name, data := range tests {
		t.Run(name, func(t *testing.T) {
			names, err := extract(data)
			if err != nil || strings.Join(names, " ") != "a.b/c stdlib" {
				t.Errorf("found %v, %v", names, err)
			}
		})
	}
}

func TestNotGo(t *testing.T) {
	now := blob("go1.22.1", "")
	relocatable := forgeELF("", now, true)
	relocatable[16] = 1
	core := forgeELF("", now, true)
	core[16] = 4
	far := forgeELF("", blob("x", "")+blob("", "")+magic+"\x08\x00", true)
	put(far, 32, uint64(1<<20))
	for name, data := range map[string][]byte{
		"no magic":               forgeELF("", strings.Repeat("x", 4096), false),
		"headers far away":       far,
		"magic not aligned":      forgeELF("", "x"+now, false),
		"magic in text":          forgeELF(now, "", false),
		"relocatable object":     relocatable,
		"core dump":              core,
		"tiny":                   []byte("\x7fELF"),
		"DOS program":            append([]byte("MZ"), make([]byte, 200)...),
		"text":                   []byte("MZ is how this text begins" + strings.Repeat(" and goes on", 10)),
		"class file":             append([]byte("\xca\xfe\xba\xbe\x00\x00\x00\x34"), make([]byte, 200)...),
		"universal in universal": forgeFat(forgeFat(forgeMachO("", now, true))),
		"cut before its data":    forgeELF("", now, false)[:0x500],
		"PE cut in its table":    forgePE("", now)[:0xa0],
	} {
		if names, err := extract(data); names != nil || err != nil {
			t.Errorf("%s: found %v, %v", name, names, err)
		}
	}
}

// TestBad holds what is, or may be, a Go executable that cannot be assessed:
// each is an error of its kind that names the file.
func TestBad(t *testing.T) {
	now := blob("go1.22.1", "")
	long := blob("go1.22.1", "")[:headerSize+9]
	huge := []byte(long)
	huge = append(binary.AppendUvarint(huge, maxText+1), make([]byte, maxText+1)...)
	many := forgeELF("", now, true)
	put(many, 56, uint16(60000))
	upx := forgeELF("", now, false)
	put(upx, 0x2f0, []byte("UPX!"))
	upxPE := forgePE("", "")
	put(upxPE, 0x98+112, []byte("UPX0\x00\x00\x00\x00"))
	upxMach := forgeMachO("", now, false)
	put(upxMach, 0x300, []byte("UPX!"))
	texts, old := oldBlob("go1.16.4", "")
	for name, tt := range map[string]struct {
		data []byte
		kind fault.Kind
		says string
	}{
		"no version":                  {forgeELF("", blob("", ""), false), fault.Invalid, "damaged"},
		"cut in the version":          {forgeELF("", now[:headerSize+3], false), fault.Invalid, "damaged"},
		"file cut in the version":     {forgeELF("", now, false)[:forgeData+headerSize+3], fault.Invalid, "damaged"},
		"length without end":          {forgeELF("", now[:headerSize]+strings.Repeat("\xff", 32), false), fault.Invalid, "damaged"},
		"length beyond the segment":   {forgeELF("", long+"\xff\xff\x01", false), fault.Invalid, "damaged"},
		"module list over the limit":  {forgeELF("", string(huge), false), fault.Limit, "limit of 4194304"},
		"module list is nonsense":     {forgeELF("", blob("go1.22.1", frame("dep\tx\n")), false), fault.Invalid, "module list"},
		"too many modules":            {forgeELF("", blob("go1.22.1", frame(strings.Repeat("\ndep\ta\tv1\t\n", maxModules+1))), false), fault.Limit, "modules"},
		"too many headers":            {many, fault.Limit, "program headers"},
		"stripped of its information": {forgeELF("", strings.Repeat("x", 4096), true), fault.Unsupported, "no build information"},
		"packed":                      {upx, fault.Unsupported, "UPX"},
		"packed PE":                   {upxPE, fault.Unsupported, "UPX"},
		"packed Mach-O":               {upxMach, fault.Unsupported, "UPX"},
		"old, texts out of reach":     {forgeELF(texts, old, false), fault.Unsupported, "earlier in the file"},
		"magic again and again":       {forgeELF("", strings.Repeat(magic+"\x07\x00"+strings.Repeat("x", 32), 1<<16)+now, false), fault.Invalid, "damaged"},
		"old, pointer size":           {forgeELF("", magic+"\x07\x00"+strings.Repeat("x", 64), false), fault.Invalid, "damaged"},
		"old, pointer to nowhere":     {forgeELF("", magic+"\x08\x00"+strings.Repeat("x", 64), false), fault.Invalid, "damaged"},
	} {
		_, err := extract(tt.data)
		if !errors.Is(err, tt.kind) || !strings.Contains(err.Error(), tt.says) || !strings.Contains(err.Error(), "app") {
			t.Errorf("%s: error %v, want the kind %q and %q", name, err, tt.kind, tt.says)
		}
	}
}

// TestModuleListIsDamaged keeps what is sure: the toolchain's version.
func TestModuleListIsDamaged(t *testing.T) {
	cut := blob("go1.22.1", "x")
	for name, data := range map[string]string{
		"no version":   blob("go1.22.1", frame("dep\tx\n")),
		"cut off":      cut[:len(cut)-1],
		"without path": blob("go1.22.1", frame("dep\t\tv1.0.0\t\n")),
	} {
		names, err := extract(forgeELF("", data, false))
		if !errors.Is(err, fault.Invalid) || names[len(names)-1] != "stdlib" {
			t.Errorf("%s: found %v, %v", name, names, err)
		}
	}
}

func TestReadErrorsAndCancel(t *testing.T) {
	data := forgeELF("", strings.Repeat("x", 1<<20)+blob("go1.22.1", ""), true)
	broken := errors.New("the layer is cut off")
	for _, n := range []int{0, 10, 100, forgeData, forgeData + 100, 200 << 10, len(data) - 5} {
		c := streamOf(io.MultiReader(bytes.NewReader(data[:n]), &failing{broken}))
		if facts, err := (Analyzer{}).Extract(context.Background(), analyzer.NewFile("app", int64(len(data)), 0, c, nil, nil)); !errors.Is(err, broken) {
			t.Errorf("unreadable from %d on: %v, error %v, want the reader's", n, facts, err)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := (Analyzer{}).Extract(ctx, analyzer.NewMemoryFile("app", data)); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v after cancel", err)
	}
}

// TestStopsEarly bounds what is read of a file: no more than the buffer behind
// what decides.
func TestStopsEarly(t *testing.T) {
	for name, data := range map[string][]byte{
		"found":  append(forgeELF("", blob("go1.22.1", ""), true), make([]byte, 10<<20)...),
		"not Go": append(forgeELF("", "", false), make([]byte, 10<<20)...),
	} {
		r := bytes.NewReader(data)
		if _, err := (Analyzer{}).Extract(context.Background(), analyzer.NewFile("app", int64(len(data)), 0, streamOf(r), nil, nil)); err != nil {
			t.Fatal(err)
		}
		if read := len(data) - r.Len(); read > 2*headBytes {
			t.Errorf("%s: read %d bytes", name, read)
		}
	}
}

type streamContent struct{ io.Reader }

func streamOf(r io.Reader) analyzer.Content { return streamContent{r} }

func (streamContent) ReaderAt() (io.ReaderAt, error) { return nil, errors.New("no random access") }

type failing struct{ err error }

func (f *failing) Read([]byte) (int, error) { return 0, f.err }
