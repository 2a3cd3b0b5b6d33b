package cargo

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"math/rand"
	"os"
	"path/filepath"
	"testing"

	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/analyzer/analyzertest"
)

// An executable that streams by is asked for again if it has the section, and only then.
func TestStreamedExecutables(t *testing.T) {
	ask := func(name string, data []byte) error {
		facts, err := Analyzer{}.Extract(context.Background(), analyzertest.Streamed(name, 0o755, data))
		if len(facts) > 0 {
			t.Errorf("%s: facts of a file that streamed by: %v", name, facts)
		}
		return err
	}
	noise := make([]byte, 1<<20)
	rand.New(rand.NewSource(1)).Read(noise) // long, and does not deflate
	for _, order := range []binary.ByteOrder{binary.LittleEndian, binary.BigEndian} {
		for _, wide := range []bool{true, false} {
			if err := ask("forged", forgeELF(store("{}")+string(noise), order, wide)); !errors.Is(err, analyzer.ErrAgain) {
				t.Errorf("%v, wide %v: %v", order, wide, err)
			}
		}
	}
	if err := ask("cut", forgeELF(string(noise), binary.LittleEndian, true)[:1<<19]); err != nil {
		t.Errorf("cut off: %v", err)
	}
	names, _ := filepath.Glob("/usr/bin/*") // linked by others
	if self, err := os.Executable(); err == nil {
		names = append(names, self) // Go's linker has the section headers at the start
	}
	n := 0
	for _, name := range names {
		info, err := os.Stat(name)
		if err != nil || !info.Mode().IsRegular() || info.Size() < keptHead+keptTail || info.Size() > 64<<20 || n > 40 {
			continue
		}
		data, err := os.ReadFile(name)
		if err != nil || !bytes.HasPrefix(data, []byte("\x7fELF")) {
			continue
		}
		n++
		section, errHeld := findSection(bytes.NewReader(data), int64(len(data)))
		if err := ask(name, data); errors.Is(err, analyzer.ErrAgain) != (section != nil) || section == nil && (err == nil) != (errHeld == nil) {
			t.Errorf("%s: %v; held: %v", name, err, errHeld)
		}
	}
	t.Logf("%d programs of this machine", n)
}
