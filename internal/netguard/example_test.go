package netguard_test

import (
	"fmt"
	"net/http"

	"github.com/stella-ops/stella/internal/netguard"
)

func Example() {
	door, err := netguard.Service("registry.corp.example").Door()
	if err != nil {
		fmt.Println(err)
		return
	}
	transport, err := door.Transport(nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	req, _ := http.NewRequest(http.MethodGet, "http://169.254.169.254/latest/meta-data/", nil)
	_, err = transport.RoundTrip(req)
	fmt.Println(err)
	// Output:
	// connect to 169.254.169.254:80: refused by the service network policy: link-local, metadata or reserved addresses are never reached unless that very address is listed
}
