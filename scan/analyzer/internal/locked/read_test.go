package locked

import (
	"errors"
	"testing"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/analyzer"
)

func TestRead(t *testing.T) {
	file := func() *analyzer.File { return analyzer.NewMemoryFile("app/x.lock", []byte("abc")) }
	said := []analyzer.Fact{{Key: "a"}}
	facts, err := ReadAt(file(), 3, func(path string, data []byte) ([]analyzer.Fact, error) {
		if path != "app/x.lock" || string(data) != "abc" {
			t.Errorf("%s: %q", path, data)
		}
		return said, nil
	})
	if err != nil || len(facts) != 1 {
		t.Errorf("%v, %v", facts, err)
	}
	facts, err = Read(file(), 3, func([]byte) ([]analyzer.Fact, error) { return said, fault.Invalid })
	if !errors.Is(err, fault.Invalid) || err.Error() != "read app/x.lock: invalid input" || len(facts) != 1 {
		t.Errorf("what was read before an error is kept: %v, %v", facts, err)
	}
	facts, err = Read(file(), 2, func([]byte) ([]analyzer.Fact, error) { t.Error("read"); return said, nil })
	if !errors.Is(err, fault.Limit) || facts != nil {
		t.Errorf("%v, %v", facts, err)
	}
}
