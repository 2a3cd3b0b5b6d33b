package app

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/services/auth/envelope"
	"github.com/stella-ops/stella/services/auth/issuer"
	"github.com/stella-ops/stella/services/auth/jwks"
	"github.com/stella-ops/stella/services/internal/config"
	"github.com/stella-ops/stella/services/internal/console"
	"github.com/stella-ops/stella/services/internal/gateway"
	"github.com/stella-ops/stella/services/internal/gateway/valkeylimit"
	"github.com/stella-ops/stella/services/internal/shell"
	"github.com/stella-ops/stella/services/internal/system"
)

// join makes one API of the systems of this process: the gateway, where it is one of them.
func (b *builder) join(systems map[string]http.Handler) (http.Handler, error) {
	switch {
	case b.edge == nil && len(systems) == 0:
		return nil, nil
	case b.edge == nil:
		return together(systems), nil
	}
	b.edge.Backends = b.backends(systems)
	var err error
	b.door, err = b.edge.Gateway()
	if err != nil {
		return nil, fmt.Errorf("gateway: %w", err)
	}
	return b.door, nil
}

// together serves the systems of a process without a gateway.
func together(systems map[string]http.Handler) http.Handler {
	mux := http.NewServeMux()
	for _, r := range system.Routes() {
		if h := systems[r.System]; h != nil {
			mux.Handle(r.Method+" "+r.Path, h)
		}
	}
	if h := systems["authority"]; h != nil {
		mux.Handle("/internal/", h) // for gateways
		mux.Handle("/revocations", h)
	}
	mux.HandleFunc("GET /healthz", func(http.ResponseWriter, *http.Request) {})
	return mux
}

func (b *builder) authority(ctx context.Context) (*shell.Part, error) {
	memory, err := b.env.Cache(ctx)
	if err != nil {
		return nil, err
	}
	seals, err := b.seals()
	if err != nil {
		return nil, err
	}
	server, p, err := system.Authority(b.world, system.Tokens{
		Issuer: b.issuer(), Audience: b.origin(), Seal: seals, Cache: memory, Lifetime: b.cfg.Authority.TokenTTL, External: externals(b.cfg.Authority.Federation, b.transport()),
	})
	if err != nil {
		return nil, err
	}
	b.server = server
	if b.cfg.Profile != config.Distributed {
		err = b.bootstrap(ctx)
	}
	return p, err
}

// seals are the key that seals signing keys, and the one before it.
func (b *builder) seals() ([][]byte, error) {
	key, err := system.Key256(b.cfg.Authority.SealKey.Reveal())
	if err != nil {
		return nil, fmt.Errorf("authority.seal_key: %w", err)
	}
	before := b.cfg.Authority.SealBefore.Reveal()
	if before == "" {
		return [][]byte{key}, nil
	}
	old, err := system.Key256(before)
	if err != nil {
		return nil, fmt.Errorf("authority.seal_key_before: %w", err)
	}
	return [][]byte{key, old}, nil
}

