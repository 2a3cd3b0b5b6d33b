package bundle

import (
	"crypto"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/stella-ops/stella/internal/fault"
)

// bytes64 is a proto JSON field of type bytes. null leaves it as it is.
type bytes64 []byte

// signed64 is bytes64 for what is signed, and for signatures.
type signed64 []byte

// alphabets are those that proto JSON allows; the first is what is written.
var alphabets = [...]*base64.Encoding{
	base64.StdEncoding.Strict(), base64.URLEncoding.Strict(), base64.RawStdEncoding.Strict(), base64.RawURLEncoding.Strict(),
}

// UnmarshalJSONFrom reads base64 in a string, which may be broken into lines:
// that is what tools hand to those who put a timestamp into a bundle by hand.
func (b *bytes64) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	s, ok, err := text(d, "base64 in a string")
	if err != nil || !ok {
		return err
	}
	*b, err = decode64(strings.NewReplacer("\r", "", "\n", "").Replace(s))
	return err
}

// UnmarshalJSONFrom reads base64 in a string, without line breaks.
func (b *signed64) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	s, ok, err := text(d, "base64 in a string")
	if err != nil || !ok {
		return err
	}
	if i := strings.IndexAny(s, "\r\n"); i >= 0 {
		return base64.CorruptInputError(i) // the library skips them
	}
	*b, err = decode64(s)
	return err
}

func decode64(s string) ([]byte, error) {
	n := 0
	if strings.ContainsAny(s, "-_") {
		n++
	}
	if len(s)%4 != 0 {
		n += 2
	}
	return alphabets[n].DecodeString(s)
}

// MarshalJSONTo writes what bytes64 does.
func (b signed64) MarshalJSONTo(e *jsontext.Encoder) error { return bytes64(b).MarshalJSONTo(e) }

// MarshalJSONTo writes padded base64 of the standard alphabet.
func (b bytes64) MarshalJSONTo(e *jsontext.Encoder) error {
	return e.WriteToken(jsontext.String(alphabets[0].EncodeToString(b)))
}

// number is a proto JSON field of type int64. null leaves it as it is.
type number int64

// UnmarshalJSONFrom reads a string or a number of plain digits.
func (n *number) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	var s string
	if d.PeekKind() == '0' {
		v, err := d.ReadValue()
		if err != nil {
			return err
		}
		s = string(v)
	} else {
		var ok bool
		var err error
		if s, ok, err = text(d, "an integer"); err != nil || !ok {
			return err
		}
	}
	v, err := strconv.ParseInt(s, 10, 64)
	if err != nil || strconv.FormatInt(v, 10) != s {
		return fmt.Errorf("%.40q is no 64-bit integer in plain digits", s)
	}
	*n = number(v)
	return nil
}

// MarshalJSONTo writes a string, as proto JSON does.
func (n number) MarshalJSONTo(e *jsontext.Encoder) error {
	return e.WriteToken(jsontext.String(strconv.FormatInt(int64(n), 10)))
}

// algorithm is the enum HashAlgorithm. null leaves it as it is.
type algorithm crypto.Hash

// UnmarshalJSONFrom reads the name of a value, or its number.
func (a *algorithm) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	var s string
	if d.PeekKind() == '0' {
		v, err := d.ReadValue()
		if err != nil {
			return err
		}
		s = string(v)
	} else {
		var ok bool
		var err error
		if s, ok, err = text(d, "the name of a hash"); err != nil || !ok {
			return err
		}
	}
	for _, known := range algorithms {
		if s == known.name || s == known.number {
			*a = algorithm(known.hash)
			return nil
		}
	}
	return fmt.Errorf("hash %.40q: want SHA2_256, SHA2_384 or SHA2_512: %w", s, fault.Unsupported)
}

// MarshalJSONTo writes the name.
func (a algorithm) MarshalJSONTo(e *jsontext.Encoder) error {
	return e.WriteToken(jsontext.String(nameOf(crypto.Hash(a))))
}

// text reads a string. ok is false for null.
func text(d *jsontext.Decoder, want string) (s string, ok bool, err error) {
	t, err := d.ReadToken()
	switch {
	case err != nil:
		return "", false, err
	case t.Kind() == 'n':
		return "", false, nil
	case t.Kind() != '"':
		return "", false, fmt.Errorf("JSON %v, want %s", t.Kind(), want)
	}
	return t.String(), true, nil
}
