package image

import (
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/stella-ops/stella/internal/fault"
)

// digest lengths in hex digits, by algorithm (OCI image-spec, descriptor.md).
const (
	sha256Hex = 64
	sha512Hex = 128
)

// checkDigest accepts the registered algorithms in their canonical form only:
// lower-case hex of the full length.
func checkDigest(d string) error {
	algorithm, hex, ok := strings.Cut(d, ":")
	want := 0
	switch algorithm {
	case "sha256":
		want = sha256Hex
	case "sha512":
		want = sha512Hex
	}
	switch {
	case !ok || algorithm == "":
		return fmt.Errorf("digest %q is not algorithm:hex: %w", clip(d), fault.Invalid)
	case want == 0:
		return fmt.Errorf("digest %q: algorithm is neither sha256 nor sha512: %w", clip(d), fault.Unsupported)
	case len(hex) != want:
		return fmt.Errorf("digest %q has %d hex digits, %s has %d: %w", clip(d), len(hex), algorithm, want, fault.Invalid)
	case strings.Trim(hex, "0123456789abcdef") != "":
		return fmt.Errorf("digest %q is not lower-case hex: %w", clip(d), fault.Invalid)
	}
	return nil
}

// digestOf computes the digest of b with the algorithm of like; sha256 when like
// is empty.
func digestOf(b []byte, like string) string {
	if strings.HasPrefix(like, "sha512:") {
		h := sha512.Sum512(b)
		return "sha512:" + hex.EncodeToString(h[:])
	}
	h := sha256.Sum256(b)
	return "sha256:" + hex.EncodeToString(h[:])
}

// verify compares a document with the descriptor that named it. A size below 0
// was not named.
func verify(what string, b []byte, d descriptor) error {
	if d.Size >= 0 && int64(len(b)) != d.Size {
		return &fault.MismatchError{What: "size of " + what + " " + d.Digest, Want: fmt.Sprint(d.Size, " bytes"), Got: fmt.Sprint(len(b), " bytes")}
	}
	if got := digestOf(b, d.Digest); got != d.Digest {
		return &fault.MismatchError{What: "digest of " + what, Want: d.Digest, Got: got}
	}
	return nil
}

// clip shortens hostile text for an error.
func clip(s string) string {
	const most = 200
	if len(s) > most {
		return s[:most] + "…"
	}
	return s
}
