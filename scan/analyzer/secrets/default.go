package secrets

import (
	_ "embed"
	"fmt"
	"sync"
)

//go:embed rules.yaml
var defaultRules []byte

// Default returns the rules that are compiled in. They are compiled when they are first asked
// for.
func Default() *Rules { return defaults() }

var defaults = sync.OnceValue(func() *Rules {
	r, err := Parse("default", defaultRules)
	if err != nil {
		panic(fmt.Sprintf("the rules that are compiled in: %v", err)) // a test compiles them
	}
	return r
})
