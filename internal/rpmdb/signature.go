package rpmdb

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
)

// Subpackets of an OpenPGP signature that name its key (RFC 9580, 5.2.3.12 and
// 5.2.3.35).
const (
	subIssuerKeyID       = 16
	subIssuerFingerprint = 33
)

// signer returns the id of the key that signed the package, or "" where it is
// not signed or in a way that is not known here. The signature is not verified.
func (h *header) signer() (string, error) {
	var errs []error
	for _, t := range []tag{tagRSAHeader, tagDSAHeader, tagSigPGP, tagSigGPG} {
		sig, err := h.binary(t)
		if id := issuer(sig); id != "" {
			return id, nil
		}
		errs = append(errs, err)
	}
	// rpm 6 keeps signatures of any kind as text.
	text, err := h.text(tagOpenPGP)
	sig, bad := base64.StdEncoding.DecodeString(text)
	if bad != nil {
		sig = nil
	}
	return issuer(sig), errors.Join(append(errs, err)...)
}

// issuer returns the key id in an OpenPGP signature packet, or "".
func issuer(packet []byte) string {
	b := packetBody(packet)
	if len(b) < 15 {
		return ""
	}
	switch b[0] {
	case 3: // version | length 5 | type | time (4) | key id (8) | …
		return hex.EncodeToString(b[7:15])
	case 4: // version | type | two algorithms | hashed subpackets | others | …
		return issuerIn(b[4:], 2)
	case 6:
		return issuerIn(b[4:], 4)
	}
	return ""
}

// packetBody strips the head of an OpenPGP packet (RFC 9580, 4.2).
func packetBody(b []byte) []byte {
	if len(b) < 2 || b[0]&0x80 == 0 {
		return nil
	}
	head := 2
	switch {
	case b[0]&0x40 == 0: // the old form says how long its length is
		head = 1 + [...]int{1, 2, 4, 0}[b[0]&3]
	case b[1] == 255:
		head = 6
	case b[1] >= 192:
		head = 3
	}
	return b[min(head, len(b)):]
}

// issuerIn looks for the key id in two areas of subpackets, each headed by its
// length in width bytes. A key id is taken before one cut from a fingerprint.
func issuerIn(b []byte, width int) string {
	derived := ""
	for range 2 {
		if len(b) < width {
			break
		}
		n := number(b[:width])
		if b = b[width:]; n < 0 || n > len(b) {
			break
		}
		area := b[:n]
		b = b[n:]
		for len(area) > 0 {
			var sub []byte
			if sub, area = subpacket(area); len(sub) < 1+8 {
				continue
			}
			switch sub[0] & 0x7f { // without the bit "critical"
			case subIssuerKeyID:
				return hex.EncodeToString(sub[1:9])
			case subIssuerFingerprint:
				derived = keyOf(sub[1:])
			}
		}
	}
	return derived
}

// keyOf cuts the key id out of a key version and fingerprint: the end of it up
// to version 4, the start of it later. b has at least 8 bytes.
func keyOf(b []byte) string {
	if b[0] <= 4 {
		return hex.EncodeToString(b[len(b)-8:])
	}
	return hex.EncodeToString(b[1:min(9, len(b))])
}

// subpacket cuts the first subpacket, type and body, off an area. It returns
// nothing more where the area is malformed.
func subpacket(area []byte) (sub, rest []byte) {
	n, head := int(area[0]), 1
	switch {
	case n == 255 && len(area) >= 5:
		n, head = number(area[1:5]), 5
	case n == 255:
		return nil, nil
	case n >= 192 && len(area) >= 2:
		n, head = (n-192)<<8+int(area[1])+192, 2
	}
	if n < 0 || n > len(area)-head {
		return nil, nil
	}
	return area[head : head+n], area[head+n:]
}

// number decodes up to four bytes, most significant first.
func number(b []byte) int {
	n := 0
	for _, c := range b {
		n = n<<8 | int(c)
	}
	return n
}
