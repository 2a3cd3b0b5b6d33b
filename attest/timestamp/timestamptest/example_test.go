package timestamptest_test

import (
	"fmt"
	"log"
	"time"

	"github.com/stella-ops/stella/attest/timestamp"
	"github.com/stella-ops/stella/attest/timestamp/timestamptest"
)

// An authority that stamps as of a day of one's choice.
func Example() {
	at := time.Date(2027, 1, 31, 12, 0, 0, 0, time.UTC)
	tsa, err := timestamptest.New(&timestamptest.Options{Now: func() time.Time { return at }})
	if err != nil {
		log.Fatal(err)
	}
	token, err := tsa.Stamp([]byte("message"))
	if err != nil {
		log.Fatal(err)
	}
	retired := tsa.Authority()
	retired.To = at.Add(-time.Second)
	_, err = timestamp.Verify(token, []byte("message"), []*timestamp.Authority{retired})
	fmt.Println(timestamp.ReasonOf(err))
	// Output: outside the authority's validity
}
