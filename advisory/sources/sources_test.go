package sources_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/stella-ops/stella/advisory/sources"
)

func TestAll(t *testing.T) {
	seen := map[string]bool{}
	for _, s := range sources.All() {
		name := s.Describe().Name
		if seen[name] {
			t.Errorf("two sources are named %q", name)
		}
		seen[name] = true
	}
}

func TestNamed(t *testing.T) {
	if _, err := sources.Named("ghsa", "none"); !errors.Is(err, sources.ErrNotFound) {
		t.Errorf("got %v", err)
	}
}

func ExampleNamed() {
	list, err := sources.Named("govulndb", "ghsa")
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, s := range list {
		d := s.Describe()
		fmt.Println(d.Title, d.License)
	}
	// Output:
	// Go vulnerability database CC-BY-4.0
	// GitHub Advisory Database CC-BY-4.0
}
