package main

import (
	"context"
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/pflag"

	"github.com/stella-ops/stella/advisory/advisoryhttp"
	"github.com/stella-ops/stella/attest/attesthttp"
	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/httpjson"
	"github.com/stella-ops/stella/notify/notifyhttp"
	"github.com/stella-ops/stella/policy/policyhttp"
	"github.com/stella-ops/stella/scan/image"
	"github.com/stella-ops/stella/scan/scanhttp"
	"github.com/stella-ops/stella/scan/schedulehttp"
	"github.com/stella-ops/stella/services/auth/client"
	"github.com/stella-ops/stella/services/auth/dpop"
	"github.com/stella-ops/stella/vex/vexhttp"
)

// The environment of commands that ask a server.
const (
	serverVariable  = "STELLA_SERVER"
	tokenVariable   = "STELLA_TOKEN"
	clientVariable  = "STELLA_CLIENT_ID"
	keyVariable     = "STELLA_CLIENT_KEY"
	keyFileVariable = "STELLA_CLIENT_KEY_FILE"
)

const serverHelp = `The server is --server or STELLA_SERVER. Who asks is, in this order:
  STELLA_TOKEN                        a token that is bound to no key, for development
  STELLA_CLIENT_ID with STELLA_CLIENT_KEY (a PEM text) or STELLA_CLIENT_KEY_FILE
                                      a program that acts for itself, as in CI
  what "stella login" keeps           a person`

// serverFlags say which server is asked, and how it is reached.
type serverFlags struct {
	url      string
	caCerts  []string
	insecure bool
}

func (f *serverFlags) register(fs *pflag.FlagSet) {
	fs.StringVar(&f.url, "server", "", "ask this server, such as https://stella.example (default: STELLA_SERVER)")
	fs.StringArrayVar(&f.caCerts, "ca-cert", nil, "trust the certificates of this PEM file for the server too")
	fs.BoolVar(&f.insecure, "insecure-http", false, "speak to a server without encryption: whoever is in between sees and changes everything (loopback always may)")
}

// address is the server's, without a slash at its end.
func (f *serverFlags) address(env func(string) string) (string, error) {
	text := f.url
	if text == "" {
		text = env(serverVariable)
	}
	if text == "" {
		return "", usageError("which server? give --server URL, or set %s", serverVariable)
	}
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return "", usageError("--server: want https://HOST, with or without a path, and no user, query or fragment") // it may hold a password
	}
	if u.Scheme == "http" && !f.insecure && !isLoopback(u.Hostname()) {
		return "", usageError("--server %s is not https: whoever is in between would see tokens and could change results (--insecure-http allows it)", clean(text))
	}
	return strings.TrimRight(u.String(), "/"), nil
}

func isLoopback(host string) bool {
	a, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && a.Unmap().IsLoopback()
}

// door is the transport to a server, without credentials. Proxies are the environment's.
func (f *serverFlags) door(server string) (http.RoundTripper, error) {
	u, err := url.Parse(server)
	if err != nil {
		return nil, err
	}
	return (&image.Network{CAFiles: f.caCerts}).Transport(u.Hostname())
}

// sessions is the folder that logins are kept in.
func (p *program) sessions() (*client.Folder, error) {
	base := p.env("XDG_CONFIG_HOME")
	if base == "" {
		var err error
		if base, err = os.UserConfigDir(); err != nil {
			return nil, fmt.Errorf("where logins are kept: %w (set XDG_CONFIG_HOME)", err)
		}
	}
	return &client.Folder{Path: filepath.Join(base, "stella")}, nil
}

// caller is who asks a server, and its keys. key is nil with tokens that are bound to none.
type caller struct {
	source client.Source
	key    *dpop.Key
	person bool // logged in, and not a program or a token of the environment
}

// caller finds out who asks.
func (p *program) caller(ctx context.Context, f *serverFlags, server string, door http.RoundTripper) (*caller, error) {
	if token := p.env(tokenVariable); token != "" {
		return &caller{source: client.Static(strings.TrimSpace(token))}, nil
	}
	o := &client.Options{Base: door, Insecure: f.insecure}
	if id := p.env(clientVariable); id != "" {
		own, err := p.clientKey()
		if err != nil {
			return nil, err
		}
		key, err := dpop.Generate("")
		if err != nil {
			return nil, err
		}
		as, err := client.Discover(ctx, server, o)
		if err != nil {
			return nil, err
		}
		c := &client.Client{Server: as, ID: id, Key: key, Auth: client.PrivateKey{Key: own}, Base: door, Insecure: f.insecure}
		return &caller{source: c.Credentials(), key: key}, nil
	}
	if p.env(keyVariable) != "" || p.env(keyFileVariable) != "" {
		return nil, usageError("there is a key of a client in the environment, and no %s", clientVariable)
	}
	folder, err := p.sessions()
	if err != nil {
		return nil, err
	}
	s, err := folder.Read(server)
	if errors.Is(err, client.ErrNotFound) {
		return nil, fmt.Errorf("nobody is logged in at %s: run \"stella login --server %s\": %w", server, server, fault.Unauthenticated)
	}
	if err != nil {
		return nil, err
	}
	as, err := client.Metadata(ctx, s.Issuer, o)
	if err != nil {
		return nil, err
	}
	c := &client.Client{Server: as, ID: s.Client, Key: s.Key, Base: door, Insecure: f.insecure}
	if s.ClientKey == "" {
		return &caller{source: c.Refresh(folder.Vault(server)), key: s.Key, person: true}, nil
	}
	own, err := readClientKey(s.ClientKey)
	if err != nil {
		return nil, err
	}
	c.Auth = client.PrivateKey{Key: own}
	return &caller{source: c.Credentials(), key: s.Key}, nil
}

