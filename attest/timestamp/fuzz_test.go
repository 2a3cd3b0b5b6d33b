package timestamp

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"testing"

	rfc3161 "github.com/digitorus/timestamp"
)

// FuzzVerify: nothing is believed but the token itself, bare or in a response;
// every failure has a reason; and the library that others read tokens with agrees
// about what it says.
func FuzzVerify(f *testing.F) {
	key, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), bytes.Repeat([]byte{7}, 32)) // workers must have the same
	if err != nil {
		f.Fatal(err)
	}
	c := craftWith(f, key)
	bare := c.token(f)
	c.certs = c.cert.Raw
	full := c.token(f)
	response, err := wrap(full)
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range [][]byte{bare, full, response, {0x30, 0}, {0x30, 5, 0x30, 3, 2, 1, 2}} {
		f.Add(seed)
	}
	authorities := []*Authority{c.authority()}
	for _, seed := range [][]byte{bare, full, response} {
		if _, err := Verify(seed, crafted, authorities); err != nil {
			f.Fatal(err)
		}
	}
	f.Fuzz(func(t *testing.T, der []byte) {
		s, err := Verify(der, crafted, authorities)
		if err != nil {
			if ReasonOf(err) == "" || s != nil {
				t.Fatalf("%v, %v", s, err)
			}
			return
		}
		theirs, err := rfc3161.ParseResponse(der)
		if err != nil {
			if theirs, err = rfc3161.Parse(der); err != nil {
				t.Fatalf("accepted, but %v", err)
			}
		}
		if !theirs.Time.Equal(s.Time) || theirs.SerialNumber.String() != s.Serial || theirs.Policy.String() != s.Policy || theirs.Accuracy != s.Accuracy {
			t.Fatalf("%+v, the other reads %+v", s, theirs)
		}
		if !bytes.Contains(der, full) && !bytes.Contains(der, bare) {
			t.Fatalf("another token was believed: %x", der)
		}
	})
}

// FuzzResponse: what is not a response of the library's reading is none of ours.
func FuzzResponse(f *testing.F) {
	f.Add([]byte{0x30, 5, 0x30, 3, 2, 1, 2})
	f.Add([]byte{0x30, 9, 0x30, 7, 2, 1, 2, 0x30, 2, 12, 0})
	f.Fuzz(func(t *testing.T, der []byte) {
		if checkDER(der) != nil {
			return
		}
		token, err := readResponse(der)
		if err != nil {
			if ReasonOf(err) == "" {
				t.Fatal(err)
			}
			return
		}
		if _, err := wrap(token); err != nil {
			t.Fatal(err)
		}
	})
}
