package jwks_test

import (
	"crypto/ed25519"
	"fmt"

	"github.com/stella-ops/stella/services/auth/jwks"
)

// A key set of one key, as an issuer publishes it.
func Example() {
	private := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	set, err := jwks.New(jwks.Key{ID: "2026-03", Algorithm: "EdDSA", Public: private.Public()})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%s\n", set.Marshal())
	_, known := set.Lookup("2026-04")
	fmt.Println(known)
	// Output:
	// {"keys":[{"use":"sig","kty":"OKP","kid":"2026-03","crv":"Ed25519","alg":"EdDSA","x":"O2onvM62pC1io6jQKm8Nc2UyFXcd4kOmOsBIoYtZ2ik"}]}
	// false
}
