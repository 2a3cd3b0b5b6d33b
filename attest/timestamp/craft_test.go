package timestamp

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"testing"
	"time"
)

// craft makes tokens of the package's own structures, to break them one by one:
// the library that test authorities use writes good ones only.
type craft struct {
	info       tstInfo
	attributes []attribute
	sid        asn1.RawValue
	digest     pkix.AlgorithmIdentifier
	algorithm  pkix.AlgorithmIdentifier
	content    []byte // of the TSTInfo, if not nil
	type1      asn1.ObjectIdentifier
	type2      asn1.ObjectIdentifier
	signers    int
	signature  func(sig []byte) []byte
	late       func(attributes []byte) []byte // after signing
	early      func(attributes []byte) []byte // before signing
	certs      []byte
	change     func(*signedData, *signerInfo) // what is not signed
	key        *ecdsa.PrivateKey
	cert       *x509.Certificate
}

func raw(t testing.TB, v any, params string) asn1.RawValue {
	t.Helper()
	der, err := asn1.MarshalWithParams(v, params)
	if err != nil {
		t.Fatal(err)
	}
	return asn1.RawValue{FullBytes: der}
}

func attr(t testing.TB, oid asn1.ObjectIdentifier, values ...any) attribute {
	a := attribute{Type: oid}
	for _, v := range values {
		a.Values = append(a.Values, raw(t, v, ""))
	}
	return a
}

var crafted = []byte("the signature")

var craftedAt = time.Date(2027, 1, 31, 12, 0, 0, 0, time.UTC)

func newCraft(t testing.TB) *craft {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return craftWith(t, key)
}

