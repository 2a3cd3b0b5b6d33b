package cvss_test

import (
	"fmt"

	"github.com/stella-ops/stella/advisory/cvss"
)

func ExampleParse() {
	v, err := cvss.Parse("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H/E:P")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(v.Base(), v.Score(), v.Severity())

	_, err = cvss.Parse("CVSS:3.1/AV:N/AC:L")
	fmt.Println(err)
	// Output:
	// 9.8 9.3 critical
	// parse CVSS vector "CVSS:3.1/AV:N/AC:L": metric PR is missing: invalid input
}
