package config

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// maxPEM bounds a file with certificates or keys, in bytes.
const maxPEM = 1 << 20

// closed refuses a file that everybody can read. A group may: secrets of a cluster are
// handed to processes by their group.
func closed(name string) error {
	info, err := os.Stat(name)
	if err != nil {
		return plain(err)
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("it is not a file")
	}
	if runtime.GOOS != "windows" && info.Mode().Perm()&0o027 != 0 {
		return fmt.Errorf("it has mode %04o, so others can read or write it: chmod 600 it, and replace what is in it if others were there", info.Mode().Perm())
	}
	return nil
}

// regular accepts a file that can be read.
func regular(name string) error {
	f, err := os.Open(name)
	if err != nil {
		return plain(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return plain(err)
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("it is not a file")
	}
	return nil
}

// privateKey accepts a file with a private key that others cannot read. What is in an
// encrypted one is not looked at.
func privateKey(name string) error {
	_, err := readKey(name)
	return err
}

// readKey returns the key of a file, nil where it is encrypted.
func readKey(name string) (any, error) {
	if err := closed(name); err != nil {
		return nil, err
	}
	text, err := readBounded(name, maxPEM)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, fmt.Errorf("it has no PEM block")
	}
	var key any
	switch {
	case strings.Contains(block.Type, "ENCRYPTED"):
		return nil, nil
	case block.Type == "PRIVATE KEY":
		key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
	case block.Type == "EC PRIVATE KEY":
		key, err = x509.ParseECPrivateKey(block.Bytes)
	case block.Type == "RSA PRIVATE KEY":
		key, err = x509.ParsePKCS1PrivateKey(block.Bytes)
	default:
		return nil, fmt.Errorf("it holds a %q: want a PRIVATE KEY", block.Type)
	}
	if err != nil {
		return nil, fmt.Errorf("the key in it cannot be read")
	}
	return key, strong(key)
}

// strong refuses kinds and sizes of keys that are not used any more.
func strong(key any) error {
	switch k := key.(type) {
	case *rsa.PrivateKey:
		if k.N.BitLen() < 2048 {
			return fmt.Errorf("an RSA key of %d bits: want 2048 or more", k.N.BitLen())
		}
	case *ecdsa.PrivateKey:
		if k.Params().BitSize < 256 {
			return fmt.Errorf("a key on %s: want P-256 or larger", k.Params().Name)
		}
	case ed25519.PrivateKey:
	default:
		return fmt.Errorf("a key of kind %T: want Ed25519, ECDSA or RSA", key)
	}
	return nil
}

func ed25519Key(name string) error {
	key, err := readKey(name)
	if err != nil {
		return err
	}
	if _, ok := key.(ed25519.PrivateKey); !ok {
		return fmt.Errorf("want an Ed25519 key that is not encrypted (openssl genpkey -algorithm ed25519)")
	}
	return nil
}

// trustFolder accepts a folder with at least one public key, all of them Ed25519.
func trustFolder(dir string) error {
	if err := folder(dir); err != nil {
		return err
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.pem"))
	if err != nil || len(files) == 0 {
		return fmt.Errorf("it has no NAME.pem: nobody would be believed")
	}
	for _, name := range files {
		text, err := readBounded(name, maxPEM)
		if err != nil {
			return fmt.Errorf("%s: %w", filepath.Base(name), err)
		}
		block, _ := pem.Decode(text)
		if block == nil || block.Type != "PUBLIC KEY" {
			return fmt.Errorf("%s: want a PUBLIC KEY in PEM", filepath.Base(name))
		}
		if key, err := x509.ParsePKIXPublicKey(block.Bytes); err != nil {
			return fmt.Errorf("%s: the key in it cannot be read", filepath.Base(name))
		} else if _, ok := key.(ed25519.PublicKey); !ok {
			return fmt.Errorf("%s: want an Ed25519 key", filepath.Base(name))
		}
	}
	return nil
}

// Key256 returns the 32 bytes of a key in base64 or hex.
func (s Secret) Key256() ([]byte, error) {
	for _, decode := range []func(string) ([]byte, error){hex.DecodeString, base64.StdEncoding.DecodeString, base64.RawStdEncoding.DecodeString, base64.URLEncoding.DecodeString, base64.RawURLEncoding.DecodeString} {
		if b, err := decode(s.value); err == nil && len(b) == 32 {
			return b, nil
		}
	}
	return nil, fmt.Errorf("want 32 bytes in base64 or hex (openssl rand -base64 32)")
}

func key256(s string) error {
	b, err := Secret{s}.Key256()
	if err == nil && strings.Count(string(b), string(b[0])) == len(b) {
		return fmt.Errorf("all of its bytes are equal: make one by openssl rand -base64 32")
	}
	return err
}

// keyReference accepts a reference of a signing key. What is behind one of a program or an
// agent is found out when it is opened.
func keyReference(s string) error {
	if strings.Contains(s, "://") || strings.HasPrefix(s, "agent:") {
		return nil
	}
	if strings.HasPrefix(s, "env:") {
		return fmt.Errorf("a key in the environment can be read by whoever reads the process's: want a file, agent:… or NAME://…")
	}
	return closed(s)
}

// certificates returns what is wrong with a pair of files at a time.
func certificates(cert, key string, now time.Time) error {
	certText, err := readBounded(cert, maxPEM)
	if err != nil {
		return err
	}
	keyText, err := readBounded(key, maxPEM)
	if err != nil {
		return nil // which tls.key says
	}
	if _, err := readKey(key); err != nil {
		return nil
	}
	pair, err := tls.X509KeyPair(certText, keyText)
	if err != nil {
		return fmt.Errorf("it is no certificate of the key in tls.key")
	}
	switch leaf := pair.Leaf; {
	case leaf == nil:
		return fmt.Errorf("the first certificate in it cannot be read")
	case now.After(leaf.NotAfter):
		return fmt.Errorf("it has ended at %s", leaf.NotAfter.UTC().Format(time.RFC3339))
	case now.Before(leaf.NotBefore):
		return fmt.Errorf("it begins at %s, by the clock of this machine later than now", leaf.NotBefore.UTC().Format(time.RFC3339))
	}
	return nil
}

// authorities accepts a file with at least one certificate.
func authorities(name string) error {
	text, err := readBounded(name, maxPEM)
	if err != nil {
		return err
	}
	if !x509.NewCertPool().AppendCertsFromPEM(text) {
		return fmt.Errorf("it has no certificate in PEM: nobody would be believed")
	}
	return nil
}
