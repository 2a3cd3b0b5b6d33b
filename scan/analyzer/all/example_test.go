package all_test

import (
	"fmt"

	"github.com/stella-ops/stella/scan/analyzer/all"
)

func ExampleSet() {
	set := all.Set()
	for _, i := range set.ByPath(nil, "app/node_modules/ms/package.json") {
		_, info := set.At(i)
		fmt.Println(info.Name)
	}
	// Output: npm
}
