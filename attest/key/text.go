package key

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/pem"
	"fmt"

	"github.com/stella-ops/stella/internal/fault"
)

// The types of PEM blocks that hold private keys.
const (
	blockPKCS8     = "PRIVATE KEY"
	blockEncrypted = "ENCRYPTED PRIVATE KEY"
	blockSigstore  = "ENCRYPTED SIGSTORE PRIVATE KEY"
	blockCosign    = "ENCRYPTED COSIGN PRIVATE KEY" // what cosign wrote before
	blockSEC1      = "EC PRIVATE KEY"
	blockPKCS1     = "RSA PRIVATE KEY"
)

// Parse reads a private key: one PEM block and nothing beside it. It is PKCS #8
// ("PRIVATE KEY"), PKCS #8 under a password ("ENCRYPTED PRIVATE KEY": PBES2 with
// PBKDF2 or scrypt, AES in CBC or GCM), a key of cosign ("ENCRYPTED SIGSTORE
// PRIVATE KEY"), SEC 1 ("EC PRIVATE KEY", with or without the parameters before
// it) or PKCS #1. password is asked for where the key has one, and only there;
// nil means that there is none. name is how messages call the key.
//
// Errors never show what is in the text, and wrap ErrUnauthenticated where a
// password is missing or wrong, ErrLimit where the text asks for more work than
// is allowed (before any is done), ErrUnsupported or ErrInvalid.
func Parse(text []byte, name string, password func() ([]byte, error)) (*Key, error) {
	if name == "" {
		name = "private key"
	}
	block, err := parseBlock(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	private, err := decodeBlock(block, func() ([]byte, error) {
		if password == nil {
			return nil, fmt.Errorf("it is encrypted, and there is no password: %w", fault.Unauthenticated)
		}
		p, err := password()
		if err != nil {
			return nil, fmt.Errorf("its password: %w", err)
		}
		return p, nil
	})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return FromCrypto(private, name)
}

// parseBlock returns the one PEM block of a text. openssl writes the curve of a
// SEC 1 key in a block before it, which says nothing that the key does not.
func parseBlock(text []byte) (*pem.Block, error) {
	if len(text) > MaxText {
		return nil, &fault.LimitError{What: "bytes of a key", Where: "PEM", Max: MaxText, Seen: int64(len(text))}
	}
	text = bytes.TrimSpace(text)
	block, rest := pem.Decode(text)
	if block != nil && block.Type == "EC PARAMETERS" && bytes.HasPrefix(text, []byte("-----BEGIN ")) {
		text = bytes.TrimSpace(rest)
		block, rest = pem.Decode(text)
	}
	switch {
	case block == nil || !bytes.HasPrefix(text, []byte("-----BEGIN ")):
		return nil, fmt.Errorf("no PEM block: %w", fault.Invalid)
	case len(bytes.TrimSpace(rest)) > 0:
		return nil, fmt.Errorf("more than one PEM block: %w", fault.Invalid)
	case len(block.Headers) > 0:
		return nil, fmt.Errorf("a PEM block with headers, as of the old encryption; write it anew with openssl pkcs8 -topk8: %w", fault.Unsupported)
	}
	return block, nil
}

func decodeBlock(block *pem.Block, password func() ([]byte, error)) (crypto.Signer, error) {
	der := block.Bytes
	var err error
	switch block.Type {
	case blockPKCS8:
	case blockEncrypted:
		der, err = decryptPKCS8(der, password)
	case blockSigstore, blockCosign:
		der, err = decryptCosign(der, password)
	case blockSEC1:
		k, err := x509.ParseECPrivateKey(der)
		if err != nil {
			return nil, fmt.Errorf("not a key of SEC 1 on a known curve: %w", fault.Invalid)
		}
		return k, nil
	case blockPKCS1:
		k, err := x509.ParsePKCS1PrivateKey(der)
		if err != nil {
			return nil, fmt.Errorf("not a key of PKCS #1: %w", fault.Invalid)
		}
		return k, nil
	default:
		return nil, fmt.Errorf("a PEM block %q is no private key that can be read: %w", block.Type, fault.Unsupported)
	}
	if err != nil {
		return nil, err
	}
	return decodePKCS8(der)
}

// decodePKCS8 leaves the library's message out: it may quote what it read.
func decodePKCS8(der []byte) (crypto.Signer, error) {
	k, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, fmt.Errorf("not a key of PKCS #8: %w", fault.Invalid)
	}
	switch k := k.(type) {
	case ed25519.PrivateKey:
		return k, nil
	case *ecdsa.PrivateKey:
		return k, nil
	case crypto.Signer: // RSA
		return k, nil
	}
	return nil, fmt.Errorf("a key of PKCS #8 that does not sign, %T: %w", k, fault.Unsupported)
}
