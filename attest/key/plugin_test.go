package key_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stella-ops/stella/attest/key"
)

// TestMain makes the test's own program a plugin, where it is run by the name of
// one.
func TestMain(m *testing.M) {
	if name, ok := strings.CutPrefix(filepath.Base(os.Args[0]), "sigstore-kms-"); ok {
		os.Exit(servePlugin(name))
	}
	os.Exit(m.Run())
}

// servePlugin is a plugin as its protocol has it, read from JSON without types of
// ours. What it does wrong is its key's name.
func servePlugin(name string) int {
	var args struct {
		InitOptions struct {
			ProtocolVersion, KeyResourceID string
			HashFunc                       int
			CtxDeadline                    time.Time
			RPCOptions                     *struct{ KeyVersion *string }
		}
		MethodName string
		PublicKey  *struct {
			PublicKeyOptions *struct{ RPCOptions *struct{} }
		}
		SignMessage *struct {
			SignOptions *struct {
				RPCOptions     *struct{}
				MessageOptions *struct{ HashFunc *int }
			}
		}
	}
	if len(os.Args) != 3 || os.Args[1] != "v1" || json.Unmarshal([]byte(os.Args[2]), &args) != nil ||
		args.InitOptions.ProtocolVersion != "v1" || args.InitOptions.RPCOptions == nil || args.InitOptions.CtxDeadline.IsZero() {
		fmt.Print(`{"errorMessage":"bad arguments"}`)
		return 1
	}
	message, _ := io.ReadAll(os.Stdin)
	id := args.InitOptions.KeyResourceID
	signing := args.MethodName == "signMessage"
	switch {
	case id == "error":
		fmt.Print(`{"errorMessage":"no such\u001bkey"}`)
		return 1
	case id == "silent":
		return 0
	case id == "garbage":
		fmt.Print(`{"publicKey":`)
		return 0
	case id == "empty":
		fmt.Print(`{}`)
		return 0
	case id == "endless":
		for {
			if _, err := os.Stdout.Write(bytes.Repeat([]byte{' '}, 1<<16)); err != nil {
				return 0
			}
		}
	case id == "hang" || id == "hang-later" && signing:
		time.Sleep(time.Hour)
	case id == "dies":
		p, _ := os.FindProcess(os.Getpid())
		p.Kill()
		time.Sleep(time.Hour)
	case id == "env":
		names := []string{}
		for _, pair := range os.Environ() {
			n, _, _ := strings.Cut(pair, "=")
			names = append(names, n)
		}
		slices.Sort(names)
		text, _ := json.Marshal(map[string]string{"errorMessage": strings.Join(names, " ")})
		os.Stdout.Write(text)
		return 0
	}
	fmt.Fprintf(os.Stderr, "%s: %s\n", name, args.MethodName)
	seed := id
	if id == "lies" && signing {
		seed = "another"
	}
	s := pluginKey(seed)
	if !signing {
		der, _ := x509.MarshalPKIXPublicKey(s.Public())
		text, _ := json.Marshal(map[string]any{"publicKey": map[string]any{"publicKeyPEM": pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})}, "later": 1})
		os.Stdout.Write(text)
		return 0
	}
	hash := crypto.Hash(args.InitOptions.HashFunc)
	if args.SignMessage == nil || *args.SignMessage.SignOptions.MessageOptions.HashFunc != int(hash) {
		fmt.Print(`{"errorMessage":"bad options"}`)
		return 1
	}
	digest, opts := message, crypto.SignerOpts(crypto.Hash(0))
	if _, edwards := s.(ed25519.PrivateKey); !edwards {
		h := hash.New()
		h.Write(message)
		digest, opts = h.Sum(nil), hash
	}
	if _, ok := s.(*rsa.PrivateKey); ok {
		opts = &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: hash}
	}
	sig, err := s.Sign(rand.Reader, digest, opts)
	if id == "wrong message" {
		sig, err = s.Sign(rand.Reader, make([]byte, 32), opts)
	}
	if id == "no signature" {
		sig = nil
	}
	if err != nil {
		fmt.Printf(`{"errorMessage":%q}`, err)
		return 1
	}
	text, _ := json.Marshal(map[string]any{"signMessage": map[string]any{"signature": sig}})
	os.Stdout.Write(text)
	return map[string]int{"exits": 3}[id]
}

