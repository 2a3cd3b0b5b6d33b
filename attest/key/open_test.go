package key_test

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stella-ops/stella/attest/dsse"
	"github.com/stella-ops/stella/attest/key"
)

func TestOpen(t *testing.T) {
	ctx := context.Background()
	dir := t.TempDir()
	t.Chdir(dir)
	p, err := key.Generate("")
	if err != nil {
		t.Fatal(err)
	}
	plain, err := p.PEM()
	if err != nil {
		t.Fatal(err)
	}
	locked, err := key.Encrypt(p, []byte(password))
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string][]byte{"plain.pem": plain, "locked.key": locked, "env:x": plain, "long.pem": []byte(strings.Repeat(" ", key.MaxText+1))} {
		if err := key.WriteFile(name, text); err != nil {
			t.Fatal(err)
		}
	}
	asked := ""
	env := map[string]string{"KEY": string(plain), "LOCKED": string(locked), "EMPTY": "", "PATH": dir}
	o := &key.Options{
		LookupEnv: func(name string) (string, bool) { v, ok := env[name]; return v, ok },
		Password:  func(_ context.Context, name string) ([]byte, error) { asked = name; return []byte(password), nil },
	}
	for ref, c := range map[string]struct {
		err  error
		says string
		asks string
	}{
		"plain.pem":                     {},
		filepath.Join(dir, "plain.pem"): {},
		"locked.key":                    {asks: "key locked.key"},
		"./env:x":                       {},
		"env:KEY":                       {},
		"env:LOCKED":                    {asks: "key env:LOCKED"},
		"env:EMPTY":                     {err: key.ErrNotFound, says: "not set"},
		"env:":                          {err: key.ErrNotFound},
		"":                              {err: key.ErrInvalid},
		"missing.pem":                   {err: key.ErrNotFound, says: "env:NAME"},
		".":                             {err: key.ErrInvalid, says: "folder"},
		"plain.pem/x":                   {err: key.ErrInvalid},
		"long.pem":                      {err: key.ErrLimit},
		"pkcs11:token=x":                {err: key.ErrUnsupported, says: `unknown scheme "pkcs11"`},
		"evn:KEY":                       {err: key.ErrUnsupported, says: `did you mean "env"?`},
		"gcpkms://projects/x":           {err: key.ErrUnsupported, says: "no program sigstore-kms-gcpkms on PATH"},
		"..://x":                        {err: key.ErrNotFound},
		"a/b://x":                       {err: key.ErrNotFound},
		"a+b://x":                       {err: key.ErrInvalid, says: "NAME://KEY"},
		"vault://u:geheim@host/k":       {err: key.ErrUnsupported, says: "vault://…@host/k"},
		string(plain):                   {err: key.ErrNotFound, says: `"…"`},
		"agent:":                        {err: key.ErrInvalid},
		"agent:me":                      {err: key.ErrNotFound, says: "SSH_AUTH_SOCK is not set"},
	} {
		asked = ""
		k, err := key.Open(ctx, ref, o)
		if !errors.Is(err, c.err) || !strings.Contains(fmt.Sprint(err), c.says) || strings.Contains(fmt.Sprint(err), "geheim") || asked != c.asks {
			t.Errorf("%.40q: %v, want %v and %q; asked %q", ref, err, c.err, c.says, asked)
		}
		if err == nil && (k.KeyID() != p.KeyID() || k.Warnings() != nil) {
			t.Errorf("%s: %v, %v", ref, k, k.Warnings())
		}
	}
	if _, err := key.Open(ctx, "locked.key", nil); !errors.Is(err, key.ErrUnauthenticated) {
		t.Errorf("no password: %v", err)
	}
	away := errors.New("nobody there")
	o.Password = func(context.Context, string) ([]byte, error) { return nil, away }
	if _, err := key.Open(ctx, "locked.key", o); !errors.Is(err, away) {
		t.Errorf("no answer: %v", err)
	}
}

