package trust

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/ProtonMail/go-crypto/openpgp/armor"
	openpgp "github.com/ProtonMail/go-crypto/openpgp/v2"
	"go.yaml.in/yaml/v3"

	"github.com/stella-ops/stella/attest/dsse"
	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/suggest"
)

var keyFields = []string{"name", "issuer", "pem", "openpgp", "revoked"}

// key reads a key.
func (p *parser) key(n *yaml.Node, path string, names map[string]bool) {
	fields := p.fields(n, path, keyFields)
	if fields == nil {
		return
	}
	k := Key{Name: p.required(n, fields["name"], path, "name"), Issuer: p.required(n, fields["issuer"], path, "issuer")}
	if names[k.Name] && k.Name != "" {
		p.report(fields["name"], path+".name", "key %q is there already", k.Name)
	}
	names[k.Name] = true
	if k.Issuer != "" && p.ids[k.Issuer] == nil {
		known := slices.Sorted(maps.Keys(p.ids))
		p.report(fields["issuer"], path+".issuer", "there is no issuer %q%s", k.Issuer, suggest.Phrase(k.Issuer, known))
	}
	if r := fields["revoked"]; r != nil {
		k.Revoked, _ = p.text(r, path+".revoked")
	}
	switch pem, pgp := fields["pem"], fields["openpgp"]; {
	case (pem == nil) == (pgp == nil):
		p.report(n, path, "want one of pem and openpgp")
		return
	case pem != nil:
		p.material(pem, path+".pem", &k, readPEM)
	default:
		p.material(pgp, path+".openpgp", &k, readOpenPGP)
	}
	p.doc.Keys = append(p.doc.Keys, k)
}

// material reads the text of a key.
func (p *parser) material(n *yaml.Node, path string, k *Key, read func(text string, k *Key) error) {
	text, ok := p.text(n, path)
	if !ok {
		return
	}
	if err := read(text, k); err != nil {
		p.report(n, path, "%s", message(err))
		return
	}
	p.identity(n, path, k.Issuer, k.Identity)
}

func readPEM(text string, k *Key) error {
	key, err := dsse.ParsePublicKey([]byte(text))
	if err != nil {
		return err
	}
	k.public = key
	if std, err := x509.ParsePKIXPublicKey(key.DER()); err == nil {
		if r, ok := std.(*rsa.PublicKey); ok {
			k.public = &rsaKey{PublicKey: key, rsa: r}
		}
	}
	sum := sha256.Sum256(key.DER())
	k.Identity = "key:sha256:" + hex.EncodeToString(sum[:])
	return nil
}

// rsaKey takes signatures of PKCS #1 1.5 with SHA-256 too: tools that sign images
// make such with RSA.
type rsaKey struct {
	*dsse.PublicKey
	rsa *rsa.PublicKey
}

// Verify is as that of dsse.PublicKey.
func (k *rsaKey) Verify(message, sig []byte) error {
	err := k.PublicKey.Verify(message, sig)
	if err == nil {
		return nil
	}
	digest := sha256.Sum256(message)
	if rsa.VerifyPKCS1v15(k.rsa, crypto.SHA256, digest[:], sig) == nil {
		return nil
	}
	return err
}

func readOpenPGP(text string, k *Key) error {
	body, err := dearmor([]byte(text), openpgp.PublicKeyType)
	if err != nil {
		return err
	}
	list, err := openpgp.ReadKeyRing(bytes.NewReader(body))
	switch {
	case err != nil:
		return fmt.Errorf("%v: %w", err, fault.Invalid)
	case len(list) != 1:
		return fmt.Errorf("the block has %d keys, want one: %w", len(list), fault.Invalid)
	case list[0].PrivateKey != nil:
		return fmt.Errorf("the key is a private one: %w", fault.Invalid)
	}
	k.entity = list[0]
	k.Identity = "pgp:" + strings.ToUpper(hex.EncodeToString(k.entity.PrimaryKey.Fingerprint))
	return nil
}

// dearmor returns what is in a text that is one armoured block of a type, and nothing
// beside it.
func dearmor(text []byte, want string) ([]byte, error) {
	text = bytes.TrimSpace(text)
	begin := "-----BEGIN "
	if !bytes.HasPrefix(text, []byte(begin+want+"-----")) || bytes.Count(text, []byte(begin)) != 1 {
		return nil, fmt.Errorf("want one armoured block %q: %w", want, fault.Invalid)
	}
	block, err := armor.Decode(bytes.NewReader(text))
	if err != nil {
		return nil, fmt.Errorf("armour: %v: %w", err, fault.Invalid)
	}
	body, err := io.ReadAll(block.Body)
	if err != nil {
		return nil, fmt.Errorf("armour: %v: %w", err, fault.Invalid)
	}
	return body, nil
}
