package gateway

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/stella-ops/stella/internal/fault"
)

// Backend is one system and where it runs.
type Backend struct {
	System  string
	Targets []Target
	// TLS is for targets with https: their roots, and the gateway's own certificate. Nil:
	// the roots of the machine.
	TLS *tls.Config
}

// Target is one process that serves a system.
type Target struct {
	// URL is its address, as in http://10.0.0.7:8080, without a path.
	URL string
	// Handler serves in this process instead.
	Handler http.Handler
	// Ready is a path that answers 200 while the process can work. "" has no active
	// checks.
	Ready string
}

// pool balances over the targets of a system.
type pool struct {
	system  string
	targets []*target
	turn    atomic.Uint32
}

// target is a Target with what is known of it.
type target struct {
	Target
	name  string // of errors
	up    *upstream
	busy  atomic.Int64
	down  atomic.Bool  // by active checks
	until atomic.Int64 // unix nanoseconds: left alone that long
	fails atomic.Int64 // in a row
}

func newPool(b Backend) (*pool, error) {
	p := &pool{system: b.System}
	var problems []error
	if b.System == "" || len(b.Targets) == 0 {
		problems = append(problems, fmt.Errorf("want a system and at least one target: %w", fault.Invalid))
	}
	for _, t := range b.Targets {
		d := &target{Target: t, name: t.URL}
		switch u, err := url.Parse(t.URL); {
		case (t.Handler == nil) == (t.URL == ""):
			problems = append(problems, fmt.Errorf("a target has a URL or a handler: %w", fault.Invalid))
		case t.Handler != nil:
			d.name = "this process"
		case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.Path != "" || u.RawQuery != "" || u.User != nil || u.Fragment != "":
			problems = append(problems, fmt.Errorf("a target's URL: want http://HOST:PORT or https://HOST:PORT: %w", fault.Invalid))
		default:
			d.up = newUpstream(u, b.TLS)
		}
		p.targets = append(p.targets, d)
	}
	return p, errors.Join(problems...)
}

// pick returns the healthy target with the fewest requests that was not tried, nil where
// there is none.
func (p *pool) pick(now time.Time, tried []*target) *target {
	var best *target
	n := uint32(len(p.targets))
	first := p.turn.Add(1)
	for i := range n {
		t := p.targets[(first+i)%n]
		if t.down.Load() || t.until.Load() > now.UnixNano() || (best != nil && t.busy.Load() >= best.busy.Load()) {
			continue
		}
		seen := false
		for _, old := range tried {
			seen = seen || old == t
		}
		if !seen {
			best = t
		}
	}
	return best
}

// The bounds of how long a target is left alone that failed.
const (
	minEject = 500 * time.Millisecond
	maxEject = 15 * time.Second
	patience = 3 // failures in a row of a target that takes connections
)

// fail notes that a target did not answer. One that does not even take a connection is left
// alone at once.
func (t *target) fail(now time.Time, refused bool) {
	n := t.fails.Add(1)
	if !refused && n < patience {
		return
	}
	if refused {
		n += patience - 1
	}
	wait := min(minEject<<min(n-patience, 10), maxEject)
	t.until.Store(now.Add(wait).UnixNano())
}

// good notes that it did.
func (t *target) good() {
	if t.fails.Load() != 0 {
		t.fails.Store(0)
	}
}

// The rhythm of active checks.
const (
	checkEvery = 2 * time.Second
	checkTime  = time.Second
)

// Run asks the targets whether they are ready until ctx is done. A Gateway works without it,
// and notices then only from requests that a target is away.
func (g *Gateway) Run(ctx context.Context) error {
	tick := time.NewTicker(checkEvery)
	defer tick.Stop()
	for {
		g.checkTargets(ctx)
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// checkTargets asks all at once.
func (g *Gateway) checkTargets(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	done := make(chan struct{})
	n := 0
	for _, p := range g.pools {
		for _, t := range p.targets {
			if t.Ready == "" || t.up == nil {
				continue
			}
			n++
			go func() {
				t.check(ctx)
				done <- struct{}{}
			}()
		}
	}
	for range n {
		<-done
	}
}

// check asks one.
func (t *target) check(ctx context.Context) {
	resp, err := t.up.do(ctx, &outgoing{method: http.MethodGet, target: t.Ready, header: http.Header{"User-Agent": {"stella-gateway"}}})
	ok := err == nil && resp.StatusCode == http.StatusOK
	if err == nil {
		drain(resp.Body)
	}
	if t.down.Store(!ok); ok {
		t.until.Store(0)
	}
}

// Ready says which systems have no healthy target: what a readiness check of the gateway may
// want to know.
func (g *Gateway) Ready(context.Context) error {
	var problems []error
	for _, p := range g.pools {
		if p.pick(g.now(), nil) == nil {
			problems = append(problems, fmt.Errorf("%s: no healthy target: %w", p.system, fault.Unavailable))
		}
	}
	return errors.Join(problems...)
}