// clientKey is the key of the environment's client.
func (p *program) clientKey() (crypto.Signer, error) {
	text, file := p.env(keyVariable), p.env(keyFileVariable)
	switch {
	case text != "" && file != "":
		return nil, usageError("%s and %s are both set: want one", keyVariable, keyFileVariable)
	case text != "":
		return parseClientKey([]byte(text), keyVariable)
	case file != "":
		return readClientKey(file)
	}
	return nil, usageError("%s is set, and neither %s nor %s", clientVariable, keyVariable, keyFileVariable)
}

// maxKeyFile bounds a file with a key, in bytes.
const maxKeyFile = 64 << 10

func readClientKey(name string) (crypto.Signer, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, fmt.Errorf("read the client's key: %w", err)
	}
	if info.Size() > maxKeyFile {
		return nil, fmt.Errorf("read the client's key: %s has %d bytes, at most %d: %w", name, info.Size(), maxKeyFile, fault.Limit)
	}
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("read the client's key: %w", err)
	}
	return parseClientKey(text, name)
}

// parseClientKey reads a PEM text. Nothing of it is ever part of an error.
func parseClientKey(text []byte, where string) (crypto.Signer, error) {
	var key any
	err := fault.Invalid
	if block, _ := pem.Decode(text); block != nil {
		var failed error
		switch block.Type {
		case "PRIVATE KEY":
			key, failed = x509.ParsePKCS8PrivateKey(block.Bytes)
		case "EC PRIVATE KEY":
			key, failed = x509.ParseECPrivateKey(block.Bytes)
		case "RSA PRIVATE KEY":
			key, failed = x509.ParsePKCS1PrivateKey(block.Bytes)
		}
		if signer, ok := key.(crypto.Signer); ok && failed == nil {
			return signer, nil
		}
	}
	return nil, fmt.Errorf("%s: want a private key in PEM (PKCS #8, unencrypted), as \"openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256\" writes it: %w", where, err)
}

// service is a server with somebody who asks it.
type service struct {
	server    string
	transport *client.Transport
	caller    *caller
	scans     *scanhttp.Client
	policy    *policyhttp.Client
	exports   *attesthttp.Client // and attestations
	// The clients of the other services.
	advisories *advisoryhttp.Client
	vex        *vexhttp.Client
	notify     *notifyhttp.Client
	schedules  *schedulehttp.Client
}

// connect gets ready to ask the server. Nothing is asked of the server itself yet.
func (p *program) connect(ctx context.Context, f *serverFlags) (*service, error) {
	server, err := f.address(p.env)
	if err != nil {
		return nil, err
	}
	door, err := f.door(server)
	if err != nil {
		return nil, err
	}
	who, err := p.caller(ctx, f, server, door)
	if err != nil {
		return nil, (&service{server: server, caller: who}).explain(err)
	}
	t := &client.Transport{Base: door, Service: server, Source: who.source, Key: who.key, Insecure: f.insecure}
	return &service{
		server: server, transport: t, caller: who,
		scans: &scanhttp.Client{URL: server, Transport: t}, policy: &policyhttp.Client{URL: server, Transport: t}, exports: &attesthttp.Client{URL: server, Transport: t},
		advisories: &advisoryhttp.Client{URL: server, Transport: t}, vex: &vexhttp.Client{URL: server, Transport: t},
		notify: &notifyhttp.Client{URL: server, Transport: t}, schedules: &schedulehttp.Client{URL: server, Transport: t},
	}, nil
}

// explain adds to an error what helps against it.
func (r *service) explain(err error) error {
	if err == nil || strings.Contains(err.Error(), "stella login") {
		return err
	}
	var answered *httpjson.Remote
	var refused *client.Refusal
	login := fmt.Sprintf("run \"stella login --server %s\"", r.server)
	if r.caller != nil && !r.caller.person {
		login = fmt.Sprintf("%s or %s of the environment, or the client of the login, is not let in; \"stella login --server %s\" is for people", tokenVariable, clientVariable, r.server)
	}
	switch {
	case errors.Is(err, fault.Unauthenticated):
		return fmt.Errorf("%w\n%s", err, login)
	case errors.Is(err, fault.Forbidden) && (errors.As(err, &answered) || errors.As(err, &refused)):
		return fmt.Errorf("%w\nthe login has no right to it: %s as somebody who has, or ask who runs the server", err, login)
	}
	return err
}
