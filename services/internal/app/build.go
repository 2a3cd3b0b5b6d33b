// Package app makes processes: it reads the configuration, opens what it names, and runs the
// systems that the process is to have.
package app

import (
	"cmp"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/services/auth/envelope"
	"github.com/stella-ops/stella/services/auth/issuer"
	"github.com/stella-ops/stella/services/internal/config"
	"github.com/stella-ops/stella/services/internal/gateway"
	"github.com/stella-ops/stella/services/internal/shell"
	"github.com/stella-ops/stella/services/internal/system"
)

// builder makes the parts of one process.
type builder struct {
	env     *shell.Env
	cfg     *config.Config
	systems []string
	key     ed25519.PrivateKey // by which this process says who it is
	issuers map[string]envelope.Trust
	world   *system.World
	parts   []*shell.Part

	server *issuer.Server // nil without one
	far    *system.FarAuthority
	edge   *system.Edge // nil without a gateway in this process
	door   *gateway.Gateway
}

// has reports whether a system runs in this process.
func (b *builder) has(name string) bool { return slices.Contains(b.systems, name) }

// Program is a process with some systems, all of them without names.
func Program(name string, c *config.Config, systems ...string) *shell.Program {
	if len(systems) == 0 {
		systems = config.Systems
	}
	b := &builder{cfg: c, systems: systems}
	return &shell.Program{
		Name: name, Config: c, Build: b.build, Join: b.join,
		Front: func(name string, h http.Handler) http.Handler { return system.Front(name, b.issuers, h) },
	}
}

// build makes the parts.
func (b *builder) build(ctx context.Context, env *shell.Env) ([]*shell.Part, error) {
	b.env, b.cfg = env, env.Config
	for _, s := range b.systems {
		if !slices.Contains(config.Systems, s) {
			return nil, fmt.Errorf("system %.80q: want one of %s: %w", s, strings.Join(config.Systems, ", "), fault.Invalid)
		}
	}
	if err := b.open(ctx); err != nil {
		return b.parts, err
	}
	b.parts = append(b.parts, &shell.Part{Name: "shared", Close: b.world.Close})
	var failed []error
	for _, s := range config.Systems { // in their order
		if !b.has(s) {
			continue
		}
		if err := b.add(ctx, s); err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", s, err))
		}
	}
	return b.parts, errors.Join(failed...)
}

// open opens the engines and what the configuration names.
func (b *builder) open(ctx context.Context) error {
	if err := b.identity(); err != nil {
		return err
	}
	if !slices.ContainsFunc(b.systems, config.Stores) {
		b.world = &system.World{Name: b.cfg.Instance, Report: b.env.Report, Request: b.env.Request}
		return nil
	}
	if err := b.env.Open(ctx); err != nil {
		return err
	}
	root, _ := b.env.Store(ctx)
	messages, _ := b.env.Queue(ctx)
	bucket, _ := b.env.Bucket(ctx)
	b.world = &system.World{
		Name: b.cfg.Instance, Store: root, Queue: messages, Bucket: bucket, Tool: version(),
		Report: b.env.Report, Request: b.env.Request,
		Trace: func(name, topic string, h system.Handle) system.Handle { return b.env.Handle(name, topic, h) },
	}
	b.clients()
	return b.world.Open(ctx, b.cfg)
}

// identity reads who this process is, and whom it believes. A gateway believes itself: its
// systems may be in the same process.
func (b *builder) identity() (err error) {
	if b.cfg.Identity.Trust != "" {
		if b.issuers, err = system.Issuers(b.cfg.Identity.Trust); err != nil {
			return err
		}
	}
	switch {
	case b.cfg.Identity.Key != "":
		b.key, err = system.ReadIdentity(b.cfg.Identity.Key)
	case b.has("gateway"):
		_, b.key, err = ed25519.GenerateKey(rand.Reader)
	}
	if err == nil && b.has("gateway") {
		if b.issuers == nil {
			b.issuers = map[string]envelope.Trust{}
		}
		b.issuers["gateway"] = envelope.Trust{Keys: []ed25519.PublicKey{b.key.Public().(ed25519.PublicKey)}, Anybody: true}
	}
	return err
}

// transport sends requests to other processes of the installation.
func (b *builder) transport() http.RoundTripper {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.Proxy, t.MaxIdleConnsPerHost, t.ResponseHeaderTimeout = nil, 64, time.Minute
	return b.env.Spans.Transport(t)
}

// clients are the systems that run elsewhere and are asked from here.
func (b *builder) clients() {
	c, base := &b.world.Settings.Clients, b.transport()
	far := func(name string) *system.Remote {
		address := b.cfg.Services[name]
		if address == "" || b.has(name) || b.key == nil {
			return nil
		}
		return system.Call(name, address, b.key, base)
	}
	if b.cfg.Worker.Callbacks {
		c.Scanner = far("scanner")
	}
	if b.has("scanner") || b.has("exporter") {
		c.Signer, c.Attestor = far("signer"), far("attestor")
	}
}

// add makes one system.
func (b *builder) add(ctx context.Context, name string) error {
	var p *shell.Part
	var err error
	switch w := b.world; name {
	case "authority":
		p, err = b.authority(ctx)
	case "gateway":
		p, err = b.gateway(ctx)
	case "scanner":
		p, err = system.Scanner(w)
	case "worker":
		p, err = system.Worker(w)
	case "concelier":
		p, err = system.Concelier(w, system.Role(b.cfg.Concelier.Role))
	case "excititor":
		p, err = system.Excititor(w, system.Role(b.cfg.Excititor.Role))
	case "scheduler":
		p, err = system.Scheduler(w, system.Schedules{Tick: b.cfg.Scheduler.Tick, Collect: b.cfg.Scheduler.Collect})
	case "policy":
		p, err = system.Policy(w, system.Role(b.cfg.Policy.Role))
	case "signer":
		p, err = system.Signer(w)
	case "attestor":
		p, err = system.Attestor(w)
	case "notifier":
		p, err = system.Notifier(w, system.Role(b.cfg.Notifier.Role))
	case "timeline":
		p, err = system.Indexer(w, system.All)
	case "exporter":
		p, err = system.Exporter(w, system.All)
	case "console":
		p, err = b.console()
	}
	if err == nil {
		b.parts = append(b.parts, p)
	}
	return err
}

// origin is where clients reach the installation.
func (b *builder) origin() string {
	if b.cfg.URL != "" {
		return b.cfg.URL
	}
	if b.cfg.TLS.Cert != "" {
		return "https://" + b.cfg.Listen
	}
	return "http://" + b.cfg.Listen
}

func (b *builder) issuer() string { return cmp.Or(b.cfg.Authority.Issuer, b.origin()) }
