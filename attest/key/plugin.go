package key

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/x509"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/stella-ops/stella/attest/dsse"
	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/suggest"
)

// pluginPrefix begins the names of plugins' programs: the protocol is Sigstore's
// (github.com/sigstore/sigstore, pkg/signature/kms/cliplugin, version 1).
const (
	pluginPrefix   = "sigstore-kms-"
	pluginProtocol = "v1"
)

var pluginName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$`)

// The arguments of a call, in the protocol's order. What a plugin is to sign is
// its standard input.
type (
	pluginArgs struct {
		Init      pluginInit       `json:"initOptions"`
		Method    string           `json:"methodName"`
		PublicKey *pluginPublicKey `json:"publicKey,omitempty"`
		Sign      *pluginSign      `json:"signMessage,omitempty"`
	}
	pluginInit struct {
		Deadline *time.Time  `json:"ctxDeadline,omitempty"`
		Protocol string      `json:"protocolVersion"`
		Key      string      `json:"keyResourceID"`
		Hash     crypto.Hash `json:"hashFunc"`
		RPC      pluginRPC   `json:"rpcOptions"`
	}
	pluginRPC struct {
		Deadline *time.Time `json:"ctxDeadline,omitempty"`
		Version  string     `json:"keyVersion"`
		Remote   bool       `json:"remoteVerification"`
	}
	pluginPublicKey struct {
		Options pluginOptions `json:"publicKeyOptions"`
	}
	pluginOptions struct {
		RPC pluginRPC `json:"rpcOptions"`
	}
	pluginSign struct {
		Options pluginSignOptions `json:"signOptions"`
	}
	pluginSignOptions struct {
		RPC     pluginRPC     `json:"rpcOptions"`
		Message pluginMessage `json:"messageOptions"`
	}
	pluginMessage struct {
		Hash crypto.Hash `json:"hashFunc"`
	}
)

// pluginAnswer is what a plugin writes.
type pluginAnswer struct {
	Error     string `json:"errorMessage"`
	PublicKey *struct {
		PEM []byte `json:"publicKeyPEM"`
	} `json:"publicKey"`
	Sign *struct {
		Signature []byte `json:"signature"`
	} `json:"signMessage"`
}

// plugin is a program and the key that it is asked for.
type plugin struct {
	program string
	name    string // as messages call it
	id      string
	env     []string
	options *Options
}

// openPlugin asks a plugin for its public key. That it has the private one shows
// when it signs.
func openPlugin(ctx context.Context, name, id string, o *Options) (*Key, error) {
	ref := redact(name + "://" + id)
	if !pluginName.MatchString(name) || id == "" || strings.ContainsRune(id, 0) {
		return nil, fmt.Errorf("open key %q: want NAME://KEY: %w", ref, fault.Invalid)
	}
	program := o.findPlugin(name)
	if program == "" {
		known := o.plugins()
		return nil, fmt.Errorf("open key %q: there is no program %s%s on PATH%s: want %s: %w", ref, pluginPrefix, name, suggest.Phrase(name, known), o.forms(), fault.Unsupported)
	}
	p := &plugin{program: program, name: "key " + ref, id: id, env: o.pluginEnv(), options: o}
	answer, err := p.call(ctx, crypto.SHA256, nil, func(a *pluginArgs, rpc pluginRPC) {
		a.Method, a.PublicKey = "publicKey", &pluginPublicKey{Options: pluginOptions{RPC: rpc}}
	})
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", p.name, err)
	}
	if answer.PublicKey == nil {
		return nil, fmt.Errorf("open %s: the plugin's answer has no public key: %w", p.name, fault.Invalid)
	}
	public, err := dsse.ParsePublicKey(answer.PublicKey.PEM)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", p.name, err)
	}
	hash, edwards := keyHash(public)
	return &Key{public: public, where: p.name, deterministic: edwards, sign: func(ctx context.Context, message []byte) ([]byte, error) {
		return p.sign(ctx, hash, message)
	}}, nil
}

// keyHash returns the hash that a plugin is told: for Ed25519, which has none,
// what cosign tells it.
func keyHash(public *dsse.PublicKey) (hash crypto.Hash, edwards bool) {
	k, _ := x509.ParsePKIXPublicKey(public.DER()) // it was read from there
	if _, ok := k.(ed25519.PublicKey); ok {
		return crypto.SHA256, true
	}
	_, opts := hashFor(k, nil)
	return opts.HashFunc(), false
}

func (p *plugin) sign(ctx context.Context, hash crypto.Hash, message []byte) ([]byte, error) {
	answer, err := p.call(ctx, hash, message, func(a *pluginArgs, rpc pluginRPC) {
		a.Method, a.Sign = "signMessage", &pluginSign{Options: pluginSignOptions{RPC: rpc, Message: pluginMessage{Hash: hash}}}
	})
	if err != nil {
		return nil, err
	}
	if answer.Sign == nil || len(answer.Sign.Signature) == 0 {
		return nil, fmt.Errorf("the plugin's answer has no signature: %w", fault.Invalid)
	}
	return answer.Sign.Signature, nil
}

// call runs the plugin once. By the protocol its exit status means nothing; what
// it says in its answer does.
func (p *plugin) call(ctx context.Context, hash crypto.Hash, input []byte, fill func(*pluginArgs, pluginRPC)) (*pluginAnswer, error) {
	ctx, cancel := context.WithTimeout(ctx, p.options.timeout())
	defer cancel()
	deadline, _ := ctx.Deadline()
	deadline = deadline.UTC()
	a := &pluginArgs{Init: pluginInit{Deadline: &deadline, Protocol: pluginProtocol, Key: p.id, Hash: hash}}
	fill(a, pluginRPC{Deadline: &deadline})
	args, err := json.Marshal(a)
	if err != nil {
		return nil, fmt.Errorf("the plugin's arguments: %v: %w", err, fault.Invalid)
	}
	text, err := p.run(ctx, string(args), input)
	if err != nil {
		return nil, err
	}
	var answer pluginAnswer
	if err := json.Unmarshal(text, &answer); err != nil {
		return nil, fmt.Errorf("the plugin's answer of %d bytes is not the JSON of the protocol: %w", len(text), fault.Invalid)
	}
	if answer.Error != "" {
		return nil, fmt.Errorf("the plugin says %.512q: %w", answer.Error, fault.Unavailable)
	}
	return &answer, nil
}

// findPlugin returns the path of a plugin's program, or "". Folders of PATH that
// are not absolute are left out: what a key is opened with does not depend on
// where one stands.
func (o *Options) findPlugin(name string) string {
	for _, dir := range o.path() {
		for _, extension := range extensions {
			p := filepath.Join(dir, pluginPrefix+name+extension)
			if info, err := os.Stat(p); err == nil && info.Mode().IsRegular() && runnable(info.Mode()) {
				return p
			}
		}
	}
	return ""
}

// plugins lists the names of plugins on PATH, in order.
func (o *Options) plugins() []string {
	var names []string
	for _, dir := range o.path() {
		entries, err := os.ReadDir(dir)
		if err != nil {
			continue // PATH often names folders that are not there
		}
		for _, e := range entries {
			name, ok := strings.CutPrefix(strings.TrimSuffix(e.Name(), ".exe"), pluginPrefix)
			if ok && pluginName.MatchString(name) && o.findPlugin(name) != "" {
				names = append(names, name)
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func (o *Options) path() []string {
	value, _ := o.lookup("PATH")
	return slices.DeleteFunc(filepath.SplitList(value), func(dir string) bool { return !filepath.IsAbs(dir) })
}
