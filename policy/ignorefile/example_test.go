package ignorefile_test

import (
	"fmt"
	"time"

	"github.com/stella-ops/stella/policy/ignorefile"
)

func Example() {
	text := []byte("# not reachable from outside\nCVE-2026-0001 exp:2027-01-31\nAVD-AWS-0104\n")
	r, err := ignorefile.Parse(ignorefile.FormatOf(".trivyignore"), ".trivyignore", text, &ignorefile.Options{
		Owner: "team-payments", Created: time.Date(2026, 11, 29, 0, 0, 0, 0, time.UTC),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, e := range r.Exceptions {
		fmt.Println(e.Effect, e.Scope.Vulnerabilities, "until", e.Expires.Format(time.DateOnly), "because", e.Reason)
	}
	for _, n := range r.Notes {
		fmt.Println(n)
	}
	// Output:
	// suppress [CVE-2026-0001] until 2027-01-31 because not reachable from outside
	// line 3: AVD-AWS-0104: it is no id of a vulnerability
}
