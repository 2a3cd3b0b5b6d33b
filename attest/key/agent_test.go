package key_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"

	"github.com/stella-ops/stella/attest/key"
)

// keyring is an agent inside of the test.
func keyring(t testing.TB) agent.Agent {
	t.Helper()
	a := agent.NewKeyring()
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	for comment, k := range map[string]any{
		"p256": pluginKey("p256"), "p384": pluginKey("p384"), "p521": pluginKey("p521"), "rsa": rsaKey, "ed25519": pluginKey("ed25519"),
		"two": pluginKey("a"),
	} {
		if err := a.Add(agent.AddedKey{PrivateKey: k, Comment: comment}); err != nil {
			t.Fatal(err)
		}
	}
	if err := a.Add(agent.AddedKey{PrivateKey: pluginKey("b"), Comment: "two"}); err != nil {
		t.Fatal(err)
	}
	return a
}

// dialing serves an agent over pipes.
func dialing(a agent.Agent) *key.Options {
	return &key.Options{DialAgent: func(context.Context) (net.Conn, error) {
		here, there := net.Pipe()
		go func() {
			agent.ServeAgent(a, there)
			there.Close()
		}()
		return here, nil
	}}
}

func TestAgent(t *testing.T) {
	ctx := context.Background()
	o := dialing(keyring(t))
	for _, name := range []string{"p256", "p384", "ed25519"} {
		k, err := key.Open(ctx, "agent:"+name, o)
		if err != nil {
			t.Fatal(err)
		}
		public, err := ssh.NewPublicKey(pluginKey(name).Public())
		if err != nil {
			t.Fatal(err)
		}
		same, err := key.Open(ctx, "agent:"+ssh.FingerprintSHA256(public), o)
		if err != nil || same.KeyID() != k.KeyID() {
			t.Fatalf("%v, %v", same, err)
		}
		if k.Deterministic() != (name == "ed25519") {
			t.Errorf("%s: deterministic=%t", name, k.Deterministic())
		}
		signs(t, k)
		for range 64 { // numbers whose first bytes are zero, or have the high bit
			if _, err := k.Sign(ctx, []byte("m")); err != nil {
				t.Fatal(err)
			}
		}
	}
	for ref, c := range map[string]struct {
		err  error
		says string
	}{
		"agent:p521":        {key.ErrUnsupported, "ecdsa-sha2-nistp521"},
		"agent:rsa":         {key.ErrUnsupported, "ssh-rsa"},
		"agent:two":         {key.ErrInvalid, "more than one"},
		"agent:nobody":      {key.ErrNotFound, "SHA256:"},
		"agent:SHA256:AAAA": {key.ErrNotFound, `"p384"`},
		"agent:" + "p256\n": {key.ErrNotFound, ""},
	} {
		if _, err := key.Open(ctx, ref, o); !errors.Is(err, c.err) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", ref, err)
		}
	}
	if _, err := key.Open(ctx, "agent:x", dialing(agent.NewKeyring())); !errors.Is(err, key.ErrNotFound) || !strings.Contains(err.Error(), "no keys") {
		t.Errorf("empty: %v", err)
	}
}

// liar is an agent that does not sign what it is asked to.
type liar struct {
	agent.Agent
	sign func(ssh.PublicKey, []byte) (*ssh.Signature, error)
}

func (l *liar) Sign(k ssh.PublicKey, data []byte) (*ssh.Signature, error) { return l.sign(k, data) }

func TestAgentLies(t *testing.T) {
	ctx := context.Background()
	ring := keyring(t)
	for name, c := range map[string]struct {
		sign func(ssh.PublicKey, []byte) (*ssh.Signature, error)
		err  error
	}{
		"refuses": {func(ssh.PublicKey, []byte) (*ssh.Signature, error) { return nil, errors.New("no") }, key.ErrUnavailable},
		"another format": {func(ssh.PublicKey, []byte) (*ssh.Signature, error) {
			return &ssh.Signature{Format: "ssh-rsa", Blob: []byte{1}}, nil
		}, key.ErrInvalid},
		"another message": {func(k ssh.PublicKey, _ []byte) (*ssh.Signature, error) {
			return ring.Sign(k, []byte("another"))
		}, key.ErrMismatch},
		"no numbers": {func(k ssh.PublicKey, _ []byte) (*ssh.Signature, error) {
			return &ssh.Signature{Format: k.Type(), Blob: []byte{0, 0, 0, 9}}, nil
		}, key.ErrInvalid},
		"zero": {func(k ssh.PublicKey, _ []byte) (*ssh.Signature, error) {
			return &ssh.Signature{Format: k.Type(), Blob: make([]byte, 8)}, nil
		}, key.ErrInvalid},
		"negative": {func(k ssh.PublicKey, _ []byte) (*ssh.Signature, error) {
			return &ssh.Signature{Format: k.Type(), Blob: []byte{0, 0, 0, 1, 0x80, 0, 0, 0, 1, 1}}, nil
		}, key.ErrInvalid},
		"bytes after": {func(k ssh.PublicKey, d []byte) (*ssh.Signature, error) {
			s, err := ring.Sign(k, d)
			s.Blob = append(s.Blob, 0)
			return s, err
		}, key.ErrInvalid},
	} {
		k, err := key.Open(ctx, "agent:p256", dialing(&liar{ring, c.sign}))
		if err != nil {
			t.Fatal(err)
		}
		if sig, err := k.Sign(ctx, []byte("m")); !errors.Is(err, c.err) || sig != nil {
			t.Errorf("%s: %x, %v, want %v", name, sig, err, c.err)
		}
	}
}

