package key_test

import (
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stella-ops/stella/attest/dsse"
	"github.com/stella-ops/stella/attest/key"
)

const password = "correct"

func read(t testing.TB, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func secret() ([]byte, error) { return []byte(password), nil }

// signs fails the test unless k signs what its public key verifies.
func signs(t testing.TB, k *key.Key) {
	t.Helper()
	e, err := dsse.Sign(context.Background(), "application/vnd.example+json", []byte(`{}`), k)
	if err != nil {
		t.Fatal(err)
	}
	tr := dsse.Trust{Threshold: 1, Keys: []dsse.Verifier{k.Public()}}
	if _, err := tr.Verify(e, "application/vnd.example+json"); err != nil {
		t.Fatal(err)
	}
	again, err := dsse.Sign(context.Background(), "application/vnd.example+json", []byte(`{}`), k)
	if err != nil {
		t.Fatal(err)
	}
	if k.Deterministic() != (string(e.Signatures[0].Sig) == string(again.Signatures[0].Sig)) {
		t.Errorf("%v says deterministic=%t", k, k.Deterministic())
	}
}

// TestParse reads what openssl and cosign wrote; files that begin alike hold the
// same key.
func TestParse(t *testing.T) {
	ids := map[string]string{}
	for _, path := range glob(t, "testdata/*.pem", "testdata/*.key") {
		name := filepath.Base(path)
		want := map[string]error{"p256.des3.pem": key.ErrUnsupported, "p256.pbes1.pem": key.ErrUnsupported, "p256.oldenc.pem": key.ErrUnsupported}[name]
		t.Run(name, func(t *testing.T) {
			text := read(t, name)
			k, err := key.Parse(text, name, secret)
			if !errors.Is(err, want) {
				t.Fatalf("%v, want %v", err, want)
			}
			if want != nil {
				return
			}
			signs(t, k)
			family, _, _ := strings.Cut(name, ".")
			if id, ok := ids[family]; ok && id != k.KeyID() {
				t.Errorf("key %s, others of %s have %s", k.KeyID(), family, id)
			}
			ids[family] = k.KeyID()
			if strings.HasPrefix(name, "rsa") == k.Deterministic() {
				t.Errorf("deterministic=%t", k.Deterministic())
			}
			block, _ := pem.Decode(text)
			if !strings.Contains(block.Type, "ENCRYPTED") {
				return
			}
			wrongs := []string{"", "Correct", "correct\n"}
			if strings.HasSuffix(name, ".key") {
				wrongs = wrongs[:1] // cosign's scrypt takes its time
			}
			for _, wrong := range wrongs {
				_, err := key.Parse(text, name, func() ([]byte, error) { return []byte(wrong), nil })
				if !errors.Is(err, key.ErrUnauthenticated) && !errors.Is(err, key.ErrInvalid) || strings.Contains(err.Error(), "orrect") {
					t.Errorf("password %q: %v", wrong, err)
				}
			}
			if _, err := key.Parse(text, name, nil); !errors.Is(err, key.ErrUnauthenticated) {
				t.Errorf("no password: %v", err)
			}
		})
	}
	if ids["cosign"] == "" || ids["rsa2048"] == "" || len(ids) != 5 || ids["rsa2048"] == ids["p256"] {
		t.Errorf("keys %v", ids)
	}
}

func glob(t testing.TB, patterns ...string) (paths []string) {
	t.Helper()
	for _, p := range patterns {
		found, err := filepath.Glob(p)
		if err != nil || len(found) == 0 {
			t.Fatalf("%s: %v, %v", p, found, err)
		}
		paths = append(paths, found...)
	}
	return paths
}

// TestEncryptReadBack: what is written under a password is the same key again,
// and never the same text.
func TestEncryptReadBack(t *testing.T) {
	for _, algorithm := range []string{"", key.P384, key.Ed25519} {
		p, err := key.Generate(algorithm)
		if err != nil {
			t.Fatal(err)
		}
		one, err := key.Encrypt(p, []byte(password))
		if err != nil {
			t.Fatal(err)
		}
		if algorithm == "" {
			if two, err := key.Encrypt(p, []byte(password)); err != nil || string(one) == string(two) {
				t.Errorf("two texts are one, or %v", err)
			}
		}
		k, err := key.Parse(one, "", secret)
		if err != nil {
			t.Fatal(err)
		}
		if k.KeyID() != p.KeyID() {
			t.Errorf("key %s, want %s", k.KeyID(), p.KeyID())
		}
		signs(t, k)
	}
	p, _ := key.Generate("")
	if _, err := key.Encrypt(p, nil); !errors.Is(err, key.ErrInvalid) {
		t.Errorf("without password: %v", err)
	}
	if _, err := key.Generate("ed25518"); !errors.Is(err, key.ErrUnsupported) || !strings.Contains(err.Error(), `did you mean "ed25519"?`) {
		t.Errorf("unknown algorithm: %v", err)
	}
}

// TestCosignReadsOurs asks the cosign on PATH, or that of STELLA_COSIGN.
func TestCosignReadsOurs(t *testing.T) {
	cosign := os.Getenv("STELLA_COSIGN")
	if cosign == "" {
		path, err := exec.LookPath("cosign")
		if err != nil {
			t.Skip("there is no cosign on PATH and no STELLA_COSIGN")
		}
		cosign = path
	}
	for _, algorithm := range []string{key.P256, key.P384, key.Ed25519} {
		p, err := key.Generate(algorithm)
		if err != nil {
			t.Fatal(err)
		}
		text, err := key.Encrypt(p, []byte(password))
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), "our.key")
		if err := key.WriteFile(path, text); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(cosign, "public-key", "--key", path)
		cmd.Env = append(os.Environ(), "COSIGN_PASSWORD="+password)
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("cosign: %v: %s", err, err.(*exec.ExitError).Stderr)
		}
		if got, err := dsse.ParsePublicKey(out); err != nil || got.KeyID() != p.KeyID() {
			t.Errorf("%s: cosign read %v, %v", algorithm, got, err)
		}
	}
}

// TestOpenSSL writes keys with the openssl on PATH, each under a fresh password.
func TestOpenSSL(t *testing.T) {
	openssl, err := exec.LookPath("openssl")
	if err != nil {
		t.Skip("there is no openssl on PATH")
	}
	p, err := key.Generate("")
	if err != nil {
		t.Fatal(err)
	}
	plain, err := p.PEM()
	if err != nil {
		t.Fatal(err)
	}
	for i, args := range [][]string{{"-v2", "aes-256-cbc"}, {"-v2", "aes-128-cbc", "-iter", "1"}, {"-scrypt"}, {"-scrypt", "-scrypt_N", "1024", "-scrypt_r", "4", "-scrypt_p", "2"}, {"-nocrypt"}} {
		word := fmt.Sprint("pass word ", i, " é")
		cmd := exec.Command(openssl, append([]string{"pkcs8", "-topk8", "-passout", "pass:" + word}, args...)...)
		cmd.Stdin = strings.NewReader(string(plain))
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("openssl %v: %v", args, err)
		}
		k, err := key.Parse(out, "", func() ([]byte, error) { return []byte(word), nil })
		if err != nil || k.KeyID() != p.KeyID() {
			t.Errorf("%v: %v, %v", args, k, err)
		}
	}
}
