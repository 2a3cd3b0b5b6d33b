package purl_test

import (
	"fmt"

	"github.com/stella-ops/stella/scan/purl"
)

func ExampleParse() {
	u, err := purl.Parse("pkg:PyPI/Ruamel_Yaml@0.17.21")
	fmt.Println(u, u.Name, err)
	// Output: pkg:pypi/ruamel-yaml@0.17.21 ruamel-yaml <nil>
}
