package yamldoc_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/advisory/internal/yamldoc"
	"github.com/stella-ops/stella/internal/fault"
)

type doc struct {
	Version string       `yaml:"version"`
	Date    string       `yaml:"date"`
	List    yamldoc.List `yaml:"list"`
}

func TestDecode(t *testing.T) {
	for text, want := range map[string]doc{
		"version: 1.10\ndate: 2024-02-01\nlist: [1.0, '', b]\n": {"1.10", "2024-02-01", yamldoc.List{"1.0", "", "b"}},
		"version: 1e3\nlist: 1.10\n":                            {"1e3", "", yamldoc.List{"1.10"}},
		"version: ~\nlist: ~\nother: {a: b}\n":                  {},
	} {
		var got doc
		if err := yamldoc.Decode([]byte(text), &got); err != nil {
			t.Errorf("%q: %v", text, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q (-want +got):\n%s", text, diff)
		}
	}
	bomb := "a: &a [x,x,x,x,x,x,x,x,x]\n"
	for i := 'b'; i < 'j'; i++ {
		bomb += string(i) + ": &" + string(i) + " [" + strings.Repeat("*"+string(i-1)+",", 9) + "]\n"
	}
	for name, text := range map[string]string{
		"empty": "", "twice": "version: 1\nversion: 2\n", "two": "version: 1\n---\nversion: 2\n", "kind": "version: [1]\n", "bomb": bomb + "list: *i\n", "tabs": "\tversion: 1",
	} {
		if err := yamldoc.Decode([]byte(text), new(doc)); !errors.Is(err, fault.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := yamldoc.Decode(make([]byte, yamldoc.MaxBytes+1), new(doc)); !errors.Is(err, fault.Limit) {
		t.Errorf("large: %v", err)
	}
}