// TestPermissions: a key that others may read works, and says so.
func TestPermissions(t *testing.T) {
	p, _ := key.Generate(key.Ed25519)
	text, _ := p.PEM()
	path := filepath.Join(t.TempDir(), "k.pem")
	if err := key.WriteFile(path, text); err != nil {
		t.Fatal(err)
	}
	if err := key.WriteFile(path, text); !errors.Is(err, key.ErrConflict) {
		t.Errorf("a second time: %v", err)
	}
	if entries, _ := os.ReadDir(filepath.Dir(path)); len(entries) != 1 {
		t.Errorf("left over: %v", entries)
	}
	for mode, warns := range map[os.FileMode]bool{0o600: false, 0o400: false, 0o700: false, 0o640: true, 0o604: true, 0o620: true, 0o601: true, 0o644: true} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		k, err := key.Open(context.Background(), path, nil)
		if err != nil {
			t.Fatal(err)
		}
		w := k.Warnings()
		if (len(w) == 1 && w[0].Code == key.WarnPermissions && strings.Contains(w[0].String(), fmt.Sprintf("mode %04o", mode))) != warns || len(w) > 1 {
			t.Errorf("%04o: %v", mode, w)
		}
	}
}

// device is a crypto.Signer that may lie.
type device struct {
	crypto.Signer
	public crypto.PublicKey
	sign   func([]byte) ([]byte, error)
}

func (d *device) Public() crypto.PublicKey { return d.public }

func (d *device) Sign(r io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	if d.sign != nil {
		return d.sign(digest)
	}
	return d.Signer.Sign(r, digest, opts)
}

func TestFromCrypto(t *testing.T) {
	ctx := context.Background()
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	broken := errors.New("device gone")
	for _, s := range []crypto.Signer{pluginKey("p256"), pluginKey("p384"), pluginKey("ed25519"), rsaKey} {
		for _, s := range []crypto.Signer{s, &device{Signer: s, public: s.Public()}} {
			k, err := key.FromCrypto(s, "")
			if err != nil {
				t.Fatal(err)
			}
			signs(t, k)
			if fmt.Sprintf("%#v %v %s", *k, k, k) != strings.Repeat("key "+k.KeyID()+" ", 2)+"key "+k.KeyID() {
				t.Errorf("prints as %v", k)
			}
		}
		for name, c := range map[string]struct {
			d   *device
			err error
		}{
			"another key":    {&device{Signer: pluginKey("p256"), public: pluginKey("other").Public()}, key.ErrMismatch},
			"nothing":        {&device{public: s.Public(), sign: func([]byte) ([]byte, error) { return nil, nil }}, key.ErrMismatch},
			"zeroes":         {&device{public: s.Public(), sign: func([]byte) ([]byte, error) { return make([]byte, 64), nil }}, key.ErrMismatch},
			"what is signed": {&device{public: s.Public(), sign: func(d []byte) ([]byte, error) { return d, nil }}, key.ErrMismatch},
			"too much":       {&device{public: s.Public(), sign: func([]byte) ([]byte, error) { return make([]byte, dsse.MaxSignature+1), nil }}, key.ErrLimit},
			"an error":       {&device{public: s.Public(), sign: func([]byte) ([]byte, error) { return nil, broken }}, broken},
		} {
			k, err := key.FromCrypto(c.d, "the device")
			if err != nil {
				t.Fatal(err)
			}
			if sig, err := k.Sign(ctx, []byte("m")); !errors.Is(err, c.err) || sig != nil || !strings.Contains(err.Error(), "the device") {
				t.Errorf("%s: %x, %v", name, sig, err)
			}
		}
	}
	for name, s := range map[string]crypto.Signer{"nil": nil, "P-521": pluginKey("p521"), "no key": &device{}} {
		if _, err := key.FromCrypto(s, name); !errors.Is(err, key.ErrInvalid) && !errors.Is(err, key.ErrUnsupported) {
			t.Errorf("%s: %v", name, err)
		}
	}
	k, _ := key.FromCrypto(rsaKey, "")
	if _, err := k.Sign(ctx, make([]byte, key.MaxMessage+1)); !errors.Is(err, key.ErrLimit) {
		t.Errorf("a long message: %v", err)
	}
	over, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := k.Sign(over, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("over: %v", err)
	}
}
