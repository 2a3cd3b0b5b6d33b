package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"

	"golang.org/x/term"

	"github.com/stella-ops/stella/attest/dsse"
	"github.com/stella-ops/stella/attest/key"
	"github.com/stella-ops/stella/internal/netguard"
)

const keyHelp = "a key: a PEM file (PKCS #8, or what \"stella attest keygen\" and cosign write), env:NAME, agent:NAME, or a key service's NAME://…"

// openKey opens a signing key. Where it is encrypted, the password is STELLA_PASSWORD
// or COSIGN_PASSWORD, or is asked for on the terminal.
func (p *program) openKey(ctx context.Context, ref string, offline bool) (*key.Key, error) {
	if name, _, ok := strings.Cut(ref, "://"); ok && offline {
		return nil, fmt.Errorf("--offline refuses the connection to the key service %s: keep the key in a file, the environment or an agent", clean(name))
	}
	k, err := key.Open(ctx, ref, &key.Options{Password: p.password, LookupEnv: p.lookup, PluginLog: p.stderr})
	if errors.Is(err, key.ErrUnauthenticated) {
		return nil, fmt.Errorf("%w (the password is read from STELLA_PASSWORD or COSIGN_PASSWORD)", err)
	}
	if err != nil {
		return nil, err
	}
	for _, w := range k.Warnings() {
		p.note("key %s: %s", ref, w)
	}
	return k, nil
}

// lookup reads an environment variable as package key asks for it.
func (p *program) lookup(name string) (string, bool) {
	v := p.env(name)
	return v, v != ""
}

// passwordVariables are where passwords of keys are looked for, in their order.
var passwordVariables = []string{"STELLA_PASSWORD", "COSIGN_PASSWORD"}

func (p *program) password(_ context.Context, name string) ([]byte, error) {
	for _, v := range passwordVariables {
		if word := p.env(v); word != "" {
			return []byte(word), nil
		}
	}
	f, ok := p.stdin.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return nil, fmt.Errorf("key %s has a password, and there is no terminal to ask for it: %w", clean(name), key.ErrUnauthenticated)
	}
	fmt.Fprintf(p.stderr, "password of %s: ", clean(name))
	word, err := term.ReadPassword(int(f.Fd()))
	fmt.Fprintln(p.stderr)
	return word, err
}

// readPublicKey reads a public key's PEM.
func (p *program) readPublicKey(file string) (*dsse.PublicKey, error) {
	text, err := p.readFile(file, dsse.MaxKeyText)
	if err != nil {
		return nil, err
	}
	k, err := dsse.ParsePublicKey(text)
	if err != nil {
		return nil, fmt.Errorf("public key %s: %w", file, err)
	}
	return k, nil
}

// transport is how one host that the user names is reached; with --offline it is not.
func transport(rawURL string, offline bool) (http.RoundTripper, error) {
	u, err := url.Parse(rawURL)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return nil, usageError("%q is no address: want https://HOST/…", rawURL)
	}
	policy := netguard.CLI()
	if offline {
		policy = netguard.AirGap()
	}
	door, err := policy.Door(u.Host)
	if err != nil {
		return nil, err
	}
	return door.Transport(nil)
}