func (b *builder) gateway(ctx context.Context) (*shell.Part, error) {
	memory, err := b.env.Cache(ctx)
	if err != nil {
		return nil, err
	}
	e := &system.Edge{
		Doorkeeper: system.Doorkeeper{URL: b.origin(), Issuer: b.issuer(), Cache: memory, Secret: system.NonceSecret(b.key), Bearer: b.cfg.Gateway.Bearer},
		Signer:     &envelope.Signer{Name: "gateway", Key: b.key},
		Concurrent: b.cfg.Gateway.Concurrent, Body: int64(b.cfg.Gateway.Body), Timeout: b.cfg.Gateway.Timeout, Inject: b.env.Spans.Inject, Report: b.env.Decision,
	}
	rate := gateway.Rate{Every: time.Second / time.Duration(b.cfg.Gateway.Rate.PerSecond), Burst: b.cfg.Gateway.Rate.Burst}
	e.Rates = gateway.Rates{Client: rate, Tenant: rate}
	for _, s := range b.cfg.Gateway.Proxies {
		p, err := config.Prefix(s)
		if err != nil {
			return nil, fmt.Errorf("gateway.proxies: %w", err)
		}
		e.Proxies = append(e.Proxies, p)
	}
	if e.Shared, err = b.sharedRates(); err != nil {
		return nil, err
	}
	p := &shell.Part{Name: "gateway"}
	if b.server != nil {
		e.Keys, e.Revoked, e.Introspect = jwks.Local(b.server.Keys), b.server.Revoked, b.server.Introspect
	} else if at := b.cfg.Gateway.Upstreams["authority"]; len(at) > 0 {
		far := &system.FarAuthority{Remote: system.Call("authority", at[0], b.key, b.transport()), Report: func(err error) { b.env.Report("gateway", err) }}
		b.far = far
		e.Keys = &jwks.Remote{URL: strings.TrimSuffix(at[0], "/") + "/jwks", Insecure: strings.HasPrefix(at[0], "http:"), Transport: b.transport()}
		e.Revoked, e.Introspect = far.Revoked, far.Introspect
		p.Loops = append(p.Loops, shell.Loop{Name: "revocations", Run: far.Run})
	} else {
		return nil, fmt.Errorf("gateway.upstreams.authority is missing, and no authority is in this process: %w", fault.Invalid)
	}
	b.edge = e
	p.Ready = func(ctx context.Context) error {
		if b.far != nil {
			if err := b.far.Ready(); err != nil {
				return err
			}
		}
		return b.door.Ready(ctx)
	}
	p.Loops = append(p.Loops, shell.Loop{Name: "health", Run: func(ctx context.Context) error { return b.door.Run(ctx) }})
	p.Close = func() error {
		if b.door != nil {
			b.door.Close()
		}
		return nil
	}
	return p, nil
}

// sharedRates are the rates that all gateways have in common; nil where there is one alone.
func (b *builder) sharedRates() (gateway.Shared, error) {
	switch b.cfg.Cache.Scheme() {
	case "valkey", "valkeys", "redis", "rediss":
		l, err := valkeylimit.Open(b.cfg.Cache.Reveal(), nil)
		if err != nil {
			return nil, fmt.Errorf("rates: %w", err)
		}
		return l, nil
	}
	return nil, nil
}

// backends are the systems behind the gateway, here or elsewhere.
func (b *builder) backends(systems map[string]http.Handler) []gateway.Backend {
	var out []gateway.Backend
	for _, name := range system.Systems() {
		if h := systems[name]; h != nil {
			out = append(out, gateway.Backend{System: name, Targets: []gateway.Target{{Handler: h}}})
			continue
		}
		var targets []gateway.Target
		for _, address := range b.cfg.Gateway.Upstreams[name] {
			targets = append(targets, gateway.Target{URL: strings.TrimSuffix(address, "/"), Ready: "/healthz"})
		}
		if len(targets) > 0 {
			out = append(out, gateway.Backend{System: name, Targets: targets})
		}
	}
	return out
}

// externals are the issuers of others that are believed.
func externals(list []config.Issuer, transport http.RoundTripper) (out []issuer.External) {
	for _, i := range list {
		u, err := url.Parse(i.Keys)
		out = append(out, issuer.External{
			Name: i.Name, Issuer: i.Issuer, Audience: i.Audience,
			Keys:  &jwks.Remote{URL: i.Keys, Insecure: err == nil && u.Scheme == "http", Transport: transport},
			Rules: []issuer.Rule{{Subject: i.Subject, Tenant: i.Tenant, Scopes: i.Scopes}},
		})
	}
	return out
}

// console makes the pages of the installation. They ask the gateway: that of this process,
// or else the one that services.gateway names or the origin itself.
func (b *builder) console() (*shell.Part, error) {
	c := &console.Console{Origin: b.origin(), Issuer: b.issuer(), Version: version(), Insecure: b.cfg.TLS.Off}
	at := b.cfg.Services["gateway"]
	switch {
	case b.has("gateway"):
		c.Gateway = system.Near(func() http.Handler {
			if b.door == nil {
				return nil
			}
			return b.door
		})
	case at == "" && b.cfg.URL == "":
		return nil, fmt.Errorf("url is missing, and no gateway is in this process: %w", fault.Invalid)
	default:
		var err error
		if c.Gateway, err = system.Toward(at, b.cfg.Console.CA); err != nil {
			return nil, err
		}
		c.Insecure = true // what is between here and the gateway is the operator's
		c.Gateway = b.env.Spans.Transport(c.Gateway)
	}
	return system.Console(b.world, c)
}
