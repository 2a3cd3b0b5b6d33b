package timestamp

import (
	"crypto"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"

	_ "crypto/sha256" // the digests that are trusted
	_ "crypto/sha512"
)

// Object identifiers of RFC 5652, RFC 3161, RFC 2634, RFC 5035 and RFC 5280.
var (
	oidSignedData           = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 2}
	oidTSTInfo              = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 1, 4}
	oidContentType          = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 3}
	oidMessageDigest        = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 4}
	oidSigningCertificate   = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 2, 12}
	oidSigningCertificateV2 = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 2, 47}
	oidExtKeyUsage          = asn1.ObjectIdentifier{2, 5, 29, 37}
)

// hashes are the digests that are trusted, the first one by default.
var hashes = []struct {
	oid  asn1.ObjectIdentifier
	hash crypto.Hash
}{
	{asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 1}, crypto.SHA256},
	{asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 2}, crypto.SHA384},
	{asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 3}, crypto.SHA512},
}

// hashOf returns the hash of an algorithm, whose parameters are absent or null.
func hashOf(id pkix.AlgorithmIdentifier) (crypto.Hash, error) {
	for _, h := range hashes {
		if id.Algorithm.Equal(h.oid) {
			if !plain(id) {
				return 0, malformed("a digest algorithm with parameters")
			}
			return h.hash, nil
		}
	}
	return 0, &Error{Reason: ReasonAlgorithm, Detail: fmt.Sprintf("a digest by %s, want SHA-256, SHA-384 or SHA-512", id.Algorithm)}
}

// plain reports whether an algorithm has no parameters, or null.
func plain(id pkix.AlgorithmIdentifier) bool {
	p := id.Parameters.FullBytes
	return len(p) == 0 || string(p) == "\x05\x00"
}

func sum(h crypto.Hash, content []byte) []byte {
	d := h.New()
	d.Write(content)
	return d.Sum(nil)
}

var (
	withRSA     = map[crypto.Hash]x509.SignatureAlgorithm{crypto.SHA256: x509.SHA256WithRSA, crypto.SHA384: x509.SHA384WithRSA, crypto.SHA512: x509.SHA512WithRSA}
	withECDSA   = map[crypto.Hash]x509.SignatureAlgorithm{crypto.SHA256: x509.ECDSAWithSHA256, crypto.SHA384: x509.ECDSAWithSHA384, crypto.SHA512: x509.ECDSAWithSHA512}
	withEd25519 = map[crypto.Hash]x509.SignatureAlgorithm{crypto.SHA256: x509.PureEd25519, crypto.SHA384: x509.PureEd25519, crypto.SHA512: x509.PureEd25519}
)

// signatures are the algorithms that are trusted. One without a hash goes with
// any that is.
var signatures = []struct {
	oid  asn1.ObjectIdentifier
	hash crypto.Hash
	with map[crypto.Hash]x509.SignatureAlgorithm
}{
	{asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 1}, 0, withRSA},
	{asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 11}, crypto.SHA256, withRSA},
	{asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 12}, crypto.SHA384, withRSA},
	{asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 13}, crypto.SHA512, withRSA},
	{asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 2}, crypto.SHA256, withECDSA},
	{asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 3}, crypto.SHA384, withECDSA},
	{asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 4}, crypto.SHA512, withECDSA},
	{asn1.ObjectIdentifier{1, 3, 101, 112}, 0, withEd25519},
}