// TestAgentGone: an agent that is away, says nothing, or says too much.
func TestAgentGone(t *testing.T) {
	ctx := context.Background()
	for name, dial := range map[string]func(context.Context) (net.Conn, error){
		"away":    func(context.Context) (net.Conn, error) { return nil, io.ErrClosedPipe },
		"nothing": func(context.Context) (net.Conn, error) { return nil, nil },
		"silent": func(context.Context) (net.Conn, error) {
			here, there := net.Pipe()
			go io.Copy(io.Discard, there)
			return here, nil
		},
		"garbage": func(context.Context) (net.Conn, error) {
			here, there := net.Pipe()
			go io.Copy(io.Discard, there)
			go there.Write(bytes.Repeat([]byte{0xff}, 64))
			return here, nil
		},
	} {
		if _, err := key.Open(ctx, "agent:x", &key.Options{DialAgent: dial, Timeout: 100 * time.Millisecond}); !errors.Is(err, key.ErrUnavailable) {
			t.Errorf("%s: %v", name, err)
		}
	}
	many := agent.NewKeyring()
	for i := range key.MaxAgentKeys + 1 {
		many.Add(agent.AddedKey{PrivateKey: pluginKey(fmt.Sprint("many", i))})
	}
	if _, err := key.Open(ctx, "agent:x", dialing(many)); !errors.Is(err, key.ErrLimit) {
		t.Errorf("many: %v", err)
	}
}

// TestOpenSSH signs with the ssh-agent of OpenSSH, where it is on PATH.
func TestOpenSSH(t *testing.T) {
	server, err := exec.LookPath("ssh-agent")
	if err != nil {
		t.Skip("there is no ssh-agent on PATH")
	}
	dir, err := os.MkdirTemp("", "agent") // a socket's path is short
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	socket := filepath.Join(dir, "s")
	cmd := exec.Command(server, "-D", "-a", socket)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { cmd.Process.Kill(); cmd.Wait() }()
	for range 500 {
		if _, err := os.Stat(socket); err == nil {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	o := &key.Options{LookupEnv: func(name string) (string, bool) { return socket, name == "SSH_AUTH_SOCK" }}
	conn, err := net.Dial("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	client := agent.NewClient(conn)
	for _, name := range []string{"p256", "p384", "ed25519"} {
		if err := client.Add(agent.AddedKey{PrivateKey: pluginKey(name), Comment: name + "@host with blanks"}); err != nil {
			t.Fatal(err)
		}
		k, err := key.Open(context.Background(), "agent:"+name+"@host with blanks", o)
		if err != nil {
			t.Fatal(err)
		}
		signs(t, k)
		for range 32 {
			if _, err := k.Sign(context.Background(), bytes.Repeat([]byte("m"), 100_000)); err != nil {
				t.Fatal(err)
			}
		}
		der, err := x509.MarshalPKIXPublicKey(pluginKey(name).Public())
		if err != nil || !bytes.Equal(k.Public().DER(), der) {
			t.Errorf("%s: another key, %v: %s", name, err, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
		}
	}
	k, _ := key.Open(context.Background(), "agent:p256@host with blanks", o)
	if _, err := k.Sign(context.Background(), make([]byte, key.MaxAgentMessage)); err != nil {
		t.Errorf("the longest message: %v", err)
	}
	if _, err := k.Sign(context.Background(), make([]byte, key.MaxAgentMessage+1)); !errors.Is(err, key.ErrLimit) {
		t.Errorf("a longer one: %v", err)
	}
}
