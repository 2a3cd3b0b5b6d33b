package timestamp

import (
	"encoding/asn1"
	"fmt"
)

// response is TimeStampResp (RFC 3161, section 2.4.2).
type response struct {
	Status statusInfo
	Token  asn1.RawValue `asn1:"optional"`
}

// statusInfo is PKIStatusInfo.
type statusInfo struct {
	Status  int
	Text    []asn1.RawValue `asn1:"optional"` // UTF8String
	Failure asn1.BitString  `asn1:"optional"`
}

// failures are the bits of PKIFailureInfo.
var failures = map[int]string{
	0: "unknown algorithm", 2: "request not permitted", 5: "wrong data format", 14: "no time source", 15: "policy not supported",
	16: "extension not supported", 17: "additional information not available", 25: "system failure",
}

// readResponse returns the token in a response that was granted as it was asked
// for.
func readResponse(der []byte) ([]byte, error) {
	var r response
	if err := unmarshal("TimeStampResp", der, &r, ""); err != nil {
		return nil, err
	}
	if r.Status.Status != 0 || r.Status.Failure.BitLength > 0 {
		return nil, &Error{Reason: ReasonRefused, Detail: r.Status.String()}
	}
	if len(r.Token.FullBytes) == 0 {
		return nil, malformed("a response that was granted, without a token")
	}
	return r.Token.FullBytes, nil
}

// String says why a request was not granted.
func (s *statusInfo) String() string {
	out := fmt.Sprintf("status %d", s.Status)
	for bit := range 26 {
		if name := failures[bit]; name != "" && s.Failure.At(bit) != 0 {
			out += ", " + name
		}
	}
	for i, t := range s.Text {
		if i == 4 {
			break
		}
		out += fmt.Sprintf(", %.200q", t.Bytes)
	}
	return out
}

// wrap returns the response around a token that says nothing else: a text that
// an authority adds is not signed.
func wrap(token []byte) ([]byte, error) {
	return asn1.Marshal(response{Token: asn1.RawValue{FullBytes: token}})
}