// craftWith makes the same token each time for the same key.
func craftWith(t testing.TB, key *ecdsa.PrivateKey) *craft {
	t.Helper()
	usage, _ := asn1.Marshal([]asn1.ObjectIdentifier{{1, 3, 6, 1, 5, 5, 7, 3, 8}})
	template := &x509.Certificate{
		SerialNumber: big.NewInt(7), Subject: pkix.Name{CommonName: "TSA"}, SubjectKeyId: []byte{1, 2, 3},
		NotBefore: craftedAt.Add(-time.Hour), NotAfter: craftedAt, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtraExtensions: []pkix.Extension{{Id: oidExtKeyUsage, Critical: true, Value: usage}},
	}
	der, err := x509.CreateCertificate(nil, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	digest := sha256.Sum256(crafted)
	sha := pkix.AlgorithmIdentifier{Algorithm: hashes[0].oid}
	c := &craft{key: key, cert: cert, digest: sha, type1: oidSignedData, type2: oidTSTInfo, signers: 1,
		algorithm: pkix.AlgorithmIdentifier{Algorithm: signatures[4].oid},
		info: tstInfo{Version: 1, Policy: asn1.ObjectIdentifier{1, 2, 3}, Imprint: imprint{Algorithm: sha, Digest: digest[:]}, Serial: big.NewInt(1),
			Time: asn1.RawValue{Tag: asn1.TagGeneralizedTime, Bytes: []byte("20270131120000Z")}},
		sid: raw(t, issuerAndSerial{Issuer: asn1.RawValue{FullBytes: cert.RawIssuer}, Serial: cert.SerialNumber}, ""),
	}
	certDigest := sha256.Sum256(cert.Raw)
	c.attributes = []attribute{
		attr(t, oidContentType, oidTSTInfo), attr(t, oidMessageDigest, []byte{}),
		attr(t, oidSigningCertificateV2, signingCertificateV2{Certs: []essCertIDv2{{Hash: certDigest[:]}}}),
	}
	return c
}

// drop takes an attribute out, set puts another in its place.
func (c *craft) drop(oid asn1.ObjectIdentifier) {
	for i, a := range c.attributes {
		if a.Type.Equal(oid) {
			c.attributes = append(c.attributes[:i:i], c.attributes[i+1:]...)
			return
		}
	}
}

func (c *craft) set(a attribute) {
	c.drop(a.Type)
	c.attributes = append(c.attributes, a)
}

// token signs and encodes.
func (c *craft) token(t testing.TB) []byte {
	t.Helper()
	content := c.content
	if content == nil {
		content = raw(t, c.info, "").FullBytes
	}
	for i, a := range c.attributes {
		if a.Type.Equal(oidMessageDigest) && len(a.Values) == 1 && len(a.Values[0].FullBytes) == 2 {
			d := sha256.Sum256(content)
			c.attributes[i] = attr(t, oidMessageDigest, d[:])
		}
	}
	attributes := raw(t, c.attributes, "set").FullBytes
	if c.early != nil {
		attributes = c.early(attributes)
	}
	d := sha256.Sum256(attributes)
	sig, err := c.key.Sign(nil, d[:], crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	if c.signature != nil {
		sig = c.signature(sig)
	}
	if c.late != nil {
		attributes = c.late(attributes)
	}
	signed := signedData{Version: 3, Digests: []pkix.AlgorithmIdentifier{c.digest},
		Content: contentInfo{Type: c.type2, Content: explicit(raw(t, content, "").FullBytes)}}
	if c.certs != nil {
		signed.Certificates = asn1.RawValue{Class: asn1.ClassContextSpecific, IsCompound: true, Bytes: c.certs}
	}
	s := signerInfo{Version: 1 + c.sid.Class, SID: c.sid, Digest: c.digest, Algorithm: c.algorithm, Signature: sig}
	if len(attributes) > 0 {
		attributes[0] = 0xa0
		s.Attributes = asn1.RawValue{FullBytes: attributes}
	}
	if c.change != nil {
		c.change(&signed, &s)
	}
	for range c.signers {
		signed.Signers = append(signed.Signers, s)
	}
	return raw(t, contentInfo{Type: c.type1, Content: explicit(raw(t, signed, "").FullBytes)}, "").FullBytes
}

func explicit(der []byte) asn1.RawValue {
	return asn1.RawValue{Class: asn1.ClassContextSpecific, IsCompound: true, Bytes: der}
}

func (c *craft) authority() *Authority {
	return &Authority{Name: "crafted", Certificates: []*x509.Certificate{c.cert}, From: craftedAt.Add(-time.Hour), To: craftedAt}
}

// TestCraftedTokens breaks one thing of a good token at a time.
func TestCraftedTokens(t *testing.T) {
	at := func(s string) func(*craft) {
		return func(c *craft) { c.info.Time.Bytes = []byte(s) }
	}
	for name, c := range map[string]struct {
		change func(*craft)
		reason Reason
	}{
		"good":                      {func(*craft) {}, ""},
		"signer by key id":          {func(c *craft) { c.sid = asn1.RawValue{Class: 2, Bytes: []byte{1, 2, 3}} }, ""},
		"signer by another key id":  {func(c *craft) { c.sid = asn1.RawValue{Class: 2, Bytes: []byte{1, 2, 4}} }, ReasonAuthority},
		"signer by an empty key id": {func(c *craft) { c.sid = asn1.RawValue{Class: 2} }, ReasonAuthority},
		"signer by another serial": {func(c *craft) {
			c.sid = raw(t, issuerAndSerial{asn1.RawValue{FullBytes: c.cert.RawIssuer}, big.NewInt(8)}, "")
		}, ReasonAuthority},
		"signed data of version 1":    {unsigned(func(d *signedData, _ *signerInfo) { d.Version = 1 }), ReasonMalformed},
		"a signer of version 3":       {unsigned(func(_ *signedData, s *signerInfo) { s.Version = 3 }), ReasonMalformed},
		"no digests":                  {unsigned(func(d *signedData, _ *signerInfo) { d.Digests = nil }), ReasonMalformed},
		"two digests listed":          {unsigned(func(d *signedData, _ *signerInfo) { d.Digests = append(d.Digests, d.Digests[0]) }), ReasonMalformed},
		"another digest listed":       {unsigned(func(d *signedData, _ *signerInfo) { d.Digests[0].Algorithm = hashes[1].oid }), ReasonMalformed},
		"a digest with parameters":    {unsigned(func(d *signedData, _ *signerInfo) { d.Digests[0].Parameters = raw(t, 1, "") }), ReasonMalformed},
		"a signature with parameters": {func(c *craft) { c.algorithm.Parameters = raw(t, 1, "") }, ReasonMalformed},
		"revocation lists": {unsigned(func(d *signedData, _ *signerInfo) {
			d.CRLs = asn1.RawValue{Class: 2, Tag: 1, IsCompound: true, Bytes: []byte{5, 0}}
		}), ReasonMalformed},
		"unsigned attributes": {unsigned(func(_ *signedData, s *signerInfo) {
			s.Unsigned = asn1.RawValue{Class: 2, Tag: 1, IsCompound: true, Bytes: []byte{5, 0}}
		}), ReasonMalformed},
		"its certificate, brought":      {func(c *craft) { c.certs = c.cert.Raw }, ""},
		"a stranger's certificate":      {func(c *craft) { c.certs = newCraft(t).cert.Raw }, ReasonChain},
		"no signers":                    {func(c *craft) { c.signers = 0 }, ReasonMalformed},
		"two signers":                   {func(c *craft) { c.signers = 2 }, ReasonMalformed},
		"not signed data":               {func(c *craft) { c.type1 = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 1} }, ReasonMalformed},
		"content of another type":       {func(c *craft) { c.type2 = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 1} }, ReasonMalformed},
		"attribute of another type":     {func(c *craft) { c.set(attr(t, oidContentType, oidSignedData)) }, ReasonMalformed},
		"no content type":               {func(c *craft) { c.drop(oidContentType) }, ReasonMalformed},
		"no digest":                     {func(c *craft) { c.drop(oidMessageDigest) }, ReasonSignature},
		"digest of other content":       {func(c *craft) { c.set(attr(t, oidMessageDigest, make([]byte, 32))) }, ReasonSignature},
		"two digests":                   {func(c *craft) { c.attributes = append(c.attributes, attr(t, oidMessageDigest, make([]byte, 32))) }, ReasonMalformed},
		"a digest of two values":        {func(c *craft) { c.set(attr(t, oidMessageDigest, make([]byte, 32), make([]byte, 31))) }, ReasonMalformed},
		"a digest of no value":          {func(c *craft) { c.set(attr(t, oidMessageDigest)) }, ReasonMalformed},
		"no certificate named":          {func(c *craft) { c.drop(oidSigningCertificateV2) }, ReasonMalformed},
		"an empty list of certificates": {func(c *craft) { c.set(attr(t, oidSigningCertificateV2, signingCertificateV2{})) }, ReasonMalformed},
		"another certificate named": {func(c *craft) {
			c.set(attr(t, oidSigningCertificateV2, signingCertificateV2{Certs: []essCertIDv2{{Hash: make([]byte, 32)}}}))
		}, ReasonSignature},
		"certificate named by SHA-1":      {func(c *craft) { c.nameV1(t, 0) }, ""},
		"another named by SHA-1":          {func(c *craft) { c.nameV1(t, 1) }, ReasonSignature},
		"named twice, once wrongly":       {func(c *craft) { v2 := c.attributes[2]; c.nameV1(t, 1); c.attributes = append(c.attributes, v2) }, ReasonSignature},
		"no attributes":                   {func(c *craft) { c.late = func([]byte) []byte { return nil } }, ReasonMalformed},
		"attributes in another order":     {func(c *craft) { c.late = reorder(t) }, ReasonSignature},
		"attributes signed in an order":   {func(c *craft) { c.early = reorder(t) }, ""},
		"signature cut":                   {func(c *craft) { c.signature = func(s []byte) []byte { return s[:len(s)-1] } }, ReasonSignature},
		"no signature":                    {func(c *craft) { c.signature = func([]byte) []byte { return nil } }, ReasonSignature},
		"an RSA signature, so to say":     {func(c *craft) { c.algorithm.Algorithm = signatures[1].oid }, ReasonSignature},
		"a signature by another digest":   {func(c *craft) { c.algorithm.Algorithm = signatures[5].oid }, ReasonAlgorithm},
		"a signature by ECDSA with SHA-1": {func(c *craft) { c.algorithm.Algorithm = asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 1} }, ReasonAlgorithm},
		"a digest by MD5":                 {func(c *craft) { c.digest.Algorithm = asn1.ObjectIdentifier{1, 2, 840, 113549, 2, 5} }, ReasonAlgorithm},
		"an imprint by SHA-1":             {func(c *craft) { c.info.Imprint.Algorithm.Algorithm = asn1.ObjectIdentifier{1, 3, 14, 3, 2, 26} }, ReasonAlgorithm},
		"an imprint with parameters":      {func(c *craft) { c.info.Imprint.Algorithm.Parameters = raw(t, 1, "") }, ReasonMalformed},
		"an imprint with null":            {func(c *craft) { c.info.Imprint.Algorithm.Parameters = asn1.NullRawValue }, ""},
		"an empty imprint":                {func(c *craft) { c.info.Imprint.Digest = nil }, ReasonImprint},
		"version 2":                       {func(c *craft) { c.info.Version = 2 }, ReasonMalformed},
		"bytes after the TSTInfo":         {func(c *craft) { c.content = append(raw(t, c.info, "").FullBytes, 5, 0) }, ReasonMalformed},
		"no TSTInfo":                      {func(c *craft) { c.content = []byte{} }, ReasonMalformed},
		"garbage for certificates":        {func(c *craft) { c.certs = []byte{0x30, 0} }, ReasonMalformed},
		"17 certificates": {func(c *craft) {
			for range 17 {
				c.certs = append(c.certs, c.cert.Raw...)
			}
		}, ReasonTooLarge},
		"a millisecond":                  {at("20270131115959.999Z"), ""},
		"a nanosecond":                   {at("20270131115959.000000001Z"), ""},
		"a millisecond after the window": {at("20270131120000.001Z"), ReasonWindow},
		"a fraction that ends in 0":      {at("20270131115959.10Z"), ReasonMalformed},
		"a fraction of nothing":          {at("20270131115959.Z"), ReasonMalformed},
		"a fraction of ten digits":       {at("20270131115959.0000000001Z"), ReasonMalformed},
		"a fraction of letters":          {at("20270131115959.1xZ"), ReasonMalformed},
		"a comma":                        {at("20270131115959,1Z"), ReasonMalformed},
		"another zone":                   {at("20270131120000+0000"), ReasonMalformed},
		"no zone":                        {at("20270131120000"), ReasonMalformed},
		"no seconds":                     {at("202701311200Z"), ReasonMalformed},
		"the 30th of February":           {at("20270230120000Z"), ReasonMalformed},
		"a leap second":                  {at("20261231235960Z"), ReasonMalformed},
		"an empty time":                  {at(""), ReasonMalformed},
		"a time with NUL":                {at("20270131120000\x00Z"), ReasonMalformed},
		"UTCTime":                        {func(c *craft) { c.info.Time = asn1.RawValue{Tag: asn1.TagUTCTime, Bytes: []byte("270131120000Z")} }, ReasonMalformed},
		"the year 1":                     {at("00010101000000Z"), ReasonWindow},
		"the year 9999":                  {at("99991231235959Z"), ReasonWindow},
		"1000 milliseconds":              {func(c *craft) { c.info.Accuracy.Millis = 1000 }, ReasonMalformed},
		"minus a microsecond":            {func(c *craft) { c.info.Accuracy.Micros = -1 }, ReasonMalformed},
		"2^62 seconds":                   {func(c *craft) { c.info.Accuracy.Seconds = 1 << 62 }, ReasonMalformed},
	} {
		t.Run(name, func(t *testing.T) {
			made := newCraft(t)
			c.change(made)
			s, err := Verify(made.token(t), crafted, []*Authority{made.authority()})
			if ReasonOf(err) != c.reason || (err == nil) != (c.reason == "") || (s == nil) != (err != nil) {
				t.Errorf("%v, %v, want %q", s, err, c.reason)
			}
		})
	}
}

func unsigned(change func(*signedData, *signerInfo)) func(*craft) {
	return func(c *craft) { c.change = change }
}

// nameV1 names the certificate by the older attribute alone.
func (c *craft) nameV1(t testing.TB, flip byte) {
	d := sha1.Sum(c.cert.Raw)
	d[0] ^= flip
	c.drop(oidSigningCertificateV2)
	c.set(attr(t, oidSigningCertificate, signingCertificate{Certs: []essCertID{{Hash: d[:]}}}))
}

// reorder turns the order of attributes round.
func reorder(t testing.TB) func([]byte) []byte {
	return func(set []byte) []byte {
		var elements []asn1.RawValue
		if _, err := asn1.UnmarshalWithParams(set, &elements, "set"); err != nil {
			t.Fatal(err)
		}
		var content []byte
		for _, e := range elements {
			content = append(append([]byte(nil), e.FullBytes...), content...)
		}
		return raw(t, asn1.RawValue{Tag: asn1.TagSet, IsCompound: true, Bytes: content}, "").FullBytes
	}
}