// pluginKey is the key that the plugin has under a name.
func pluginKey(id string) crypto.Signer {
	var s crypto.Signer
	var err error
	seed := sha256.Sum256([]byte(id))
	switch id {
	case "ed25519":
		return ed25519.NewKeyFromSeed(seed[:])
	case "p384":
		wide := sha512.Sum384([]byte(id))
		wide[0] = 0
		s, err = ecdsa.ParseRawPrivateKey(elliptic.P384(), wide[:])
	case "p521":
		s, err = ecdsa.ParseRawPrivateKey(elliptic.P521(), append(make([]byte, 34), seed[:]...))
	case "rsa":
		s, err = readRSA()
	default:
		seed[0] = 0
		s, err = ecdsa.ParseRawPrivateKey(elliptic.P256(), seed[:])
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	return s
}

func readRSA() (*rsa.PrivateKey, error) {
	text, err := os.ReadFile(os.Getenv("TEST_RSA"))
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(text)
	return x509.ParsePKCS1PrivateKey(block.Bytes)
}

// pluginOptions installs the plugin "test" in a PATH of its own.
func pluginOptions(t testing.TB) *key.Options {
	t.Helper()
	dir := t.TempDir()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(self, filepath.Join(dir, "sigstore-kms-test")); err != nil {
		t.Skipf("no symbolic links: %v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "sigstore-kms-data"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	rsa, err := filepath.Abs("testdata/rsa2048.pkcs1.pem")
	if err != nil {
		t.Fatal(err)
	}
	env := map[string]string{"PATH": dir + string(filepath.ListSeparator) + "." + string(filepath.ListSeparator) + "/nonexistent", "HOME": "/home/test", "AWS_SECRET": "geheim", "TEST_RSA": rsa}
	return &key.Options{
		LookupEnv: func(name string) (string, bool) { v, ok := env[name]; return v, ok },
		Timeout:   20 * time.Second, PluginEnv: []string{"TEST_RSA"},
	}
}

func TestPlugin(t *testing.T) {
	ctx := context.Background()
	for _, id := range []string{"p256", "p384", "ed25519", "rsa", "exits", "arn:aws:kms:us-east-1:1:key/1 2'\"$(x)"} {
		t.Run(id, func(t *testing.T) {
			o := pluginOptions(t)
			var log bytes.Buffer
			o.PluginLog = &log
			k, err := key.Open(ctx, "test://"+id, o)
			if err != nil {
				t.Fatal(err)
			}
			if log.String() != "test: publicKey\n" {
				t.Errorf("log %q", log.String())
			}
			signs(t, k)
			if got, want := k.Deterministic(), id == "ed25519"; got != want {
				t.Errorf("deterministic=%t", got)
			}
		})
	}
}

func TestPluginRefused(t *testing.T) {
	ctx := context.Background()
	for id, c := range map[string]struct {
		err         error
		says        string
		whenSigning bool
	}{
		"error":         {err: key.ErrUnavailable, says: `the plugin says "no such\x1bkey"`},
		"silent":        {err: key.ErrInvalid, says: "answer of 0 bytes"},
		"garbage":       {err: key.ErrInvalid},
		"empty":         {err: key.ErrInvalid, says: "no public key"},
		"endless":       {err: key.ErrLimit},
		"hang":          {err: key.ErrUnavailable, says: "in time"},
		"dies":          {err: key.ErrUnavailable, says: "killed"},
		"p521":          {err: key.ErrUnsupported, says: "curve"},
		"":              {err: key.ErrInvalid},
		"hang-later":    {err: key.ErrUnavailable, says: "in time", whenSigning: true},
		"lies":          {err: key.ErrMismatch, says: "not a signature", whenSigning: true},
		"wrong message": {err: key.ErrMismatch, says: "not a signature", whenSigning: true},
		"no signature":  {err: key.ErrInvalid, says: "no signature", whenSigning: true},
	} {
		t.Run(id, func(t *testing.T) {
			o := pluginOptions(t)
			if id == "hang" {
				o.Timeout = 300 * time.Millisecond
			}
			k, err := key.Open(ctx, "test://"+id, o)
			if c.whenSigning && err == nil {
				if id == "hang-later" {
					o.Timeout = 300 * time.Millisecond
				}
				_, err = k.Sign(ctx, []byte("message"))
			}
			if !errors.Is(err, c.err) || !strings.Contains(fmt.Sprint(err), c.says) {
				t.Errorf("%v, want %v and %q", err, c.err, c.says)
			}
		})
	}
}

// TestPluginEnvironment: a plugin is given what every program needs, and what was
// named.
func TestPluginEnvironment(t *testing.T) {
	o := pluginOptions(t)
	_, err := key.Open(context.Background(), "test://env", o)
	if err == nil || !strings.Contains(err.Error(), `"HOME PATH TEST_RSA"`) {
		t.Errorf("%v", err)
	}
	t.Setenv("AWS_SECRET", "geheim")
	t.Setenv("AWSOME", "")
	o.PluginEnv = []string{"AWS_*"}
	_, err = key.Open(context.Background(), "test://env", o)
	if err == nil || !strings.Contains(err.Error(), `"AWS_SECRET HOME PATH"`) {
		t.Errorf("%v", err)
	}
}

// TestForeignPlugin signs with a plugin that STELLA_KMS names, such as
// "localkms:///tmp/k.pem" of Sigstore's own example.
func TestForeignPlugin(t *testing.T) {
	ref := os.Getenv("STELLA_KMS")
	if ref == "" {
		t.Skip("STELLA_KMS names no key of a plugin on PATH")
	}
	k, err := key.Open(context.Background(), ref, nil)
	if err != nil {
		t.Fatal(err)
	}
	signs(t, k)
}
