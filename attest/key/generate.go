package key

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/stella-ops/stella/attest/dsse"
	"github.com/stella-ops/stella/internal/durable"
	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/suggest"
)

// The algorithms of keys that can be generated. The first is what cosign
// generates, and what everybody verifies.
const (
	P256    = "ecdsa-p256"
	P384    = "ecdsa-p384"
	Ed25519 = "ed25519"
)

// Generate makes a new private key of an algorithm; "" is P256. An error wraps
// ErrUnsupported for other names.
func Generate(algorithm string) (*dsse.PrivateKey, error) {
	var private crypto.PrivateKey
	var err error
	switch algorithm {
	case P256, "":
		private, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case P384:
		private, err = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	case Ed25519:
		_, private, err = ed25519.GenerateKey(rand.Reader)
	default:
		known := []string{P256, P384, Ed25519}
		return nil, fmt.Errorf("generate a key: algorithm %.40q, want one of %s%s: %w", algorithm, known, suggest.Phrase(algorithm, known), fault.Unsupported)
	}
	if err != nil {
		return nil, fmt.Errorf("generate a key: %w", err)
	}
	return dsse.NewPrivateKey(private)
}

// WriteFile writes a private key's text, as of [Encrypt], to a new file that
// only its owner may read and write. A file that is there is never replaced: an
// error wraps ErrConflict. After an error there is no new file.
func WriteFile(path string, text []byte) error {
	temporary, err := durable.Temporary(filepath.Dir(path), durable.Bytes(text))
	if err != nil {
		return fmt.Errorf("write key %s: %w", path, err)
	}
	defer os.Remove(temporary) // it is its owner's alone, and so is the link to it
	if err := os.Link(temporary, path); errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("write key %s: there is a file, which is not replaced: %w", path, fault.Conflict)
	} else if err != nil {
		return fmt.Errorf("write key %s: %w", path, err)
	}
	return durable.SyncFolder(filepath.Dir(path))
}
