package cpe_test

import (
	"fmt"

	"github.com/stella-ops/stella/advisory/cpe"
)

func ExampleParse() {
	n, err := cpe.Parse("cpe:/a:openssl:openssl:1.0.2k")
	if err != nil {
		fmt.Println(err)
		return
	}
	all, err := cpe.Parse("cpe:2.3:a:openssl:openssl:*:*:*:*:*:*:*:*")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(n, n.Key(), n.FullVersion())
	fmt.Println(cpe.Compare(all, n), cpe.Match(all, n), cpe.Match(n, all))
	// Output:
	// cpe:2.3:a:openssl:openssl:1.0.2k:*:*:*:*:*:*:* a:openssl:openssl 1.0.2k
	// superset true false
}
