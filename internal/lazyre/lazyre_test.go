package lazyre_test

import (
	"sync"
	"testing"

	"github.com/stella-ops/stella/internal/lazyre"
)

func TestPattern(t *testing.T) {
	p := lazyre.New(`^a+$`)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if !p.Get().MatchString("aaa") || p.Get().MatchString("b") {
				t.Error("it matches something else")
			}
		})
	}
	wg.Wait()
}
