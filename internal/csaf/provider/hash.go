package provider

import (
	"bytes"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"fmt"
	"path"
	"strings"

	"github.com/stella-ops/stella/internal/fault"
)

// Hash is the digest of a document, from the file beside it.
type Hash struct {
	Algorithm string // "sha256" or "sha512"
	Value     string // in small hexadecimal digits
	Name      string // the document's file; empty if the file does not say it
}

// maxHashFile bounds a file that has a digest and a name.
const maxHashFile = 4096

// digits are the lengths of digests by the extensions of their files.
var digits = map[string]int{".sha256": 2 * sha256.Size, ".sha512": 2 * sha512.Size}

// ParseHash reads a file that has the digest of a document, such as
// "advisory.json.sha512": the digest first, then perhaps a space and more. The
// extension of name tells the algorithm. An error wraps [ErrInvalid],
// [ErrLimit], or [ErrUnsupported] for another algorithm.
//
// Source: CSAF 2.0, section 7.1.18.
func ParseHash(name string, text []byte) (Hash, error) {
	extension := path.Ext(name)
	n := digits[extension]
	switch {
	case n == 0:
		return Hash{}, fmt.Errorf("read digest %.200q: its extension is neither .sha256 nor .sha512: %w", name, ErrUnsupported)
	case len(text) > maxHashFile:
		return Hash{}, &fault.LimitError{What: "bytes", Where: name, Max: maxHashFile, Seen: int64(len(text))}
	case len(text) < n || !isHex(string(text[:n])):
		return Hash{}, fmt.Errorf("read digest %.200q: it does not start with %d hexadecimal digits: %w", name, n, ErrInvalid)
	}
	line, _, _ := bytes.Cut(text[n:], []byte("\n"))
	rest := strings.TrimRight(string(line), "\r")
	if rest != "" && rest[0] != ' ' {
		return Hash{}, fmt.Errorf("read digest %.200q: something other than a space follows the %d digits: %w", name, n, ErrInvalid)
	}
	// sha256sum marks binary files with an asterisk.
	named := strings.TrimPrefix(strings.TrimSpace(rest), "*")
	return Hash{Algorithm: extension[1:], Value: strings.ToLower(string(text[:n])), Name: named}, nil
}

// Verify compares content, the file called name, with the digest. An error
// wraps [ErrMismatch].
func (h Hash) Verify(name string, content []byte) error {
	if h.Name != "" && path.Base(h.Name) != name {
		return &fault.MismatchError{What: "file of the digest", Want: h.Name, Got: name}
	}
	var got string
	switch h.Algorithm {
	case "sha256":
		sum := sha256.Sum256(content)
		got = hex.EncodeToString(sum[:])
	case "sha512":
		sum := sha512.Sum512(content)
		got = hex.EncodeToString(sum[:])
	default:
		return fmt.Errorf("verify %.200q: algorithm %.32q: %w", name, h.Algorithm, ErrUnsupported)
	}
	if got != h.Value {
		return &fault.MismatchError{What: h.Algorithm + " of " + name, Want: h.Value, Got: got}
	}
	return nil
}
