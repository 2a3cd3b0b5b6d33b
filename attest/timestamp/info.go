package timestamp

import (
	"bytes"
	"crypto"
	"crypto/subtle"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"math/big"
	"time"
)

// tstInfo is of RFC 3161, section 2.4.2.
type tstInfo struct {
	Version    int
	Policy     asn1.ObjectIdentifier
	Imprint    imprint
	Serial     *big.Int
	Time       asn1.RawValue
	Accuracy   accuracy         `asn1:"optional"`
	Ordering   bool             `asn1:"optional"`
	Nonce      *big.Int         `asn1:"optional"`
	TSA        asn1.RawValue    `asn1:"optional,tag:0"`
	Extensions []pkix.Extension `asn1:"optional,tag:1"`
}

type imprint struct {
	Algorithm pkix.AlgorithmIdentifier
	Digest    []byte
}

type accuracy struct {
	Seconds int64 `asn1:"optional"`
	Millis  int   `asn1:"optional,tag:0"`
	Micros  int   `asn1:"optional,tag:1"`
}

// Stamp is what a token that was verified says.
type Stamp struct {
	// Time is when the authority saw the message.
	Time time.Time
	// Accuracy is by how much Time may be off, either way; 0 where the token does
	// not say.
	Accuracy time.Duration
	// Authority is the one that was trusted, of those that were given.
	Authority *Authority
	// Policy is the object identifier of the policy, such as "1.3.6.1.4.1.57264.2".
	Policy string
	// Serial is the token's number among those of its authority, in decimal.
	Serial string
	Hash   crypto.Hash // of the message's digest
	nonce  *big.Int
}

// maxAccuracy bounds the seconds that an authority may be off by its own word. A
// number beyond it is no statement about time.
const maxAccuracy = 86400

func readInfo(der []byte) (*tstInfo, *Stamp, error) {
	var info tstInfo
	if err := unmarshal("TSTInfo", der, &info, ""); err != nil {
		return nil, nil, err
	}
	if info.Version != 1 {
		return nil, nil, malformed("TSTInfo of version %d, want 1", info.Version)
	}
	s := &Stamp{Policy: info.Policy.String(), Serial: info.Serial.String(), nonce: info.Nonce}
	var err error
	if s.Time, err = readTime(info.Time); err != nil {
		return nil, nil, err
	}
	a := info.Accuracy
	if a.Seconds < 0 || a.Seconds > maxAccuracy || a.Millis < 0 || a.Millis > 999 || a.Micros < 0 || a.Micros > 999 {
		return nil, nil, malformed("an accuracy of %d s, %d ms, %d µs", a.Seconds, a.Millis, a.Micros)
	}
	s.Accuracy = time.Duration(a.Seconds)*time.Second + time.Duration(a.Millis)*time.Millisecond + time.Duration(a.Micros)*time.Microsecond
	for _, e := range info.Extensions {
		if e.Critical {
			return nil, nil, malformed("a critical extension %s, which is not known", e.Id)
		}
	}
	if s.Hash, err = hashOf(info.Imprint.Algorithm); err != nil {
		return nil, nil, err
	}
	return &info, s, nil
}

// readTime reads a GeneralizedTime as DER and RFC 3161 have it: in UTC, with
// seconds, and with a fraction only if that does not end in 0.
func readTime(v asn1.RawValue) (time.Time, error) {
	const whole = "20060102150405"
	text, isUTC := bytes.CutSuffix(v.Bytes, []byte("Z"))
	seconds, fraction, cut := bytes.Cut(text, []byte("."))
	t, err := time.Parse(whole, string(seconds))
	switch {
	case v.Class != asn1.ClassUniversal || v.Tag != asn1.TagGeneralizedTime || v.IsCompound:
		return time.Time{}, malformed("the time is not a GeneralizedTime")
	case err != nil || len(seconds) != len(whole) || !isUTC:
		return time.Time{}, malformed("the time is %.40q, want a time like 20270131235959Z", v.Bytes)
	case !cut:
		return t, nil
	case len(fraction) == 0 || len(fraction) > 9 || fraction[len(fraction)-1] == '0':
		return time.Time{}, malformed("the time's fraction is %.40q", fraction)
	}
	nanoseconds := 0
	for i := range 9 {
		digit := byte('0')
		if i < len(fraction) {
			digit = fraction[i]
		}
		if digit < '0' || digit > '9' {
			return time.Time{}, malformed("the time's fraction is %.40q", fraction)
		}
		nanoseconds = nanoseconds*10 + int(digit-'0')
	}
	return t.Add(time.Duration(nanoseconds)), nil
}

// matches holds the imprint against the message.
func (info *tstInfo) matches(hash crypto.Hash, message []byte) error {
	want := sum(hash, message)
	if subtle.ConstantTimeCompare(info.Imprint.Digest, want) != 1 {
		return &Error{Reason: ReasonImprint, Detail: fmt.Sprintf("the token is about %s %.128x, the message has %x", hash, info.Imprint.Digest, want)}
	}
	return nil
}
